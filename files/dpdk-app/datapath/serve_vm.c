#include <rte_branch_prediction.h>
#include <rte_vhost.h>

#include "core/frame.h"
#include "core/shape.h"
#include "core/tags.h"
#include "datapath/count.h"
#include "datapath/leave.h"
#include "datapath/serve.h"
#include "datapath/transit.h"
#include "datapath/vhost.h"

static_assert(RTE_PKTMBUF_HEADROOM >= TAGS_SIZE, "tags fit in front of a frame");

// Frames by which VM 0 asks for rules; from another VM they are nothing.
static void take_control_frame(struct worker *worker, struct port *port, struct rte_mbuf *frame) {
	if (port->vm != CONTROL_VM)
		discard(frame, port->drops, DROP_CONTROL_ROLE);
	else if (rte_ring_sp_enqueue(worker->to_control, frame) != 0)
		discard(frame, port->drops, DROP_CONTROL_FULL);
}

// Keeps the frames for which there can be a rule, each with its key; returns how many.
static unsigned read_frames(struct worker *worker, struct port *port, struct rte_mbuf *frames[],
			    unsigned len, struct match_key keys[]) {
	unsigned kept = 0;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < len; i++) {
		struct rte_mbuf *const frame = frames[i];
		enum drop drop = DROP_OVERSIZE; // one that does not fit one buffer

		bytes += frame->pkt_len;
		if (likely(frame->nb_segs == 1))
			drop = frame_from_vm(rte_pktmbuf_mtod(frame, uint8_t *), frame->data_len,
					     port->mac, &keys[kept]);
		if (unlikely(drop != KEEP))
			discard(frame, port->drops, drop);
		else if (unlikely(keys[kept].ether_type == ETHER_CONTROL))
			take_control_frame(worker, port, frame);
		else
			frames[kept++] = frame;
	}
	traffic_add(&port->from_vm, len, bytes);
	return kept;
}

static void push_tags(struct rte_mbuf *frame, const struct rule *rule) {
	tags_push(rte_pktmbuf_mtod(frame, uint8_t *), rule->tags, rule->tags_len);
	frame->data_off = (uint16_t)(frame->data_off - rule->tags_len);
	frame->data_len = (uint16_t)(frame->data_len + rule->tags_len);
	frame->pkt_len += rule->tags_len;
}

// A VM may hold as much as is still free of its core's share, so that none can take all of it.
static bool may_hold(const struct worker *worker, const struct port *port) {
	const uint32_t free = worker->buffers - worker->waiting;

	return port->waiting < RTE_MIN(free, worker->terms->vm_buffers);
}

// Puts a frame that cannot leave now into its rule's queue, or says why not. Out of line, as are
// drops: what is rare leaves the registers to the rest.
static __rte_noinline enum drop hold(struct worker *worker, struct port *port,
				     const struct rule *rule, struct rte_mbuf *frame,
				     uint64_t bits) {
	const struct shaper_terms terms = {
		.rate_bps = rule->rate_bps,
		.burst_bits = rule->burst_bits,
		.queue_bytes = rule->queue_bytes,
		.queue_packets = rule->queue_packets,
		.mode = rule->mode,
	};
	struct rule_state *const state = rule->state;
	struct transit *const transit = transit_of(frame);

	rule_follow(rule, worker->clock);
	if (rule->mode == SHAPE_POLICE && state->queue.head == NULL)
		return DROP_OVER_RATE;
	if (!may_hold(worker, port))
		return DROP_BUFFERS_FULL;
	if (worker->waiting == 0) // the wheel has stood still: it catches up
		scheduler_take(&worker->scheduler, worker->clock, NULL, NULL, 1);

	*transit = (struct transit){
		.parcel = {.bits = rule->mode == SHAPE_OFF ? 0 : (uint32_t)bits,
			   .bytes = frame->pkt_len},
		.port = port,
		.destination_vm = rule->destination_vm,
	};
	switch (shape(&worker->scheduler, &state->queue, &state->shaper, worker->terms->hz, &terms,
		      &transit->parcel, worker->clock)) {
	case SHAPED_OVER_RATE:
		return DROP_OVER_RATE;
	case SHAPED_QUEUE_FULL:
		return DROP_QUEUE_FULL;
	default: // SHAPED_LATER: shaper_take() has said no, or frames wait already
		break;
	}
	push_tags(frame, rule);
	worker->waiting++;
	atomic_store_explicit(&port->waiting, port->waiting + 1, memory_order_relaxed);
	return KEEP;
}

