#pragma once

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "datapath/worker.h"

// How a data core counts. Everything here is for the core itself.

void count_init(uint64_t hz);

// The time since the last look at the clock was spent on this stage.
static inline void lap(struct worker *worker, enum stage stage) {
	const uint64_t now = rte_rdtsc();

	counter_add(&worker->cycles[stage], now - worker->clock);
	worker->clock = now;
}

static inline void discard(struct rte_mbuf *frame, struct counter drops[], enum drop drop) {
	counter_add(&drops[drop], 1);
	rte_pktmbuf_free(frame);
}

// Begins to count a rule anew after a reset.
void rule_count_anew(struct rule_state *state, uint32_t epoch);

static inline void rule_count(const struct worker *worker, struct rule_state *state,
			      uint32_t bytes) {
	if (unlikely(state->epoch != worker->epoch))
		rule_count_anew(state, worker->epoch);
	state->packets++;
	state->bytes += bytes;
}

void rule_count_drop(struct worker *worker, struct rule_state *state, enum drop drop);
void rule_count_delay(struct worker *worker, struct rule_state *state, uint64_t ticks);
