#include "core/match.h"

#include <stddef.h>
#include <string.h>

static bool has_ports(uint8_t protocol) {
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP;
}

static bool names_ip(const struct match_fields *fields) {
	return fields->has_protocol || fields->has_source_port || fields->has_destination_port;
}

static unsigned bits_of(uint16_t family) {
	return family == ETHER_IPV4 ? IPV4_BITS : family == ETHER_IPV6 ? IPV6_BITS : 0;
}

static const char *refusal(const struct match_fields *fields) {
	const unsigned most = bits_of(fields->family);
	const bool named_ports = (fields->has_source_port && fields->source_port != 0) ||
				 (fields->has_destination_port && fields->destination_port != 0);

	if (fields->source_bits > most || fields->destination_bits > most)
		return "an address has at most 32 bits (IPv4) or 128 (IPv6); give a shorter prefix";
	if (fields->has_ether_type && most > 0 && fields->ether_type != fields->family)
		return "ether_type is not that of the addresses; leave ether_type out";
	if (fields->has_ether_type && names_ip(fields) && bits_of(fields->ether_type) == 0)
		return "only IP has a protocol and ports; leave them out, or give ether_type 2048 "
		       "(IPv4) or 34525 (IPv6)";
	if (fields->has_protocol && !has_ports(fields->protocol) && named_ports)
		return "only TCP (protocol 6) and UDP (17) have ports; leave the ports out, or "
		       "give 0";
	return NULL;
}

static void make_prefix(unsigned bits, const uint8_t *address, uint8_t *key, uint8_t *mask) {
	for (unsigned i = 0; i < IP_LEN && i * 8 < bits; i++) {
		const unsigned rest = bits - i * 8;

		mask[i] = (uint8_t)(rest >= 8 ? 0xff : 0xff << (8 - rest));
		key[i] = address[i] & mask[i];
	}
}

static void make_port(bool given, uint16_t port, uint16_t *key, uint16_t *mask) {
	*key = given ? port : 0;
	*mask = given ? UINT16_MAX : 0;
}

const char *match_make(const struct match_fields *fields, struct match *match) {
	const char *wrong = refusal(fields);
	struct match_key *key = &match->key, *mask = &match->mask;
	const bool portless = fields->has_protocol && !has_ports(fields->protocol);

	if (wrong != NULL)
		return wrong;

	*match = (struct match){0};
	if (fields->has_destination_mac) {
		memcpy(key->destination_mac, fields->destination_mac, MAC_LEN);
		memset(mask->destination_mac, 0xff, MAC_LEN);
	}
	if (fields->has_ether_type || fields->family != 0) {
		key->ether_type = fields->has_ether_type ? fields->ether_type : fields->family;
		mask->ether_type = UINT16_MAX;
	}
	if (fields->has_protocol) {
		key->protocol = fields->protocol;
		mask->protocol = UINT8_MAX;
	}
	if (names_ip(fields)) {
		key->kind = KIND_IP;
		mask->kind = KIND_IP;
	}
	make_port(fields->has_source_port || portless, portless ? 0 : fields->source_port,
		  &key->source_port, &mask->source_port);
	make_port(fields->has_destination_port || portless, portless ? 0 : fields->destination_port,
		  &key->destination_port, &mask->destination_port);
	if (mask->source_port != 0 || mask->destination_port != 0)
		mask->kind |= KIND_FRAGMENT;
	make_prefix(fields->source_bits, fields->source_ip, key->source_ip, mask->source_ip);
	make_prefix(fields->destination_bits, fields->destination_ip, key->destination_ip,
		    mask->destination_ip);
	return NULL;
}

static unsigned count_bits(const void *bytes, size_t len) {
	const uint8_t *at = bytes;
	unsigned bits = 0;

	for (size_t i = 0; i < len; i++)
		bits += (unsigned)__builtin_popcount(at[i]);
	return bits;
}

static uint8_t prefix_len(const uint8_t mask[IP_LEN]) {
	return (uint8_t)count_bits(mask, IP_LEN);
}

static bool names_end(const struct match_key *mask) {
	return mask->source_ip[0] != 0 || mask->destination_ip[0] != 0;
}

void match_read(const struct match *match, struct match_fields *fields) {
	const struct match_key *key = &match->key, *mask = &match->mask;
	const bool ends = names_end(mask);
	// The ports of a protocol that has none go without saying, but for a whole five-tuple.
	const bool ports = mask->protocol == 0 || has_ports(key->protocol) || match_is_exact(match);

	*fields = (struct match_fields){
		.has_destination_mac = mask->destination_mac[0] != 0,
		.has_ether_type = mask->ether_type != 0 && !ends,
		.has_protocol = mask->protocol != 0,
		.has_source_port = mask->source_port != 0 && ports,
		.has_destination_port = mask->destination_port != 0 && ports,
		.protocol = key->protocol,
		.source_port = key->source_port,
		.destination_port = key->destination_port,
		.family = ends ? key->ether_type : 0,
		.source_bits = prefix_len(mask->source_ip),
		.destination_bits = prefix_len(mask->destination_ip),
	};
	fields->ether_type = fields->has_ether_type ? key->ether_type : 0;
	memcpy(fields->destination_mac, key->destination_mac, MAC_LEN);
	memcpy(fields->source_ip, key->source_ip, IP_LEN);
	memcpy(fields->destination_ip, key->destination_ip, IP_LEN);
}

bool match_is_exact(const struct match *match) {
	const struct match_key *mask = &match->mask;
	const unsigned whole = bits_of(match->key.ether_type);

	return mask->protocol != 0 && mask->source_port != 0 && mask->destination_port != 0 &&
	       whole > 0 && prefix_len(mask->source_ip) == whole &&
	       prefix_len(mask->destination_ip) == whole;
}

unsigned match_bits(const struct match_key *mask) {
	struct match_key named = *mask;

	named.kind = 0;
	named.number = 0;
	return count_bits(&named, sizeof(named));
}

bool match_ends(const struct match *match, struct match *ends) {
	if (!names_end(&match->mask))
		return false;

	*ends = (struct match){
		.key.ether_type = match->key.ether_type == ETHER_IPV4 ? ETHER_ARP : ETHER_IPV6,
		.key.kind = KIND_NEIGHBOUR,
		.mask.ether_type = UINT16_MAX,
		.mask.kind = KIND_NEIGHBOUR,
	};
	memcpy(ends->key.source_ip, match->key.source_ip, IP_LEN);
	memcpy(ends->key.destination_ip, match->key.destination_ip, IP_LEN);
	memcpy(ends->mask.source_ip, match->mask.source_ip, IP_LEN);
	memcpy(ends->mask.destination_ip, match->mask.destination_ip, IP_LEN);
	return true;
}

int match_compare(const struct match *a, const struct match *b) {
	return memcmp(a, b, sizeof(*a));
}
