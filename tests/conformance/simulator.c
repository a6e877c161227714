// The shapers of some rules on one data core, in virtual time: the very functions of the data path,
// driven by a list of arrivals, with a scheduler that is asked at every tick at which something may
// be due.

#include <stdlib.h>

#include "core/shape.h"

enum { OVER_RATE = -1, QUEUE_FULL = -2 };

struct flow {
	struct shaper_terms terms;
	struct shaper shaper;
	struct queue queue;
};

struct frame {
	struct parcel parcel; // first
	int64_t *departure;
};

static void release(struct scheduler *scheduler, uint64_t now) {
	struct parcel *parcels[32];
	struct queue *queues[32];
	unsigned len;

	do {
		len = scheduler_take(scheduler, now, parcels, queues, 32);
		for (unsigned i = 0; i < len; i++)
			*((struct frame *)parcels[i])->departure = (int64_t)now;
	} while (len == 32);
}

// terms[flow]; arrivals (ticks, in order), flows and lengths (bytes without FCS) of len frames of
// tags_len bytes of tags. departures[i] is the tick at which frame i left, OVER_RATE or QUEUE_FULL.
// Returns how many frames are left in queues at the end, which is 0.
size_t simulate(uint64_t hz, unsigned step_shift, const struct shaper_terms terms[],
		size_t terms_len, const uint64_t arrivals[], const uint32_t flows[],
		const uint32_t lengths[], size_t len, unsigned tags_len, int64_t departures[]) {
	struct scheduler *scheduler = malloc(sizeof(*scheduler));
	struct flow *all = calloc(terms_len, sizeof(*all));
	struct frame *frames = calloc(len, sizeof(*frames));
	size_t left = 0;

	scheduler_init(scheduler, step_shift, 0);
	for (size_t i = 0; i < terms_len; i++) {
		all[i].terms = terms[i];
		shaper_init(&all[i].shaper, hz, terms[i].burst_bits, 0);
	}
	for (size_t i = 0; i < len; i++) {
		struct flow *flow = &all[flows[i]];

		while (scheduler_next(scheduler) <= arrivals[i])
			release(scheduler, scheduler_next(scheduler));
		release(scheduler, arrivals[i]);

		frames[i].parcel.bytes = lengths[i];
		frames[i].parcel.bits = (uint32_t)wire_bits(lengths[i], tags_len);
		frames[i].departure = &departures[i];
		switch (shape(scheduler, &flow->queue, &flow->shaper, hz, &flow->terms,
			      &frames[i].parcel, arrivals[i])) {
		case SHAPED_NOW:
			departures[i] = (int64_t)arrivals[i];
			break;
		case SHAPED_LATER:
			break;
		case SHAPED_OVER_RATE:
			departures[i] = OVER_RATE;
			break;
		case SHAPED_QUEUE_FULL:
			departures[i] = QUEUE_FULL;
			break;
		}
	}
	while (scheduler_next(scheduler) != UINT64_MAX)
		release(scheduler, scheduler_next(scheduler));
	for (size_t i = 0; i < terms_len; i++)
		left += all[i].queue.packets + all[i].queue.bytes;

	free(frames);
	free(all);
	free(scheduler);
	return left;
}
