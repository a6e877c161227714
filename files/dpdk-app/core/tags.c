#include "core/tags.h"

#include <string.h>

enum { MAC_PAIR_LEN = 2 * MAC_LEN };

uint8_t *tags_push(uint8_t *frame, const struct tag_stack *stack) {
	uint8_t *start = frame - stack->len * TAG_LEN;
	uint8_t *at = start + MAC_PAIR_LEN;

	memmove(start, frame, MAC_PAIR_LEN);

	for (unsigned i = 0; i < stack->len; i++, at += TAG_LEN) {
		at[0] = TPID_8021Q >> 8;
		at[1] = TPID_8021Q & 0xff;
		at[2] = (uint8_t)(stack->vid[i] >> 8);
		at[3] = (uint8_t)stack->vid[i];
	}

	return start;
}

uint8_t *tags_strip(uint8_t *frame) {
	return memmove(frame + TAG_LEN, frame, MAC_PAIR_LEN);
}
