#include "core/scheduler.h"

#include <stddef.h>

static unsigned slot_of(uint64_t step) {
	return (unsigned)(step % WHEEL_SLOTS);
}

// The first step that is not before the tick.
static uint64_t step_of(const struct scheduler *scheduler, uint64_t tick) {
	const uint64_t mask = (1ULL << scheduler->step_shift) - 1;

	return (tick >> scheduler->step_shift) + ((tick & mask) != 0);
}

// Steps from this one to the next whose slot is occupied; WHEEL_SLOTS: none is.
static unsigned distance(const struct scheduler *scheduler, uint64_t step) {
	const unsigned from = slot_of(step);
	uint64_t word = scheduler->occupied[from / 64] & ~0ULL << from % 64;

	for (unsigned i = 0; i <= WHEEL_WORDS; i++) {
		const unsigned at = (from / 64 + i) % WHEEL_WORDS;

		if (i > 0)
			word = scheduler->occupied[at];
		if (word != 0)
			return slot_of(at * 64 + (unsigned)__builtin_ctzll(word) - from);
	}
	return WHEEL_SLOTS;
}

static void put(struct scheduler *scheduler, struct queue *queue) {
	const uint64_t last = scheduler->step + WHEEL_SLOTS - 1;
	uint64_t step = step_of(scheduler, queue->head->departure);

	if (step < scheduler->step)
		step = scheduler->step;
	else if (step > last)
		step = last;

	struct queue **slot = &scheduler->slots[slot_of(step)];

	queue->next = *slot;
	*slot = queue;
	scheduler->occupied[slot_of(step) / 64] |= 1ULL << step % 64;
}

// Takes the first queue out of the slot of the present step.
static void remove_first(struct scheduler *scheduler) {
	const unsigned slot = slot_of(scheduler->step);

	scheduler->slots[slot] = scheduler->slots[slot]->next;
	if (scheduler->slots[slot] == NULL)
		scheduler->occupied[slot / 64] &= ~(1ULL << slot % 64);
}

static struct parcel *pop(struct queue *queue) {
	struct parcel *parcel = queue->head;

	queue->head = parcel->next;
	if (queue->head == NULL)
		queue->tail = NULL;
	queue->packets--;
	queue->bytes -= parcel->bytes;
	return parcel;
}

static bool is_due(const struct scheduler *scheduler, const struct queue *queue) {
	return step_of(scheduler, queue->head->departure) <= scheduler->step ||
	       atomic_load_explicit(&queue->condemned, memory_order_relaxed);
}

void scheduler_init(struct scheduler *scheduler, unsigned step_shift, uint64_t now) {
	*scheduler = (struct scheduler){.step_shift = step_shift, .step = now >> step_shift};
}

void scheduler_add(struct scheduler *scheduler, struct queue *queue, struct parcel *parcel) {
	struct parcel *const last = queue->tail;

	parcel->next = NULL;
	queue->packets++;
	queue->bytes += parcel->bytes;
	queue->tail = parcel;
	if (last == NULL) {
		queue->head = parcel;
		put(scheduler, queue);
		return;
	}
	if (parcel->departure < last->departure)
		parcel->departure = last->departure;
	last->next = parcel;
}

unsigned scheduler_take(struct scheduler *scheduler, uint64_t now, struct parcel *parcels[],
			struct queue *queues[], unsigned len) {
	const uint64_t end = (now >> scheduler->step_shift) + 1;
	unsigned taken = 0;

	while (taken < len) {
		const unsigned ahead = distance(scheduler, scheduler->step);

		if (ahead == WHEEL_SLOTS || scheduler->step + ahead >= end) {
			if (scheduler->step < end)
				scheduler->step = end;
			break;
		}
		scheduler->step += ahead;

		struct queue *queue = scheduler->slots[slot_of(scheduler->step)];

		while (taken < len && queue->head != NULL && is_due(scheduler, queue)) {
			queues[taken] = queue;
			parcels[taken++] = pop(queue);
		}
		if (queue->head == NULL) {
			remove_first(scheduler);
		} else if (!is_due(scheduler, queue)) {
			remove_first(scheduler);
			put(scheduler, queue);
		}
	}
	return taken;
}

uint64_t scheduler_next(const struct scheduler *scheduler) {
	const unsigned ahead = distance(scheduler, scheduler->step);

	return ahead == WHEEL_SLOTS ? UINT64_MAX
				    : (scheduler->step + ahead) << scheduler->step_shift;
}