static inline bool may_leave(const struct rule *rule, uint64_t hz, uint64_t bits, uint64_t now) {
	struct rule_state *const state = rule->state;

	if (state->queue.head != NULL)
		return false;
	if (rule->mode == SHAPE_OFF)
		return true;
	rule_follow(rule, now);
	return shaper_take(&state->shaper, hz, rule->rate_bps, rule->burst_bits, bits, now);
}

static __rte_noinline void drop_by_rule(struct worker *worker, struct port *port,
					const struct rule *rule, struct rte_mbuf *frame,
					enum drop drop) {
	rule_count_drop(worker, rule->state, drop);
	discard(frame, port->drops, drop);
}

static enum drop too_long(const struct worker *worker, const struct rule *rule) {
	return rule->destination_vm == TO_UPLINK && !worker->terms->uplink->present ? DROP_NO_UPLINK
										    : DROP_OVERSIZE;
}

// Charges each frame to its rule and pushes its tags: it leaves, waits, or is dropped.
static void charge(struct worker *worker, struct port *port, struct rte_mbuf *const frames[],
		   const struct match_key keys[], const struct rule *const rules[], unsigned len,
		   struct departures *to_uplink, struct departures *to_vms) {
	const uint32_t uplink_limit = worker->terms->uplink->max_frame;
	const uint32_t vm_limit = worker->terms->mtu + ETHER_HEADER_LEN;
	const uint64_t hz = worker->terms->hz, now = worker->clock;

	for (unsigned i = 0; i < len; i++) {
		const struct rule *const rule = rules[i];
		struct rte_mbuf *const frame = frames[i];
		const uint32_t bytes = frame->pkt_len;

		if (unlikely(rule == NULL)) {
			discard(frame, port->drops, frame_unmatched(&keys[i]));
			continue;
		}

		const bool is_up = rule->destination_vm == TO_UPLINK;

		if (unlikely(bytes + rule->tags_len > (is_up ? uplink_limit : vm_limit))) {
			drop_by_rule(worker, port, rule, frame, too_long(worker, rule));
			continue;
		}

		const uint64_t bits = wire_bits(bytes, rule->tags_len);

		if (unlikely(!may_leave(rule, hz, bits, now))) {
			const enum drop drop = hold(worker, port, rule, frame, bits);

			if (drop != KEEP)
				drop_by_rule(worker, port, rule, frame, drop);
			continue;
		}
		push_tags(frame, rule);
		rule_count(worker, rule->state, bytes);
		if (unlikely(!is_up))
			transit_of(frame)->destination_vm = rule->destination_vm;
		departures_add(is_up ? to_uplink : to_vms, frame,
			       (struct departure){rule->state, bytes,
						  rule->mode == SHAPE_OFF ? 0 : (uint32_t)bits});
	}
}

// The library gives no more than VHOST_BURST frames at a time.
static unsigned take_frames(const struct worker *worker, int device, struct rte_mbuf *frames[]) {
	unsigned taken = 0, more;

	do {
		more = rte_vhost_dequeue_burst(device, QUEUE_FROM_VM, worker->terms->pool,
					       &frames[taken], (uint16_t)(BURST - taken));
		taken += more;
	} while (more >= VHOST_BURST && taken < BURST);
	return taken;
}

unsigned serve_vm(struct worker *worker, struct port *port) {
	const int device = atomic_load_explicit(&port->device, memory_order_acquire);
	const struct rule_table *const table = worker->rules->by_vm[port->vm];
	struct departures to_uplink, to_vms;
	struct rte_mbuf *frames[BURST];
	struct match_key keys[BURST];
	const struct rule *rules[BURST];

	if (device == NOT_CONNECTED)
		return 0;

	const unsigned taken = take_frames(worker, device, frames);

	if (taken == 0)
		return 0;

	const unsigned kept = read_frames(worker, port, frames, taken, keys);

	departures_init(&to_uplink, port);
	departures_init(&to_vms, port);
	lap(worker, STAGE_RECEIVE);
	rules_match(table, keys, kept, rules);
	lap(worker, STAGE_MATCH);
	charge(worker, port, frames, keys, rules, kept, &to_uplink, &to_vms);
	lap(worker, STAGE_SHAPE);

	leave(worker, &to_uplink, &to_vms);
	return taken;
}
