#include "bench/stage_loops.h"

#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>

#include "core/frame.h"
#include "core/shape.h"
#include "core/tags.h"

enum {
	IP = ETHER_HEADER_LEN,
	IP_DESTINATION = IP + 16,
	UDP = IP + 20,
	SOURCE_PORT = 1000,
	DESTINATION_PORT = 2000,
};

static const uint8_t macs[MAC_PAIR_LEN] = {2, 0, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, LOOP_VM};
static const uint8_t source_ip[4] = {10, 0, 0, 1};

void loop_match(const struct loop_flow *flow, struct match *match) {
	struct match_fields fields = {
		.family = ETHER_IPV4,
		.source_bits = IPV4_BITS,
		.destination_bits = IPV4_BITS,
		.has_protocol = true,
		.protocol = PROTOCOL_UDP,
		.has_source_port = true,
		.source_port = flow->source_port,
		.has_destination_port = true,
		.destination_port = DESTINATION_PORT,
	};

	memcpy(fields.source_ip, source_ip, sizeof(source_ip));
	memcpy(fields.destination_ip, flow->destination_ip, sizeof(flow->destination_ip));
	match_make(&fields, match);
}

void loop_frame(uint8_t frame[LOOP_FRAME_LEN]) {
	static const uint8_t headers[] = {
		0x08,
		0x00, // EtherType
		0x45,
		0,
		0,
		46,
		0,
		0,
		0x40,
		0,
		64,
		PROTOCOL_UDP,
		0,
		0, // IPv4
		10,
		0,
		0,
		1,
		0,
		0,
		0,
		0,
		0,
		0,
		DESTINATION_PORT >> 8,
		DESTINATION_PORT & 0xff,
		0,
		26,
		0,
		0, // UDP
	};

	memset(frame, 0, LOOP_FRAME_LEN);
	memcpy(frame, macs, sizeof(macs));
	memcpy(frame + sizeof(macs), headers, sizeof(headers));
}

struct burst {
	struct rte_mbuf **frames;
	const uint32_t *flows;
	struct match_key keys[LOOP_BURST];
	const struct rule *rules[LOOP_BURST];
};

static inline uint8_t *data_of(struct rte_mbuf *frame) {
	return rte_pktmbuf_mtod(frame, uint8_t *);
}

static inline void renew(struct rte_mbuf *frame) {
	frame->data_off = RTE_PKTMBUF_HEADROOM;
	frame->data_len = LOOP_FRAME_LEN;
	frame->pkt_len = LOOP_FRAME_LEN;
}

// Frames as they come from a VM.
static inline void prepare_frames(const struct loop_input *input, struct burst *burst) {
	for (unsigned i = 0; i < LOOP_BURST; i++) {
		const struct loop_flow *flow = &input->flows[burst->flows[i]];
		const uint16_t port = rte_cpu_to_be_16(flow->source_port);

		renew(burst->frames[i]);

		uint8_t *data = data_of(burst->frames[i]);

		memcpy(data, macs, sizeof(macs)); // tags were pushed over them
		memcpy(data + IP_DESTINATION, flow->destination_ip, sizeof(flow->destination_ip));
		memcpy(data + UDP, &port, sizeof(port));
	}
}

// Frames, with keys as if they were read.
static inline void prepare_keys(const struct loop_input *input, struct burst *burst) {
	for (unsigned i = 0; i < LOOP_BURST; i++) {
		const struct loop_flow *flow = &input->flows[burst->flows[i]];
		struct match_key *key = &burst->keys[i];

		renew(burst->frames[i]);
		key->source_port = flow->source_port;
		memcpy(key->destination_ip, flow->destination_ip, sizeof(flow->destination_ip));
	}
}

// What the keys of all flows have in common.
static inline void prepare_keys_once(struct burst *burst) {
	struct match match;

	loop_match(&(struct loop_flow){.source_port = 0}, &match);
	memcpy(match.key.destination_mac, macs, MAC_LEN);
	for (unsigned i = 0; i < LOOP_BURST; i++)
		burst->keys[i] = match.key;
}

static inline void read_frames(struct loop_input *input, struct burst *burst) {
	for (unsigned i = 0; i < LOOP_BURST; i++)
		input->lost += frame_from_vm(data_of(burst->frames[i]), LOOP_FRAME_LEN,
					     &macs[MAC_LEN], &burst->keys[i]) != KEEP;
}

