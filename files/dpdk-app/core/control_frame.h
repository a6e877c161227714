#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/spec.h"

// The frames by which VM 0 sets rules (EtherType 0xbebe), byte by byte as the seed's end host has
// them, and the frame that acknowledges one.

enum {
	CONTROL_FRAME_MIN_LEN = 14 + 56, // up to and including the number of tags
	CONTROL_ACK_LEN = 60,
};

struct control_frame {
	struct rule_spec rule; // its slot is the frame's rule id
	bool clears;	       // no tags: the rule of this VM and slot goes away; rule.match is unset
};

// Reads a frame. Nothing behind data[len - 1] is read.
//
// Returns NULL, or what is wrong with it. vm and slot of *frame are set if the frame has them.
const char *control_frame_read(const uint8_t *data, size_t len, struct control_frame *frame);

// The answer: byte 14 the VM id, 15 the rule id, 16 the status (0: saved and in force), 17 zero,
// then the reason in ASCII, 0-terminated, all padded with 0.
void control_frame_ack(const struct control_frame *frame, const uint8_t to[MAC_LEN],
		       uint8_t status, const char *reason, uint8_t ack[CONTROL_ACK_LEN]);
