#include "tests/table.h"

#include <string.h>

#include "control/codec.h"

struct codec_row {
	const char *name;
	const char *text;
	const char *refusal; // part of the message; NULL: read, and written again as it was
};

#define PORT(vm, mac, server) "{\"vm\":" vm ",\"mac\":" mac ",\"socket_server\":" server "}"

static const struct codec_row ports[] = {
	{"a port is read and written", PORT("1", "\"02:aa:bb:cc:dd:01\"", "\"qemu\""), NULL},
	{"VM 0 is a VM", PORT("0", "\"02:aa:bb:cc:dd:00\"", "\"switch\""), NULL},
	{"the highest VM", PORT("4094", "\"02:aa:bb:cc:dd:01\"", "\"switch\""), NULL},
	{"a VM too high", PORT("4095", "\"02:aa:bb:cc:dd:01\"", "\"switch\""), "vm is 4095"},
	{"a negative VM", PORT("-1", "\"02:aa:bb:cc:dd:01\"", "\"switch\""), "vm is -1"},
	{"a VM that is no integer", PORT("1.0", "\"02:aa:bb:cc:dd:01\"", "\"switch\""),
	 "vm is 1.0"},
	{"a VM that is a boolean", PORT("true", "\"02:aa:bb:cc:dd:01\"", "\"switch\""),
	 "vm is true"},
	{"a MAC that is too short", PORT("1", "\"02:aa:bb:cc:dd\"", "\"switch\""), "mac is"},
	{"a MAC that is too long", PORT("1", "\"02:aa:bb:cc:dd:01:02\"", "\"switch\""), "mac is"},
	{"a MAC with signs", PORT("1", "\"02:+a:bb:cc:dd:01\"", "\"switch\""), "mac is"},
	{"a MAC of single digits", PORT("1", "\"2:0:0:0:0:1:::::::\"", "\"switch\""), "mac is"},
	{"a MAC for a group", PORT("1", "\"03:aa:bb:cc:dd:01\"", "\"switch\""), "mac is"},
	{"a MAC of zeros", PORT("1", "\"00:00:00:00:00:00\"", "\"switch\""), "mac is"},
	{"a MAC that is a number", PORT("1", "2", "\"switch\""), "mac is 2"},
	{"an unknown server", PORT("1", "\"02:aa:bb:cc:dd:01\"", "\"both\""), "socket_server is"},
	{"a missing member", "{\"vm\":1}", "mac is missing"},
	{"an unknown member", "{\"vm\":1,\"color\":2}", "color is not known"},
	{"no object", "[]", "no object"},
};

#define FIVE                                                                                       \
	"\"protocol\":17,\"source_ip\":\"10.0.0.1\",\"destination_ip\":\"10.0.0.2\","              \
	"\"source_port\":1,\"destination_port\":2"
#define DEFAULT_QUEUE "\"queue_packets\":1024,\"queue_bytes\":1048576"
#define BIGGEST	      "9223372036854775807"

// A rule in its normal form, which is written as it was read.
#define NORMAL(match, tags, rest)                                                                  \
	"{\"vm\":1,\"priority\":0" match ",\"tags\":" tags ",\"tpid\":\"802.1Q\"," rest "}"
#define OFF(match) NORMAL(match, "[]", "\"mode\":\"off\"")

