#include "datapath/worker.h"

#include <time.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_vhost.h>

#include "core/tags.h"
#include "datapath/grace.h"
#include "datapath/ports.h"
#include "datapath/rules.h"

enum {
	BURST = RULES_BURST,
	QUEUE_TO_VM = 0,
	QUEUE_FROM_VM = 1,
};

static_assert(RTE_PKTMBUF_HEADROOM >= TAGS_MAX * TAG_LEN, "tags fit in front of a frame");

// What a frame on its way to the uplink was charged to.
struct departure {
	struct rule *rule;
	uint64_t bits;
	uint32_t bytes; // as the VM sent it
	uint32_t tagged_bytes;
};

static void discard(struct rte_mbuf *frame, struct counter drops[], enum drop drop) {
	counter_add(&drops[drop], 1);
	rte_pktmbuf_free(frame);
}

static void send(const struct worker *worker, struct port *port, struct rte_mbuf *frames[],
		 const struct departure departures[], unsigned len) {
	const unsigned sent = uplink_send(worker->uplink, frames, (uint16_t)len);
	uint64_t bytes = 0;

	for (unsigned i = 0; i < sent; i++) {
		traffic_add(&departures[i].rule->passed, 1, departures[i].bytes);
		bytes += departures[i].tagged_bytes;
	}
	traffic_add(&worker->uplink->sent, sent, bytes);

	for (unsigned i = sent; i < len; i++) {
		bucket_refund(&departures[i].rule->bucket, departures[i].bits);
		discard(frames[i], port->drops, DROP_UPLINK_FULL);
	}
}

// Charges a frame to its rule and pushes its tags, or says why not.
static enum drop admit(const struct worker *worker, struct rule *rule, struct rte_mbuf *frame,
		       uint64_t now, uint64_t *bits) {
	const struct rule_terms *terms = atomic_load_explicit(&rule->terms, memory_order_acquire);
	const uint16_t tags_len = (uint16_t)(terms->tags.len * TAG_LEN);

	if (!worker->uplink->present)
		return DROP_NO_UPLINK;
	if (frame->pkt_len + tags_len > worker->uplink->max_frame)
		return DROP_OVERSIZE;

	*bits = wire_bits(frame->pkt_len, terms->tags.len);
	if (!rule_take(rule, terms, *bits, now)) {
		counter_add(&rule->over_rate, 1);
		return DROP_OVER_RATE;
	}

	uint8_t *start = rte_pktmbuf_mtod(frame, uint8_t *);

	rte_pktmbuf_prepend(frame, tags_len);
	tags_push(start, &terms->tags);
	return KEEP;
}

// Frames that say what they should; returns how many, with the flow of each.
static unsigned read_frames(struct port *port, struct rte_mbuf *frames[], unsigned len,
			    struct flow_key flows[]) {
	unsigned kept = 0;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < len; i++) {
		struct rte_mbuf *const mbuf = frames[i];
		struct frame frame;
		enum drop drop = DROP_OVERSIZE; // one that does not fit one buffer

		bytes += mbuf->pkt_len;
		if (likely(mbuf->nb_segs == 1))
			drop = frame_from_vm(rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len,
					     port->mac, &frame);
		if (unlikely(drop != KEEP)) {
			discard(mbuf, port->drops, drop);
			continue;
		}
		flows[kept] = flow_of_frame(port->vm, &frame);
		frames[kept++] = mbuf;
	}
	traffic_add(&port->from_vm, len, bytes);
	return kept;
}

static unsigned serve_vm(const struct worker *worker, struct port *port) {
	const int device = atomic_load_explicit(&port->device, memory_order_acquire);
	struct rte_mbuf *frames[BURST];
	struct flow_key flows[BURST];
	struct rule *rules[BURST];
	struct departure departures[BURST];
	unsigned leaving = 0;

	if (device == NOT_CONNECTED)
		return 0;

	const unsigned taken = rte_vhost_dequeue_burst(device, QUEUE_FROM_VM, worker->pool, frames,
						       BURST);

	if (taken == 0)
		return 0;

	const unsigned kept = read_frames(port, frames, taken, flows);
	const uint64_t now = rte_rdtsc();

	rules_match(flows, kept, rules);
	for (unsigned i = 0; i < kept; i++) {
		enum drop drop = flows[i].is_arp ? DROP_ARP_NO_RULE : DROP_NO_RULE;
		const uint32_t bytes = frames[i]->pkt_len;
		uint64_t bits = 0;

		if (likely(rules[i] != NULL))
			drop = admit(worker, rules[i], frames[i], now, &bits);
		if (unlikely(drop != KEEP)) {
			discard(frames[i], port->drops, drop);
			continue;
		}
		departures[leaving] = (struct departure){rules[i], bits, bytes, frames[i]->pkt_len};
		frames[leaving++] = frames[i];
	}
	if (leaving > 0)
		send(worker, port, frames, departures, leaving);
	return taken;
}

