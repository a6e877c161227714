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

#include "control/control.h"
#include "control/log.h"
#include "datapath/grace.h"
#include "datapath/loop.h"
#include "datapath/ports.h"
#include "datapath/rules.h"
#include "datapath/uplink.h"
#include "datapath/uplink_plan.h"
#include "datapath/worker.h"
#include "options.h"
#include "privilege.h"

enum { EXIT_ARGUMENTS = 2 };

// Signals are read by the control loop; every other thread inherits the mask.
static int catch_signals(void) {
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
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
	if (rte_lcore_count() < 2) {
		snprintf(why, why_size,
			 "Cannot use one core: one is for control, each other one for data; give "
			 "the EAL two or more, like --lcores 0@0,1@1");
		return EXIT_ARGUMENTS;
	}
	return EXIT_SUCCESS;
}

struct opening {
	bool wanted;
	struct uplink *uplink;
	const struct uplink_terms *terms;
	struct rte_mempool *pool;
	bool done;
	char cause[300];
};

static void open_uplink(void *of) {
	struct opening *opening = of;

	opening->done = !opening->wanted ||
			uplink_open(opening->uplink, opening->terms, opening->pool, opening->cause,
				    sizeof(opening->cause));
}

static bool start_uplink(const struct options *options, struct worker_terms *terms, char *why,
			 size_t why_size) {
	const struct uplink_terms uplink_terms = {
		.port = (uint16_t)options->uplink_port,
		.mtu = terms->mtu,
		.cores = (uint16_t)(rte_lcore_count() - 1),
	};
	struct opening opening = {
		.wanted = options->uplink_port != UPLINK_NONE,
		.uplink = terms->uplink,
		.terms = &uplink_terms,
		.pool = terms->pool,
	};

	privilege_use(open_uplink, &opening);
	if (!opening.done)
		snprintf(why, why_size, "Cannot open the uplink: %s", opening.cause);
	return opening.done;
}

// Half of all buffers may hold frames that wait, so that the others keep the traffic going.
static int start_data_path(const struct options *options, struct worker_terms *terms, char *why,
			   size_t why_size) {
	const unsigned cores = rte_lcore_count() - 1;
	const unsigned buffers = options->buffers > 0 ? options->buffers : cores * BUFFERS_PER_CORE;

	terms->hz = rte_get_tsc_hz();
	terms->idle_sleep_us = options->idle_sleep_us;
	terms->mtu = (uint16_t)options->mtu;
	terms->accept_untagged = options->accept_untagged;
	terms->buffers = buffers / 2;
	terms->vm_buffers = options->vm_buffers > 0 ? options->vm_buffers : terms->buffers / 2;
	terms->pool = frames_create(buffers, frame_room(terms->mtu));
	if (terms->pool == NULL || !grace_init() || !rules_init() || !workers_init(terms)) {
		snprintf(why, why_size,
			 "Cannot get memory for %u frames of %u bytes and the rest: %s; reserve "
			 "more hugepages, or give fewer --buffers",
			 buffers, frame_room(terms->mtu), rte_strerror(rte_errno));
		return EXIT_FAILURE;
	}
	return start_uplink(options, terms, why, why_size) ? EXIT_SUCCESS : EXIT_ARGUMENTS;
}

static void close_ports(void) {
	while (ports_now()->len > 0)
		ports_remove(ports_now()->list[0]->vm);
}

// Serves until a signal asks for the end.
static int serve(const struct options *options, const struct uplink *uplink, int signals_fd,
		 char *why, size_t why_size) {
	static struct control control;
	const bool opened = control_open(&control, options, uplink, why, why_size);

	if (opened) {
		workers_start();
		log_line("ready: %u ports, %zu rules, %u data cores, uplink %s", ports_now()->len,
			 rules_len(), workers_len(), uplink->present ? uplink->device : "none");
		control_run(&control, signals_fd);
		workers_stop();
	}
	close_ports();
	control_close(&control);
	return opened ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[]) {
	static struct uplink uplink;
	static struct worker_terms terms = {.uplink = &uplink};
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

	const int signals_fd = catch_signals();

	if (!privilege_set_aside()) {
		log_line("Cannot give up the right to configure interfaces: %s", strerror(errno));
		return EXIT_FAILURE;
	}

	int status = start_eal(own, argv, why, sizeof(why));

	if (status == EXIT_SUCCESS)
		status = start_data_path(&options, &terms, why, sizeof(why));
	if (status == EXIT_SUCCESS)
		status = serve(&options, &uplink, signals_fd, why, sizeof(why));
	if (status != EXIT_SUCCESS)
		log_line("%s", why);

	uplink_close(&uplink);
	rte_eal_cleanup();
	return status;
}
