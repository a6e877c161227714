#include "core/neighbours.h"

#include <string.h>

#include "core/frame.h"

enum { MS_PER_S = 1000 };

static bool is(const struct neighbour *neighbour, const struct lldp_heard *heard) {
	return neighbour->len > 0 && neighbour->id_len == heard->id_len &&
	       memcmp(neighbour->frame + ETHER_HEADER_LEN, heard->id, heard->id_len) == 0;
}

// The place of this neighbour, or else the first free one, or NULL.
static struct neighbour *place_of(struct neighbours *neighbours, const struct lldp_heard *heard) {
	struct neighbour *free = NULL;

	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
		struct neighbour *place = &neighbours->list[i];

		if (is(place, heard))
			return place;
		if (place->len == 0 && free == NULL)
			free = place;
	}
	return free;
}

bool neighbours_hear(struct neighbours *neighbours, const uint8_t *data, size_t len,
		     const struct lldp_heard *heard, uint64_t now_ms) {
	struct neighbour *place = place_of(neighbours, heard);

	if (heard->ttl_s == 0) {
		if (place != NULL)
			place->len = 0;
		return true;
	}
	if (place == NULL)
		return false;
	place->len = (uint16_t)len;
	place->id_len = (uint16_t)heard->id_len;
	place->hash = lldp_hash(heard->id, heard->id_len);
	place->heard_ms = now_ms;
	place->until_ms = now_ms + (uint64_t)heard->ttl_s * MS_PER_S;
	memcpy(place->frame, data, len);
	return true;
}

void neighbours_expire(struct neighbours *neighbours, uint64_t now_ms) {
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++)
		if (neighbours->list[i].until_ms <= now_ms)
			neighbours->list[i].len = 0;
}
