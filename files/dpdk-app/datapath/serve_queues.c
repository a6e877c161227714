#include <rte_branch_prediction.h>

#include "datapath/count.h"
#include "datapath/leave.h"
#include "datapath/serve.h"
#include "datapath/transit.h"

static struct rule_state *state_of(struct queue *queue) {
	return RTE_PTR_SUB(queue, offsetof(struct rule_state, queue));
}

static void release(struct worker *worker, struct parcel *parcel, struct queue *queue,
		    struct departures *to_uplink, struct departures *to_vms) {
	struct transit *const transit = transit_of_parcel(parcel);
	struct rte_mbuf *const frame = transit_frame(transit);
	struct rule_state *const state = state_of(queue);
	struct port *const port = transit->port;

	worker->waiting--;
	atomic_store_explicit(&port->waiting, port->waiting - 1, memory_order_relaxed);

	// With its last frame gone, a condemned queue may be freed after this turn.
	if (unlikely(atomic_load_explicit(&queue->condemned, memory_order_relaxed))) {
		discard(frame, port->drops, DROP_RULE_REMOVED);
		return;
	}
	rule_count(worker, state, parcel->bytes);
	rule_count_delay(worker, state, worker->clock - parcel->arrival);
	departures_add(transit->destination_vm == TO_UPLINK ? to_uplink : to_vms, frame,
		       (struct departure){state, parcel->bytes, parcel->bits});
}

static unsigned serve_burst(struct worker *worker) {
	struct parcel *parcels[BURST];
	struct queue *queues[BURST];
	struct departures to_uplink, to_vms;
	const unsigned taken = scheduler_take(&worker->scheduler, worker->clock, parcels, queues,
					      BURST);

	departures_init(&to_uplink, NULL);
	departures_init(&to_vms, NULL);
	for (unsigned i = 0; i < taken; i++)
		release(worker, parcels[i], queues[i], &to_uplink, &to_vms);
	if (taken > 0)
		lap(worker, STAGE_SHAPE);

	leave(worker, &to_uplink, &to_vms);
	return taken;
}

unsigned serve_queues(struct worker *worker) {
	unsigned moved = 0, taken = BURST;

	// All that are due: a frame that waits for the next turn is late.
	while (worker->waiting > 0 && taken == BURST) {
		taken = serve_burst(worker);
		moved += taken;
	}
	return moved;
}