static const struct codec_row rules[] = {
	{"an exact rule",
	 NORMAL("," FIVE, "[21,21,1]",
		"\"mode\":\"shape\",\"rate_bps\":1000,\"burst_bits\":12000," DEFAULT_QUEUE),
	 NULL},
	{"the largest of everything",
	 "{\"vm\":4094,\"priority\":65535,\"protocol\":255,\"source_ip\":\"255.255.255.255\","
	 "\"destination_ip\":\"255.255.255.255\",\"source_port\":0,\"destination_port\":0,"
	 "\"tags\":[1,2,3,4,5,6,7,8,9,4094],\"tpid\":\"802.1ad\",\"mode\":\"shape\","
	 "\"rate_bps\":400000000000,\"burst_bits\":" BIGGEST ",\"queue_packets\":65535,"
	 "\"queue_bytes\":4294967295}",
	 NULL},
	{"one that polices",
	 NORMAL("," FIVE, "[7]", "\"mode\":\"police\",\"rate_bps\":1,\"burst_bits\":1"), NULL},
	{"one for every frame", OFF(""), NULL},
	{"one for a destination MAC", OFF(",\"destination_mac\":\"33:33:00:00:00:01\""), NULL},
	{"one for an EtherType", OFF(",\"ether_type\":34997"), NULL},
	{"one for a protocol", OFF(",\"protocol\":1"), NULL},
	{"one for a prefix", OFF(",\"source_ip\":\"10.0.0.0/8\""), NULL},
	{"one for IPv6", OFF(",\"source_ip\":\"fd00::1\",\"destination_ip\":\"fd00::/64\""), NULL},
	{"one for a port", OFF(",\"destination_port\":53"), NULL},
	{"one for another VM here", NORMAL("," FIVE, "[]", "\"mode\":\"off\",\"destination_vm\":2"),
	 NULL},
};

#define EXACT(members) "{\"vm\":1," FIVE "," members "}"
#define V1(protocol, source, port, tags, rate, burst)                                              \
	"{\"vm\":1,\"protocol\":" protocol ",\"source_ip\":" source                                \
	",\"destination_ip\":\"10.0.0.2\",\"source_port\":" port ",\"destination_port\":" port     \
	",\"tags\":" tags ",\"rate_bps\":" rate ",\"burst_bits\":" burst "}"
#define IP	      "\"10.0.0.1\""
#define SOURCE(value) "{\"vm\":1,\"source_ip\":" value "}"

