// Any bytes as a frame of a VM, and as one from the uplink.

#include <stdlib.h>
#include <string.h>

#include "core/frame.h"
#include "core/tags.h"
#include "fuzz/target.h"

enum { PADDING = 5 };

static const uint8_t guest[MAC_LEN] = {2, 0, 0, 0, 0, 1};

static bool is_zero(const void *bytes, size_t len) {
	const uint8_t *at = bytes;
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= at[i];
	return any == 0;
}

static bool is_tag(uint16_t ether_type) {
	return ether_type == TPID_8021Q || ether_type == TPID_8021AD || ether_type == TPID_QINQ;
}

// A key has no bit that its kind does not allow.
static void check_key(const uint8_t *data, const struct match_key *key) {
	const bool is_ip = key->ether_type == ETHER_IPV4 || key->ether_type == ETHER_IPV6;
	const bool has_ports = key->protocol == PROTOCOL_TCP || key->protocol == PROTOCOL_UDP;
	const bool is_arp = key->ether_type == ETHER_ARP;
	const size_t ip_len = key->ether_type == ETHER_IPV6 ? IP_LEN : is_ip || is_arp ? 4 : 0;

	assert(memcmp(key->destination_mac, data, MAC_LEN) == 0);
	assert(key->ether_type == 0 || key->ether_type >= ETHER_TYPE_MIN);
	assert(!is_tag(key->ether_type));
	assert(key->number == 0);
	assert((key->kind & KIND_IP) == (is_ip ? KIND_IP : 0));
	assert(!(key->kind & ~(KIND_IP | KIND_FRAGMENT | KIND_NEIGHBOUR)));
	assert(!(key->kind & KIND_FRAGMENT) || is_ip);
	if (is_ip && key->kind & KIND_NEIGHBOUR) {
		assert(key->protocol == PROTOCOL_ICMPV6 && key->ether_type == ETHER_IPV6);
		assert(!(key->kind & KIND_FRAGMENT));
	}
	if (!is_ip)
		assert(key->protocol == 0 && key->kind == (is_arp ? KIND_NEIGHBOUR : 0));
	if (!has_ports || key->kind & KIND_FRAGMENT)
		assert(key->source_port == 0 && key->destination_port == 0);
	assert(is_zero(key->source_ip + ip_len, IP_LEN - ip_len));
	assert(is_zero(key->destination_ip + ip_len, IP_LEN - ip_len));
}

// Reads into keys that hold different bytes before: none of them may be left.
static enum drop read_twice(const uint8_t *data, size_t size, const uint8_t mac[MAC_LEN],
			    struct match_key *key) {
	struct match_key other;

	memset(key, 0xff, sizeof(*key));
	memset(&other, 0, sizeof(other));

	const enum drop drop = frame_from_vm(data, size, mac, key);

	assert(drop == frame_from_vm(data, size, mac, &other));
	assert(drop != KEEP || memcmp(key, &other, sizeof(other)) == 0);
	return drop;
}

static void check_padding(const uint8_t *data, size_t size, const uint8_t mac[MAC_LEN],
			  const struct match_key *key) {
	uint8_t *padded = malloc(size + PADDING);
	struct match_key same;

	assert(padded != NULL);
	memcpy(padded, data, size);
	memset(padded + size, 0xff, PADDING);
	assert(read_twice(padded, size + PADDING, mac, &same) == KEEP);
	assert(memcmp(key, &same, sizeof(same)) == 0);
	free(padded);
}

static void check_from_vm(const uint8_t *data, size_t size, const uint8_t mac[MAC_LEN]) {
	struct match_key key;
	const enum drop drop = read_twice(data, size, mac, &key);

	if (drop != KEEP) {
		assert(drop < DROP_COUNT && drop_info[drop].where & DROP_AT_VM);
		return;
	}
	assert(memcmp(data + MAC_LEN, mac, MAC_LEN) == 0);
	assert(drop_info[frame_unmatched(&key)].where & DROP_AT_VM);
	check_key(data, &key);
	check_padding(data, size, mac, &key);
}

static void check_from_uplink(const uint8_t *data, size_t size) {
	struct arrival arrival;
	const enum drop drop = frame_from_uplink(data, size, &arrival);

	if (drop != KEEP) {
		assert(drop < DROP_COUNT && drop_info[drop].where & DROP_AT_UPLINK);
		return;
	}
	assert(arrival.destination_mac == data && arrival.vm <= VID_MASK);
	assert(arrival.tagged || arrival.vm == 0);
	frame_is_for(arrival.destination_mac, guest);
}

// What one switch pushes, the next one reads and takes off.
static void check_tag(const uint8_t *data, size_t size) {
	const uint16_t vid = (uint16_t)(size % TAG_VID_MAX + 1);
	const struct tag_stack stack = {
		.tpid = size % 2 == 0 ? TPID_8021Q : TPID_8021AD, .len = 1, .vid = {vid}};
	uint8_t *const buffer = malloc(TAGS_SIZE + size), *const frame = buffer + TAGS_SIZE;
	uint8_t bytes[TAGS_SIZE];
	struct arrival arrival;
	enum drop wanted = KEEP;

	if (is_tag((uint16_t)(data[2 * MAC_LEN] << 8 | data[2 * MAC_LEN + 1])))
		wanted = DROP_EXTRA_TAGS;

	assert(buffer != NULL);
	memcpy(frame, data, size);

	uint8_t *tagged = tags_push(frame, bytes, tags_encode(&stack, bytes));

	assert(tagged == frame - TAG_LEN);
	assert(frame_from_uplink(tagged, size + TAG_LEN, &arrival) == wanted);
	assert(wanted != KEEP || (arrival.tagged && arrival.vm == vid));
	assert(tags_strip(tagged) == frame);
	assert(memcmp(frame, data, size) == 0);
	free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	check_from_vm(data, size, guest);
	check_from_uplink(data, size);
	if (size >= ETHER_HEADER_LEN) {
		check_from_vm(data, size, data + MAC_LEN); // whatever MAC the frame has
		check_tag(data, size);
	}
	return 0;
}
