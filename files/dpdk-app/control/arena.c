#include "control/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <jansson.h>

enum {
	ALIGNMENT = 16,
	KEPT = 1024 * 1024, // bytes that stay in memory between requests
};

static struct {
	char *memory; // reserved once; pages come with their first use
	size_t used;
	bool exhausted;
} arena;

static void *take(size_t size) {
	const size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

	if (arena.memory == NULL || rounded < size || rounded > ARENA_MAX - arena.used) {
		arena.exhausted = true;
		return NULL;
	}
	arena.used += rounded;
	return arena.memory + arena.used - rounded;
}

static void give_back(void *memory) {
	(void)memory; // arena_end() does it for all
}

void arena_begin(void) {
	if (arena.memory == NULL) {
		void *memory = mmap(NULL, ARENA_MAX, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		arena.memory = memory != MAP_FAILED ? memory : NULL;
	}
	arena.exhausted = false;
	json_set_alloc_funcs(take, give_back);
}

void arena_end(void) {
	if (arena.used > KEPT)
		madvise(arena.memory + KEPT, arena.used - KEPT, MADV_DONTNEED);
	arena.used = 0;
	json_set_alloc_funcs(malloc, free);
}

bool arena_exhausted(void) {
	return arena.exhausted;
}
