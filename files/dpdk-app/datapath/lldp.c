#include "datapath/lldp.h"

#include <string.h>

#include "core/neighbours.h"
#include "datapath/count.h"
#include "datapath/transit.h"

// Frames of strangers that a data core hands on, per second and at once.
enum { STRANGERS_PER_S = 100, STRANGERS_BURST = 2 * NEIGHBOURS_MAX };

static _Atomic uint64_t known[NEIGHBOURS_MAX];

void lldp_know(unsigned place, uint64_t hash) {
	atomic_store_explicit(&known[place], hash, memory_order_relaxed);
}

static bool is_known(uint64_t hash) {
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++)
		if (atomic_load_explicit(&known[i], memory_order_relaxed) == hash)
			return true;
	return false;
}

// A frame counts as one bit.
static bool may_pass(struct worker *worker, const struct lldp_heard *heard) {
	return is_known(lldp_hash(heard->id, heard->id_len)) ||
	       shaper_take(&worker->strangers, worker->terms->hz, STRANGERS_PER_S, STRANGERS_BURST,
			   1, worker->clock);
}

void lldp_take(struct worker *worker, struct rte_mbuf *frame) {
	struct lldp_heard heard;

	counter_add(&worker->lldp_received, 1);
	if (frame->nb_segs > 1 ||
	    !lldp_read(rte_pktmbuf_mtod(frame, uint8_t *), frame->data_len, &heard))
		discard(frame, worker->drops, DROP_MALFORMED);
	else if (!may_pass(worker, &heard) || rte_ring_sp_enqueue(worker->lldp, frame) != 0)
		discard(frame, worker->drops, DROP_LLDP_FULL);
}

void lldp_leave(struct worker *worker, struct rte_mbuf *frame) {
	const uint32_t bytes = frame->pkt_len;

	if (uplink_send(worker->terms->uplink, worker->number, &frame, 1) == 1) {
		traffic_add(&worker->sent, 1, bytes);
		counter_add(&worker->lldp_sent, 1);
	} else {
		discard(frame, worker->drops, DROP_UPLINK_FULL);
	}
}

size_t lldp_next(unsigned worker, uint8_t *data) {
	void *taken;

	if (rte_ring_sc_dequeue(workers_get(worker)->lldp, &taken) != 0)
		return 0;

	struct rte_mbuf *frame = taken;
	const size_t len = frame->data_len;

	memcpy(data, rte_pktmbuf_mtod(frame, uint8_t *), len);
	rte_pktmbuf_free(frame);
	return len;
}

bool lldp_send(const uint8_t *data, size_t len) {
	return worker_hand(workers_get(0), TO_UPLINK, data, len);
}