static void deliver(struct port *port, struct rte_mbuf *frames[], unsigned len) {
	const int device = atomic_load_explicit(&port->device, memory_order_acquire);
	enum drop refusal = DROP_NOT_CONNECTED;
	unsigned taken = 0;
	uint64_t bytes = 0;

	if (likely(device != NOT_CONNECTED)) {
		taken = rte_vhost_enqueue_burst(device, QUEUE_TO_VM, frames, (uint16_t)len);
		refusal = DROP_GUEST_FULL;
	}

	for (unsigned i = 0; i < taken; i++) {
		bytes += frames[i]->pkt_len;
		rte_pktmbuf_free(frames[i]);
	}
	traffic_add(&port->to_vm, taken, bytes);
	for (unsigned i = taken; i < len; i++)
		discard(frames[i], port->drops, refusal);
}

// The port that a frame from the uplink is for, with its tag off; NULL: it has been dropped.
static struct port *destination(struct uplink *uplink, const struct port_set *ports,
				struct rte_mbuf *mbuf) {
	struct arrival arrival;
	enum drop drop = frame_from_uplink(rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len,
					   &arrival);
	struct port *port = NULL;

	if (drop == KEEP) {
		port = arrival.vm <= VM_MAX ? ports->by_vm[arrival.vm] : NULL;
		drop = port != NULL ? KEEP : DROP_UNKNOWN_VM;
	}
	if (unlikely(drop != KEEP)) {
		discard(mbuf, uplink->drops, drop);
		return NULL;
	}
	if (unlikely(!arrival_is_for(&arrival, port->mac))) {
		discard(mbuf, port->drops, DROP_DESTINATION_MAC);
		return NULL;
	}

	tags_strip(rte_pktmbuf_mtod(mbuf, uint8_t *));
	rte_pktmbuf_adj(mbuf, TAG_LEN);
	return port;
}

static unsigned serve_uplink(const struct worker *worker, const struct port_set *ports) {
	struct rte_mbuf *frames[BURST];
	struct rte_mbuf *same[BURST]; // frames in a row for one port
	struct port *port = NULL;
	unsigned len = 0;

	if (!worker->uplink->present)
		return 0;

	const unsigned received = uplink_receive(worker->uplink, frames, BURST);

	for (unsigned i = 0; i < received; i++) {
		struct port *to = destination(worker->uplink, ports, frames[i]);

		if (to == NULL)
			continue;
		if (to != port && len > 0) {
			deliver(port, same, len);
			len = 0;
		}
		port = to;
		same[len++] = frames[i];
	}
	if (len > 0)
		deliver(port, same, len);
	return received;
}

static void rest(unsigned idle_sleep_us) {
	const struct timespec pause = {
		.tv_sec = idle_sleep_us / 1000000,
		.tv_nsec = (long)(idle_sleep_us % 1000000) * 1000,
	};

	grace_asleep();
	nanosleep(&pause, NULL);
	grace_awake();
}

int worker_run(void *argument) {
	struct worker *worker = argument;

	grace_join();
	while (!atomic_load_explicit(&worker->stop, memory_order_relaxed)) {
		const struct port_set *ports = ports_now();
		unsigned moved = serve_uplink(worker, ports);

		for (unsigned i = 0; i < ports->len; i++)
			moved += serve_vm(worker, ports->list[i]);

		grace_quiet();
		if (moved == 0 && worker->idle_sleep_us > 0)
			rest(worker->idle_sleep_us);
	}
	grace_leave();
	return 0;
}
