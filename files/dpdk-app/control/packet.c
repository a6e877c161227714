#include "control/packet.h"

#include <inttypes.h>
#include <string.h>

#include "control/decode.h"
#include "core/bytes.h"

enum {
	HEADER_LEN = 14,
	FRAME_MIN = 60,
	ARP_LEN = 28,
	IPV4_LEN = 20,
	IPV6_LEN = 40,
	IPV4_ADDRESS_LEN = 4,
	TTL = 64,
};

enum {
	HAS_DESTINATION_MAC,
	HAS_ETHER_TYPE,
	HAS_PROTOCOL,
	HAS_SOURCE_IP,
	HAS_DESTINATION_IP,
	HAS_SOURCE_PORT,
	HAS_DESTINATION_PORT,
	HAS_LENGTH,
	MEMBERS,
};

static bool has(const struct packet *packet, unsigned member) {
	return packet->given >> member & 1;
}

static bool read_address(json_t *value, const struct member *member, void *into,
			 struct rpc_error *error) {
	const char *text = json_string_value(value);

	if (text == NULL || strchr(text, '/') != NULL)
		return decode_refuse_member(value, member, error);
	return decode_prefix(value, member, into, error);
}

#define AT(field)		 offsetof(struct packet, field)
#define INTEGER(field, min, max) decode_integer, AT(field), min, max, NULL, false
#define ADDRESS_TEXT		 "an address like \"10.20.0.11\" or \"fd00::11\""

static const struct member members[MEMBERS] = {
	[HAS_DESTINATION_MAC] = {"destination_mac", decode_mac, AT(destination_mac), 0, 0,
				 "an address " MEMBER_MAC_TEXT, false},
	[HAS_ETHER_TYPE] = {"ether_type", INTEGER(ether_type, 0x0600, UINT16_MAX)},
	[HAS_PROTOCOL] = {"protocol", INTEGER(protocol, 0, UINT8_MAX)},
	[HAS_SOURCE_IP] = {"source_ip", read_address, AT(source), 0, 0, ADDRESS_TEXT, false},
	[HAS_DESTINATION_IP] = {"destination_ip", read_address, AT(destination), 0, 0, ADDRESS_TEXT,
				false},
	[HAS_SOURCE_PORT] = {"source_port", INTEGER(source_port, 0, UINT16_MAX)},
	[HAS_DESTINATION_PORT] = {"destination_port", INTEGER(destination_port, 0, UINT16_MAX)},
	[HAS_LENGTH] = {"length", INTEGER(length, HEADER_LEN, PACKET_MAX)},
};

static bool is_arp(const struct packet *packet) {
	return packet->ether_type == ETHER_ARP;
}

static bool has_ports(const struct packet *packet) {
	return packet->protocol == PROTOCOL_TCP || packet->protocol == PROTOCOL_UDP;
}

static bool check_ip(const struct packet *packet, struct rpc_error *error) {
	const bool ports = has(packet, HAS_SOURCE_PORT) && has(packet, HAS_DESTINATION_PORT);
	const bool any_port = has(packet, HAS_SOURCE_PORT) || has(packet, HAS_DESTINATION_PORT);

	if (packet->source.family != packet->destination.family)
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"source_ip and destination_ip are not two addresses of one family; "
				"give both as IPv4 or both as IPv6");
	if (is_arp(packet))
		return packet->source.family == ETHER_IPV4 ||
		       rpc_fail(error, RPC_INVALID_PARAMS,
				"ARP asks for IPv4 addresses; give such ones");
	if (has(packet, HAS_ETHER_TYPE) && packet->ether_type != packet->source.family)
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"ether_type is not that of the addresses; leave it out");
	if (!has(packet, HAS_PROTOCOL))
		return decode_refuse_member(NULL, &members[HAS_PROTOCOL], error);
	if (has_ports(packet) ? !ports : any_port)
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"a packet of protocol %" PRId64 " has %s; %s source_port and "
				"destination_port",
				packet->protocol, has_ports(packet) ? "two ports" : "no ports",
				has_ports(packet) ? "give" : "leave out");
	return true;
}

bool packet_decode(json_t *object, struct packet *packet, struct rpc_error *error) {
	*packet = (struct packet){0};
	memset(packet->destination_mac, 0xff, MAC_LEN);
	if (!decode_object(object, members, MEMBERS, packet, &packet->given, error))
		return false;
	if (has(packet, HAS_SOURCE_IP) || has(packet, HAS_DESTINATION_IP))
		return check_ip(packet, error);
	if (!has(packet, HAS_ETHER_TYPE))
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"a packet has addresses or an EtherType; give source_ip and "
				"destination_ip, or ether_type");
	if (has(packet, HAS_PROTOCOL) || has(packet, HAS_SOURCE_PORT) ||
	    has(packet, HAS_DESTINATION_PORT))
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"a packet without addresses has no protocol and no ports; leave "
				"them out, or give source_ip and destination_ip");
	return true;
}

