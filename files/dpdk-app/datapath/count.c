#include "datapath/count.h"

#include <string.h>

#include "datapath/workers_control.h"

static uint64_t delay_bucket_ticks[DELAY_BUCKETS];

void count_init(uint64_t hz) {
	for (unsigned i = 0; i < DELAY_BUCKETS - 1; i++)
		delay_bucket_ticks[i] = (uint64_t)((double)delay_bucket_ns[i] / 1e9 * (double)hz);
	delay_bucket_ticks[DELAY_BUCKETS - 1] = UINT64_MAX;
}

void rule_count_anew(struct rule_state *state, uint32_t epoch) {
	state->packets = 0;
	state->bytes = 0;
	if (state->detail != NULL)
		memset(state->detail, 0, sizeof(*state->detail));
	state->epoch = epoch;
}

// The details of a rule, if control's stock has any.
static struct rule_detail *detail(struct worker *worker, struct rule_state *state) {
	void *fresh;

	if (unlikely(state->epoch != worker->epoch))
		rule_count_anew(state, worker->epoch);
	if (unlikely(state->detail == NULL) && rte_ring_sc_dequeue(worker->details, &fresh) == 0)
		__atomic_store_n(&state->detail, fresh, __ATOMIC_RELEASE);
	return state->detail;
}

void rule_count_drop(struct worker *worker, struct rule_state *state, enum drop drop) {
	struct rule_detail *const counted = detail(worker, state);

	if (likely(counted != NULL))
		counted->drops[drop]++;
}

void rule_count_delay(struct worker *worker, struct rule_state *state, uint64_t ticks) {
	struct rule_detail *const counted = detail(worker, state);
	unsigned bucket = 0;

	if (unlikely(counted == NULL))
		return;
	while (ticks > delay_bucket_ticks[bucket])
		bucket++;
	counted->delays[bucket]++;
	if (ticks > counted->delay_max)
		counted->delay_max = ticks;
}
