#include <string.h>

#include "core/tags.h"
#include "tests/table.h"

enum { PAYLOAD = 4 };

struct row {
	const char *name;
	struct tag_stack stack;
	const char *pushed; // between the MAC addresses and the ether type
};

static const struct row rows[] = {
	{"none", {TPID_8021Q, 0, {0}}, ""},
	{"one", {TPID_8021Q, 1, {7}}, "\x81\x00\x00\x07"},
	{"outermost first", {TPID_8021Q, 2, {7, 9}}, "\x81\x00\x00\x07\x81\x00\x00\x09"},
	{"an id of two bytes", {TPID_8021Q, 1, {4094}}, "\x81\x00\x0f\xfe"},
	{"service tags", {TPID_8021AD, 2, {21, 3}}, "\x88\xa8\x00\x15\x88\xa8\x00\x03"},
	{"ten",
	 {TPID_8021Q, 10, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
	 "\x81\x00\x00\x01\x81\x00\x00\x02\x81\x00\x00\x03\x81\x00\x00\x04\x81\x00\x00\x05"
	 "\x81\x00\x00\x06\x81\x00\x00\x07\x81\x00\x00\x08\x81\x00\x00\x09\x81\x00\x00\x0a"},
};

static const uint8_t frame[MAC_PAIR_LEN + PAYLOAD + 1] = "ddddddssssss\x08\x00xy";

static void check_push(void **state) {
	const struct row *row = *state;
	uint8_t buffer[TAGS_SIZE + sizeof(frame) - 1], bytes[TAGS_SIZE];
	uint8_t *const inner = buffer + TAGS_SIZE;
	const unsigned len = tags_encode(&row->stack, bytes);

	memcpy(inner, frame, sizeof(frame) - 1);
	assert_int_equal(len, row->stack.len * TAG_LEN);

	const uint8_t *outer = tags_push(inner, bytes, len);

	assert_ptr_equal(outer, inner - len);
	assert_memory_equal(outer, frame, MAC_PAIR_LEN);
	assert_memory_equal(outer + MAC_PAIR_LEN, row->pushed, len);
	assert_memory_equal(outer + MAC_PAIR_LEN + len, frame + MAC_PAIR_LEN, PAYLOAD);
}

static void check_decode(void **state) {
	const struct row *row = *state;
	uint8_t bytes[TAGS_SIZE];
	struct tag_stack stack;

	tags_decode(bytes, tags_encode(&row->stack, bytes), &stack);
	assert_memory_equal(&stack, &row->stack, sizeof(stack));
}

static void check_strip(void **state) {
	const struct row *row = *state;
	uint8_t buffer[TAGS_SIZE + sizeof(frame) - 1], bytes[TAGS_SIZE];
	uint8_t *const inner = buffer + TAGS_SIZE;

	memcpy(inner, frame, sizeof(frame) - 1);

	uint8_t *at = tags_push(inner, bytes, tags_encode(&row->stack, bytes));

	for (unsigned i = 0; i < row->stack.len; i++)
		at = tags_strip(at);
	assert_ptr_equal(at, inner);
	assert_memory_equal(at, frame, sizeof(frame) - 1);
}

int main(void) {
	return RUN_TABLE(rows, check_push) + RUN_TABLE(rows, check_decode) +
	       RUN_TABLE(rows, check_strip);
}
