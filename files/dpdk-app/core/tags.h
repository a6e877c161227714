#pragma once

#include <stdint.h>
#include <string.h>

#include "core/match.h"

enum {
	TAGS_MAX = 10,
	TAG_LEN = 4,
	TAGS_SIZE = TAGS_MAX * TAG_LEN,
	TAG_VID_MIN = 1,
	TAG_VID_MAX = 4094,
	TPID_8021Q = 0x8100,
	TPID_8021AD = 0x88a8,
	TPID_QINQ = 0x9100, // used before 802.1ad, still seen
	VID_MASK = 0x0fff,
	MAC_PAIR_LEN = 2 * MAC_LEN,
};

// The VLAN ids of a path, outermost first: one per network switch, then the destination VM's.
struct tag_stack {
	uint16_t tpid; // of all its tags: TPID_8021Q or TPID_8021AD (IEEE 802.1Q, clause 9.5)
	uint16_t len;  // 0..TAGS_MAX
	uint16_t vid[TAGS_MAX];
};

// The bytes of a stack as they are on the wire, at the end of bytes; what is before them is 0.
// Returns how many they are.
unsigned tags_encode(const struct tag_stack *stack, uint8_t bytes[TAGS_SIZE]);

// The stack of which tags_encode() made these bytes, len of them.
void tags_decode(const uint8_t bytes[TAGS_SIZE], unsigned len, struct tag_stack *stack);

// Pushes len encoded bytes between the MAC addresses and the ether type of a frame.
//
// The caller owns at least TAGS_SIZE bytes of headroom in front of the frame, whatever len is: all
// of them are written, so that many tags cost what one costs. Returns the new start of the frame.
static inline uint8_t *tags_push(uint8_t *frame, const uint8_t bytes[TAGS_SIZE], unsigned len) {
	uint8_t macs[MAC_PAIR_LEN];

	memcpy(macs, frame, MAC_PAIR_LEN);
	memcpy(frame + MAC_PAIR_LEN - TAGS_SIZE, bytes, TAGS_SIZE);
	return memcpy(frame - len, macs, MAC_PAIR_LEN);
}

// Takes the outermost tag off a frame that has one. Returns the new start of the frame.
uint8_t *tags_strip(uint8_t *frame);