static inline void match(struct loop_input *input, struct burst *burst) {
	rules_match(rules_now()->by_vm[LOOP_VM], burst->keys, LOOP_BURST, burst->rules);
	for (unsigned i = 0; i < LOOP_BURST; i++)
		input->lost += burst->rules[i] == NULL;
}

// As a data core charges a frame that conforms, and counts it.
static inline bool shape_one(const struct rule *rule, uint32_t bytes, uint64_t hz, uint64_t now) {
	struct rule_state *state = rule->state;

	if (unlikely(state->queue.head != NULL))
		return false;
	rule_follow(rule, now);
	if (unlikely(!shaper_take(&state->shaper, hz, rule->rate_bps, rule->burst_bits,
				  wire_bits(bytes, rule->tags_len), now)))
		return false;
	state->packets++;
	state->bytes += bytes;
	return true;
}

static inline void push_tags(struct rte_mbuf *frame, const struct rule *rule) {
	tags_push(data_of(frame), rule->tags, rule->tags_len);
	frame->data_off = (uint16_t)(frame->data_off - rule->tags_len);
	frame->data_len = (uint16_t)(frame->data_len + rule->tags_len);
	frame->pkt_len += rule->tags_len;
}

static inline void shape_and_tag(struct loop_input *input, struct burst *burst, bool tag) {
	const uint64_t now = rte_rdtsc();

	for (unsigned i = 0; i < LOOP_BURST; i++) {
		struct rte_mbuf *frame = burst->frames[i];

		input->lost += !shape_one(burst->rules[i], frame->pkt_len, input->hz, now);
		if (tag)
			push_tags(frame, burst->rules[i]);
	}
}

enum { ONLY_MATCH, AND_SHAPE, AND_TAG };

static inline void reference(struct loop_input *input, struct burst *burst, int depth) {
	const uint64_t now = rte_rdtsc();

	for (unsigned i = 0; i < LOOP_BURST; i++) {
		uint8_t *data = data_of(burst->frames[i]);
		struct reference_rule *rule = reference_match(&input->reference, data);

		input->lost += rule == NULL;
		if (rule == NULL || depth == ONLY_MATCH)
			continue;
		input->lost += !reference_shape(rule, data, input->hz, now);
		if (depth == AND_TAG)
			reference_tag(rule, data);
	}
}

static inline void pass(enum loop loop, struct loop_input *input, struct burst *burst) {
	const bool reads = loop >= LOOP_EMPTY_FRAMES;

	if (reads)
		prepare_frames(input, burst);
	else
		prepare_keys(input, burst);
	__asm__ volatile("" : : "r"(burst) : "memory"); // what is prepared is used

	if (loop >= LOOP_REFERENCE_MATCH) {
		reference(input, burst, (int)(loop - LOOP_REFERENCE_MATCH));
		return;
	}
	if (loop == LOOP_READ || loop == LOOP_READ_MATCH_SHAPE_TAG)
		read_frames(input, burst);
	if (loop == LOOP_EMPTY || loop == LOOP_EMPTY_FRAMES || loop == LOOP_READ)
		return;
	match(input, burst);
	if (loop != LOOP_MATCH)
		shape_and_tag(input, burst, loop != LOOP_MATCH_SHAPE);
}

// The loop is a constant in each case, so that nothing is decided per frame.
static inline uint64_t run(enum loop loop, struct loop_input *input) {
	struct burst burst;

	prepare_keys_once(&burst);

	const uint64_t begin = rte_rdtsc_precise();

	for (unsigned at = 0; at < LOOP_PACKETS; at += LOOP_BURST) {
		burst.frames = &input->frames[at % LOOP_FRAMES];
		burst.flows = &input->order[at];
		pass(loop, input, &burst);
	}
	return rte_rdtsc_precise() - begin;
}

uint64_t loop_run(enum loop loop, struct loop_input *input) {
#define LOOP_CASE(id, name)                                                                        \
	case LOOP_##id:                                                                            \
		return run(LOOP_##id, input);
	switch (loop) {
		LOOPS(LOOP_CASE)
	default:
		return 0;
	}
#undef LOOP_CASE
}
