#include "tests/table.h"

#include <string.h>

#include "core/match.h"

#define IPV4(a, b, c, d)                                                                           \
	{ a, b, c, d }
#define ANY_PORTS	 .has_source_port = true, .has_destination_port = true
#define PORTS(from, to)	 ANY_PORTS, .source_port = from, .destination_port = to
#define PROTOCOL(number) .has_protocol = true, .protocol = number
#define TYPE(number)	 .has_ether_type = true, .ether_type = number
#define MAC		 .has_destination_mac = true, .destination_mac = {2, 0, 0, 0, 0, 7}
#define PAIR(source, destination)                                                                  \
	.family = ETHER_IPV4, .source_bits = source, .destination_bits = destination,              \
	.source_ip = IPV4(10, 20, 0, 11), .destination_ip = IPV4(10, 20, 0, 21)
#define PAIR6(source, destination)                                                                 \
	.family = ETHER_IPV6, .source_bits = source, .destination_bits = destination,              \
	.source_ip = {0xfd, 0, 0, 1, [15] = 11}, .destination_ip = {0xfd, 0, 0, 1, [15] = 21}

struct made_row {
	const char *name;
	struct match_fields fields;
	bool exact;
	unsigned bits;
	uint8_t kind_mask;
	const char *refusal; // part of it; NULL: made, read back, and made again
};

static const struct made_row made[] = {
	{"nothing given is any frame", {.family = 0}, false, 0, 0, NULL},
	{"a five-tuple of UDP",
	 {PAIR(32, 32), PROTOCOL(17), PORTS(5000, 5001)},
	 true,
	 120,
	 KIND_IP | KIND_FRAGMENT,
	 NULL},
	{"a five-tuple of TCP over IPv6",
	 {PAIR6(128, 128), PROTOCOL(6), PORTS(1, 65535)},
	 true,
	 312,
	 KIND_IP | KIND_FRAGMENT,
	 NULL},
	{"a five-tuple of ICMP has ports 0",
	 {PAIR(32, 32), PROTOCOL(1), PORTS(0, 0)},
	 true,
	 120,
	 KIND_IP | KIND_FRAGMENT,
	 NULL},
	{"port 0 of UDP is a port",
	 {PAIR(32, 32), PROTOCOL(17), PORTS(0, 0)},
	 true,
	 120,
	 KIND_IP | KIND_FRAGMENT,
	 NULL},
	{"a destination MAC", {MAC}, false, 48, 0, NULL},
	{"an EtherType", {TYPE(0x88f7)}, false, 16, 0, NULL},
	{"an EtherType and a MAC", {TYPE(0x88f7), MAC}, false, 64, 0, NULL},
	{"a protocol with ports leaves them open", {PROTOCOL(17)}, false, 8, KIND_IP, NULL},
	{"protocol 0 is a protocol", {PROTOCOL(0)}, false, 40, KIND_IP | KIND_FRAGMENT, NULL},
	{"a protocol of IPv6 alone", {TYPE(ETHER_IPV6), PROTOCOL(6)}, false, 24, KIND_IP, NULL},
	{"a destination port",
	 {.has_destination_port = true, .destination_port = 53},
	 false,
	 16,
	 KIND_IP | KIND_FRAGMENT,
	 NULL},
	{"a source port of TCP",
	 {PROTOCOL(6), .has_source_port = true, .source_port = 22},
	 false,
	 24,
	 KIND_IP | KIND_FRAGMENT,
	 NULL},
	{"addresses alone leave fragments in", {PAIR(32, 32)}, false, 80, 0, NULL},
	{"a prefix", {PAIR(0, 12)}, false, 28, 0, NULL},
	{"a prefix of one bit", {PAIR6(1, 0)}, false, 17, 0, NULL},
	{"a prefix of 127 bits",
	 {PAIR6(128, 127), PROTOCOL(17), PORTS(1, 2)},
	 false,
	 311,
	 KIND_IP | KIND_FRAGMENT,
	 NULL},
	{"all but one port is not exact",
	 {PAIR(32, 32), PROTOCOL(17), .has_source_port = true, .source_port = 1},
	 false,
	 104,
	 KIND_IP | KIND_FRAGMENT,
	 NULL},

	{"a prefix longer than IPv4", {PAIR(33, 0)}, false, 0, 0, "shorter prefix"},
	{"a prefix longer than IPv6", {PAIR6(0, 129)}, false, 0, 0, "shorter prefix"},
	{"bits of no family", {.source_bits = 8}, false, 0, 0, "shorter prefix"},
	{"an EtherType of the other family",
	 {PAIR(32, 32), TYPE(ETHER_IPV6)},
	 false,
	 0,
	 0,
	 "leave ether_type out"},
	{"an EtherType that is not IP, with addresses",
	 {PAIR(32, 32), TYPE(ETHER_ARP)},
	 false,
	 0,
	 0,
	 "leave ether_type out"},
	{"a protocol of ARP", {TYPE(ETHER_ARP), PROTOCOL(17)}, false, 0, 0, "only IP"},
	{"a port of ARP", {TYPE(ETHER_ARP), .has_source_port = true}, false, 0, 0, "only IP"},
	{"a port of ICMP",
	 {PROTOCOL(1), .has_source_port = true, .source_port = 8},
	 false,
	 0,
	 0,
	 "only TCP"},
	{"a port of SCTP", {PROTOCOL(132), PORTS(0, 1)}, false, 0, 0, "only TCP"},
};

