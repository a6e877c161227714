#include "control/trace_shape.h"

#include <string.h>

#include <rte_atomic.h>
#include <rte_cycles.h>

#include "core/shape.h"
#include "datapath/worker.h"

enum { COPIES_MAX = 1000 }; // a copy takes less time than the data core needs for a frame

// The data core writes while we read: a copy that is the same twice is of one moment.
static void copy_state(const struct rule_state *state, struct rule_state *copy) {
	struct rule_state again;

	for (unsigned i = 0; i < COPIES_MAX; i++) {
		memcpy(copy, state, sizeof(*copy));
		rte_smp_rmb();
		memcpy(&again, state, sizeof(again));
		rte_smp_rmb();
		if (memcmp(copy, &again, sizeof(again)) == 0)
			return;
	}
}

static struct shaper_terms terms_of(const struct rule *rule) {
	return (struct shaper_terms){
		.rate_bps = rule->rate_bps,
		.burst_bits = rule->burst_bits,
		.queue_bytes = rule->queue_bytes,
		.queue_packets = rule->queue_packets,
		.mode = rule->mode,
	};
}

static bool may_hold(const struct worker *worker, const struct port *port) {
	const uint32_t free = worker->buffers - worker->waiting;
	const uint32_t most = free < worker->terms->vm_buffers ? free : worker->terms->vm_buffers;

	return atomic_load(&port->waiting) < most;
}

// As the data path decides; *departure is set with KEEP.
static enum drop decide(const struct port *port, const struct rule *rule, size_t frame_len,
			uint64_t bits, uint64_t now, uint64_t *departure) {
	const struct worker *worker = workers_get(port->worker);
	const struct shaper_terms terms = terms_of(rule);
	struct shaper *shaper = &rule->state->shaper;
	const struct queue *queue = &rule->state->queue;
	const uint64_t hz = worker->terms->hz, rate = terms.rate_bps, burst = terms.burst_bits;
	const bool waits = queue->head != NULL;

	*departure = now;
	if (terms.mode == SHAPE_OFF && !waits)
		return KEEP;
	if (terms.mode != SHAPE_OFF && !(terms.mode == SHAPE_DELAY && waits) &&
	    shaper_take(shaper, hz, rate, burst, bits, now)) {
		if (!waits)
			return KEEP;
	} else if (terms.mode == SHAPE_POLICE) {
		return DROP_OVER_RATE;
	}
	if (!may_hold(worker, port))
		return DROP_BUFFERS_FULL;
	if (!queue_has_room(queue, &terms, (uint32_t)frame_len))
		return DROP_QUEUE_FULL;
	if (terms.mode == SHAPE_DELAY)
		*departure = shaper_charge(shaper, hz, rate, burst, bits, now);
	return KEEP;
}

static uint64_t to_ns(uint64_t ticks, uint64_t hz) {
	__extension__ const unsigned __int128 product = (unsigned __int128)ticks * 1000000000;

	return (uint64_t)((product + hz - 1) / hz);
}

void trace_shape(const struct port *port, const struct rule *rule, size_t frame_len,
		 struct verdict *verdict) {
	const uint64_t hz = workers_get(port->worker)->terms->hz, now = rte_rdtsc();
	struct rule_state state;
	struct rule tried = *rule;
	uint64_t departure;

	copy_state(rule->state, &state);
	tried.state = &state;
	rule_follow(&tried, now);
	if (rule->mode != SHAPE_OFF)
		shaper_earn(&state.shaper, hz, rule->rate_bps, rule->burst_bits, now);
	*verdict = (struct verdict){
		.bits = wire_bits(frame_len, rule->tags_len),
		.level = state.shaper.level / (int128)hz,
		.queue_packets = state.queue.packets,
		.queue_bytes = state.queue.bytes,
	};
	verdict->drop = decide(port, &tried, frame_len, verdict->bits, now, &departure);
	verdict->delay_ns = verdict->drop == KEEP ? to_ns(departure - now, hz) : 0;
}
