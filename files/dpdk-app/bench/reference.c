#include "bench/reference.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	MACS_LEN = 12,
	SOURCE_MAC_END = 11,
	ETHER_TYPE = 12,
	IP = 14,
	IP_TOTAL_LENGTH = IP + 2,
	IP_PROTOCOL = IP + 9,
	IP_SOURCE = IP + 12,
	IP_DESTINATION = IP + 16,
	PORTS = IP + 20, // options are not looked for
	TAG_BYTES = 4,
	WIRE_BYTES = 8 + 14 + 4 + 12, // preamble, Ethernet header, FCS, inter-frame gap
};

static uint16_t read_16(const uint8_t *at) {
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t read_32(const uint8_t *at) {
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static bool matches(const struct reference_rule *rule, const uint8_t *frame) {
	return rule->used && frame[IP_PROTOCOL] == rule->protocol &&
	       read_32(&frame[IP_SOURCE]) == rule->source_ip &&
	       read_32(&frame[IP_DESTINATION]) == rule->destination_ip &&
	       read_16(&frame[PORTS]) == rule->source_port &&
	       read_16(&frame[PORTS + 2]) == rule->destination_port;
}

struct reference_rule *reference_match(struct reference_table *table, const uint8_t *frame) {
	struct reference_rule *rules = table->rules[frame[SOURCE_MAC_END] % REFERENCE_VMS];

	if (ntohs(read_16(&frame[ETHER_TYPE])) != 0x0800)
		return NULL;
	for (unsigned i = 0; i < REFERENCE_RULES; i++) {
		if (matches(&rules[i], frame))
			return &rules[i];
	}
	return NULL;
}

bool reference_shape(struct reference_rule *rule, const uint8_t *frame, uint64_t hz, uint64_t now) {
	const uint64_t length = ntohs(read_16(&frame[IP_TOTAL_LENGTH]));
	const uint64_t bits = 8 * (WIRE_BYTES + length + TAG_BYTES * rule->tags_len);

	rule->tokens += (now - rule->last) * rule->rate_bps / hz;
	rule->last = now;
	if (rule->tokens > rule->burst_bits)
		rule->tokens = rule->burst_bits;
	if (rule->tokens <= bits)
		return false;
	rule->tokens -= bits;
	return true;
}

uint8_t *reference_tag(const struct reference_rule *rule, uint8_t *frame) {
	for (unsigned i = rule->tags_len; i-- > 0;) {
		const uint16_t tag[2] = {htons(0x8100), htons(rule->tags[i])};

		frame -= TAG_BYTES;
		memmove(frame, frame + TAG_BYTES, MACS_LEN);
		memcpy(frame + MACS_LEN, tag, sizeof(tag));
	}
	return frame;
}
