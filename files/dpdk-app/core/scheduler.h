#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// Frames that wait for their time. A frame is known here by its parcel, which the owner keeps with
// it; nothing is allocated. One data core owns a scheduler and all queues in it.

// A frame in a queue.
struct parcel {
	struct parcel *next;
	uint64_t arrival;   // tick
	uint64_t departure; // first tick at which it may leave
	uint32_t bits;	    // what it was charged
	uint32_t bytes;	    // as the VM sent it
};

// The waiting frames of one rule, in order. All 0: empty.
struct queue {
	struct parcel *head, *tail;
	struct queue *next; // of those that wait for the same slot of the wheel
	uint32_t bytes;
	uint16_t packets;
	atomic_bool condemned; // set by control: its frames are due when the wheel meets it
};

enum {
	WHEEL_SLOTS = 4096,
	WHEEL_WORDS = WHEEL_SLOTS / 64,
	TURNS_AHEAD = 128, // after which every queue is looked at: it may be condemned
};

struct wheel {
	uint64_t occupied[WHEEL_WORDS]; // a bit for each slot
	struct queue *slots[WHEEL_SLOTS];
};

// A hierarchical timing wheel (Varghese and Lauck, 1987) of queues: each one that is not empty
// waits for its first frame. Within a turn of the wheel of steps it waits there; else in the wheel
// of turns, but TURNS_AHEAD at most.
struct scheduler {
	unsigned step_shift; // a step is 2^step_shift ticks
	uint64_t step;	     // the next one to look at; a turn is WHEEL_SLOTS of them
	struct wheel steps;
	struct wheel turns;
};

// now in ticks.
void scheduler_init(struct scheduler *scheduler, unsigned step_shift, uint64_t now);

// Appends a parcel. One that would leave before the last one of its queue leaves with it.
void scheduler_add(struct scheduler *scheduler, struct queue *queue, struct parcel *parcel);

// Takes up to len parcels whose time, rounded up to the wheel's step, has come: those of a queue in
// order. queues[i] is the one of parcels[i]. Returns how many; fewer than len: no more are due.
unsigned scheduler_take(struct scheduler *scheduler, uint64_t now, struct parcel *parcels[],
			struct queue *queues[], unsigned len);

// The first tick at which there may be something to take; UINT64_MAX: nothing waits.
uint64_t scheduler_next(const struct scheduler *scheduler);
