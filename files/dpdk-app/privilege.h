#pragma once

#include <stdbool.h>

// The right to configure interfaces (CAP_NET_ADMIN), held by a thread that does one task with it.
//
// Starting an af_packet device needs it, because DPDK then sets the promiscuous mode. Nothing else
// does, so no thread that ever sees a frame or a request has it.

// Gives the right to the waiting thread and takes it from the caller, and so from every thread that
// the caller starts later. Call it while the caller is the only thread. Returns false, with errno
// set, if the system refuses.
bool privilege_set_aside(void);

// Has the waiting thread do the task, once, and waits until it ends. The right ends with it.
void privilege_use(void (*task)(void *), void *of);
