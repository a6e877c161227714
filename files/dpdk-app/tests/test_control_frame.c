#include <string.h>

#include "core/control_frame.h"
#include "tests/table.h"

#define VM_0   "\x02\x00\x00\x00\x00\x00"
#define ETHER  "\xff\xff\xff\xff\xff\xff" VM_0 "\xbe\xbe"
#define SOURCE "\x0a\x14\x00\x0b"
#define TARGET "\x0a\x14\x00\x15"
#define ENDS   SOURCE TARGET

// Numbers of 8 bytes, the lowest byte first.
#define LE_10M	  "\x80\x96\x98\x00\x00\x00\x00\x00" // 10 000 000
#define LE_12208  "\xb0\x2f\x00\x00\x00\x00\x00\x00"
#define LE_400G	  "\x00\xa0\xdb\x21\x5d\x00\x00\x00" // 400 000 000 000
#define LE_400G_1 "\x01\xa0\xdb\x21\x5d\x00\x00\x00"
#define LE_0	  "\x00\x00\x00\x00\x00\x00\x00\x00"
#define LE_1	  "\x01\x00\x00\x00\x00\x00\x00\x00"
#define LE_2_63_1 "\xff\xff\xff\xff\xff\xff\xff\x7f" // 2^63 - 1
#define LE_2_63	  "\x00\x00\x00\x00\x00\x00\x00\x80"

// From byte 14 up to the tags; VM 5, rule 2.
#define HEAD(protocol, ports, rate, burst, tags_len)                                               \
	ETHER "\x05\x02" protocol "\x00\x00\x00" ENDS ports rate burst burst LE_0 tags_len
#define PORTS	       "\x13\x88\x13\x89" // 5000, 5001
#define UDP(tags_len)  HEAD("\x11", PORTS, LE_10M, LE_12208, tags_len)
#define ONE_TAG	       "\x01\x00\x81\x00\x00\x07"
#define TAG(high, low) "\x81\x00" high low

#define BYTES(text) text, sizeof(text) - 1

// A frame as update-matching-table of Chameleon's control VM sends it, written out.
static const char whole[] = "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x00\xbe\xbe" // Ethernet
			    "\x05\x02"			       // VM 5, rule 2
			    "\x11\x00\x00\x00"		       // UDP, padding
			    "\x0a\x14\x00\x0b\x0a\x14\x00\x15" // 10.20.0.11 to 10.20.0.21
			    "\x13\x88\x13\x89"		       // port 5000 to 5001
			    "\x80\x96\x98\x00\x00\x00\x00\x00" // 10 Mbit/s
			    "\xb0\x2f\x00\x00\x00\x00\x00\x00" // 12208 bit
			    "\xb0\x2f\x00\x00\x00\x00\x00\x00" // tokens
			    "\x10\x27\x00\x00\x00\x00\x00\x00" // timestamp
			    "\x02\x00"			       // two tags:
			    "\x81\x00\x00\x15"		       // 21
			    "\x81\x00\x0f\xfe";		       // 4094

struct row {
	const char *name;
	const char *data;
	size_t len;
	const char *wrong; // NULL: nothing
	bool clears;
	uint8_t protocol;
	uint16_t source_port, destination_port;
	uint64_t rate_bps, burst_bits;
	uint16_t tags_len;
	uint16_t vid[TAGS_MAX];
};

#define RULE(protocol, source, destination, rate, burst, ...)                                      \
	NULL, false, protocol, source, destination, rate, burst, __VA_ARGS__
#define CLEARS                                                                                     \
	NULL, true, 0, 0, 0, 0, 0, 0, {                                                            \
		0                                                                                  \
	}
#define REFUSED(why)                                                                               \
	why, false, 0, 0, 0, 0, 0, 0, {                                                            \
		0                                                                                  \
	}
#define BAD_RATE  "the rate is not 1 to 400000000000 bit/s"
#define BAD_BURST "the burst is not 1 to 2^63-1 bit"
#define BAD_VID	  "a VLAN id is not 1 to 4094"

