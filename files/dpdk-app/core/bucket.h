#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 uint128;

// A token bucket without rounding: levels are bits times ticks per second, so a tick's credit is
// the rate itself and nothing is ever divided. Rates and bursts up to 2^63 - 1 cannot overflow.
struct bucket {
	uint64_t hz;   // ticks per second
	uint64_t rate; // bit/s
	uint128 depth; // bits * hz
	uint128 level; // bits * hz
	uint64_t last; // tick up to which the level is right
};

// Makes a full bucket. rate in bit/s, burst in bits, now in ticks.
void bucket_init(struct bucket *bucket, uint64_t hz, uint64_t rate, uint64_t burst, uint64_t now);

// Gives the bucket another rate and burst from a tick on. What it has earned until then stays,
// as far as it fits; it is never refilled.
void bucket_change(struct bucket *bucket, uint64_t rate, uint64_t burst, uint64_t when);

// Takes these bits if the bucket has them; exactly enough is enough.
bool bucket_take(struct bucket *bucket, uint64_t bits, uint64_t now);

// Gives back what was taken for a frame that did not leave.
void bucket_refund(struct bucket *bucket, uint64_t bits);

// Bits that a frame takes on the wire, for its length before tagging (without FCS) and its tags:
// preamble and start delimiter (8 bytes), the frame with FCS (at least 64 bytes) and the
// inter-frame gap (12 bytes), IEEE 802.3.
uint64_t wire_bits(size_t frame_len, unsigned tags);