static void assert_same(const struct match *a, const struct match *b) {
	assert_memory_equal(a, b, sizeof(*a));
	assert_int_equal(match_compare(a, b), 0);
}

static void assert_key_within_mask(const struct match *match) {
	const uint8_t *key = (const uint8_t *)&match->key, *mask = (const uint8_t *)&match->mask;

	for (size_t i = 0; i < sizeof(match->key); i++)
		assert_int_equal(key[i] & ~mask[i], 0);
	assert_int_equal(match->key.number, 0);
	assert_int_equal(match->mask.number, 0);
}

static void check_made(void **state) {
	const struct made_row *row = *state;
	struct match match, again;
	struct match_fields fields;
	const char *refusal = match_make(&row->fields, &match);

	if (row->refusal != NULL) {
		assert_non_null(refusal);
		assert_non_null(strstr(refusal, row->refusal));
		return;
	}
	assert_null(refusal);
	assert_key_within_mask(&match);
	assert_int_equal(match_is_exact(&match), row->exact);
	assert_int_equal(match_bits(&match.mask), row->bits);
	assert_int_equal(match.mask.kind, row->kind_mask);

	match_read(&match, &fields);
	assert_null(match_make(&fields, &again));
	assert_same(&match, &again);
}

struct pair_row {
	const char *name;
	struct match_fields a, b;
	bool same;
};

static const struct pair_row pairs[] = {
	{"no ports of ICMP are ports 0", {PROTOCOL(1)}, {PROTOCOL(1), PORTS(0, 0)}, true},
	{"one port of ICMP is both", {PROTOCOL(1)}, {PROTOCOL(1), .has_source_port = true}, true},
	{"a port of ICMP that is not given is 0",
	 {PROTOCOL(1)},
	 {PROTOCOL(1), .source_port = 8},
	 true},
	{"addresses imply their EtherType", {PAIR(32, 0)}, {PAIR(32, 0), TYPE(ETHER_IPV4)}, true},
	{"any address of a family is its EtherType", {PAIR6(0, 0)}, {TYPE(ETHER_IPV6)}, true},
	{"bits behind a prefix do not count",
	 {.family = ETHER_IPV4, .source_bits = 9, .source_ip = IPV4(10, 0x80, 0, 0)},
	 {.family = ETHER_IPV4, .source_bits = 9, .source_ip = IPV4(10, 0xff, 1, 2)},
	 true},
	{"the last bit of a prefix counts",
	 {.family = ETHER_IPV4, .source_bits = 9, .source_ip = IPV4(10, 0x80, 0, 0)},
	 {.family = ETHER_IPV4, .source_bits = 9, .source_ip = IPV4(10, 0x7f, 0, 0)},
	 false},
	{"no ports of UDP are not ports 0", {PROTOCOL(17)}, {PROTOCOL(17), PORTS(0, 0)}, false},
	{"the families differ", {PAIR(1, 0)}, {PAIR6(1, 0)}, false},
	{"the directions differ", {PAIR(32, 0)}, {PAIR(0, 32)}, false},
	{"what is not given does not count", {.source_port = 7}, {.protocol = 9}, true},
};

