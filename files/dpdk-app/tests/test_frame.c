#include "tests/frames.h"

#define SOURCE "\x0a\x14\x00\x0b"
#define TARGET "\x0a\x14\x00\x15"

// An IPv4 header of 20 bytes: first byte, total length, fragment field, protocol.
#define IPV4(first, total, fragment, protocol)                                                     \
	"\x08\x00" first "\x00" total "\x00\x00" fragment "\x40" protocol "\x00\x00" SOURCE TARGET
#define IPV4_UDP(total) IPV4("\x45", total, "\x40\x00", "\x11") UDP
#define ARP(hardware, protocol, lengths, sender)                                                   \
	"\x08\x06" hardware protocol lengths "\x00\x01" sender SOURCE                              \
	"\x00\x00\x00\x00\x00\x00" TARGET

#define KEY_PADDED(padding, protocol, kind, ...)                                                   \
	KEY_IP(padding, ETHER_IPV4, protocol, kind, SOURCE, TARGET, __VA_ARGS__)
#define KEY_PORTS(protocol)    KEY_PADDED(0, protocol, KIND_IP, WITH_PORTS)
#define KEY_NO_PORTS(protocol) KEY_PADDED(0, protocol, KIND_IP, NO_PORTS)
#define KEY_FRAGMENT(protocol) KEY_PADDED(0, protocol, KIND_IP | KIND_FRAGMENT, NO_PORTS)
#define KEY_ETHER(padding, ether_type_)                                                            \
	padding, {                                                                                 \
		.destination_mac = PEER, .ether_type = ether_type_                                 \
	}

