#pragma once

#include <stdint.h>

#include "core/match.h"

enum {
	TAGS_MAX = 10,
	TAG_LEN = 4,
	TAG_VID_MIN = 1,
	TAG_VID_MAX = 4094,
	TPID_8021Q = 0x8100,
	TPID_8021AD = 0x88a8,
	TPID_QINQ = 0x9100, // used before 802.1ad, still seen
	VID_MASK = 0x0fff,
};

// The VLAN ids of a path, outermost first: one per network switch, then the destination VM's.
struct tag_stack {
	uint16_t tpid; // of all its tags: TPID_8021Q or TPID_8021AD (IEEE 802.1Q, clause 9.5)
	uint16_t len;  // 0..TAGS_MAX
	uint16_t vid[TAGS_MAX];
};

// The bytes of a stack as they are on the wire. Returns how many.
unsigned tags_encode(const struct tag_stack *stack, uint8_t bytes[TAGS_MAX * TAG_LEN]);

// The stack of len bytes that tags_encode() made.
void tags_decode(const uint8_t *bytes, unsigned len, struct tag_stack *stack);

// Pushes len encoded bytes between the MAC addresses and the ether type of a frame.
//
// The caller owns at least TAGS_MAX * TAG_LEN bytes of headroom in front of the frame, whatever len
// is. Returns the new start of the frame.
uint8_t *tags_push(uint8_t *frame, const uint8_t bytes[TAGS_MAX * TAG_LEN], unsigned len);

// Takes the outermost tag off a frame that has one. Returns the new start of the frame.
uint8_t *tags_strip(uint8_t *frame);