static const struct row rows[] = {
	{"the frame as it is written out", BYTES(whole),
	 RULE(17, 5000, 5001, 10000000, 12208, 2, {21, 4094})},
	{"TCP", BYTES(HEAD("\x06", PORTS, LE_10M, LE_12208, ONE_TAG)),
	 RULE(6, 5000, 5001, 10000000, 12208, 1, {7})},
	{"a protocol without ports",
	 BYTES(HEAD("\x01", "\x00\x00\x00\x00", LE_10M, LE_12208, ONE_TAG)),
	 RULE(1, 0, 0, 10000000, 12208, 1, {7})},
	{"the highest rate and burst", BYTES(HEAD("\x11", PORTS, LE_400G, LE_2_63_1, ONE_TAG)),
	 RULE(17, 5000, 5001, 400000000000, INT64_MAX, 1, {7})},
	{"the lowest rate and burst", BYTES(HEAD("\x11", PORTS, LE_1, LE_1, ONE_TAG)),
	 RULE(17, 5000, 5001, 1, 1, 1, {7})},
	{"padding behind the tags is ignored", BYTES(UDP(ONE_TAG) "padding"),
	 RULE(17, 5000, 5001, 10000000, 12208, 1, {7})},
	{"ten tags",
	 BYTES(UDP("\x0a\x00") TAG("\x00", "\x01") TAG("\x00", "\x02") TAG("\x00", "\x03") TAG(
		 "\x00", "\x04") TAG("\x00", "\x05") TAG("\x00", "\x06") TAG("\x00", "\x07")
		       TAG("\x00", "\x08") TAG("\x00", "\x09") TAG("\x01", "\x00")),
	 RULE(17, 5000, 5001, 10000000, 12208, 10, {1, 2, 3, 4, 5, 6, 7, 8, 9, 256})},
	{"no tags clear the rule", BYTES(UDP("\x00\x00")), CLEARS},
	{"whatever else the frame has", BYTES(HEAD("\x01", PORTS, LE_0, LE_2_63, "\x00\x00")),
	 CLEARS},

	{"the number of tags is missing", BYTES(UDP("")), REFUSED("shorter than 66 bytes")},
	{"fault 3: eleven tags",
	 BYTES(UDP("\x0b\x00") "\x81\x00\x00\x01\x81\x00\x00\x01\x81\x00\x00\x01\x81\x00\x00\x01"
			       "\x81\x00\x00\x01\x81\x00\x00\x01\x81\x00\x00\x01\x81\x00\x00\x01"
			       "\x81\x00\x00\x01\x81\x00\x00\x01\x81\x00\x00\x01"),
	 REFUSED("more than 10 tags")},
	{"fault 3: a second tag that is not there", BYTES(UDP("\x02\x00\x81\x00\x00\x07")),
	 REFUSED("shorter than its number of tags")},
	{"a number of tags in the other byte order", BYTES(UDP("\x00\x01\x81\x00\x00\x07")),
	 REFUSED("more than 10 tags")},
	{"a service tag", BYTES(UDP("\x01\x00\x88\xa8\x00\x07")),
	 REFUSED("a tag does not begin with 0x8100")},
	{"VLAN id 0", BYTES(UDP("\x01\x00\x81\x00\x00\x00")), REFUSED(BAD_VID)},
	{"VLAN id 4095", BYTES(UDP("\x01\x00\x81\x00\x0f\xff")), REFUSED(BAD_VID)},
	{"priority bits", BYTES(UDP("\x01\x00\x81\x00\x20\x07")), REFUSED(BAD_VID)},
	{"a bad tag behind a good one", BYTES(UDP("\x02\x00\x81\x00\x00\x07\x81\x00\x00\x00")),
	 REFUSED(BAD_VID)},
	{"rate 0", BYTES(HEAD("\x11", PORTS, LE_0, LE_12208, ONE_TAG)), REFUSED(BAD_RATE)},
	{"a rate above 400 Gbit/s", BYTES(HEAD("\x11", PORTS, LE_400G_1, LE_12208, ONE_TAG)),
	 REFUSED(BAD_RATE)},
	{"burst 0", BYTES(HEAD("\x11", PORTS, LE_10M, LE_0, ONE_TAG)), REFUSED(BAD_BURST)},
	{"a burst of 2^63", BYTES(HEAD("\x11", PORTS, LE_10M, LE_2_63, ONE_TAG)),
	 REFUSED(BAD_BURST)},
};

