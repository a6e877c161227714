#include "datapath/slab.h"

#include <stdbool.h>
#include <string.h>

#include <rte_common.h>
#include <rte_debug.h>
#include <rte_malloc.h>

#define NO_PLACE UINT16_MAX

static_assert(SLAB_CHUNK_LEN < NO_PLACE, "a place is a 16-bit number");

static size_t chunk_size(const struct slab *slab) {
	return slab->size * SLAB_CHUNK_LEN;
}

static void push_free(const struct slab *slab, struct slab_chunk *chunk, uint16_t place) {
	memcpy(chunk->objects + place * slab->size, &chunk->free, sizeof(chunk->free));
	chunk->free = place;
}

static uint16_t pop_free(const struct slab *slab, struct slab_chunk *chunk) {
	const uint16_t place = chunk->free;

	memcpy(&chunk->free, chunk->objects + place * slab->size, sizeof(chunk->free));
	return place;
}

static bool make_chunk(struct slab *slab, unsigned number) {
	struct slab_chunk *chunk = &slab->chunks[number];

	chunk->objects = rte_malloc(slab->name, chunk_size(slab), RTE_CACHE_LINE_SIZE);
	if (chunk->objects == NULL)
		return false;

	chunk->free = NO_PLACE;
	for (uint16_t place = SLAB_CHUNK_LEN; place-- > 0;)
		if (number > 0 || place != SLAB_NONE)
			push_free(slab, chunk, place);
	return true;
}

static bool has_room(const struct slab_chunk *chunk) {
	return chunk->objects != NULL && chunk->free != NO_PLACE;
}

// The lowest chunks are filled first, so that the highest ones become empty, and go.
static bool find_room(struct slab *slab) {
	for (; slab->with_room < SLAB_CHUNKS_MAX; slab->with_room++)
		if (has_room(&slab->chunks[slab->with_room]))
			return true;
	for (unsigned i = 0; i < SLAB_CHUNKS_MAX; i++) {
		if (slab->chunks[i].objects != NULL)
			continue;
		slab->with_room = i;
		return make_chunk(slab, i);
	}
	return false;
}

uint32_t slab_take(struct slab *slab) {
	if (!find_room(slab))
		return SLAB_NONE;

	struct slab_chunk *chunk = &slab->chunks[slab->with_room];

	chunk->used++;
	slab->used++;
	return slab->with_room << SLAB_CHUNK_SHIFT | pop_free(slab, chunk);
}

void slab_give(struct slab *slab, uint32_t number) {
	const unsigned at = number >> SLAB_CHUNK_SHIFT;
	struct slab_chunk *chunk = &slab->chunks[at];

	push_free(slab, chunk, number & (SLAB_CHUNK_LEN - 1));
	slab->used--;
	slab->with_room = RTE_MIN(slab->with_room, at);
	if (--chunk->used == 0) {
		rte_free(chunk->objects);
		chunk->objects = NULL;
	}
}

uint32_t slab_number(struct slab *slab, const void *object) {
	for (unsigned i = 0; i < SLAB_CHUNKS_MAX; i++) {
		const unsigned at = (slab->recent + i) % SLAB_CHUNKS_MAX;
		const uintptr_t begin = (uintptr_t)slab->chunks[at].objects;
		const uintptr_t offset = (uintptr_t)object - begin;

		if (begin == 0 || offset >= chunk_size(slab))
			continue;
		slab->recent = at;
		return at << SLAB_CHUNK_SHIFT | (uint32_t)(offset / slab->size);
	}
	rte_panic("%p is no object of %s\n", object, slab->name);
}

size_t slab_memory(const struct slab *slab) {
	size_t memory = 0;

	for (unsigned i = 0; i < SLAB_CHUNKS_MAX; i++)
		if (slab->chunks[i].objects != NULL)
			memory += chunk_size(slab);
	return memory;
}
