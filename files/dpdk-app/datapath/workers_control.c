#include "datapath/workers_control.h"

#include <string.h>

#include <rte_malloc.h>

#include "datapath/transit.h"
#include "datapath/worker.h"

const uint64_t delay_bucket_ns[DELAY_BUCKETS] = {
	1000,	2000,	 5000,	  10000,   20000,    50000,	100000,	    200000,
	500000, 1000000, 2000000, 5000000, 10000000, 100000000, 1000000000, UINT64_MAX,
};

static _Atomic uint32_t epoch = 1;

static struct counter left_out; // LLDP frames that control drops

uint32_t counters_epoch(void) {
	return atomic_load_explicit(&epoch, memory_order_relaxed);
}

void uplink_counters_read(struct uplink_counters *counters) {
	*counters = (struct uplink_counters){0};
	for (unsigned i = 0; i < workers_len(); i++) {
		const struct worker *worker = workers_get(i);

		counters->received_packets += counter_read(&worker->received.packets);
		counters->received_bytes += counter_read(&worker->received.bytes);
		counters->sent_packets += counter_read(&worker->sent.packets);
		counters->sent_bytes += counter_read(&worker->sent.bytes);
		counters->lldp_received += counter_read(&worker->lldp_received);
		counters->lldp_sent += counter_read(&worker->lldp_sent);
		for (unsigned drop = 0; drop < DROP_COUNT; drop++)
			counters->drops[drop] += counter_read(&worker->drops[drop]);
	}
	counters->drops[DROP_LLDP_FULL] += counter_read(&left_out);
}

void lldp_leave_out(void) {
	counter_add(&left_out, 1);
}

// A value that a data core writes.
#define READ(value) __atomic_load_n(&(value), __ATOMIC_ACQUIRE)

void rule_counters_read(const struct rule_state *state, struct rule_counters *counters) {
	const double ns_per_tick = 1e9 / (double)workers_get(0)->terms->hz;
	const struct rule_detail *detail = READ(state->detail);

	*counters = (struct rule_counters){
		.queue_packets = READ(state->queue.packets),
		.queue_bytes = READ(state->queue.bytes),
	};
	if (READ(state->epoch) != counters_epoch())
		return;

	counters->packets = READ(state->packets);
	counters->bytes = READ(state->bytes);
	if (detail == NULL)
		return;
	for (unsigned i = 0; i < DROP_COUNT; i++)
		counters->drops[i] = READ(detail->drops[i]);
	for (unsigned i = 0; i < DELAY_BUCKETS; i++)
		counters->delays[i] = READ(detail->delays[i]);
	counters->delay_max_ns = (uint64_t)((double)READ(detail->delay_max) * ns_per_tick);
}

static void reset_drops(struct counter drops[]) {
	for (unsigned i = 0; i < DROP_COUNT; i++)
		counter_reset(&drops[i]);
}

static void reset_worker(struct worker *worker) {
	traffic_reset(&worker->received);
	traffic_reset(&worker->sent);
	counter_reset(&worker->lldp_received);
	counter_reset(&worker->lldp_sent);
	counter_reset(&worker->polls);
	counter_reset(&worker->busy_polls);
	counter_reset(&worker->packets);
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		counter_reset(&worker->cycles[i]);
	reset_drops(worker->drops);
}

void counters_reset(void) {
	const struct port_set *ports = ports_now();

	atomic_fetch_add(&epoch, 1);
	for (unsigned i = 0; i < ports->len; i++) {
		traffic_reset(&ports->list[i]->from_vm);
		traffic_reset(&ports->list[i]->to_vm);
		reset_drops(ports->list[i]->drops);
	}
	for (unsigned i = 0; i < workers_len(); i++)
		reset_worker(workers_get(i));
	counter_reset(&left_out);
}

size_t control_frame_next(uint8_t *data, size_t size) {
	void *taken;
	size_t len = 0;

	// VM 0 is served by one core, but which one changes when its port is made anew.
	for (unsigned i = 0; i < workers_len() && len == 0; i++) {
		if (rte_ring_sc_dequeue(workers_get(i)->to_control, &taken) != 0)
			continue;

		struct rte_mbuf *frame = taken;

		len = RTE_MIN(frame->data_len, size);
		memcpy(data, rte_pktmbuf_mtod(frame, uint8_t *), len);
		rte_pktmbuf_free(frame);
	}
	return len;
}

bool control_frame_send(uint16_t vm, const uint8_t *data, size_t len) {
	const struct port *port = ports_now()->by_vm[vm];

	return port != NULL && worker_hand(workers_get(port->worker), vm, data, len);
}

void details_refill(void) {
	for (unsigned i = 0; i < workers_len(); i++) {
		struct rte_ring *stock = workers_get(i)->details;

		while (!rte_ring_full(stock)) {
			struct rule_detail *detail = rte_zmalloc("detail", sizeof(*detail), 0);

			if (detail == NULL)
				return;
			rte_ring_sp_enqueue(stock, detail);
		}
	}
}
