#include "core/frame.h"

#include <string.h>

enum {
	ETHER_TYPE_AT = 2 * MAC_LEN,
	IPV4_MIN_LEN = 20,
	IPV4_FRAGMENT_MASK = 0x3fff, // "more fragments" and the offset
	ARP_LEN = 28,
	ARP_ETHERNET = 1,
	TCP_MIN_LEN = 20,
	UDP_LEN = 8,
};

static uint16_t be16(const uint8_t *at) {
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t be32(const uint8_t *at) {
	return (uint32_t)be16(at) << 16 | be16(at + 2);
}

static bool is_tag(uint16_t ether_type) {
	return ether_type == TPID_8021Q || ether_type == TPID_8021AD || ether_type == TPID_QINQ;
}

static enum drop read_ports(const uint8_t *l4, size_t len, struct frame *frame) {
	size_t needed = 0;

	if (frame->protocol == PROTOCOL_TCP)
		needed = TCP_MIN_LEN;
	else if (frame->protocol == PROTOCOL_UDP)
		needed = UDP_LEN;
	else
		return KEEP;

	if (len < needed)
		return DROP_TRUNCATED;

	frame->source_port = be16(l4);
	frame->destination_port = be16(l4 + 2);
	return KEEP;
}

static enum drop read_ipv4(const uint8_t *ip, size_t len, struct frame *frame) {
	if (len < IPV4_MIN_LEN)
		return DROP_TRUNCATED;

	const size_t header_len = (size_t)(ip[0] & 0x0f) * 4;
	const size_t total_len = be16(ip + 2);

	if (ip[0] >> 4 != 4 || header_len < IPV4_MIN_LEN || total_len < header_len)
		return DROP_MALFORMED;
	if (total_len > len)
		return DROP_TRUNCATED;
	if (be16(ip + 6) & IPV4_FRAGMENT_MASK)
		return DROP_FRAGMENT;

	frame->protocol = ip[9];
	frame->source_ip = be32(ip + 12);
	frame->destination_ip = be32(ip + 16);
	return read_ports(ip + header_len, total_len - header_len, frame);
}

static enum drop read_arp(const uint8_t *arp, size_t len, const uint8_t mac[MAC_LEN],
			  struct frame *frame) {
	if (len < ARP_LEN)
		return DROP_TRUNCATED;
	if (be16(arp) != ARP_ETHERNET || be16(arp + 2) != ETHER_IPV4 || arp[4] != MAC_LEN ||
	    arp[5] != sizeof(frame->source_ip))
		return DROP_MALFORMED;
	if (memcmp(arp + 8, mac, MAC_LEN) != 0)
		return DROP_ARP_SENDER;

	frame->source_ip = be32(arp + 14);
	frame->destination_ip = be32(arp + 24);
	return KEEP;
}

enum drop frame_from_vm(const uint8_t *data, size_t len, const uint8_t mac[MAC_LEN],
			struct frame *frame) {
	if (len < ETHER_HEADER_LEN)
		return DROP_TRUNCATED;
	if (memcmp(data + MAC_LEN, mac, MAC_LEN) != 0)
		return DROP_SOURCE_MAC;

	*frame = (struct frame){.ether_type = be16(data + ETHER_TYPE_AT)};
	data += ETHER_HEADER_LEN;
	len -= ETHER_HEADER_LEN;

	if (is_tag(frame->ether_type))
		return DROP_GUEST_TAGGED;
	if (frame->ether_type == ETHER_IPV4)
		return read_ipv4(data, len, frame);
	if (frame->ether_type == ETHER_ARP)
		return read_arp(data, len, mac, frame);
	return DROP_ETHER_TYPE;
}

enum drop frame_from_uplink(const uint8_t *data, size_t len, struct arrival *arrival) {
	if (len < ETHER_HEADER_LEN)
		return DROP_TRUNCATED;
	if (be16(data + ETHER_TYPE_AT) != TPID_8021Q)
		return DROP_UNTAGGED;
	if (len < ETHER_HEADER_LEN + TAG_LEN)
		return DROP_TRUNCATED;

	const uint16_t ether_type = be16(data + ETHER_TYPE_AT + TAG_LEN);

	if (is_tag(ether_type))
		return DROP_EXTRA_TAGS;

	*arrival = (struct arrival){
		.vm = be16(data + ETHER_HEADER_LEN) & VID_MASK,
		.is_arp = ether_type == ETHER_ARP,
		.destination_mac = data,
	};
	return KEEP;
}

bool arrival_is_for(const struct arrival *arrival, const uint8_t mac[MAC_LEN]) {
	static const uint8_t broadcast[MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	return memcmp(arrival->destination_mac, mac, MAC_LEN) == 0 ||
	       (arrival->is_arp && memcmp(arrival->destination_mac, broadcast, MAC_LEN) == 0);
}
