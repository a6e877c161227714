#pragma once

#include <stddef.h>
#include <stdint.h>

// Objects of one size, known by numbers, in chunks of hugepages: an object costs its size and
// nothing more. All but slab_at() is for control alone.

enum {
	SLAB_CHUNK_SHIFT = 12,
	SLAB_CHUNK_LEN = 1 << SLAB_CHUNK_SHIFT, // objects
	SLAB_CHUNKS_MAX = 1024,
	SLAB_NONE = 0, // the number of no object
};

struct slab_chunk {
	char *objects; // NULL: there is no such chunk
	uint16_t used;
	uint16_t free; // the first free place; each has the next one in its first bytes
};

struct slab {
	const char *name;
	size_t size;	    // of an object, in bytes
	size_t used;	    // objects
	unsigned with_room; // no chunk before this one has room
	unsigned recent;    // the chunk of the last slab_number()
	struct slab_chunk chunks[SLAB_CHUNKS_MAX];
};

// Takes an object, whose bytes are anything. SLAB_NONE: no memory.
uint32_t slab_take(struct slab *slab);
void slab_give(struct slab *slab, uint32_t number);

// The object of a number that was taken; size is the slab's, said here for a faster product.
static inline void *slab_at(const struct slab *slab, uint32_t number, size_t size) {
	return slab->chunks[number >> SLAB_CHUNK_SHIFT].objects +
	       (number & (SLAB_CHUNK_LEN - 1)) * size;
}

// The number of an object.
uint32_t slab_number(struct slab *slab, const void *object);

// Bytes of memory.
size_t slab_memory(const struct slab *slab);
