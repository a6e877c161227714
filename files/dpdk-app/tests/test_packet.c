#include "tests/table.h"

#include <string.h>

#include "control/packet.h"
#include "core/frame.h"

static const uint8_t source_mac[MAC_LEN] = {2, 0, 0, 0, 0, 1};

struct packet_row {
	const char *name;
	const char *text;
	size_t len;
	struct match_key key; // that the data path reads from it
	enum drop drop;
};

#define BROADCAST                                                                                  \
	{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }
#define IPV4(protocol_number, source, destination)                                                 \
	{                                                                                          \
		.destination_mac = BROADCAST, .ether_type = ETHER_IPV4, .kind = KIND_IP,           \
		.protocol = protocol_number, .source_port = source,                                \
		.destination_port = destination, .source_ip = {10, 0, 0, 1},                       \
		.destination_ip = {10, 0, 0, 2},                                                   \
	}
#define IPV6(protocol_number, source, destination)                                                 \
	{                                                                                          \
		.destination_mac = BROADCAST, .ether_type = ETHER_IPV6, .kind = KIND_IP,           \
		.protocol = protocol_number, .source_port = source,                                \
		.destination_port = destination, .source_ip = {0xfd, [15] = 1},                    \
		.destination_ip = {0xfd, [15] = 2},                                                \
	}
#define ENDS4 "\"source_ip\":\"10.0.0.1\",\"destination_ip\":\"10.0.0.2\""
#define ENDS6 "\"source_ip\":\"fd00::1\",\"destination_ip\":\"fd00::2\""
#define PORTS "\"source_port\":1000,\"destination_port\":2000"

static const struct packet_row packets[] = {
	{"UDP", "{" ENDS4 ",\"protocol\":17," PORTS "}", 60, IPV4(17, 1000, 2000), KEEP},
	{"TCP", "{" ENDS4 ",\"protocol\":6," PORTS "}", 60, IPV4(6, 1000, 2000), KEEP},
	{"ICMP", "{" ENDS4 ",\"protocol\":1}", 60, IPV4(1, 0, 0), KEEP},
	{"another protocol", "{" ENDS4 ",\"protocol\":89}", 60, IPV4(89, 0, 0), KEEP},
	{"UDP over IPv6", "{" ENDS6 ",\"protocol\":17," PORTS "}", 62, IPV6(17, 1000, 2000), KEEP},
	{"TCP over IPv6", "{" ENDS6 ",\"protocol\":6," PORTS "}", 74, IPV6(6, 1000, 2000), KEEP},
	{"an echo over IPv6", "{" ENDS6 ",\"protocol\":58}", 62, IPV6(58, 0, 0), KEEP},
	{"a length", "{" ENDS4 ",\"protocol\":17," PORTS ",\"length\":1514}", 1514,
	 IPV4(17, 1000, 2000), KEEP},
	{"the shortest", "{" ENDS4 ",\"protocol\":17," PORTS ",\"length\":42}", 42,
	 IPV4(17, 1000, 2000), KEEP},
	{"an EtherType alone",
	 "{\"ether_type\":35063,\"length\":14}",
	 14,
	 {.destination_mac = BROADCAST, .ether_type = 0x88f7},
	 KEEP},
	{"a destination MAC",
	 "{\"ether_type\":35063,\"destination_mac\":\"02:00:00:00:00:07\"}",
	 60,
	 {.destination_mac = {2, 0, 0, 0, 0, 7}, .ether_type = 0x88f7},
	 KEEP},
	{"an ARP request",
	 "{\"ether_type\":2054," ENDS4 "}",
	 60,
	 {.destination_mac = BROADCAST,
	  .ether_type = ETHER_ARP,
	  .kind = KIND_NEIGHBOUR,
	  .source_ip = {10, 0, 0, 1},
	  .destination_ip = {10, 0, 0, 2}},
	 KEEP},
};

struct refusal_row {
	const char *name;
	const char *text;
	const char *refusal;
};

static const struct refusal_row refusals[] = {
	{"nothing", "{}", "give source_ip and destination_ip, or ether_type"},
	{"one address", "{\"source_ip\":\"10.0.0.1\",\"protocol\":1}", "not two addresses"},
	{"two families", "{\"source_ip\":\"10.0.0.1\",\"destination_ip\":\"fd00::1\"}",
	 "not two addresses of one family"},
	{"a prefix", "{\"source_ip\":\"10.0.0.0/8\",\"destination_ip\":\"10.0.0.2\"}",
	 "source_ip is \"10.0.0.0/8\"; give an address"},
	{"no protocol", "{" ENDS4 "}", "protocol is missing"},
	{"UDP without ports", "{" ENDS4 ",\"protocol\":17}", "has two ports; give source_port"},
	{"ICMP with a port", "{" ENDS4 ",\"protocol\":1,\"source_port\":1}",
	 "has no ports; leave out"},
	{"an EtherType beside addresses", "{" ENDS4 ",\"ether_type\":34525,\"protocol\":1}",
	 "ether_type is not that of the addresses; leave it out"},
	{"ARP for IPv6", "{\"ether_type\":2054," ENDS6 "}", "ARP asks for IPv4 addresses"},
	{"a protocol without addresses", "{\"ether_type\":2048,\"protocol\":17}",
	 "a packet without addresses has no protocol"},
	{"too short for its headers", "{" ENDS4 ",\"protocol\":17," PORTS ",\"length\":41}",
	 "length is 41, and the headers alone take 42 bytes; give more"},
	{"too long", "{\"ether_type\":35063,\"length\":9023}", "length is 9023"},
	{"an unknown member", "{\"ether_type\":35063,\"vlan\":1}", "vlan is not known"},
};

static size_t build(const char *text, uint8_t frame[PACKET_MAX], struct rpc_error *error) {
	json_t *object = json_loads(text, 0, NULL);
	struct packet packet;
	size_t len = 0;

	assert_non_null(object);
	memset(frame, 0x5a, PACKET_MAX);
	if (packet_decode(object, &packet, error))
		len = packet_build(&packet, source_mac, frame, error);
	json_decref(object);
	return len;
}

static void check_packet(void **state) {
	const struct packet_row *row = *state;
	struct rpc_error error;
	uint8_t frame[PACKET_MAX];
	struct match_key key;

	assert_int_equal(build(row->text, frame, &error), row->len);
	assert_int_equal(frame_from_vm(frame, row->len, source_mac, &key), row->drop);
	assert_memory_equal(&key, &row->key, sizeof(key));
	assert_true(row->len == PACKET_MAX || frame[row->len] == 0x5a);
}

static void check_refusal(void **state) {
	const struct refusal_row *row = *state;
	struct rpc_error error;
	uint8_t frame[PACKET_MAX];

	assert_int_equal(build(row->text, frame, &error), 0);
	if (strstr(error.message, row->refusal) == NULL)
		fail_msg("it says: %s", error.message);
}

int main(void) {
	return RUN_TABLE(packets, check_packet) + RUN_TABLE(refusals, check_refusal);
}
