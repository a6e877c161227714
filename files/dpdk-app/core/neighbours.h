#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/lldp.h"

// Who is at the other end of the uplink, by LLDP: a table with as many places as it will ever have,
// so that nobody makes it grow and nobody takes the place of another. All zero is an empty one.
// Times are milliseconds of any clock that does not run back.

enum { NEIGHBOURS_MAX = 16 };

struct neighbour {
	uint16_t len; // of the frame; 0: the place is free
	uint16_t id_len;
	uint64_t hash; // of its id
	uint64_t heard_ms;
	uint64_t until_ms;
	uint8_t frame[LLDP_FRAME_MAX]; // the last one, as it came
};

struct neighbours {
	struct neighbour list[NEIGHBOURS_MAX];
};

// Takes a frame that lldp_read() has read. It replaces the last one of the same chassis and port
// id, takes a free place, or frees a place if its time to live is 0.
//
// Returns false if it is of a neighbour for whom there is no place.
bool neighbours_hear(struct neighbours *neighbours, const uint8_t *data, size_t len,
		     const struct lldp_heard *heard, uint64_t now_ms);

// Frees the places of those whose time to live is over.
void neighbours_expire(struct neighbours *neighbours, uint64_t now_ms);
