#pragma once

#include "datapath/worker.h"

// How frames leave a data core.

// Whom to give back what was counted and charged for a frame that is refused.
struct departure {
	struct rule_state *state;
	uint32_t bytes; // as the VM sent it
	uint32_t bits;	// charged, or 0
};

struct departures {
	unsigned len;
	uint64_t bytes;	   // of all frames with their tags
	struct port *port; // of the VM that sent them; NULL: the transit of each says
	struct rte_mbuf *frames[BURST];
	struct departure of[BURST];
};

// Clears what counts and no more: a whole one is more than a kibibyte.
static inline void departures_init(struct departures *departures, struct port *port) {
	departures->len = 0;
	departures->bytes = 0;
	departures->port = port;
}

static inline void departures_add(struct departures *departures, struct rte_mbuf *frame,
				  struct departure of) {
	departures->bytes += frame->pkt_len;
	departures->of[departures->len] = of;
	departures->frames[departures->len++] = frame;
}

// Takes all frames: those that are refused are dropped, and given back to their rules. Those to VMs
// say in their transit to which.
void leave(struct worker *worker, struct departures *to_uplink, struct departures *to_vms);

// Gives frames to a VM of this switch. Returns how many, from the first, were taken; *refusal says
// why the others were not.
unsigned hand_over(struct worker *worker, uint16_t vm, struct rte_mbuf *frames[], unsigned len,
		   enum drop *refusal);

// Gives frames to the guest of a port of this core, or drops them.
void deliver(struct port *port, struct rte_mbuf *frames[], unsigned len);
