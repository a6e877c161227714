#include "core/bucket.h"

enum {
	FCS_LEN = 4,
	MIN_FRAME_LEN = 64,
	PREAMBLE_LEN = 8,
	GAP_LEN = 12,
	WIRE_TAG_LEN = 4,
};

static void limit(struct bucket *bucket) {
	if (bucket->level > bucket->depth)
		bucket->level = bucket->depth;
}

// Clocks of two cores may differ by some ticks: time that runs back earns nothing.
static void earn(struct bucket *bucket, uint64_t now) {
	if (now <= bucket->last)
		return;

	bucket->level += (uint128)bucket->rate * (now - bucket->last);
	bucket->last = now;
	limit(bucket);
}

void bucket_init(struct bucket *bucket, uint64_t hz, uint64_t rate, uint64_t burst, uint64_t now) {
	const uint128 depth = (uint128)burst * hz;

	*bucket = (struct bucket){
		.hz = hz, .rate = rate, .depth = depth, .level = depth, .last = now};
}

void bucket_change(struct bucket *bucket, uint64_t rate, uint64_t burst, uint64_t when) {
	earn(bucket, when);
	bucket->rate = rate;
	bucket->depth = (uint128)burst * bucket->hz;
	limit(bucket);
}

bool bucket_take(struct bucket *bucket, uint64_t bits, uint64_t now) {
	const uint128 cost = (uint128)bits * bucket->hz;

	earn(bucket, now);
	if (cost > bucket->level)
		return false;

	bucket->level -= cost;
	return true;
}

void bucket_refund(struct bucket *bucket, uint64_t bits) {
	bucket->level += (uint128)bits * bucket->hz;
	limit(bucket);
}

uint64_t wire_bits(size_t frame_len, unsigned tags) {
	uint64_t bytes = frame_len + FCS_LEN + (uint64_t)tags * WIRE_TAG_LEN;

	if (bytes < MIN_FRAME_LEN)
		bytes = MIN_FRAME_LEN;
	return 8 * (PREAMBLE_LEN + bytes + GAP_LEN);
}