// "fault" and a number: what the first end host of Chameleon got wrong.
static const struct vm_row from_vm[] = {
	{"UDP is read", BYTES(ETHER IPV4_UDP("\x00\x1c")), KEEP, KEY_PORTS(17)},
	{"TCP is read", BYTES(ETHER IPV4("\x45", "\x00\x28", "\x00\x00", "\x06") TCP), KEEP,
	 KEY_PORTS(6)},
	{"another protocol has no ports",
	 BYTES(ETHER IPV4("\x45", "\x00\x18", "\x00\x00", "\x01") "\x08\x00\x12\x34"), KEEP,
	 KEY_NO_PORTS(1)},
	{"SCTP is one without ports too",
	 BYTES(ETHER IPV4("\x45", "\x00\x18", "\x00\x00", "\x84") PORTS), KEEP, KEY_NO_PORTS(132)},
	{"an IPv4 packet may be a header alone",
	 BYTES(ETHER IPV4("\x45", "\x00\x14", "\x00\x00", "\x01")), KEEP, KEY_NO_PORTS(1)},
	{"padding behind the packet is not read", BYTES(ETHER IPV4_UDP("\x00\x1c") "padding"), KEEP,
	 KEY_PADDED(7, 17, KIND_IP, WITH_PORTS)},
	{"fault 4: ports stand behind the options",
	 BYTES(ETHER IPV4("\x46", "\x00\x20", "\x00\x00", "\x11") "\x01\x01\x01\x01" UDP), KEEP,
	 KEY_PORTS(17)},
	{"fault 4: and behind 40 bytes of options",
	 BYTES(ETHER IPV4("\x4f", "\x00\x44", "\x00\x00", "\x11")
		       SOURCE SOURCE SOURCE SOURCE SOURCE SOURCE SOURCE SOURCE SOURCE SOURCE UDP),
	 KEEP, KEY_PORTS(17)},
	{"fault 4: a first fragment has no ports",
	 BYTES(ETHER IPV4("\x45", "\x00\x1c", "\x20\x00", "\x11") UDP), KEEP, KEY_FRAGMENT(17)},
	{"fault 4: a middle fragment has no ports",
	 BYTES(ETHER IPV4("\x45", "\x00\x1c", "\x20\x01", "\x11") UDP), KEEP, KEY_FRAGMENT(17)},
	{"fault 4: a last fragment has no ports",
	 BYTES(ETHER IPV4("\x45", "\x00\x1c", "\x00\x01", "\x06") UDP), KEEP, KEY_FRAGMENT(6)},
	{"a fragment may be shorter than the header of its protocol",
	 BYTES(ETHER IPV4("\x45", "\x00\x15", "\x1f\xff", "\x11") "x"), KEEP, KEY_FRAGMENT(17)},
	{"a packet that must not be fragmented is none",
	 BYTES(ETHER IPV4("\x45", "\x00\x1c", "\xc0\x00", "\x11") UDP), KEEP, KEY_PORTS(17)},

	{"ARP is read", BYTES(ETHER ARP("\x00\x01", "\x08\x00", "\x06\x04", GUEST)), KEEP,
	 KEY_IP(0, ETHER_ARP, 0, KIND_NEIGHBOUR, SOURCE, TARGET, NO_PORTS)},
	{"a control frame is left to the caller", BYTES(ETHER "\xbe\xbe"), KEEP,
	 KEY_ETHER(0, 0xbebe)},
	{"any EtherType is one to match", BYTES(ETHER "\x88\xf7payload"), KEEP,
	 KEY_ETHER(7, 0x88f7)},
	{"the lowest EtherType is one", BYTES(ETHER "\x06\x00"), KEEP, KEY_ETHER(0, 0x0600)},
	{"a length is no EtherType", BYTES(ETHER "\x00\x03\xaa\xaa\x03"), KEEP, KEY_ETHER(0, 0)},
	{"a length may leave padding", BYTES(ETHER "\x00\x03\xaa\xaa\x03padding"), KEEP,
	 KEY_ETHER(7, 0)},

	{"an empty frame is truncated", BYTES(""), DROP_TRUNCATED, NO_KEY},
	{"13 bytes are truncated", BYTES(ETHER "\x08"), DROP_TRUNCATED, NO_KEY},
	{"an ether header of IPv4 alone is truncated", BYTES(ETHER "\x08\x00"), DROP_TRUNCATED,
	 NO_KEY},
	{"a length beyond the frame is truncated", BYTES(ETHER "\x05\xff\xaa\xaa\x03"),
	 DROP_TRUNCATED, NO_KEY},
	{"fault 4: a total length beyond the frame is truncated", BYTES(ETHER IPV4_UDP("\x00\x1d")),
	 DROP_TRUNCATED, NO_KEY},
	{"fault 4: options beyond the frame are truncated",
	 BYTES(ETHER IPV4("\x4f", "\x00\x3c", "\x00\x00", "\x11") UDP), DROP_TRUNCATED, NO_KEY},
	{"fault 4: UDP of 7 bytes is truncated",
	 BYTES(ETHER IPV4("\x45", "\x00\x1b", "\x00\x00", "\x11") UDP), DROP_TRUNCATED, NO_KEY},
	{"fault 4: TCP of 19 bytes is truncated",
	 BYTES(ETHER IPV4("\x45", "\x00\x27", "\x00\x00", "\x06") TCP), DROP_TRUNCATED, NO_KEY},
	{"27 bytes of ARP are truncated",
	 BYTES(ETHER "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" GUEST SOURCE
		     "\x00\x00\x00\x00\x00\x00\x0a\x14\x00"),
	 DROP_TRUNCATED, NO_KEY},

	{"IP version 5 is malformed", BYTES(ETHER IPV4("\x55", "\x00\x1c", "\x00\x00", "\x11") UDP),
	 DROP_MALFORMED, NO_KEY},
	{"fault 4: a header length of 16 is malformed",
	 BYTES(ETHER IPV4("\x44", "\x00\x1c", "\x00\x00", "\x11") UDP), DROP_MALFORMED, NO_KEY},
	{"a total length below the header's is malformed",
	 BYTES(ETHER IPV4("\x46", "\x00\x17", "\x00\x00", "\x11") UDP), DROP_MALFORMED, NO_KEY},
	{"a total length of 0, as for segmentation, is malformed",
	 BYTES(ETHER IPV4("\x45", "\x00\x00", "\x00\x00", "\x06") TCP), DROP_MALFORMED, NO_KEY},
	{"ARP of another hardware is malformed",
	 BYTES(ETHER ARP("\x00\x06", "\x08\x00", "\x06\x04", GUEST)), DROP_MALFORMED, NO_KEY},
	{"ARP for another protocol is malformed",
	 BYTES(ETHER ARP("\x00\x01", "\x86\xdd", "\x06\x04", GUEST)), DROP_MALFORMED, NO_KEY},
	{"ARP with short hardware addresses is malformed",
	 BYTES(ETHER ARP("\x00\x01", "\x08\x00", "\x05\x04", GUEST)), DROP_MALFORMED, NO_KEY},
	{"ARP with long addresses is malformed",
	 BYTES(ETHER ARP("\x00\x01", "\x08\x00", "\x06\x10", GUEST)), DROP_MALFORMED, NO_KEY},

	{"another source MAC is dropped", BYTES(PEER PEER IPV4_UDP("\x00\x1c")), DROP_SOURCE_MAC,
	 NO_KEY},
	{"one that differs in the first byte is another",
	 BYTES(PEER "\x03\x00\x00\x00\x00\x01" IPV4_UDP("\x00\x1c")), DROP_SOURCE_MAC, NO_KEY},
	{"another sender in ARP is dropped",
	 BYTES(ETHER ARP("\x00\x01", "\x08\x00", "\x06\x04", PEER)), DROP_ARP_SENDER, NO_KEY},
	{"an 802.1Q tag is the switch's to push",
	 BYTES(ETHER "\x81\x00\x00\x07" IPV4_UDP("\x00\x1c")), DROP_GUEST_TAGGED, NO_KEY},
	{"an 802.1ad tag is no guest's either",
	 BYTES(ETHER "\x88\xa8\x00\x07" IPV4_UDP("\x00\x1c")), DROP_GUEST_TAGGED, NO_KEY},
	{"an old stacked tag is no guest's either",
	 BYTES(ETHER "\x91\x00\x00\x07" IPV4_UDP("\x00\x1c")), DROP_GUEST_TAGGED, NO_KEY},
	{"a guest is no neighbour of the network's",
	 BYTES("\x01\x80\xc2\x00\x00\x0e" GUEST "\x88\xcc\x02\x07"), DROP_GUEST_LLDP, NO_KEY},
	{"whomever it tells of itself", BYTES(ETHER "\x88\xcc\x02\x07"), DROP_GUEST_LLDP, NO_KEY},
};

