#include "control/methods.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "control/log.h"
#include "control/state.h"
#include "datapath/ports.h"
#include "datapath/rules.h"

const struct rpc_method methods[] = {
	{"switch.info", switch_info}, {"port.add", port_add},
	{"port.remove", port_remove}, {"port.list", port_list},
	{"rule.set", rule_set},	      {"rule.delete", rule_delete},
	{"rule.list", rule_list},     {"stats.get", stats_get},
	{"stats.reset", stats_reset}, {NULL, NULL},
};

bool control_commit(struct control *control, struct config *next, struct rpc_error *error) {
	char why[300];

	if (!state_save(control->options->state_path, next, why, sizeof(why))) {
		config_free(next);
		rpc_fail(error, RPC_STORAGE, "%s; nothing has changed", why);
		return false;
	}
	config_free(&control->config);
	control->config = *next;
	return true;
}

static bool set_aside(const char *path, const char *cause, char *why, size_t why_size) {
	char aside[PATH_MAX];

	snprintf(aside, sizeof(aside), "%s.corrupt", path);
	if (rename(path, aside) != 0) {
		snprintf(why, why_size, "Cannot set the corrupt %s aside: %s; move it away", path,
			 strerror(errno));
		return false;
	}
	log_line("%s is corrupt: %s; it is now %s, and the switch starts empty", path, cause,
		 aside);
	return true;
}

static bool publish(const struct control *control, char *why, size_t why_size) {
	const struct config *config = &control->config;

	for (size_t i = 0; i < config->ports_len; i++)
		if (!ports_add(&config->ports[i], control->options->vhost_dir, why, why_size))
			return false;

	struct rule_batch *batch = rules_prepare(config->rules, config->rules_len);

	if (batch == NULL) {
		snprintf(why, why_size, "Cannot restore %zu rules: reserve more hugepages",
			 config->rules_len);
		return false;
	}
	rules_publish(batch);
	return true;
}

bool control_restore(struct control *control, char *why, size_t why_size) {
	const char *path = control->options->state_path;
	char cause[450];

	switch (state_load(path, &control->config, cause, sizeof(cause))) {
	case STATE_ABSENT:
		return true;
	case STATE_CORRUPT:
		return set_aside(path, cause, why, why_size);
	case STATE_UNREADABLE:
		snprintf(why, why_size, "Cannot read %s: %s; give it to the user of the switch",
			 path, cause);
		return false;
	case STATE_LOADED:
		break;
	}
	return publish(control, why, why_size);
}
