#include "core/scheduler.h"

#include <stddef.h>

// The first step that is not before the tick.
static uint64_t step_of(const struct scheduler *scheduler, uint64_t tick) {
	const uint64_t mask = (1ULL << scheduler->step_shift) - 1;

	return (tick >> scheduler->step_shift) + ((tick & mask) != 0);
}

// The first place from this one on, and below end, that has a queue; end: there is none.
static uint64_t next_place(const struct wheel *wheel, uint64_t from, uint64_t end) {
	const uint64_t reach = end > from + WHEEL_SLOTS ? from + WHEEL_SLOTS : end;
	uint64_t mask = ~0ULL << from % 64;

	for (uint64_t base = from - from % 64; base < reach; base += 64, mask = ~0ULL) {
		const uint64_t word = wheel->occupied[base / 64 % WHEEL_WORDS] & mask;
		const uint64_t at = base + (word != 0 ? (unsigned)__builtin_ctzll(word) : 64);

		if (word != 0)
			return at < reach ? at : end;
	}
	return end;
}

static void put_at(struct wheel *wheel, uint64_t place, struct queue *queue) {
	struct queue **slot = &wheel->slots[place % WHEEL_SLOTS];

	queue->next = *slot;
	*slot = queue;
	wheel->occupied[place / 64 % WHEEL_WORDS] |= 1ULL << place % 64;
}

static struct queue *first_at(const struct wheel *wheel, uint64_t place) {
	return wheel->slots[place % WHEEL_SLOTS];
}

static void remove_first_at(struct wheel *wheel, uint64_t place) {
	struct queue **slot = &wheel->slots[place % WHEEL_SLOTS];

	*slot = (*slot)->next;
	if (*slot == NULL)
		wheel->occupied[place / 64 % WHEEL_WORDS] &= ~(1ULL << place % 64);
}

// The first step at which a queue may give something away.
static uint64_t due_step(const struct scheduler *scheduler, const struct queue *queue) {
	const uint64_t step = step_of(scheduler, queue->head->departure);

	if (step < scheduler->step || atomic_load_explicit(&queue->condemned, memory_order_relaxed))
		return scheduler->step;
	return step;
}

static void put(struct scheduler *scheduler, struct queue *queue) {
	const uint64_t last_turn = scheduler->step / WHEEL_SLOTS + TURNS_AHEAD;
	const uint64_t step = due_step(scheduler, queue);

	if (step - scheduler->step < WHEEL_SLOTS)
		put_at(&scheduler->steps, step, queue);
	else if (step / WHEEL_SLOTS <= last_turn)
		put_at(&scheduler->turns, step / WHEEL_SLOTS, queue);
	else
		put_at(&scheduler->turns, last_turn, queue);
}

// Goes to a step that nothing waits before. At the begin of a turn its queues come to the steps.
static void go_to(struct scheduler *scheduler, uint64_t step) {
	const bool new_turn = step / WHEEL_SLOTS != scheduler->step / WHEEL_SLOTS;
	const uint64_t turn = step / WHEEL_SLOTS;
	struct queue *queue;

	scheduler->step = step;
	if (!new_turn)
		return;
	while ((queue = first_at(&scheduler->turns, turn)) != NULL) {
		remove_first_at(&scheduler->turns, turn);
		put(scheduler, queue);
	}
}

// The next step, from the present one on and below end, at which there is something to do.
static uint64_t next_step(const struct scheduler *scheduler, uint64_t end) {
	const uint64_t turn = scheduler->step / WHEEL_SLOTS + 1;
	const uint64_t step = next_place(&scheduler->steps, scheduler->step, end);

	if (step < turn * WHEEL_SLOTS)
		return step;

	const uint64_t turns_step = next_place(&scheduler->turns, turn, step / WHEEL_SLOTS + 1) *
				    WHEEL_SLOTS;

	return turns_step < step ? turns_step : step;
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
	return due_step(scheduler, queue) == scheduler->step;
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

	while (taken < len && scheduler->step < end) {
		go_to(scheduler, next_step(scheduler, end));
		if (scheduler->step == end)
			break;

		struct queue *queue = first_at(&scheduler->steps, scheduler->step);

		if (queue == NULL)
			continue; // the begin of a turn whose queues wait for later steps
		while (taken < len && queue->head != NULL && is_due(scheduler, queue)) {
			queues[taken] = queue;
			parcels[taken++] = pop(queue);
		}
		if (queue->head == NULL || !is_due(scheduler, queue)) {
			remove_first_at(&scheduler->steps, scheduler->step);
			if (queue->head != NULL)
				put(scheduler, queue);
		}
	}
	return taken;
}

uint64_t scheduler_next(const struct scheduler *scheduler) {
	const uint64_t end = scheduler->step + (uint64_t)WHEEL_SLOTS * WHEEL_SLOTS;
	const uint64_t step = next_step(scheduler, end);

	return step < end ? step << scheduler->step_shift : UINT64_MAX;
}