// On the heap, so that the address sanitizer sees any byte read behind the end.
static const char *read_prefix(const char *data, size_t len, struct control_frame *frame) {
	uint8_t *copy = malloc(len);

	assert_true(copy != NULL || len == 0);
	if (len > 0)
		memcpy(copy, data, len);

	const char *wrong = control_frame_read(copy, len, frame);

	free(copy);
	return wrong;
}

static struct rule_spec wanted_rule(const struct row *row) {
	struct rule_spec rule = {
		.vm = 5,
		.destination_vm = TO_UPLINK,
		.slot = 2,
		.tags = {.tpid = TPID_8021Q, .len = row->tags_len},
		.shaper = {row->rate_bps, row->burst_bits, QUEUE_BYTES_DEFAULT,
			   QUEUE_PACKETS_DEFAULT, SHAPE_DELAY},
	};
	const struct match_fields fields = {
		.has_protocol = true,
		.has_source_port = true,
		.has_destination_port = true,
		.protocol = row->protocol,
		.source_port = row->source_port,
		.destination_port = row->destination_port,
		.family = ETHER_IPV4,
		.source_bits = IPV4_BITS,
		.destination_bits = IPV4_BITS,
		.source_ip = SOURCE,
		.destination_ip = TARGET,
	};

	memcpy(rule.tags.vid, row->vid, sizeof(rule.tags.vid));
	assert_null(match_make(&fields, &rule.match));
	return rule;
}

static void check_read(void **state) {
	const struct row *row = *state;
	struct control_frame frame;
	const char *wrong = read_prefix(row->data, row->len, &frame);

	assert_int_equal(frame.rule.vm, 5);
	assert_int_equal(frame.rule.slot, 2);
	if (row->wrong != NULL) {
		assert_non_null(wrong);
		assert_string_equal(wrong, row->wrong);
		assert_true(strlen(wrong) < CONTROL_REASON_SIZE); // an acknowledgement has it whole
		return;
	}
	assert_null(wrong);
	assert_int_equal(frame.clears, row->clears);
	if (!row->clears) {
		const struct rule_spec rule = wanted_rule(row);

		assert_int_equal(frame.rule.priority, PRIORITY_DEFAULT);
		assert_int_equal(frame.rule.destination_vm, rule.destination_vm);
		assert_memory_equal(&frame.rule.match, &rule.match, sizeof(rule.match));
		assert_memory_equal(&frame.rule.tags, &rule.tags, sizeof(rule.tags));
		assert_int_equal(frame.rule.shaper.rate_bps, rule.shaper.rate_bps);
		assert_int_equal(frame.rule.shaper.burst_bits, rule.shaper.burst_bits);
		assert_int_equal(frame.rule.shaper.queue_bytes, rule.shaper.queue_bytes);
		assert_int_equal(frame.rule.shaper.queue_packets, rule.shaper.queue_packets);
		assert_int_equal(frame.rule.shaper.mode, rule.shaper.mode);
	}
}

static void ports_of_a_protocol_without_them_are_refused(void **state) {
	struct control_frame frame;

	(void)state;
	assert_non_null(read_prefix(BYTES(HEAD("\x01", PORTS, LE_10M, LE_12208, ONE_TAG)), &frame));
}