static const struct codec_row refusals[] = {
	{"no VM", "{\"protocol\":1}", "vm is missing; give an integer from 0 to 4094"},
	{"a protocol too high", V1("256", IP, "0", "[1]", "1", "1"), "protocol is 256"},
	{"a port too high", V1("6", IP, "65536", "[1]", "1", "1"), "source_port is 65536"},
	{"a port where there is none", V1("1", IP, "7", "[1]", "1", "1"),
	 "only TCP (protocol 6) and UDP (17) have ports"},
	{"an address of three parts", SOURCE("\"10.0.1\""), "source_ip is \"10.0.1\"; give"},
	{"an address that is a number", SOURCE("7"), "source_ip is 7; give"},
	{"an empty address", SOURCE("\"\""), "source_ip is \"\"; give"},
	{"an address with a zone", SOURCE("\"fe80::1%eth0\""), "source_ip is"},
	{"an address that is too long", SOURCE("\"0000:0000:0000:0000:0000:0000:0000:0000:0000\""),
	 "source_ip is"},
	{"a prefix too long for IPv4", SOURCE("\"10.0.0.1/33\""), "source_ip is"},
	{"a prefix too long for IPv6", SOURCE("\"fd00::/129\""), "source_ip is"},
	{"a prefix of nothing", SOURCE("\"10.0.0.0/\""), "source_ip is"},
	{"a prefix with a sign", SOURCE("\"10.0.0.0/+8\""), "source_ip is"},
	{"a prefix with a mask", SOURCE("\"10.0.0.0/255.0.0.0\""), "source_ip is"},
	{"bits behind the prefix", SOURCE("\"10.0.0.1/8\""),
	 "source_ip is \"10.0.0.1/8\", which has bits behind its prefix; give \"10.0.0.0/8\""},
	{"bits behind a prefix of IPv6", SOURCE("\"fd00:0:0:1::/63\""), "give \"fd00::/63\""},
	{"two families", "{\"vm\":1,\"source_ip\":\"10.0.0.1\",\"destination_ip\":\"fd00::1\"}",
	 "are of two families; give both as IPv4 or both as IPv6"},
	{"an EtherType that is a length", "{\"vm\":1,\"ether_type\":1535}",
	 "ether_type is 1535; give an integer from 1536 to 65535"},
	{"an EtherType that is not the addresses'",
	 "{\"vm\":1,\"ether_type\":34525,\"source_ip\":\"10.0.0.1\"}", "leave ether_type out"},
	{"a short MAC", "{\"vm\":1,\"destination_mac\":\"02:00\"}", "destination_mac is"},
	{"tags that are text", EXACT("\"tags\":\"1,2\""), "tags is \"1,2\"; give a list"},
	{"eleven tags", EXACT("\"tags\":[1,2,3,4,5,6,7,8,9,10,11]"), "0 to 10 VLAN ids"},
	{"a tag of 0", EXACT("\"tags\":[7,0]"), "tags[1] is 0; give an integer from 1 to 4094"},
	{"a tag of 4095", EXACT("\"tags\":[4095]"), "tags[0] is 4095"},
	{"a tag that is null", EXACT("\"tags\":[null]"), "tags[0] is null"},
	{"an unknown TPID", EXACT("\"tags\":[1],\"tpid\":\"0x8100\""), "give \"802.1Q\" or"},
	{"a TPID without tags", EXACT("\"tpid\":\"802.1ad\""), "tpid has no meaning without tags"},
	{"tags to another VM", EXACT("\"tags\":[7],\"destination_vm\":2"),
	 "tags have no meaning with a destination_vm"},
	{"the way to itself", EXACT("\"destination_vm\":1"), "the rule's own VM; give another"},
	{"an unknown mode", EXACT("\"mode\":\"drop\""), "mode is \"drop\"; give \"shape\""},
	{"shaping without a rate", EXACT("\"mode\":\"shape\""), "rate_bps is missing"},
	{"a rate without a burst", EXACT("\"rate_bps\":1"), "burst_bits is missing"},
	{"a burst without a rate", EXACT("\"burst_bits\":1"),
	 "burst_bits has no meaning without "
	 "rate_bps; leave it out"},
	{"a rate that is off", EXACT("\"mode\":\"off\",\"rate_bps\":1"),
	 "rate_bps has no meaning in mode \"off\""},
	{"a queue that polices",
	 EXACT("\"mode\":\"police\",\"rate_bps\":1,\"burst_bits\":1,\"queue_packets\":1"),
	 "queue_packets has no meaning but in mode \"shape\""},
	{"a rate of 0", V1("6", IP, "1", "[1]", "0", "1"), "rate_bps is 0"},
	{"a rate above 400 Gbit/s", V1("6", IP, "1", "[1]", "400000000001", "1"),
	 "rate_bps is 400000000001; give an integer from 1 to 400000000000"},
	{"a negative burst", V1("6", IP, "1", "[1]", "1", "-1"), "burst_bits is -1"},
	{"a queue of 0", EXACT("\"rate_bps\":1,\"burst_bits\":1,\"queue_bytes\":0"),
	 "queue_bytes is 0; give an integer from 1 to 4294967295"},
	{"a priority too high", EXACT("\"priority\":65536"), "priority is 65536"},
	{"a slot", EXACT("\"slot\":1"), "slot is not known here; leave it out"},
	{"a value that is very long",
	 EXACT("\"mode\":\"0123456789012345678901234567890123456789012345678901234567890123456789"
	       "0123456789ABC\""),
	 "345678...; give"},
};

// What is left out has its default.
static const struct {
	const char *given;
	const char *normal;
} defaults[] = {
	{V1("17", IP, "5", "[7]", "1", "2"),
	 "{\"vm\":1,\"priority\":0,\"protocol\":17,\"source_ip\":\"10.0.0.1\","
	 "\"destination_ip\":\"10.0.0.2\",\"source_port\":5,\"destination_port\":5,\"tags\":[7],"
	 "\"tpid\":\"802.1Q\",\"mode\":\"shape\",\"rate_bps\":1,\"burst_bits\":2," DEFAULT_QUEUE
	 "}"},
	{"{\"vm\":1}", OFF("")},
	{"{\"vm\":1,\"ether_type\":2048,\"source_ip\":\"10.0.0.0/8\"}",
	 OFF(",\"source_ip\":\"10.0.0.0/8\"")},
	{SOURCE("\"FD00:0::1/128\""), OFF(",\"source_ip\":\"fd00::1\"")},
	{SOURCE("\"0.0.0.0/0\""), OFF(",\"ether_type\":2048")},
};

static void check_written(struct writer *written, const char *text) {
	json_t *parsed = json_loads(text, 0, NULL);
	json_t *again = json_loadb(written->text, written->len, 0, NULL);

	assert_non_null(parsed);
	assert_true(json_equal(again, parsed));
	json_decref(parsed);
	json_decref(again);
	writer_free(written);
}