static void put_be16(uint8_t *at, size_t value) {
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static size_t transport_len(const struct packet *packet) {
	return packet->protocol == PROTOCOL_TCP ? 20
	       : has_ports(packet) || packet->protocol == PROTOCOL_ICMP ||
			       packet->protocol == PROTOCOL_ICMPV6
		       ? 8
		       : 0;
}

static size_t headers_len(const struct packet *packet) {
	const size_t ip = packet->source.family == ETHER_IPV4 ? IPV4_LEN : IPV6_LEN;

	if (packet->source.family == 0)
		return HEADER_LEN;
	return HEADER_LEN + (is_arp(packet) ? ARP_LEN : ip + transport_len(packet));
}

static void build_arp(const struct packet *packet, const uint8_t source_mac[MAC_LEN], uint8_t *at) {
	static const uint8_t request[8] = {0, 1, 0x08, 0x00, MAC_LEN, IPV4_ADDRESS_LEN, 0, 1};

	memcpy(at, request, sizeof(request));
	memcpy(at + 8, source_mac, MAC_LEN);
	memcpy(at + 14, packet->source.address, IPV4_ADDRESS_LEN);
	memcpy(at + 24, packet->destination.address, IPV4_ADDRESS_LEN);
}

// Returns where the transport header is.
static uint8_t *build_ipv4(const struct packet *packet, uint8_t *at, size_t len) {
	at[0] = 0x45;
	put_be16(at + 2, len);
	at[8] = TTL;
	at[9] = (uint8_t)packet->protocol;
	memcpy(at + 12, packet->source.address, IPV4_ADDRESS_LEN);
	memcpy(at + 16, packet->destination.address, IPV4_ADDRESS_LEN);
	return at + IPV4_LEN;
}

static uint8_t *build_ipv6(const struct packet *packet, uint8_t *at, size_t len) {
	at[0] = 0x60;
	put_be16(at + 4, len - IPV6_LEN);
	at[6] = (uint8_t)packet->protocol;
	at[7] = TTL;
	memcpy(at + 8, packet->source.address, IP_LEN);
	memcpy(at + 24, packet->destination.address, IP_LEN);
	return at + IPV6_LEN;
}

static void build_transport(const struct packet *packet, uint8_t *at, size_t len) {
	switch (packet->protocol) {
	case PROTOCOL_TCP:
		at[12] = 0x50; // length of this header
		break;
	case PROTOCOL_UDP:
		put_be16(at + 4, len);
		break;
	case PROTOCOL_ICMP:
		at[0] = 8; // echo
		return;
	case PROTOCOL_ICMPV6:
		at[0] = 128; // echo
		return;
	default:
		return;
	}
	put_be16(at, (size_t)packet->source_port);
	put_be16(at + 2, (size_t)packet->destination_port);
}

static void build_ip(const struct packet *packet, uint8_t *at, size_t len) {
	uint8_t *const transport = packet->source.family == ETHER_IPV4
					   ? build_ipv4(packet, at, len)
					   : build_ipv6(packet, at, len);

	build_transport(packet, transport, len - (size_t)(transport - at));
}

size_t packet_build(const struct packet *packet, const uint8_t source_mac[MAC_LEN],
		    uint8_t frame[PACKET_MAX], struct rpc_error *error) {
	const size_t least = headers_len(packet);
	const size_t shortest = least > FRAME_MIN ? least : FRAME_MIN;
	const size_t len = has(packet, HAS_LENGTH) ? (size_t)packet->length : shortest;
	const uint16_t family = packet->source.family;

	if (len < least) {
		rpc_fail(error, RPC_INVALID_PARAMS,
			 "length is %zu, and the headers alone take %zu bytes; give more", len,
			 least);
		return 0;
	}
	memset(frame, 0, len);
	memcpy(frame, packet->destination_mac, MAC_LEN);
	memcpy(frame + MAC_LEN, source_mac, MAC_LEN);
	put_be16(frame + 2 * MAC_LEN,
		 has(packet, HAS_ETHER_TYPE) ? (size_t)packet->ether_type : family);
	if (family != 0 && is_arp(packet))
		build_arp(packet, source_mac, frame + HEADER_LEN);
	else if (family != 0)
		build_ip(packet, frame + HEADER_LEN, len - HEADER_LEN);
	return len;
}
