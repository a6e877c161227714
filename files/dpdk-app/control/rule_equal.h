#pragma once

#include <stdbool.h>
#include <string.h>

#include "core/spec.h"

// True if two rules of the same VM and match say the same.
static inline bool rule_equal(const struct rule_spec *a, const struct rule_spec *b) {
	const struct shaper_terms *one = &a->shaper, *other = &b->shaper;

	return a->priority == b->priority && a->destination_vm == b->destination_vm &&
	       a->slot == b->slot && a->tags.len == b->tags.len && a->tags.tpid == b->tags.tpid &&
	       memcmp(a->tags.vid, b->tags.vid, a->tags.len * sizeof(a->tags.vid[0])) == 0 &&
	       one->mode == other->mode && one->rate_bps == other->rate_bps &&
	       one->burst_bits == other->burst_bits && one->queue_packets == other->queue_packets &&
	       one->queue_bytes == other->queue_bytes;
}