static void check_port(void **state) {
	const struct codec_row *row = *state;
	struct rpc_error error = {.index = RPC_NO_INDEX};
	json_t *object = json_loads(row->text, 0, NULL);
	struct writer written = {0};
	struct port_spec port;
	const bool good = decode_port(object, &port, &error);

	json_decref(object);
	assert_int_equal(good, row->refusal == NULL);
	if (!good) {
		assert_int_equal(error.code, RPC_INVALID_PARAMS);
		assert_non_null(strstr(error.message, row->refusal));
		return;
	}
	put_object(&written, NULL);
	put_port(&written, &port);
	end_object(&written);
	check_written(&written, row->text);
}

static void write_rule(const struct rule_spec *rule, struct writer *written) {
	put_object(written, NULL);
	put_rule(written, rule);
	end_object(written);
}

static void check_rule(void **state) {
	const struct codec_row *row = *state;
	struct rpc_error error = {.index = RPC_NO_INDEX};
	json_t *object = json_loads(row->text, 0, NULL);
	struct writer written = {0};
	struct rule_spec rule;

	assert_non_null(object);
	assert_true(decode_rule(object, &rule, &error));
	json_decref(object);
	assert_int_equal(rule.slot, NO_SLOT);
	assert_int_equal(rule.shaper.queue_packets > 0, rule.shaper.mode == SHAPE_DELAY);
	assert_int_equal(rule.shaper.queue_bytes > 0, rule.shaper.mode == SHAPE_DELAY);
	write_rule(&rule, &written);
	check_written(&written, row->text);
}

static void check_refusal(void **state) {
	const struct codec_row *row = *state;
	struct rpc_error error = {.index = RPC_NO_INDEX};
	json_t *object = json_loads(row->text, 0, NULL);
	struct rule_spec rule;

	assert_non_null(object);
	assert_false(decode_rule(object, &rule, &error));
	json_decref(object);
	assert_int_equal(error.code, RPC_INVALID_PARAMS);
	if (strstr(error.message, row->refusal) == NULL)
		fail_msg("it says: %s", error.message);
}

static void what_is_left_out_has_its_default(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		struct rpc_error error = {.index = RPC_NO_INDEX};
		json_t *object = json_loads(defaults[i].given, 0, NULL);
		struct writer written = {0};
		struct rule_spec rule;

		assert_true(decode_rule(object, &rule, &error));
		json_decref(object);
		write_rule(&rule, &written);
		check_written(&written, defaults[i].normal);
	}
}

static void a_slot_is_listed(void **state) {
	struct rpc_error error = {.index = RPC_NO_INDEX};
	json_t *object = json_loads("{\"vm\":1}", 0, NULL);
	struct writer written = {0};
	struct rule_spec rule;

	(void)state;
	assert_true(decode_rule(object, &rule, &error));
	json_decref(object);
	rule.slot = 255;
	write_rule(&rule, &written);
	check_written(&written, NORMAL("", "[]", "\"mode\":\"off\",\"slot\":255"));
}

static void an_identity_is_a_rule_without_its_terms(void **state) {
	struct rpc_error error = {.index = RPC_NO_INDEX};
	json_t *identity = json_loads("{\"vm\":1," FIVE "}", 0, NULL);
	json_t *rule = json_loads(EXACT("\"tags\":[7]"), 0, NULL);
	struct rule_spec one, other;

	(void)state;
	assert_true(decode_identity(identity, &one, &error));
	assert_true(decode_rule(rule, &other, &error));
	assert_int_equal(match_compare(&one.match, &other.match), 0);
	assert_false(decode_identity(rule, &one, &error));
	assert_string_equal(error.message, "tags is not known here; leave it out");
	json_decref(identity);
	json_decref(rule);
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(a_slot_is_listed),
		cmocka_unit_test(an_identity_is_a_rule_without_its_terms),
	};

	return RUN_TABLE(ports, check_port) + RUN_TABLE(rules, check_rule) +
	       RUN_TABLE(refusals, check_refusal) + cmocka_run_group_tests(whole, NULL, NULL);
}
