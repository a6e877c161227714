#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/rpc.h"
#include "core/neighbours.h"
#include "datapath/uplink.h"
#include "options.h"

// The switch's part in LLDP: it tells who is at its uplink, now and then, and remembers who else is
// there.
struct lldp_agent {
	const struct uplink *uplink;
	uint64_t interval_ms; // 0: it only listens
	uint64_t due_ms;      // when it tells next
	size_t own_len;
	uint8_t own[LLDP_OWN_MAX];
	struct neighbours neighbours;
};

void lldp_init(struct lldp_agent *agent, const struct options *options,
	       const struct uplink *uplink);

// Takes what was heard since the last call, forgets neighbours, and tells if it is time to.
void lldp_serve(struct lldp_agent *agent);

// Tells now. False: *error is filled.
bool lldp_tell(const struct lldp_agent *agent, struct rpc_error *error);

// Milliseconds of its clock.
uint64_t lldp_now_ms(void);
