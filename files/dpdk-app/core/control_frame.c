#include "core/control_frame.h"

#include <string.h>

#include "core/bytes.h"

// Where the fields are.
enum {
	VM_AT = 14,
	SLOT_AT = 15,
	PROTOCOL_AT = 16,
	SOURCE_IP_AT = 20,
	DESTINATION_IP_AT = 24,
	SOURCE_PORT_AT = 28,
	DESTINATION_PORT_AT = 30,
	RATE_AT = 32,
	BURST_AT = 40,
	TAGS_LEN_AT = 64,
	TAGS_AT = CONTROL_FRAME_MIN_LEN,

	STATUS_AT = 16, // of an acknowledgement
	REASON_AT = CONTROL_ACK_LEN - CONTROL_REASON_SIZE,
	IPV4_LEN = 4,
};

static const char *read_tags(const uint8_t *at, size_t len, struct tag_stack *tags) {
	*tags = (struct tag_stack){.tpid = TPID_8021Q};
	for (size_t i = 0; i < len; i++, at += TAG_LEN) {
		const uint16_t vid = be16(at + 2);

		if (be16(at) != TPID_8021Q)
			return "a tag does not begin with 0x8100";
		if (vid < TAG_VID_MIN || vid > TAG_VID_MAX)
			return "a VLAN id is not 1 to 4094";
		tags->vid[tags->len++] = vid;
	}
	return NULL;
}

static const char *read_terms(const uint8_t *data, struct shaper_terms *terms) {
	*terms = (struct shaper_terms){
		.rate_bps = le64(data + RATE_AT),
		.burst_bits = le64(data + BURST_AT),
		.queue_packets = QUEUE_PACKETS_DEFAULT,
		.queue_bytes = QUEUE_BYTES_DEFAULT,
		.mode = SHAPE_DELAY,
	};
	if (terms->rate_bps < 1 || terms->rate_bps > RATE_BPS_MAX)
		return "the rate is not 1 to 400000000000 bit/s";
	if (terms->burst_bits < 1 || terms->burst_bits > INT64_MAX)
		return "the burst is not 1 to 2^63-1 bit";
	return NULL;
}

static const char *read_match(const uint8_t *data, struct match *match) {
	struct match_fields fields = {
		.has_protocol = true,
		.has_source_port = true,
		.has_destination_port = true,
		.protocol = data[PROTOCOL_AT],
		.source_port = be16(data + SOURCE_PORT_AT),
		.destination_port = be16(data + DESTINATION_PORT_AT),
		.family = ETHER_IPV4,
		.source_bits = IPV4_BITS,
		.destination_bits = IPV4_BITS,
	};

	memcpy(fields.source_ip, data + SOURCE_IP_AT, IPV4_LEN);
	memcpy(fields.destination_ip, data + DESTINATION_IP_AT, IPV4_LEN);
	return match_make(&fields, match);
}

const char *control_frame_read(const uint8_t *data, size_t len, struct control_frame *frame) {
	struct rule_spec *const rule = &frame->rule;

	*frame = (struct control_frame){.rule.destination_vm = TO_UPLINK};
	if (len > SLOT_AT) {
		rule->vm = data[VM_AT];
		rule->slot = data[SLOT_AT];
	}
	if (len < CONTROL_FRAME_MIN_LEN)
		return "shorter than 66 bytes";

	const size_t tags_len = le16(data + TAGS_LEN_AT);

	if (tags_len > TAGS_MAX)
		return "more than 10 tags";
	if (len < TAGS_AT + tags_len * TAG_LEN)
		return "shorter than its number of tags";
	if (tags_len == 0) {
		frame->clears = true;
		return NULL;
	}

	const char *wrong = read_tags(data + TAGS_AT, tags_len, &rule->tags);

	if (wrong == NULL)
		wrong = read_terms(data, &rule->shaper);
	if (wrong == NULL)
		wrong = read_match(data, &rule->match);
	return wrong;
}

void control_frame_ack(const struct control_frame *frame, const uint8_t to[MAC_LEN], uint8_t status,
		       const char *reason, uint8_t ack[CONTROL_ACK_LEN]) {
	static const uint8_t from[MAC_LEN + 2] = {0x02, 0x00, 0x00, 0x00, 0xbe, 0xbe, 0xbe, 0xbe};

	memset(ack, 0, CONTROL_ACK_LEN);
	memcpy(ack, to, MAC_LEN);
	memcpy(ack + MAC_LEN, from, sizeof(from)); // with the EtherType
	ack[VM_AT] = (uint8_t)frame->rule.vm;
	ack[SLOT_AT] = (uint8_t)frame->rule.slot;
	ack[STATUS_AT] = status;
	memcpy(ack + REASON_AT, reason, strnlen(reason, CONTROL_REASON_SIZE - 1));
}
