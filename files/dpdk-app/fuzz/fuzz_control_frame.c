// Any bytes as a control frame. One that is accepted says in its rule what its bytes say.

#include <string.h>

#include "core/bytes.h"
#include "core/control_frame.h"
#include "fuzz/target.h"

static const uint8_t vm_0[MAC_LEN] = {2, 0, 0, 0, 0, 0};

static void check_match(const uint8_t *data, const struct match *match) {
	struct match_fields fields;
	struct match same;

	assert(match_is_exact(match));
	match_read(match, &fields);
	assert(fields.family == ETHER_IPV4 && fields.protocol == data[16]);
	assert(memcmp(fields.source_ip, data + 20, 4) == 0);
	assert(memcmp(fields.destination_ip, data + 24, 4) == 0);
	assert(fields.source_port == be16(data + 28) && fields.destination_port == be16(data + 30));
	assert(match_make(&fields, &same) == NULL);
	assert(match_compare(match, &same) == 0);
}

static void check_rule(const uint8_t *data, const struct rule_spec *rule) {
	const size_t tags_len = (size_t)rule->tags.len * TAG_LEN;
	uint8_t tags[TAGS_SIZE];
	struct tag_stack stack;

	assert(rule->vm == data[14] && rule->slot == data[15]);
	assert(rule->destination_vm == TO_UPLINK && rule->priority == PRIORITY_DEFAULT);
	assert(rule->shaper.mode == SHAPE_DELAY);
	assert(rule->shaper.rate_bps == le64(data + 32) && rule->shaper.rate_bps >= 1);
	assert(rule->shaper.rate_bps <= RATE_BPS_MAX);
	assert(rule->shaper.burst_bits == le64(data + 40) && rule->shaper.burst_bits >= 1);
	assert(rule->shaper.burst_bits <= INT64_MAX);
	check_match(data, &rule->match);

	assert(rule->tags.len == le16(data + 64) && rule->tags.len <= TAGS_MAX);
	assert(tags_encode(&rule->tags, tags) == tags_len);
	assert(memcmp(tags + TAGS_SIZE - tags_len, data + CONTROL_FRAME_MIN_LEN, tags_len) == 0);
	tags_decode(tags, (unsigned)tags_len, &stack);
	assert(memcmp(&stack, &rule->tags, sizeof(stack)) == 0); // nothing behind the tags
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct control_frame frame;
	const char *wrong = control_frame_read(data, size, &frame);
	uint8_t ack[CONTROL_ACK_LEN];

	if (wrong == NULL && !frame.clears)
		check_rule(data, &frame.rule);
	if (frame.clears)
		assert(wrong == NULL && le16(data + 64) == 0);
	assert(wrong == NULL || *wrong != '\0');

	control_frame_ack(&frame, vm_0, wrong != NULL, wrong != NULL ? wrong : "", ack);
	assert(size < 16 || memcmp(ack + 14, data + 14, 2) == 0);
	assert(ack[CONTROL_ACK_LEN - 1] == '\0');
	return 0;
}
