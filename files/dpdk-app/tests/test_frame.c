#include "tests/table.h"

#include <string.h>

#include "core/frame.h"

#define GUEST	"\x02\x00\x00\x00\x00\x01"
#define PEER	"\x02\x00\x00\x00\x00\x07"
#define ETHER	PEER GUEST
#define SOURCE	"\x0a\x14\x00\x0b"
#define TARGET	"\x0a\x14\x00\x15"
#define PORTS	"\x13\x88\x13\x89"
#define UDP_END "\x00\x08\x00\x00"

// An IPv4 header of 20 bytes: first byte, total length, fragment field, protocol.
#define IPV4(first, total, fragment, protocol)                                                     \
	"\x08\x00" first "\x00" total "\x00\x00" fragment "\x40" protocol "\x00\x00" SOURCE TARGET
#define UDP(total) IPV4("\x45", total, "\x40\x00", "\x11") PORTS UDP_END
#define ARP(hardware, protocol, lengths, sender)                                                   \
	"\x08\x06" hardware protocol lengths "\x00\x01" sender SOURCE                              \
	"\x00\x00\x00\x00\x00\x00" TARGET
#define TCP_END "\x00\x00\x00\x00\x00\x00\x00\x00\x50\x00\x00\x00\x00\x00\x00\x00"

#define BYTES(text) text, sizeof(text) - 1

struct vm_row {
	const char *name;
	const char *data;
	size_t len;
	enum drop drop;
	struct frame frame;
};