#define BROADCAST "\xff\xff\xff\xff\xff\xff"
#define MULTICAST "\x01\x00\x5e\x00\x00\x01"
#define NEAREST	  "\x01\x80\xc2\x00\x00\x0e"
#define NEIGHBOUR "\x02\x01\x01\x01\x01\x01"

struct uplink_row {
	const char *name;
	const char *data;
	size_t len;
	enum drop drop;
	bool tagged;
	uint16_t vm;
	bool for_guest;
	bool lldp;
};

static const struct uplink_row from_uplink[] = {
	{"one tag names the VM", BYTES(GUEST PEER "\x81\x00\x00\x07\x08\x00"), KEEP, true, 7, true,
	 false},
	{"a service tag names it as well", BYTES(GUEST PEER "\x88\xa8\x00\x07\x08\x00"), KEEP, true,
	 7, true, false},
	{"priority bits are no part of the id", BYTES(GUEST PEER "\x81\x00\xff\xfe\x08\x00"), KEEP,
	 true, 4094, true, false},
	{"the reserved id is read as it is", BYTES(GUEST PEER "\x81\x00\x0f\xff\x08\x00"), KEEP,
	 true, 4095, true, false},
	{"another MAC is not for this VM", BYTES(PEER PEER "\x81\x00\x00\x07\x08\x00"), KEEP, true,
	 7, false, false},
	{"nor is one that only looks like a group",
	 BYTES(NEIGHBOUR PEER "\x81\x00\x00\x07\x08\x00"), KEEP, true, 7, false, false},
	{"a broadcast is for the VM of its tag", BYTES(BROADCAST PEER "\x81\x00\x00\x07\x08\x06"),
	 KEEP, true, 7, true, false},
	{"so is a multicast", BYTES(MULTICAST PEER "\x81\x00\x00\x07\x08\x00"), KEEP, true, 7, true,
	 false},
	{"a frame without a tag is for the caller to judge", BYTES(GUEST PEER "\x08\x00"), KEEP,
	 false, 0, true, false},
	{"the old stacked TPID is no tag of ours", BYTES(GUEST PEER "\x91\x00\x00\x07\x08\x00"),
	 KEEP, false, 0, true, false},
	{"LLDP is for the switch", BYTES(NEAREST PEER "\x88\xcc"), KEEP, false, 0, true, true},
	{"to an address of its own alone", BYTES(GUEST PEER "\x88\xcc"), KEEP, false, 0, true,
	 false},
	{"and not what a bridge says", BYTES(NEAREST PEER "\x00\x26"), KEEP, false, 0, true, false},
	{"nor what has a tag", BYTES(NEAREST PEER "\x81\x00\x00\x07\x88\xcc"), KEEP, true, 7, true,
	 false},
	{"two tags", BYTES(GUEST PEER "\x81\x00\x00\x07\x81\x00\x00\x08\x08\x00"), DROP_EXTRA_TAGS,
	 false, 0, false, false},
	{"an inner service tag is a second one", BYTES(GUEST PEER "\x81\x00\x00\x07\x88\xa8"),
	 DROP_EXTRA_TAGS, false, 0, false, false},
	{"an inner old stacked tag too", BYTES(GUEST PEER "\x88\xa8\x00\x07\x91\x00"),
	 DROP_EXTRA_TAGS, false, 0, false, false},
	{"an empty frame", BYTES(""), DROP_TRUNCATED, false, 0, false, false},
	{"13 bytes", BYTES(GUEST PEER "\x81"), DROP_TRUNCATED, false, 0, false, false},
	{"a TPID alone", BYTES(GUEST PEER "\x81\x00"), DROP_TRUNCATED, false, 0, false, false},
	{"a tag without what follows it", BYTES(GUEST PEER "\x88\xa8\x00\x07\x08"), DROP_TRUNCATED,
	 false, 0, false, false},
};

