#include "core/lldp.h"

#include <string.h>

#include "core/bytes.h"
#include "core/frame.h"

// 8.1.
enum {
	TLV_HEADER_LEN = 2,
	TLV_TYPE_SHIFT = 9,
	TLV_LEN_MASK = 0x1ff,
};

// Types of TLVs, table 8-1, and subtypes of ids, tables 8-2 and 8-3.
enum {
	TLV_END = 0,
	TLV_CHASSIS_ID = 1,
	TLV_PORT_ID = 2,
	TLV_TTL = 3,
	TLV_PORT_DESCRIPTION = 4,
	TLV_SYSTEM_NAME = 5,

	CHASSIS_BY_MAC = 4,
	PORT_BY_LOCAL = 7,
};

// What has to come first, in this order; with a type of its own place, from 1.
static const struct {
	size_t min, max; // bytes of the value
} mandatory[] = {
	{2, 256}, // subtype and chassis id
	{2, 256}, // subtype and port id
	{2, 2},	  // time to live
};

enum { MANDATORY = sizeof(mandatory) / sizeof(mandatory[0]) };

bool lldp_is_group(const uint8_t mac[MAC_LEN]) {
	static const uint8_t prefix[MAC_LEN - 1] = {0x01, 0x80, 0xc2, 0x00, 0x00};
	const uint8_t last = mac[MAC_LEN - 1];

	return memcmp(mac, prefix, sizeof(prefix)) == 0 &&
	       (last == 0x0e || last == 0x03 || last == 0x00);
}

// Whether a TLV may be there as the frame's n-th one, from 0.
static bool may_be(unsigned n, unsigned type, size_t len) {
	if (n < MANDATORY)
		return type == n + 1 && len >= mandatory[n].min && len <= mandatory[n].max;
	return type > MANDATORY;
}

bool lldp_read(const uint8_t *data, size_t len, struct lldp_heard *heard) {
	size_t at = ETHER_HEADER_LEN;
	unsigned n;

	if (len > LLDP_FRAME_MAX)
		return false;
	for (n = 0; at < len; n++) {
		if (len - at < TLV_HEADER_LEN)
			return false;

		const unsigned type = be16(data + at) >> TLV_TYPE_SHIFT;
		const size_t value_len = be16(data + at) & TLV_LEN_MASK;

		at += TLV_HEADER_LEN;
		if (type == TLV_END && value_len == 0)
			break;
		if (value_len > len - at || !may_be(n, type, value_len))
			return false;
		if (type == TLV_TTL)
			heard->ttl_s = be16(data + at);
		at += value_len;
		if (type == TLV_PORT_ID)
			heard->id_len = at - ETHER_HEADER_LEN;
	}
	heard->id = data + ETHER_HEADER_LEN;
	return n >= MANDATORY;
}

// Word by word: somebody may send many long ids.
uint64_t lldp_hash(const uint8_t *id, size_t len) {
	uint64_t hash = len, word;

	for (size_t at = 0; at < len; at += sizeof(word)) {
		word = 0;
		memcpy(&word, id + at, len - at < sizeof(word) ? len - at : sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return hash != 0 ? hash : 1;
}

static uint8_t *put_number(uint8_t *at, unsigned number) {
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
	return at + 2;
}

// Returns where its value begins.
static uint8_t *put_tlv(uint8_t *at, unsigned type, size_t len) {
	return put_number(at, type << TLV_TYPE_SHIFT | (unsigned)len);
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t len) {
	memcpy(at, bytes, len);
	return at + len;
}

size_t lldp_write(const uint8_t mac[MAC_LEN], uint16_t ttl_s, const char *system_name,
		  uint8_t frame[LLDP_OWN_MAX]) {
	static const uint8_t nearest_bridge[MAC_LEN] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e};
	static const char description[] = "uplink";
	const size_t name_len = strlen(system_name), description_len = strlen(description);
	uint8_t *at = frame;

	memset(frame, 0, LLDP_OWN_MIN);
	at = put_bytes(at, nearest_bridge, MAC_LEN);
	at = put_bytes(at, mac, MAC_LEN);
	at = put_number(at, ETHER_LLDP);
	at = put_tlv(at, TLV_CHASSIS_ID, 1 + MAC_LEN);
	*at++ = CHASSIS_BY_MAC;
	at = put_bytes(at, mac, MAC_LEN);
	at = put_tlv(at, TLV_PORT_ID, 2);
	*at++ = PORT_BY_LOCAL;
	*at++ = '0';
	at = put_tlv(at, TLV_TTL, 2);
	at = put_number(at, ttl_s);
	at = put_tlv(at, TLV_PORT_DESCRIPTION, description_len);
	at = put_bytes(at, description, description_len);
	at = put_tlv(at, TLV_SYSTEM_NAME, name_len);
	at = put_bytes(at, system_name, name_len);
	at = put_tlv(at, TLV_END, 0);

	const size_t len = (size_t)(at - frame);

	return len > LLDP_OWN_MIN ? len : LLDP_OWN_MIN;
}
