#include "core/frame_ip.h"

#include <stdbool.h>
#include <string.h>

#include "core/bytes.h"

enum {
	TCP_MIN_LEN = 20,
	UDP_LEN = 8,

	IPV6_HEADER_LEN = 40,
	EXTENSIONS_MAX = 8,
	EXTENSION_MIN_LEN = 8,
	HOP_BY_HOP = 0,
	ROUTING = 43,
	FRAGMENT = 44,
	AUTHENTICATION = 51, // RFC 4302
	DESTINATION_OPTIONS = 60,
	MOBILITY = 135,		     // RFC 6275
	HOST_IDENTITY = 139,	     // RFC 7401
	SHIM6 = 140,		     // RFC 5533
	IPV6_FRAGMENT_MASK = 0xfff9, // the offset and "more fragments"

	ICMPV6_MIN_LEN = 4,
	NEIGHBOUR_SOLICITATION = 135,
	NEIGHBOUR_ADVERTISEMENT = 136,
	NEIGHBOUR_MIN_LEN = 24,
	NEIGHBOUR_HOP_LIMIT = 255, // a router cannot have passed it on
	OPTION_UNIT = 8,
	OPTION_SOURCE_MAC = 1,
	OPTION_TARGET_MAC = 2,
};

enum drop read_ports(const uint8_t *payload, size_t len, struct match_key *key) {
	size_t needed = 0;

	if (key->protocol == PROTOCOL_UDP)
		needed = UDP_LEN;
	else if (key->protocol == PROTOCOL_TCP)
		needed = TCP_MIN_LEN;
	else
		return KEEP;

	if (len < needed)
		return DROP_TRUNCATED;

	key->source_port = be16(payload);
	key->destination_port = be16(payload + 2);
	return KEEP;
}

// The length of an extension header is 8 bytes and as many units as its second byte says.
static const struct {
	bool known;
	uint8_t unit;
} extensions[UINT8_MAX + 1] = {
	[HOP_BY_HOP] = {true, 8},
	[ROUTING] = {true, 8},
	[FRAGMENT] = {true, 0},
	[AUTHENTICATION] = {true, 4},
	[DESTINATION_OPTIONS] = {true, 8},
	[MOBILITY] = {true, 8},
	[HOST_IDENTITY] = {true, 8},
	[SHIM6] = {true, 8},
};

// Goes on from the IPv6 header to what is behind the extension headers, or to the first that says
// that this is a fragment; *payload and *len follow.
static enum drop pass_extensions(const uint8_t **payload, size_t *len, struct match_key *key) {
	for (unsigned i = 0; extensions[key->protocol].known; i++) {
		const uint8_t *extension = *payload;

		if (i == EXTENSIONS_MAX)
			return DROP_MALFORMED;
		if (*len < EXTENSION_MIN_LEN)
			return DROP_TRUNCATED;

		const size_t extension_len = EXTENSION_MIN_LEN +
					     (size_t)extension[1] * extensions[key->protocol].unit;

		if (*len < extension_len)
			return DROP_TRUNCATED;

		const bool in_parts = key->protocol == FRAGMENT &&
				      (be16(extension + 2) & IPV6_FRAGMENT_MASK) != 0;

		key->protocol = extension[0];
		*payload += extension_len;
		*len -= extension_len;
		if (in_parts) {
			key->kind |= KIND_FRAGMENT;
			return KEEP;
		}
	}
	return KEEP;
}

// The options of a neighbour message name no MAC but the VM's.
static enum drop check_options(const uint8_t *option, size_t len, const uint8_t mac[MAC_LEN]) {
	while (len > 0) {
		if (len < OPTION_UNIT)
			return DROP_TRUNCATED;

		const size_t option_len = (size_t)option[1] * OPTION_UNIT;
		const bool names_mac = option[0] == OPTION_SOURCE_MAC ||
				       option[0] == OPTION_TARGET_MAC;

		if (option_len == 0 || (names_mac && option_len != OPTION_UNIT))
			return DROP_MALFORMED;
		if (option_len > len)
			return DROP_TRUNCATED;
		if (names_mac && memcmp(option + 2, mac, MAC_LEN) != 0)
			return DROP_ND_SENDER;

		option += option_len;
		len -= option_len;
	}
	return KEEP;
}

static enum drop read_icmpv6(const uint8_t *message, size_t len, uint8_t hop_limit,
			     const uint8_t mac[MAC_LEN], struct match_key *key) {
	const uint8_t *const target = message + 8;

	if (len < ICMPV6_MIN_LEN)
		return DROP_TRUNCATED;
	if (message[0] != NEIGHBOUR_SOLICITATION && message[0] != NEIGHBOUR_ADVERTISEMENT)
		return KEEP;
	if (message[1] != 0 || hop_limit != NEIGHBOUR_HOP_LIMIT)
		return DROP_MALFORMED;
	if (len < NEIGHBOUR_MIN_LEN)
		return DROP_TRUNCATED;

	key->kind |= KIND_NEIGHBOUR;
	memcpy(message[0] == NEIGHBOUR_SOLICITATION ? key->destination_ip : key->source_ip, target,
	       IP_LEN);
	return check_options(message + NEIGHBOUR_MIN_LEN, len - NEIGHBOUR_MIN_LEN, mac);
}

enum drop read_ipv6(const uint8_t *ip, size_t len, const uint8_t mac[MAC_LEN],
		    struct match_key *key) {
	if (len < IPV6_HEADER_LEN)
		return DROP_TRUNCATED;

	const uint8_t *payload = ip + IPV6_HEADER_LEN;
	size_t payload_len = be16(ip + 4);

	key->protocol = ip[6];
	// A payload length of 0 with this header is a jumbogram's (RFC 2675), longer than any
	// frame.
	if (ip[0] >> 4 != 6 || (payload_len == 0 && key->protocol == HOP_BY_HOP))
		return DROP_MALFORMED;
	if (payload_len > len - IPV6_HEADER_LEN)
		return DROP_TRUNCATED;

	key->kind = KIND_IP;
	memcpy(key->source_ip, ip + 8, IP_LEN);
	memcpy(key->destination_ip, ip + 24, IP_LEN);

	const enum drop drop = pass_extensions(&payload, &payload_len, key);

	if (drop != KEEP || key->kind & KIND_FRAGMENT)
		return drop;
	if (key->protocol == PROTOCOL_ICMPV6)
		return read_icmpv6(payload, payload_len, ip[7], mac, key);
	return read_ports(payload, payload_len, key);
}