static const struct vm_row from_vm[] = {
	{"UDP is read",
	 BYTES(ETHER UDP("\x00\x1c")),
	 KEEP,
	 {ETHER_IPV4, 17, 0x0a14000b, 0x0a140015, 5000, 5001}},
	{"TCP is read",
	 BYTES(ETHER IPV4("\x45", "\x00\x28", "\x00\x00", "\x06") PORTS TCP_END),
	 KEEP,
	 {ETHER_IPV4, 6, 0x0a14000b, 0x0a140015, 5000, 5001}},
	{"another protocol has no ports",
	 BYTES(ETHER IPV4("\x45", "\x00\x18", "\x00\x00", "\x01") "\x08\x00\x12\x34"),
	 KEEP,
	 {ETHER_IPV4, 1, 0x0a14000b, 0x0a140015, 0, 0}},
	{"padding behind the packet is not read",
	 BYTES(ETHER UDP("\x00\x1c") "padding"),
	 KEEP,
	 {ETHER_IPV4, 17, 0x0a14000b, 0x0a140015, 5000, 5001}},
	{"ports stand behind the options",
	 BYTES(ETHER IPV4("\x46", "\x00\x20", "\x00\x00", "\x11") "\x01\x01\x01\x01" PORTS UDP_END),
	 KEEP,
	 {ETHER_IPV4, 17, 0x0a14000b, 0x0a140015, 5000, 5001}},
	{"ARP is read",
	 BYTES(ETHER ARP("\x00\x01", "\x08\x00", "\x06\x04", GUEST)),
	 KEEP,
	 {.ether_type = ETHER_ARP, .source_ip = 0x0a14000b, .destination_ip = 0x0a140015}},

	{"an empty frame is truncated", BYTES(""), DROP_TRUNCATED, {0}},
	{"13 bytes are truncated", BYTES(PEER GUEST "\x08"), DROP_TRUNCATED, {0}},
	{"an ether header alone is truncated", BYTES(ETHER "\x08\x00"), DROP_TRUNCATED, {0}},
	{"19 bytes of IPv4 are truncated",
	 BYTES(ETHER "\x08\x00\x45\x00\x00\x1c\x00\x00\x00\x00\x40\x11\x00\x00" SOURCE
		     "\x0a\x14\x00"),
	 DROP_TRUNCATED,
	 {0}},
	{"a total length beyond the frame is truncated",
	 BYTES(ETHER UDP("\x00\x1d")),
	 DROP_TRUNCATED,
	 {0}},
	{"options beyond the frame are truncated",
	 BYTES(ETHER IPV4("\x4f", "\x00\x3c", "\x00\x00", "\x11") PORTS UDP_END),
	 DROP_TRUNCATED,
	 {0}},
	{"UDP of 7 bytes is truncated",
	 BYTES(ETHER IPV4("\x45", "\x00\x1b", "\x00\x00", "\x11") PORTS UDP_END),
	 DROP_TRUNCATED,
	 {0}},
	{"TCP of 8 bytes is truncated",
	 BYTES(ETHER IPV4("\x45", "\x00\x1c", "\x00\x00", "\x06") PORTS UDP_END),
	 DROP_TRUNCATED,
	 {0}},
	{"27 bytes of ARP are truncated",
	 BYTES(ETHER "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" GUEST SOURCE
		     "\x00\x00\x00\x00\x00\x00\x0a\x14\x00"),
	 DROP_TRUNCATED,
	 {0}},

	{"IP version 5 is malformed",
	 BYTES(ETHER IPV4("\x55", "\x00\x1c", "\x00\x00", "\x11") PORTS UDP_END),
	 DROP_MALFORMED,
	 {0}},
	{"a header length of 16 is malformed",
	 BYTES(ETHER IPV4("\x44", "\x00\x1c", "\x00\x00", "\x11") PORTS UDP_END),
	 DROP_MALFORMED,
	 {0}},
	{"a total length below the header's is malformed",
	 BYTES(ETHER IPV4("\x46", "\x00\x17", "\x00\x00", "\x11") PORTS UDP_END),
	 DROP_MALFORMED,
	 {0}},
	{"ARP of another hardware is malformed",
	 BYTES(ETHER ARP("\x00\x06", "\x08\x00", "\x06\x04", GUEST)),
	 DROP_MALFORMED,
	 {0}},
	{"ARP for another protocol is malformed",
	 BYTES(ETHER ARP("\x00\x01", "\x86\xdd", "\x06\x04", GUEST)),
	 DROP_MALFORMED,
	 {0}},
	{"ARP with long addresses is malformed",
	 BYTES(ETHER ARP("\x00\x01", "\x08\x00", "\x06\x10", GUEST)),
	 DROP_MALFORMED,
	 {0}},

	{"a first fragment is dropped",
	 BYTES(ETHER IPV4("\x45", "\x00\x1c", "\x20\x00", "\x11") PORTS UDP_END),
	 DROP_FRAGMENT,
	 {0}},
	{"a last fragment is dropped",
	 BYTES(ETHER IPV4("\x45", "\x00\x1c", "\x00\x01", "\x11") PORTS UDP_END),
	 DROP_FRAGMENT,
	 {0}},
	{"another source MAC is dropped", BYTES(PEER PEER UDP("\x00\x1c")), DROP_SOURCE_MAC, {0}},
	{"another sender in ARP is dropped",
	 BYTES(ETHER ARP("\x00\x01", "\x08\x00", "\x06\x04", PEER)),
	 DROP_ARP_SENDER,
	 {0}},
	{"an 802.1Q tag is the switch's to push",
	 BYTES(ETHER "\x81\x00\x00\x07" UDP("\x00\x1c")),
	 DROP_GUEST_TAGGED,
	 {0}},
	{"an 802.1ad tag is no guest's either",
	 BYTES(ETHER "\x88\xa8\x00\x07" UDP("\x00\x1c")),
	 DROP_GUEST_TAGGED,
	 {0}},
	{"an old stacked tag is no guest's either",
	 BYTES(ETHER "\x91\x00\x00\x07" UDP("\x00\x1c")),
	 DROP_GUEST_TAGGED,
	 {0}},
	{"IPv6 is not served", BYTES(ETHER "\x86\xdd"), DROP_ETHER_TYPE, {0}},
};

static void check_from_vm(void **state) {
	const struct vm_row *row = *state;
	// On the heap, so that the address sanitizer sees any byte read behind the end.
	uint8_t *exact = malloc(row->len > 0 ? row->len : 1);
	struct frame frame;

	assert_non_null(exact);
	memcpy(exact, row->data, row->len);
	assert_int_equal(frame_from_vm(exact, row->len, (const uint8_t *)GUEST, &frame), row->drop);
	if (row->drop == KEEP) {
		assert_int_equal(frame.ether_type, row->frame.ether_type);
		assert_int_equal(frame.protocol, row->frame.protocol);
		assert_int_equal(frame.source_ip, row->frame.source_ip);
		assert_int_equal(frame.destination_ip, row->frame.destination_ip);
		assert_int_equal(frame.source_port, row->frame.source_port);
		assert_int_equal(frame.destination_port, row->frame.destination_port);
	}
	free(exact);
}

