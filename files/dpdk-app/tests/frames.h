#pragma once

#include <string.h>

#include "core/frame.h"
#include "tests/table.h"

// Parts of frames that a VM with the MAC address GUEST sends, as the bytes of string literals.
#define GUEST "\x02\x00\x00\x00\x00\x01"
#define PEER  "\x02\x00\x00\x00\x00\x07"
#define ETHER PEER GUEST
#define PORTS "\x13\x88\x13\x89" // 5000, 5001

#define UDP PORTS "\x00\x08\x00\x00"
#define TCP PORTS "\x00\x00\x00\x00\x00\x00\x00\x00\x50\x00\x00\x00\x00\x00\x00\x00"

#define BYTES(text) text, sizeof(text) - 1
#define NO_KEY                                                                                     \
	0, {                                                                                       \
		.kind = 0                                                                          \
	}

// Padding, and the key of an IP packet to PEER.
#define KEY_IP(padding, family, protocol_, kind_, source, target, ...)                             \
	padding, {                                                                                 \
		.destination_mac = PEER, .ether_type = family, .protocol = protocol_,              \
		.kind = kind_, .source_ip = source, .destination_ip = target, __VA_ARGS__          \
	}
#define WITH_PORTS .source_port = 5000, .destination_port = 5001
#define NO_PORTS   .source_port = 0, .destination_port = 0

// A frame, and what frame_from_vm() makes of it.
struct vm_row {
	const char *name;
	const char *data;
	size_t len;
	enum drop drop;
	size_t padding; // bytes at the end that are no part of the packet
	struct match_key key;
};

// On the heap, so that the address sanitizer sees any byte read behind the end.
static inline uint8_t *exact_copy(const char *data, size_t len) {
	uint8_t *copy = malloc(len);

	assert_true(copy != NULL || len == 0);
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

static inline enum drop read_prefix(const struct vm_row *row, size_t len, struct match_key *key) {
	uint8_t *data = exact_copy(row->data, len);
	const enum drop drop = frame_from_vm(data, len, (const uint8_t *)GUEST, key);

	free(data);
	return drop;
}

static inline void check_from_vm(void **state) {
	const struct vm_row *row = *state;
	struct match_key key;

	memset(&key, 0xa5, sizeof(key)); // what was there before is no part of a key
	assert_int_equal(read_prefix(row, row->len, &key), row->drop);
	if (row->drop != KEEP)
		return;

	assert_memory_equal(&key, &row->key, sizeof(key));
	for (size_t len = 0; len < row->len - row->padding; len++)
		assert_int_equal(read_prefix(row, len, &key), DROP_TRUNCATED);
	for (size_t len = row->len - row->padding; len < row->len; len++)
		assert_int_equal(read_prefix(row, len, &key), KEEP);
}

// No byte string may make the parser read outside of it: every prefix of the frame, with each of
// its bytes set to extreme values.
static inline void check_changed_bytes(void **state) {
	static const uint8_t extremes[] = {0x00, 0x01, 0x2c, 0x3a, 0x4f, 0x7f, 0x80, 0xff};
	const struct vm_row *row = *state;

	for (size_t len = 1; len <= row->len; len++) {
		uint8_t *data = exact_copy(row->data, len);

		for (size_t at = 0; at < len; at++) {
			for (size_t e = 0; e < sizeof(extremes); e++) {
				struct match_key key;
				struct arrival arrival;

				data[at] = extremes[e];
				assert_true(frame_from_vm(data, len, (const uint8_t *)GUEST,
							  &key) <= KEEP);
				assert_true(frame_from_uplink(data, len, &arrival) <= KEEP);
			}
			data[at] = (uint8_t)row->data[at];
		}
		free(data);
	}
}
