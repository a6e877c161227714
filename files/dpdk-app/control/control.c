#include "control/control.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control/control_frames.h"
#include "control/edits.h"
#include "control/log.h"
#include "control/methods.h"
#include "control/report.h"
#include "control/telemetry.h"
#include "datapath/ports.h"
#include "datapath/rules.h"
#include "datapath/workers_control.h"

struct port_restore {
	const char *vhost_dir;
	char *why;
	size_t why_size;
};

static bool restore_port(const struct port_spec *port, void *of) {
	const struct port_restore *restore = of;

	return ports_add(port, restore->vhost_dir, restore->why, restore->why_size);
}

static bool restore_ports(const struct control *control, char *why, size_t why_size) {
	char cause[300] = "it cannot be read; move it away, and the switch starts empty";
	struct port_restore restore = {control->options->vhost_dir, cause, sizeof(cause)};

	if (store_ports(control->store, restore_port, &restore))
		return true;
	snprintf(why, why_size, "Cannot restore the ports of %s: %s", control->options->state_path,
		 cause);
	return false;
}

struct rule_list {
	size_t len, capacity;
	struct rule_spec *rules;
};

static bool collect_rule(const struct rule_spec *rule, void *of) {
	struct rule_list *list = of;

	if (list->len == list->capacity) {
		const size_t capacity = 2 * list->capacity + 1024;
		struct rule_spec *rules = realloc(list->rules, capacity * sizeof(rules[0]));

		if (rules == NULL)
			return false;
		list->rules = rules;
		list->capacity = capacity;
	}
	list->rules[list->len++] = *rule;
	return true;
}

static bool publish_rules(const struct rule_list *list, char *why, size_t why_size) {
	struct rpc_error error;
	struct edits edits;

	if (!edits_make(list->rules, list->len, NULL, 0, &edits, &error)) {
		snprintf(why, why_size, "no memory left; free some");
		return false;
	}

	struct rules_change *change = rules_prepare(edits.list, edits.len, why, why_size);

	if (change != NULL)
		rules_publish(change);
	edits_free(&edits);
	return change != NULL;
}

static bool restore_rules(const struct control *control, char *why, size_t why_size) {
	char cause[300] = "it cannot be read, or memory is short; free some, or move it away";
	struct rule_list list = {0};
	const bool good = store_rules(control->store, collect_rule, &list) &&
			  (list.len == 0 || publish_rules(&list, cause, sizeof(cause)));

	free(list.rules);
	if (!good)
		snprintf(why, why_size, "Cannot restore the rules of %s: %s",
			 control->options->state_path, cause);
	return good;
}

bool control_open(struct control *control, const struct options *options,
		  const struct uplink *uplink, char *why, size_t why_size) {
	char cause[400];

	*control = (struct control){.options = options, .uplink = uplink};
	lldp_init(&control->lldp, options, uplink);
	pthread_mutex_init(&control->lock, NULL);
	clock_gettime(CLOCK_MONOTONIC, &control->started);
	control->server = server_open(options->control_socket, cause, sizeof(cause));
	if (control->server == NULL) {
		snprintf(why, why_size, "Cannot open the control socket: %s", cause);
		return false;
	}
	if (store_open(options->state_path, &control->store, control->report,
		       sizeof(control->report), cause, sizeof(cause)) != STORE_OPENED) {
		snprintf(why, why_size, "Cannot open the state: %s", cause);
		return false;
	}
	if (control->report[0] != '\0')
		log_line("%s", control->report);
	return restore_ports(control, why, why_size) && restore_rules(control, why, why_size);
}

static void tick(void *context) {
	struct control *control = context;

	control_frames_serve(control);
	lldp_serve(&control->lldp);
	rules_reclaim();
	ports_reclaim();
	details_refill();
}

// False: the switch is asked to end.
static bool on_signal(void *context) {
	const struct control *control = context;
	struct signalfd_siginfo signal;

	if (read(control->signals_fd, &signal, sizeof(signal)) != sizeof(signal))
		return true;
	switch (signal.ssi_signo) {
	case SIGUSR1:
		report_to_log(control);
		return true;
	case SIGUSR2:
		counters_reset();
		log_line("counters reset");
		return true;
	default:
		return false;
	}
}

void control_run(struct control *control, int signals_fd) {
	const struct service service = {
		.methods = methods,
		.context = control,
		.lock = &control->lock,
		.tick = tick,
		.events_fd = signals_fd,
		.on_event = on_signal,
	};

	control->signals_fd = signals_fd;
	telemetry_start(control);
	server_run(control->server, &service);
	telemetry_stop();
	log_line("asked to end");
}

void control_close(struct control *control) {
	if (control->store != NULL)
		store_close(control->store);
	if (control->server != NULL)
		server_close(control->server);
	pthread_mutex_destroy(&control->lock);
}
