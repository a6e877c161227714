#pragma once

#include <stdatomic.h>
#include <stdint.h>

// A counter that one data core adds to. Control reads it, and resets it by remembering its value,
// so that it never writes what a data core writes.
struct counter {
	_Atomic uint64_t value;
	uint64_t at_reset; // of control
};

struct traffic {
	struct counter packets;
	struct counter bytes; // of frames without FCS; at the uplink with their tags
};

static inline void counter_add(struct counter *counter, uint64_t n) {
	const uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);

	atomic_store_explicit(&counter->value, value + n, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counter *counter) {
	return atomic_load_explicit(&counter->value, memory_order_relaxed) - counter->at_reset;
}

static inline void counter_reset(struct counter *counter) {
	counter->at_reset = atomic_load_explicit(&counter->value, memory_order_relaxed);
}

static inline void traffic_add(struct traffic *traffic, uint64_t packets, uint64_t bytes) {
	counter_add(&traffic->packets, packets);
	counter_add(&traffic->bytes, bytes);
}

static inline void traffic_reset(struct traffic *traffic) {
	counter_reset(&traffic->packets);
	counter_reset(&traffic->bytes);
}
