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

#define RULE(protocol, source, port, tags, rate, burst)                                            \
	"{\"vm\":1,\"protocol\":" protocol ",\"source_ip\":" source                                \
	",\"destination_ip\":\"10.0.0.2\",\"source_port\":" port ",\"destination_port\":" port     \
	",\"tags\":" tags ",\"rate_bps\":" rate ",\"burst_bits\":" burst "}"
#define IP	"\"10.0.0.1\""
#define BIGGEST "9223372036854775807"

static const struct codec_row rules[] = {
	{"a rule is read and written", RULE("17", IP, "5000", "[21,21,1]", "1000", "12000"), NULL},
	{"the largest of everything",
	 RULE("255", "\"255.255.255.255\"", "0", "[1,2,3,4,5,6,7,8,9,4094]", BIGGEST, BIGGEST),
	 NULL},
	{"a protocol too high", RULE("256", IP, "0", "[1]", "1", "1"), "protocol is 256"},
	{"a port too high", RULE("6", IP, "65536", "[1]", "1", "1"), "source_port is 65536"},
	{"a port where there is none", RULE("1", IP, "7", "[1]", "1", "1"), "source_port is 7"},
	{"an address of three parts", RULE("6", "\"10.0.1\"", "1", "[1]", "1", "1"),
	 "source_ip is"},
	{"an address with a mask", RULE("6", "\"10.0.0.1/24\"", "1", "[1]", "1", "1"),
	 "source_ip is"},
	{"no tag", RULE("6", IP, "1", "[]", "1", "1"), "tags is []"},
	{"eleven tags", RULE("6", IP, "1", "[1,2,3,4,5,6,7,8,9,10,11]", "1", "1"), "tags is"},
	{"a tag of 0", RULE("6", IP, "1", "[7,0]", "1", "1"), "tags[1] is 0"},
	{"a tag of 4095", RULE("6", IP, "1", "[4095]", "1", "1"), "tags[0] is 4095"},
	{"tags that are text", RULE("6", IP, "1", "\"1,2\"", "1", "1"), "tags is"},
	{"a rate of 0", RULE("6", IP, "1", "[1]", "0", "1"), "rate_bps is 0"},
	{"a negative burst", RULE("6", IP, "1", "[1]", "1", "-1"), "burst_bits is -1"},
};

static void check(const struct codec_row *row, bool good, const struct rpc_error *error,
		  json_t *written) {
	json_t *parsed = json_loads(row->text, 0, NULL);

	assert_int_equal(good, row->refusal == NULL);
	if (good)
		assert_true(json_equal(written, parsed));
	else
		assert_non_null(strstr(error->message, row->refusal));
	json_decref(parsed);
	json_decref(written);
}

static void check_port(void **state) {
	const struct codec_row *row = *state;
	struct rpc_error error = {.index = RPC_NO_INDEX};
	json_t *object = json_loads(row->text, 0, NULL);
	struct port_spec port;

	assert_non_null(object);
	const bool good = decode_port(object, &port, &error);

	json_decref(object);
	check(row, good, &error, good ? encode_port(&port) : NULL);
}

static void check_rule(void **state) {
	const struct codec_row *row = *state;
	struct rpc_error error = {.index = RPC_NO_INDEX};
	json_t *object = json_loads(row->text, 0, NULL);
	struct rule_spec rule;

	assert_non_null(object);
	const bool good = decode_rule(object, &rule, &error);

	json_decref(object);
	check(row, good, &error, good ? encode_rule(&rule) : NULL);
}

int main(void) {
	return RUN_TABLE(ports, check_port) + RUN_TABLE(rules, check_rule);
}
