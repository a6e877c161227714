#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Aligned as its halves, so that a rule's state has no holes.
__extension__ typedef __int128 int128 __attribute__((aligned(8)));

enum shaper_mode {
	SHAPE_OFF,    // every frame leaves at once
	SHAPE_DELAY,  // a frame above the rate waits until it conforms
	SHAPE_POLICE, // a frame above the rate is dropped
};

enum {
	QUEUE_PACKETS_DEFAULT = 1024,
	QUEUE_BYTES_DEFAULT = 1024 * 1024,
};

#define RATE_BPS_MAX 400000000000

// What a rule says of its shaper.
struct shaper_terms {
	uint64_t rate_bps;    // bit/s, 1..RATE_BPS_MAX; 0 with SHAPE_OFF
	uint64_t burst_bits;  // bit, 1..2^63-1; 0 with SHAPE_OFF
	uint32_t queue_bytes; // most that may wait; 0 with another mode than SHAPE_DELAY
	uint16_t queue_packets;
	uint8_t mode; // enum shaper_mode
};

// The generic cell rate algorithm (ITU-T I.371, annex A) for frames of any length, without
// rounding: the level is in bits times ticks per second, so that a tick's credit is the rate
// itself. It is at most the burst, and below 0 by what waits. The functions are in the header
// because every frame passes them; hz is ticks per second.
struct shaper {
	int128 level;
	uint64_t last; // tick up to which the level is right
};

// A shaper with a full bucket.
static inline void shaper_init(struct shaper *shaper, uint64_t hz, uint64_t burst_bits,
			       uint64_t now) {
	shaper->level = (int128)burst_bits * hz;
	shaper->last = now;
}

static inline void shaper_limit(struct shaper *shaper, uint64_t hz, uint64_t burst_bits) {
	const int128 depth = (int128)burst_bits * hz;

	if (shaper->level > depth)
		shaper->level = depth;
}

// Clocks of two cores may differ by some ticks: time that runs back earns nothing.
static inline void shaper_earn(struct shaper *shaper, uint64_t hz, uint64_t rate_bps,
			       uint64_t burst_bits, uint64_t now) {
	if (now > shaper->last) {
		shaper->level += (int128)rate_bps * (now - shaper->last);
		shaper->last = now;
	}
	shaper_limit(shaper, hz, burst_bits);
}

// Forgets what the time since the last frame would earn: for a rate that was raised meanwhile,
// which must not fill the bucket for the past.
static inline void shaper_forfeit(struct shaper *shaper, uint64_t now) {
	if (now > shaper->last)
		shaper->last = now;
}

// Charges a frame if it conforms now; exactly enough is enough.
static inline bool shaper_take(struct shaper *shaper, uint64_t hz, uint64_t rate_bps,
			       uint64_t burst_bits, uint64_t bits, uint64_t now) {
	const int128 cost = (int128)bits * hz;

	shaper_earn(shaper, hz, rate_bps, burst_bits, now);
	if (cost > shaper->level)
		return false;
	shaper->level -= cost;
	return true;
}

// Charges a frame in any case, and returns the first tick, from now on, at which it conforms. A
// frame that costs more than the burst conforms once the bucket has been full and its excess was
// earned: it waits, and is not lost.
uint64_t shaper_charge(struct shaper *shaper, uint64_t hz, uint64_t rate_bps, uint64_t burst_bits,
		       uint64_t bits, uint64_t now);

// Gives back what was charged for a frame that did not leave.
static inline void shaper_refund(struct shaper *shaper, uint64_t hz, uint64_t burst_bits,
				 uint64_t bits) {
	shaper->level += (int128)bits * hz;
	shaper_limit(shaper, hz, burst_bits);
}

enum {
	WIRE_FCS_LEN = 4,
	WIRE_FRAME_MIN = 64,
	WIRE_PREAMBLE_LEN = 8,
	WIRE_GAP_LEN = 12,
};

// Bits that a frame takes on the wire (IEEE 802.3), for its length and that of its tags in bytes,
// without FCS: preamble and start delimiter, the frame with FCS, at least 64 bytes, and the
// inter-frame gap.
static inline uint64_t wire_bits(size_t frame_len, size_t tags_len) {
	const size_t len = frame_len + tags_len + WIRE_FCS_LEN;

	return 8 *
	       (WIRE_PREAMBLE_LEN + (len < WIRE_FRAME_MIN ? WIRE_FRAME_MIN : len) + WIRE_GAP_LEN);
}
