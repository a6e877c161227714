#pragma once

#include "core/scheduler.h"
#include "core/shaper.h"

enum shaped {
	SHAPED_NOW,	   // it may leave at once
	SHAPED_LATER,	   // it waits in the queue
	SHAPED_OVER_RATE,  // it is to be dropped
	SHAPED_QUEUE_FULL, // it is to be dropped
};

// What a rule without SHAPE_DELAY holds back is only what a change of its mode left waiting.
static inline bool queue_has_room(const struct queue *queue, const struct shaper_terms *terms,
				  uint32_t bytes) {
	const bool delays = terms->mode == SHAPE_DELAY;

	return queue->packets < (delays ? terms->queue_packets : QUEUE_PACKETS_DEFAULT) &&
	       queue->bytes + (uint64_t)bytes <=
		       (delays ? terms->queue_bytes : QUEUE_BYTES_DEFAULT);
}

// Decides on a frame that arrives now. parcel->bytes and parcel->bits are its length and its cost;
// the rest of the parcel is filled if it has to wait. A frame never overtakes one of its queue.
static inline enum shaped shape(struct scheduler *scheduler, struct queue *queue,
				struct shaper *shaper, uint64_t hz,
				const struct shaper_terms *terms, struct parcel *parcel,
				uint64_t now) {
	const uint64_t rate = terms->rate_bps, burst = terms->burst_bits;
	const bool waits = queue->head != NULL;

	switch (terms->mode) {
	case SHAPE_DELAY:
		if (!waits && shaper_take(shaper, hz, rate, burst, parcel->bits, now))
			return SHAPED_NOW;
		break;
	case SHAPE_POLICE:
		if (!shaper_take(shaper, hz, rate, burst, parcel->bits, now))
			return SHAPED_OVER_RATE;
		// fall through
	default:
		if (!waits)
			return SHAPED_NOW;
	}

	if (!queue_has_room(queue, terms, parcel->bytes))
		return SHAPED_QUEUE_FULL;
	parcel->arrival = now;
	parcel->departure = now;
	if (terms->mode == SHAPE_DELAY)
		parcel->departure = shaper_charge(shaper, hz, rate, burst, parcel->bits, now);
	scheduler_add(scheduler, queue, parcel);
	return SHAPED_LATER;
}
