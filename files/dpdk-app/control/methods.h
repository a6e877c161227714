#pragma once

#include <stddef.h>
#include <time.h>

#include "control/config.h"
#include "control/rpc.h"
#include "datapath/uplink.h"
#include "datapath/worker.h"
#include "options.h"

// What the methods of the control socket work on.
struct control {
	const struct options *options;
	struct uplink *uplink;
	struct worker *worker;
	struct config config;	 // as it is saved and published
	struct timespec started; // CLOCK_MONOTONIC
};

extern const struct rpc_method methods[];

// Loads the saved state and publishes it. A corrupt file is set aside and reported.
// False: why says what to do.
bool control_restore(struct control *control, char *why, size_t why_size);

// Saves the next configuration and makes it the present one, or frees it and fails.
bool control_commit(struct control *control, struct config *next, struct rpc_error *error);

rpc_handler switch_info;
rpc_handler port_add, port_remove, port_list;
rpc_handler rule_set, rule_delete, rule_list;
rpc_handler stats_get, stats_reset;
