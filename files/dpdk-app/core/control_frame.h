#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/spec.h"

// The frames by which VM 0 sets rules (EtherType 0xbebe), byte by byte as Chameleon's end host has
// them, and the frame that acknowledges one. From byte 14 on: VM id, rule id, IP protocol (1 byte
// each), 3 zeros, source and destination IP (4 each), source and destination port (2 each, big
// endian), rate in bit/s, burst in bit, tokens, timestamp (8 each, little endian; the last two are
// ignored), number of tags (2, little endian), then the tags as they are on the wire (4 each).
// What follows is ignored.

enum {
	CONTROL_FRAME_MIN_LEN = 14 + 52, // up to and including the number of tags
	CONTROL_ACK_LEN = 60,
	CONTROL_REASON_SIZE = CONTROL_ACK_LEN - 18, // of the text in an acknowledgement, with its 0
};

struct control_frame {
	struct rule_spec rule; // its slot is the frame's rule id
	bool clears; // no tags: the rule of this VM and slot goes away; rule.match is unset
};

// Reads a frame that has this EtherType. Nothing behind data[len - 1] is read.
//
// Returns NULL, or what is wrong with it. vm and slot of *frame are set if the frame has both, and
// 0 if not.
const char *control_frame_read(const uint8_t *data, size_t len, struct control_frame *frame);

// The answer, from the address 02:00:00:00:be:be: byte 14 the VM id, 15 the rule id, 16 the status
// (0: saved and in force), 17 zero, then as much of the reason as fits, in ASCII, 0-terminated, all
// padded with 0.
void control_frame_ack(const struct control_frame *frame, const uint8_t to[MAC_LEN], uint8_t status,
		       const char *reason, uint8_t ack[CONTROL_ACK_LEN]);
