#pragma once

#include "control/control.h"

// The commands /dpdk_tagging/... of DPDK's telemetry socket, for dpdk-telemetry.py and exporters.
// They only read, under the control lock.
void telemetry_start(struct control *control);
void telemetry_stop(void);
