#include "core/frame.h"

#include <string.h>

#include "core/bytes.h"
#include "core/frame_ip.h"
#include "core/lldp.h"
#include "core/tags.h"

enum {
	ETHER_TYPE_AT = 2 * MAC_LEN,
	IPV4_MIN_LEN = 20,
	IPV4_FRAGMENT_MASK = 0x3fff, // "more fragments" and the offset
	IPV4_LEN = 4,		     // of an address
	ARP_LEN = 28,
	ARP_ETHERNET = 1,
};

static bool is_tag(uint16_t ether_type) {
	return ether_type == TPID_8021Q || ether_type == TPID_8021AD || ether_type == TPID_QINQ;
}

// RFC 791.
static enum drop read_ipv4(const uint8_t *ip, size_t len, struct match_key *key) {
	if (len < IPV4_MIN_LEN)
		return DROP_TRUNCATED;

	const size_t header_len = (size_t)(ip[0] & 0x0f) * 4;
	const size_t total_len = be16(ip + 2);

	if (ip[0] >> 4 != 4 || header_len < IPV4_MIN_LEN || total_len < header_len)
		return DROP_MALFORMED;
	if (total_len > len)
		return DROP_TRUNCATED;

	key->kind = KIND_IP;
	key->protocol = ip[9];
	memcpy(key->source_ip, ip + 12, IPV4_LEN);
	memcpy(key->destination_ip, ip + 16, IPV4_LEN);

	if (be16(ip + 6) & IPV4_FRAGMENT_MASK) {
		key->kind |= KIND_FRAGMENT;
		return KEEP;
	}
	return read_ports(ip + header_len, total_len - header_len, key);
}

// RFC 826, of IPv4 over Ethernet.
static enum drop read_arp(const uint8_t *arp, size_t len, const uint8_t mac[MAC_LEN],
			  struct match_key *key) {
	if (len < ARP_LEN)
		return DROP_TRUNCATED;
	if (be16(arp) != ARP_ETHERNET || be16(arp + 2) != ETHER_IPV4 || arp[4] != MAC_LEN ||
	    arp[5] != IPV4_LEN)
		return DROP_MALFORMED;
	if (memcmp(arp + 8, mac, MAC_LEN) != 0)
		return DROP_ARP_SENDER;

	key->kind = KIND_NEIGHBOUR;
	memcpy(key->source_ip, arp + 14, IPV4_LEN);
	memcpy(key->destination_ip, arp + 24, IPV4_LEN);
	return KEEP;
}

enum drop frame_from_vm(const uint8_t *data, size_t len, const uint8_t mac[MAC_LEN],
			struct match_key *key) {
	if (len < ETHER_HEADER_LEN)
		return DROP_TRUNCATED;
	if (memcmp(data + MAC_LEN, mac, MAC_LEN) != 0)
		return DROP_SOURCE_MAC;

	const uint16_t ether_type = be16(data + ETHER_TYPE_AT);

	*key = (struct match_key){.ether_type = ether_type};
	memcpy(key->destination_mac, data, MAC_LEN);
	data += ETHER_HEADER_LEN;
	len -= ETHER_HEADER_LEN;

	if (ether_type == ETHER_IPV4)
		return read_ipv4(data, len, key);
	if (ether_type == ETHER_IPV6)
		return read_ipv6(data, len, mac, key);
	if (ether_type == ETHER_ARP)
		return read_arp(data, len, mac, key);
	if (is_tag(ether_type))
		return DROP_GUEST_TAGGED;
	if (ether_type == ETHER_LLDP) // it would say that the guest is a neighbour of the network's
		return DROP_GUEST_LLDP;
	if (ether_type < ETHER_TYPE_MIN) {
		key->ether_type = 0;
		return ether_type <= len ? KEEP : DROP_TRUNCATED;
	}
	return KEEP;
}

enum drop frame_unmatched(const struct match_key *key) {
	if (key->kind & KIND_FRAGMENT)
		return DROP_FRAGMENT;
	if (key->kind & KIND_NEIGHBOUR)
		return key->kind & KIND_IP ? DROP_ND_NO_RULE : DROP_ARP_NO_RULE;
	return DROP_NO_RULE;
}

enum drop frame_from_uplink(const uint8_t *data, size_t len, struct arrival *arrival) {
	if (len < ETHER_HEADER_LEN)
		return DROP_TRUNCATED;

	const uint16_t tpid = be16(data + ETHER_TYPE_AT);

	*arrival = (struct arrival){.destination_mac = data};
	if (tpid != TPID_8021Q && tpid != TPID_8021AD) {
		arrival->lldp = tpid == ETHER_LLDP && lldp_is_group(data);
		return KEEP;
	}
	if (len < ETHER_HEADER_LEN + TAG_LEN)
		return DROP_TRUNCATED;
	if (is_tag(be16(data + ETHER_TYPE_AT + TAG_LEN)))
		return DROP_EXTRA_TAGS;

	arrival->tagged = true;
	arrival->vm = be16(data + ETHER_HEADER_LEN) & VID_MASK;
	return KEEP;
}

bool frame_is_for(const uint8_t *destination_mac, const uint8_t mac[MAC_LEN]) {
	return (destination_mac[0] & 1) != 0 || memcmp(destination_mac, mac, MAC_LEN) == 0;
}
