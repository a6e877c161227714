#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include <rte_mempool.h>

#include "datapath/uplink.h"

// What a data core works with.
struct worker {
	struct rte_mempool *pool;
	struct uplink *uplink;
	unsigned idle_sleep_us; // 0: poll without a pause
	atomic_bool stop;
};

// The loop of a data core, until worker->stop. Takes a struct worker *, returns 0.
int worker_run(void *argument);