static void check_from_uplink(void **state) {
	const struct uplink_row *row = *state;
	uint8_t *data = exact_copy(row->data, row->len);
	struct arrival arrival;

	assert_int_equal(frame_from_uplink(data, row->len, &arrival), row->drop);
	if (row->drop == KEEP) {
		assert_int_equal(arrival.tagged, row->tagged);
		assert_int_equal(arrival.vm, row->vm);
		assert_int_equal(arrival.lldp, row->lldp);
		assert_ptr_equal(arrival.destination_mac, data);
		assert_int_equal(frame_is_for(data, (const uint8_t *)GUEST), row->for_guest);
	}
	free(data);
}

struct unmatched_row {
	const char *name;
	struct match_key key;
	enum drop drop;
};

static const struct unmatched_row unmatched[] = {
	{"a packet", {.ether_type = ETHER_IPV4, .kind = KIND_IP}, DROP_NO_RULE},
	{"another EtherType", {.ether_type = 0x88f7}, DROP_NO_RULE},
	{"a fragment", {.ether_type = ETHER_IPV6, .kind = KIND_IP | KIND_FRAGMENT}, DROP_FRAGMENT},
	{"ARP", {.ether_type = ETHER_ARP, .kind = KIND_NEIGHBOUR}, DROP_ARP_NO_RULE},
	{"neighbour discovery",
	 {.ether_type = ETHER_IPV6, .kind = KIND_IP | KIND_NEIGHBOUR},
	 DROP_ND_NO_RULE},
};

static void check_unmatched(void **state) {
	const struct unmatched_row *row = *state;

	assert_int_equal(frame_unmatched(&row->key), row->drop);
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
		cmocka_unit_test(every_drop_has_a_name_of_its_own_and_a_place),
	};

	return RUN_TABLE(from_vm, check_from_vm) + RUN_TABLE(from_vm, check_changed_bytes) +
	       RUN_TABLE(from_uplink, check_from_uplink) + RUN_TABLE(unmatched, check_unmatched) +
	       cmocka_run_group_tests(whole, NULL, NULL);
}