static void fault_1_any_vm_and_rule_id_is_only_a_name(void **state) {
	char data[sizeof(whole)];
	struct control_frame frame;

	(void)state;
	memcpy(data, whole, sizeof(data));
	for (unsigned vm = 0; vm <= UINT8_MAX; vm++) {
		for (unsigned slot = 0; slot <= UINT8_MAX; slot++) {
			data[14] = (char)vm;
			data[15] = (char)slot;
			assert_null(read_prefix(data, sizeof(data) - 1, &frame));
			assert_int_equal(frame.rule.vm, vm);
			assert_int_equal(frame.rule.slot, slot);
		}
	}
}

static void fault_3_no_prefix_of_a_frame_is_a_rule(void **state) {
	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		struct control_frame frame;

		assert_non_null(read_prefix(whole, len, &frame));
		assert_int_equal(frame.rule.vm, len > 15 ? 5 : 0);
		assert_int_equal(frame.rule.slot, len > 15 ? 2 : 0);
	}
}

static void fault_3_no_number_of_tags_reads_behind_the_frame(void **state) {
	static const unsigned rooms[] = {0, 1, 10, 32};

	(void)state;
	for (unsigned r = 0; r < sizeof(rooms) / sizeof(rooms[0]); r++) {
		char data[sizeof(whole) + 32 * TAG_LEN];

		memcpy(data, whole, CONTROL_FRAME_MIN_LEN);
		for (unsigned i = 0; i < 32; i++)
			memcpy(data + CONTROL_FRAME_MIN_LEN + i * TAG_LEN, "\x81\x00\x00\x07",
			       TAG_LEN);

		for (unsigned tags = 0; tags <= UINT16_MAX; tags++) {
			struct control_frame frame;

			data[64] = (char)tags;
			data[65] = (char)(tags >> 8);

			const char *wrong = read_prefix(
				data, CONTROL_FRAME_MIN_LEN + rooms[r] * TAG_LEN, &frame);

			assert_int_equal(wrong == NULL, tags <= rooms[r] && tags <= TAGS_MAX);
			if (wrong != NULL)
				continue;
			for (unsigned i = 0; i < TAGS_MAX; i++) // and nothing is left over
				assert_int_equal(frame.rule.tags.vid[i], i < tags ? 7 : 0);
		}
	}
}

struct ack_row {
	const char *name;
	uint8_t status;
	const char *reason;
	const char *bytes; // from 14 on
};

#define ZEROS_20 "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

static const struct ack_row acks[] = {
	{"in force", 0, "", "\x05\x02\x00\x00" ZEROS_20 ZEROS_20 "\x00\x00"},
	{"refused", 1, "more than 10 tags",
	 "\x05\x02\x01\x00more than 10 tags" ZEROS_20 "\x00\x00\x00\x00\x00"},
	{"a long reason is cut, and ends", 1, "0123456789012345678901234567890123456789012345678",
	 "\x05\x02\x01\x00"
	 "01234567890123456789012345678901234567890\x00"},
};

static void check_ack(void **state) {
	const struct ack_row *row = *state;
	struct control_frame frame;
	uint8_t ack[CONTROL_ACK_LEN];

	memset(ack, 0xa5, sizeof(ack));
	assert_null(read_prefix(BYTES(whole), &frame));
	control_frame_ack(&frame, (const uint8_t *)VM_0, row->status, row->reason, ack);
	assert_memory_equal(ack, VM_0 "\x02\x00\x00\x00\xbe\xbe\xbe\xbe", 14);
	assert_memory_equal(ack + 14, row->bytes, CONTROL_ACK_LEN - 14);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_of_a_protocol_without_them_are_refused),
		cmocka_unit_test(fault_1_any_vm_and_rule_id_is_only_a_name),
		cmocka_unit_test(fault_3_no_prefix_of_a_frame_is_a_rule),
		cmocka_unit_test(fault_3_no_number_of_tags_reads_behind_the_frame),
	};

	return RUN_TABLE(rows, check_read) + RUN_TABLE(acks, check_ack) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
