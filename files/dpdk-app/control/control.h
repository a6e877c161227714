#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "control/lldp.h"
#include "control/server.h"
#include "control/store.h"
#include "datapath/uplink.h"
#include "options.h"

// What control works on: what it wants is in the store and published to the data path; it keeps
// no copy. One thread changes it; another one (of DPDK's telemetry) reads it under the lock.
struct control {
	const struct options *options;
	const struct uplink *uplink;
	struct server *server;
	struct store *store;
	struct lldp_agent lldp;
	char report[1000];	 // what was done to open the store, or empty
	struct timespec started; // CLOCK_MONOTONIC
	pthread_mutex_t lock;
	int signals_fd;
};

// Takes the control socket, opens the store, and publishes the ports and rules in it: all before
// the data cores start. False: why says what to do; control_close() is due all the same.
bool control_open(struct control *control, const struct options *options,
		  const struct uplink *uplink, char *why, size_t why_size);

// Serves the control socket, VM 0's control frames and telemetry until SIGINT or SIGTERM can be
// read from signals_fd, a signalfd for them and for SIGUSR1 (writes statistics and rules to the
// log) and SIGUSR2 (resets the counters).
void control_run(struct control *control, int signals_fd);

// Ends what control_open() began. Ports and rules stay published.
void control_close(struct control *control);
