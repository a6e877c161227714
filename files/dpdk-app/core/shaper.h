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

// What a rule says of its shaper.
struct shaper_terms {
	uint64_t rate_bps;	 // bit/s, 1..400e9; 0 with SHAPE_OFF
	uint64_t burst_bits;	 // bit, 1..2^63-1; 0 with SHAPE_OFF
	uint32_t queue_bytes;	 // most that may wait; 0 with another mode than SHAPE_DELAY
	uint16_t queue_packets;
	uint8_t mode; // enum shaper_mode
};

// The generic cell rate algorithm (ITU-T I.371, annex A) without rounding: the level is in bits times ticks per second, so
// that a tick's credit is the rate itself. It is at most the burst, and below 0 by what waits.
struct shaper {
	int128 level;
	uint64_t last; // tick up to which the level is right
};

// A shaper with a full bucket.
void shaper_init(struct shaper *shaper, uint64_t hz, const struct shaper_terms *terms,
		 uint64_t now);

// Charges a frame that is never refused, and returns the first tick, from now on, at which it
// conforms. Times that do not run back give departures that do not run back.
uint64_t shaper_charge(struct shaper *shaper, uint64_t hz, const struct shaper_terms *terms,
		       uint64_t bits, uint64_t now);

// Charges a frame if it conforms now; exactly enough is enough.
bool shaper_take(struct shaper *shaper, uint64_t hz, const struct shaper_terms *terms,
		 uint64_t bits, uint64_t now);

// Gives back what was charged for a frame that did not leave.
void shaper_refund(struct shaper *shaper, uint64_t hz, const struct shaper_terms *terms,
		   uint64_t bits);

// Bits that a frame takes on the wire, for its length before tagging (without FCS) and its tags:
// preamble and start delimiter (8 bytes), the frame with FCS (at least 64 bytes) and the
// inter-frame gap (12 bytes), IEEE 802.3.
uint64_t wire_bits(size_t frame_len, unsigned tags);
