#pragma once

#include <stdbool.h>

#include "datapath/worker.h"

// The loop of a data core: it polls its VMs, its share of the uplink, its inbox and its queues.

void workers_start(void);
void workers_stop(void); // returns when none runs any more
bool workers_are_running(void);
