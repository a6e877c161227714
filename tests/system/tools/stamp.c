// Stamps the frames that come into a guest's receive ring, as soon as a loop on a core can see
// them. A library for switch_stamps.py, which has prepared the ring: descriptor n is buffer n.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct used_element {
	uint32_t head;
	uint32_t length;
};

struct used {
	uint16_t flags;
	uint16_t index;
	struct used_element ring[];
};

struct available {
	uint16_t flags;
	uint16_t index;
};

struct ring {
	const struct used *used;
	struct available *available;
	const uint8_t *buffers;
	size_t buffer_size;
	uint16_t size;
	uint16_t seen;
};

struct stamp {
	uint64_t tick;
	uint32_t length; // of the frame
	uint32_t number; // its last four bytes, in network order
};

enum { HEADER_LEN = 12 };

// As DPDK's rte_rdtsc().
uint64_t stamp_now(void);
uint64_t stamp_now(void) {
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t tick;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(tick));
	return tick;
#endif
}

static struct stamp read_frame(const struct ring *ring, const struct used_element *element,
			       uint64_t tick) {
	const uint8_t *end = ring->buffers + element->head * ring->buffer_size + element->length;
	struct stamp stamp = {.tick = tick, .length = element->length - HEADER_LEN};

	memcpy(&stamp.number, end - sizeof(stamp.number), sizeof(stamp.number));
	stamp.number = __builtin_bswap32(stamp.number);
	return stamp;
}

// Stamps up to len frames, until none has come for so many ticks. Returns how many.
size_t stamp_frames(struct ring *ring, struct stamp stamps[], size_t len, uint64_t quiet);
size_t stamp_frames(struct ring *ring, struct stamp stamps[], size_t len, uint64_t quiet) {
	uint64_t last = stamp_now();
	size_t count = 0;

	while (count < len) {
		const uint16_t index = __atomic_load_n(&ring->used->index, __ATOMIC_ACQUIRE);
		const uint64_t now = stamp_now();

		if (index == ring->seen) {
			if (now - last > quiet)
				break;
			continue;
		}
		last = now;
		for (; ring->seen != index && count < len; ring->seen++) {
			const struct used_element *element =
				&ring->used->ring[ring->seen % ring->size];

			stamps[count++] = read_frame(ring, element, now);
		}
		__atomic_store_n(&ring->available->index, (uint16_t)(ring->seen + ring->size),
				 __ATOMIC_RELEASE);
	}
	return count;
}
