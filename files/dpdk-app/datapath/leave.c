#include "datapath/leave.h"

#include <rte_branch_prediction.h>
#include <rte_vhost.h>

#include "core/frame.h"
#include "datapath/count.h"
#include "datapath/transit.h"
#include "datapath/vhost.h"

static void refuse(struct worker *worker, const struct departures *departures, unsigned i,
		   enum drop drop) {
	const struct departure *const of = &departures->of[i];
	struct rte_mbuf *const frame = departures->frames[i];
	struct port *const port = departures->port != NULL ? departures->port
							   : transit_of(frame)->port;

	of->state->packets--;
	of->state->bytes -= of->bytes;
	shaper_refund(&of->state->shaper, worker->terms->hz, INT64_MAX, of->bits);
	rule_count_drop(worker, of->state, drop);
	discard(frame, port->drops, drop);
}

static void leave_by_uplink(struct worker *worker, struct departures *departures) {
	const unsigned sent = uplink_send(worker->terms->uplink, worker->number, departures->frames,
					  (uint16_t)departures->len);
	uint64_t bytes = departures->bytes;

	for (unsigned i = sent; i < departures->len; i++) {
		bytes -= departures->frames[i]->pkt_len;
		refuse(worker, departures, i, DROP_UPLINK_FULL);
	}
	traffic_add(&worker->sent, sent, bytes);
}

// Frames with the guest's own address, or a group's; returns how many are left.
static unsigned keep_own(struct port *port, struct rte_mbuf *frames[], unsigned len,
			 struct rte_mbuf *own[]) {
	unsigned kept = 0;

	for (unsigned i = 0; i < len; i++) {
		if (likely(frame_is_for(rte_pktmbuf_mtod(frames[i], uint8_t *), port->mac)))
			own[kept++] = frames[i];
		else
			discard(frames[i], port->drops, DROP_DESTINATION_MAC);
	}
	return kept;
}

// The library takes no more than VHOST_BURST frames at a time.
static unsigned give_frames(int device, struct rte_mbuf *frames[], unsigned len) {
	unsigned given = 0, more;

	do {
		more = rte_vhost_enqueue_burst(device, QUEUE_TO_VM, &frames[given],
					       (uint16_t)(len - given));
		given += more;
	} while (more >= VHOST_BURST && given < len);
	return given;
}

void deliver(struct port *port, struct rte_mbuf *frames[], unsigned len) {
	const int device = atomic_load_explicit(&port->device, memory_order_acquire);
	struct rte_mbuf *own[BURST];
	const unsigned kept = keep_own(port, frames, len, own);
	enum drop refusal = DROP_NOT_CONNECTED;
	unsigned taken = 0;
	uint64_t bytes = 0;

	if (likely(device != NOT_CONNECTED)) {
		taken = give_frames(device, own, kept);
		refusal = DROP_GUEST_FULL;
	}
	for (unsigned i = 0; i < taken; i++)
		bytes += own[i]->pkt_len;
	traffic_add(&port->to_vm, taken, bytes);
	counter_add(&port->drops[refusal], kept - taken);
	rte_pktmbuf_free_bulk(own, kept);
}

unsigned hand_over(struct worker *worker, uint16_t vm, struct rte_mbuf *frames[], unsigned len,
		   enum drop *refusal) {
	struct port *const port = vm <= VM_MAX ? worker->ports->by_vm[vm] : NULL;

	*refusal = DROP_UNKNOWN_VM;
	if (unlikely(port == NULL))
		return 0;
	if (port->worker == worker->number) {
		deliver(port, frames, len);
		return len;
	}
	*refusal = DROP_INBOX_FULL;
	return rte_ring_mp_enqueue_burst(workers_get(port->worker)->inbox, (void *const *)frames,
					 len, NULL);
}

static void leave_to_vms(struct worker *worker, struct departures *departures) {
	struct rte_mbuf **const frames = departures->frames;
	unsigned end;

	for (unsigned begin = 0; begin < departures->len; begin = end) {
		const uint16_t vm = transit_of(frames[begin])->destination_vm;
		enum drop refusal;

		for (end = begin + 1; end < departures->len; end++)
			if (transit_of(frames[end])->destination_vm != vm)
				break;
		for (unsigned i =
			     begin + hand_over(worker, vm, &frames[begin], end - begin, &refusal);
		     i < end; i++)
			refuse(worker, departures, i, refusal);
	}
}

void leave(struct worker *worker, struct departures *to_uplink, struct departures *to_vms) {
	if (to_uplink->len > 0) {
		leave_by_uplink(worker, to_uplink);
		lap(worker, STAGE_TRANSMIT);
	}
	if (to_vms->len > 0) {
		leave_to_vms(worker, to_vms);
		lap(worker, STAGE_DELIVER);
	}
}