#define BROADCAST "\xff\xff\xff\xff\xff\xff"

struct uplink_row {
	const char *name;
	const char *data;
	size_t len;
	enum drop drop;
	uint16_t vm;
	bool for_guest;
};

static const struct uplink_row from_uplink[] = {
	{"one tag names the VM", BYTES(GUEST PEER "\x81\x00\x00\x07\x08\x00"), KEEP, 7, true},
	{"priority bits are no part of the id", BYTES(GUEST PEER "\x81\x00\xff\xfe\x08\x00"), KEEP,
	 4094, true},
	{"another MAC is not for this VM", BYTES(PEER PEER "\x81\x00\x00\x07\x08\x00"), KEEP, 7,
	 false},
	{"a broadcast is not for it either", BYTES(BROADCAST PEER "\x81\x00\x00\x07\x08\x00"), KEEP,
	 7, false},
	{"a broadcast that is ARP is", BYTES(BROADCAST PEER "\x81\x00\x00\x07\x08\x06"), KEEP, 7,
	 true},
	{"no tag", BYTES(GUEST PEER "\x08\x00"), DROP_UNTAGGED, 0, false},
	{"a service tag alone", BYTES(GUEST PEER "\x88\xa8\x00\x07\x08\x00"), DROP_UNTAGGED, 0,
	 false},
	{"two tags", BYTES(GUEST PEER "\x81\x00\x00\x07\x81\x00\x00\x08\x08\x00"), DROP_EXTRA_TAGS,
	 0, false},
	{"an inner service tag is a second one", BYTES(GUEST PEER "\x81\x00\x00\x07\x88\xa8"),
	 DROP_EXTRA_TAGS, 0, false},
	{"13 bytes", BYTES(GUEST PEER "\x81"), DROP_TRUNCATED, 0, false},
	{"a tag without what follows it", BYTES(GUEST PEER "\x81\x00\x00\x07\x08"), DROP_TRUNCATED,
	 0, false},
};

static void check_from_uplink(void **state) {
	const struct uplink_row *row = *state;
	uint8_t *exact = malloc(row->len);
	struct arrival arrival;

	assert_non_null(exact);
	memcpy(exact, row->data, row->len);
	assert_int_equal(frame_from_uplink(exact, row->len, &arrival), row->drop);
	if (row->drop == KEEP) {
		assert_int_equal(arrival.vm, row->vm);
		assert_int_equal(arrival_is_for(&arrival, (const uint8_t *)GUEST), row->for_guest);
	}
	free(exact);
}

// No byte string may make the parser read outside of it: every prefix of every row, each with
// each of its bytes set to extreme values (the address sanitizer watches).
static void no_prefix_or_changed_byte_leads_outside_the_frame(void **state) {
	static const uint8_t extremes[] = {0x00, 0x4f, 0x7f, 0x80, 0xff};

	(void)state;
	for (size_t r = 0; r < sizeof(from_vm) / sizeof(from_vm[0]); r++) {
		for (size_t len = 1; len <= from_vm[r].len; len++) {
			uint8_t *exact = malloc(len);

			assert_non_null(exact);
			for (size_t at = 0; at < len; at++) {
				for (size_t e = 0; e < sizeof(extremes); e++) {
					struct frame frame;
					struct arrival arrival;

					memcpy(exact, from_vm[r].data, len);
					exact[at] = extremes[e];
					assert_true(frame_from_vm(exact, len,
								  (const uint8_t *)GUEST,
								  &frame) <= KEEP);
					assert_true(frame_from_uplink(exact, len, &arrival) <=
						    KEEP);
				}
			}
			free(exact);
		}
	}
}

static void every_drop_has_a_name_of_its_own_and_a_place(void **state) {
	(void)state;
	for (unsigned i = 0; i < DROP_COUNT; i++) {
		assert_non_null(drop_info[i].name);
		assert_int_not_equal(drop_info[i].where, 0);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(drop_info[i].name, drop_info[k].name);
	}
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(no_prefix_or_changed_byte_leads_outside_the_frame),
		cmocka_unit_test(every_drop_has_a_name_of_its_own_and_a_place),
	};

	return RUN_TABLE(from_vm, check_from_vm) + RUN_TABLE(from_uplink, check_from_uplink) +
	       cmocka_run_group_tests(whole, NULL, NULL);
}
