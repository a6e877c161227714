// The tagging switch: VMs by vhost-user on one side, the network on the other, and between them
// rules that shape a VM's packets and push their tags.

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>

#include "control/log.h"
#include "control/methods.h"
#include "control/server.h"
#include "datapath/grace.h"
#include "datapath/ports.h"
#include "datapath/rules.h"
#include "privilege.h"

enum {
	EXIT_ARGUMENTS = 2,
	BUFFERS = 16383,
	BUFFER_CACHE = 256,
};

// Signals are read by the control loop; every other thread inherits the mask.
static int end_signals(void) {
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

// The index of "--", behind which the switch's own arguments are; argc if there is none.
static int separator(int argc, char *argv[]) {
	int i = 1;

	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	return i;
}

static int start_eal(int argc, char *argv[], char *why, size_t why_size) {
	rte_log_set_level_pattern("lib.vhost.*", RTE_LOG_WARNING);
	rte_log_set_level_pattern("lib.eal", RTE_LOG_WARNING);

	if (rte_eal_init(argc, argv) < 0) {
		snprintf(why, why_size,
			 "Cannot start DPDK: %s; see its messages above, and the hugepages",
			 rte_strerror(rte_errno));
		return EXIT_FAILURE;
	}
	if (rte_lcore_count() != 2) {
		snprintf(why, why_size,
			 "Cannot use %u cores: one is for control, one for data; give the EAL two, "
			 "like --lcores 0@0,1@1",
			 rte_lcore_count());
		return EXIT_ARGUMENTS;
	}
	return EXIT_SUCCESS;
}

struct opening {
	struct uplink *uplink;
	int port; // or UPLINK_NONE
	struct rte_mempool *pool;
	bool done;
	char cause[300];
};

static void open_uplink(void *of) {
	struct opening *opening = of;

	opening->done = opening->port == UPLINK_NONE ||
			uplink_open(opening->uplink, (uint16_t)opening->port, opening->pool,
				    opening->cause, sizeof(opening->cause));
}

static int start_data_path(struct worker *worker, const struct options *options, char *why,
			   size_t why_size) {
	worker->idle_sleep_us = options->idle_sleep_us;
	worker->pool = rte_pktmbuf_pool_create("frames", BUFFERS, BUFFER_CACHE, 0,
					       RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (worker->pool == NULL || !grace_init() || !rules_init()) {
		snprintf(why, why_size, "Cannot get memory: %s; reserve more hugepages",
			 rte_strerror(rte_errno));
		return EXIT_FAILURE;
	}

	struct opening opening = {
		.uplink = worker->uplink,
		.port = options->uplink_port,
		.pool = worker->pool,
	};

	privilege_use(open_uplink, &opening);
	if (!opening.done) {
		snprintf(why, why_size, "Cannot open the uplink: %s", opening.cause);
		return EXIT_ARGUMENTS;
	}
	return EXIT_SUCCESS;
}

static void close_ports(void) {
	while (ports_now()->len > 0)
		ports_remove(ports_now()->list[0]->vm);
}

// Serves until a signal asks for the end.
static int serve(const struct options *options, struct worker *worker, int signals_fd, char *why,
		 size_t why_size) {
	struct control control = {.options = options, .uplink = worker->uplink, .worker = worker};
	char cause[300];
	struct server *server = server_open(options->control_socket, cause, sizeof(cause));

	if (server == NULL) {
		snprintf(why, why_size, "Cannot open the control socket: %s", cause);
		return EXIT_FAILURE;
	}

	clock_gettime(CLOCK_MONOTONIC, &control.started);
	const bool restored = control_restore(&control, why, why_size);

	if (restored) {
		rte_eal_mp_remote_launch(worker_run, worker, SKIP_MAIN);
		log_line("ready: %zu ports, %zu rules, uplink %s", control.config.ports_len,
			 control.config.rules_len,
			 worker->uplink->present ? worker->uplink->device : "none");
		server_run(server, methods, &control, signals_fd);
		atomic_store(&worker->stop, true);
		rte_eal_mp_wait_lcore();
		log_line("asked to end");
	}
	close_ports();
	server_close(server);
	config_free(&control.config);
	return restored ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[]) {
	static struct uplink uplink;
	static struct worker worker = {.uplink = &uplink};
	struct options options;
	const int own = separator(argc, argv);
	char why[800] = "";

	switch (options_read(argc - own, argv + own, &options, why, sizeof(why))) {
	case OPTIONS_HELP:
		fputs(options_usage, stdout);
		return EXIT_SUCCESS;
	case OPTIONS_BAD:
		log_line("Cannot read the arguments: %s", why);
		return EXIT_ARGUMENTS;
	case OPTIONS_GOOD:
		break;
	}

	log_name(options.name);
	umask(0007); // sockets are for the group, never for all

	const int signals_fd = end_signals();

	if (!privilege_set_aside()) {
		log_line("Cannot give up the right to configure interfaces: %s", strerror(errno));
		return EXIT_FAILURE;
	}

	int status = start_eal(own, argv, why, sizeof(why));

	if (status == EXIT_SUCCESS)
		status = start_data_path(&worker, &options, why, sizeof(why));
	if (status == EXIT_SUCCESS)
		status = serve(&options, &worker, signals_fd, why, sizeof(why));
	if (status != EXIT_SUCCESS)
		log_line("%s", why);

	uplink_close(&uplink);
	rte_eal_cleanup();
	return status;
}
