#include "core/tags.h"

unsigned tags_encode(const struct tag_stack *stack, uint8_t bytes[TAGS_SIZE]) {
	const unsigned len = stack->len * TAG_LEN;
	uint8_t *at = bytes + TAGS_SIZE - len;

	memset(bytes, 0, TAGS_SIZE);
	for (unsigned i = 0; i < stack->len; i++, at += TAG_LEN) {
		at[0] = (uint8_t)(stack->tpid >> 8);
		at[1] = (uint8_t)stack->tpid;
		at[2] = (uint8_t)(stack->vid[i] >> 8);
		at[3] = (uint8_t)stack->vid[i];
	}
	return len;
}

void tags_decode(const uint8_t bytes[TAGS_SIZE], unsigned len, struct tag_stack *stack) {
	const uint8_t *at = bytes + TAGS_SIZE - len;

	*stack = (struct tag_stack){.tpid = TPID_8021Q, .len = (uint16_t)(len / TAG_LEN)};
	for (unsigned i = 0; i < stack->len; i++, at += TAG_LEN) {
		stack->tpid = (uint16_t)(at[0] << 8 | at[1]);
		stack->vid[i] = (uint16_t)(at[2] << 8 | at[3]);
	}
}

uint8_t *tags_strip(uint8_t *frame) {
	return memmove(frame + TAG_LEN, frame, MAC_PAIR_LEN);
}
