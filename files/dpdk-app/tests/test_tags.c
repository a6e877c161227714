#include "tests/table.h"

#include <string.h>

#include "core/tags.h"

#define MACS	 "\x02\xff\xff\xff\xff\x01\x02\xff\xff\xff\xff\x02"
#define ORIGINAL MACS "\x08\x00payload"

struct push_row {
	const char *name;
	struct tag_stack stack;
	const char *after_macs;
	size_t len;
};

#define BYTES(text) text, sizeof(text) - 1

static const struct push_row pushes[] = {
	{"a single tag stands before the ether type", {1, {7}}, BYTES("\x81\x00\x00\x07\x08\x00")},
	{"the first tag is the outermost one",
	 {2, {7, 9}},
	 BYTES("\x81\x00\x00\x07\x81\x00\x00\x09\x08\x00")},
	{"an id of twelve bits uses both bytes", {1, {4094}}, BYTES("\x81\x00\x0f\xfe\x08\x00")},
	{"ten tags fit",
	 {10, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
	 BYTES("\x81\x00\x00\x01\x81\x00\x00\x02\x81\x00\x00\x03\x81\x00\x00\x04\x81\x00\x00\x05"
	       "\x81\x00\x00\x06\x81\x00\x00\x07\x81\x00\x00\x08\x81\x00\x00\x09\x81\x00\x00\x0a"
	       "\x08\x00")},
};

static void check_push(void **state) {
	const struct push_row *row = *state;
	uint8_t buffer[TAGS_MAX * TAG_LEN + sizeof(ORIGINAL)];
	uint8_t *frame = buffer + sizeof(buffer) - sizeof(ORIGINAL);

	memcpy(frame, ORIGINAL, sizeof(ORIGINAL));
	uint8_t *start = tags_push(frame, &row->stack);

	assert_ptr_equal(start, frame - row->stack.len * TAG_LEN);
	assert_memory_equal(start, MACS, 12);
	assert_memory_equal(start + 12, row->after_macs, row->len);
	assert_string_equal((char *)start + 12 + row->len, "payload");
}

static void strip_takes_the_outermost_tag_off(void **state) {
	uint8_t frame[] = MACS "\x81\x00\x00\x07\x81\x00\x00\x09\x08\x00";

	(void)state;
	assert_ptr_equal(tags_strip(frame), frame + TAG_LEN);
	assert_memory_equal(frame + TAG_LEN, MACS "\x81\x00\x00\x09\x08\x00", 18);
}

int main(void) {
	const struct CMUnitTest strips[] = {cmocka_unit_test(strip_takes_the_outermost_tag_off)};

	return RUN_TABLE(pushes, check_push) + cmocka_run_group_tests(strips, NULL, NULL);
}