static void check_pair(void **state) {
	const struct pair_row *row = *state;
	struct match a, b;

	assert_null(match_make(&row->a, &a));
	assert_null(match_make(&row->b, &b));
	if (row->same) {
		assert_same(&a, &b);
		return;
	}
	assert_int_not_equal(match_compare(&a, &b), 0);
	assert_int_equal(match_compare(&a, &b) < 0, match_compare(&b, &a) > 0);
}

struct ends_row {
	const char *name;
	struct match_fields fields;
	bool has;
	struct match_key key, mask;
};

#define ENDS(type) .ether_type = type, .kind = KIND_NEIGHBOUR

static const struct ends_row ends[] = {
	{"ARP goes the way of a five-tuple",
	 {PAIR(32, 32), PROTOCOL(17), PORTS(5000, 5001)},
	 true,
	 {ENDS(ETHER_ARP), .source_ip = IPV4(10, 20, 0, 11), .destination_ip = IPV4(10, 20, 0, 21)},
	 {ENDS(0xffff), .source_ip = IPV4(255, 255, 255, 255),
	  .destination_ip = IPV4(255, 255, 255, 255)}},
	{"neighbour discovery goes the way of an IPv6 rule",
	 {PAIR6(0, 16), MAC},
	 true,
	 {ENDS(ETHER_IPV6), .destination_ip = {0xfd}},
	 {ENDS(0xffff), .destination_ip = {0xff, 0xff}}},
	{"ARP goes the way of a prefix",
	 {PAIR(15, 0)},
	 true,
	 {ENDS(ETHER_ARP), .source_ip = IPV4(10, 20, 0, 0)},
	 {ENDS(0xffff), .source_ip = IPV4(255, 254, 0, 0)}},
	{"a rule without addresses has no ends", {PROTOCOL(17)}, false, {.kind = 0}, {.kind = 0}},
	{"nor has one of a family", {TYPE(ETHER_IPV4)}, false, {.kind = 0}, {.kind = 0}},
};

static void check_ends(void **state) {
	const struct ends_row *row = *state;
	struct match match, found;

	assert_null(match_make(&row->fields, &match));
	assert_int_equal(match_ends(&match, &found), row->has);
	if (row->has) {
		assert_memory_equal(&found.key, &row->key, sizeof(row->key));
		assert_memory_equal(&found.mask, &row->mask, sizeof(row->mask));
	}
}

// The ports of a protocol without ports are said only where all five fields are.
static void ports_of_icmp_are_read_from_a_five_tuple_alone(void **state) {
	const struct match_fields exact = {PAIR(32, 32), PROTOCOL(1)}, open = {PROTOCOL(1)};
	struct match_fields fields;
	struct match match;

	(void)state;
	assert_null(match_make(&exact, &match));
	match_read(&match, &fields);
	assert_true(fields.has_source_port && fields.has_destination_port);

	assert_null(match_make(&open, &match));
	match_read(&match, &fields);
	assert_false(fields.has_source_port || fields.has_destination_port);
}

static void addresses_are_read_without_their_ether_type(void **state) {
	const struct match_fields given = {PAIR(32, 0), TYPE(ETHER_IPV4)};
	struct match_fields fields;
	struct match match;

	(void)state;
	assert_null(match_make(&given, &match));
	match_read(&match, &fields);
	assert_false(fields.has_ether_type);
	assert_int_equal(fields.family, ETHER_IPV4);
}

int main(void) {
	const struct CMUnitTest readings[] = {
		cmocka_unit_test(ports_of_icmp_are_read_from_a_five_tuple_alone),
		cmocka_unit_test(addresses_are_read_without_their_ether_type),
	};

	return RUN_TABLE(made, check_made) + RUN_TABLE(pairs, check_pair) +
	       RUN_TABLE(ends, check_ends) + cmocka_run_group_tests(readings, NULL, NULL);
}
