#pragma once

#include <stdint.h>

#include "core/frame.h"

enum {
	TAGS_MAX = 10,
	TAG_VID_MIN = 1,
	TAG_VID_MAX = 4094,
};

// The VLAN ids of a path, outermost first: one per network switch, then the destination VM's.
struct tag_stack {
	uint16_t len; // 1..TAGS_MAX
	uint16_t vid[TAGS_MAX];
};

// Pushes the stack between the MAC addresses and the ether type of a frame.
//
// The caller owns at least len * TAG_LEN bytes of headroom in front of the frame.
// Returns the new start of the frame.
uint8_t *tags_push(uint8_t *frame, const struct tag_stack *stack);

// Takes the outermost tag off a frame that has one. Returns the new start of the frame.
uint8_t *tags_strip(uint8_t *frame);
