#include <rte_branch_prediction.h>

#include "core/frame.h"
#include "core/tags.h"
#include "datapath/count.h"
#include "datapath/leave.h"
#include "datapath/lldp.h"
#include "datapath/serve.h"
#include "datapath/transit.h"

// A burst of frames with their destination_vm set, each row for the same VM in one go.
static void deliver_rows(struct worker *worker, struct rte_mbuf *frames[], unsigned len) {
	unsigned end;

	for (unsigned begin = 0; begin < len; begin = end) {
		const uint16_t vm = transit_of(frames[begin])->destination_vm;
		enum drop refusal;

		for (end = begin + 1; end < len; end++)
			if (transit_of(frames[end])->destination_vm != vm)
				break;
		for (unsigned i =
			     begin + hand_over(worker, vm, &frames[begin], end - begin, &refusal);
		     i < end; i++)
			discard(frames[i], worker->drops, refusal);
	}
}

// What no tag leads to a VM. Returns as route().
static bool route_untagged(struct worker *worker, struct rte_mbuf *frame,
			   const struct arrival *arrival) {
	if (arrival->lldp) {
		lldp_take(worker, frame);
		return false;
	}

	const struct port *const port = worker->terms->accept_untagged
						? ports_by_mac(worker->ports,
							       arrival->destination_mac)
						: NULL;

	if (port == NULL) {
		discard(frame, worker->drops, DROP_UNTAGGED);
		return false;
	}
	transit_of(frame)->destination_vm = port->vm;
	return true;
}

// Finds the VM that a frame is for, and takes its tag off. False: it is for none, and gone.
static bool route(struct worker *worker, struct rte_mbuf *frame) {
	uint8_t *const data = rte_pktmbuf_mtod(frame, uint8_t *);
	struct arrival arrival;
	const enum drop drop = frame_from_uplink(data, frame->data_len, &arrival);

	if (unlikely(drop != KEEP)) {
		discard(frame, worker->drops, drop);
		return false;
	}
	if (!arrival.tagged)
		return route_untagged(worker, frame, &arrival);
	transit_of(frame)->destination_vm = arrival.vm;
	tags_strip(data);
	rte_pktmbuf_adj(frame, TAG_LEN);
	return true;
}

static unsigned serve_queue(struct worker *worker, uint16_t queue) {
	struct rte_mbuf *frames[BURST];
	uint64_t bytes = 0;
	unsigned kept = 0;
	const unsigned received = uplink_receive(worker->terms->uplink, queue, frames, BURST,
						 &bytes);

	if (received == 0)
		return 0;

	traffic_add(&worker->received, received, bytes);
	for (unsigned i = 0; i < received; i++)
		if (likely(route(worker, frames[i])))
			frames[kept++] = frames[i];
	lap(worker, STAGE_RECEIVE);
	deliver_rows(worker, frames, kept);
	lap(worker, STAGE_DELIVER);
	return received;
}

unsigned serve_uplink(struct worker *worker) {
	const struct uplink_reading *const reading = &worker->terms->uplink->reading;
	unsigned moved = 0;

	for (unsigned i = worker->number; i < reading->len; i += workers_len())
		moved += serve_queue(worker, (uint16_t)(reading->first + i * reading->step));
	return moved;
}

unsigned serve_inbox(struct worker *worker) {
	struct rte_mbuf *frames[BURST];
	const unsigned received = rte_ring_sc_dequeue_burst(worker->inbox, (void **)frames, BURST,
							    NULL);
	unsigned kept = 0;

	if (received == 0)
		return 0;

	for (unsigned i = 0; i < received; i++) {
		const uint16_t vm = transit_of(frames[i])->destination_vm;

		if (unlikely(vm == TO_UPLINK)) {
			lldp_leave(worker, frames[i]);
			continue;
		}

		const struct port *const port = worker->ports->by_vm[vm];

		// The VM may have gone, or have come back elsewhere, since the frame was sent here.
		if (likely(port != NULL && port->worker == worker->number))
			frames[kept++] = frames[i];
		else
			discard(frames[i], worker->drops, DROP_UNKNOWN_VM);
	}
	lap(worker, STAGE_RECEIVE);
	deliver_rows(worker, frames, kept);
	lap(worker, STAGE_DELIVER);
	return received;
}
