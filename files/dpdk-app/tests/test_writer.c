#include "tests/table.h"

#include <string.h>

#include "control/writer.h"

struct string_row {
	const char *name;
	const char *value;
	const char *json;
};

static const struct string_row strings[] = {
	{"text stays as it is", "plain", "\"plain\""},
	{"an empty one", "", "\"\""},
	{"quotes and backslashes are escaped", "a\"b\\c", "\"a\\\"b\\\\c\""},
	{"control characters are escaped", "a\nb\x01", "\"a\\u000ab\\u0001\""},
	{"two bytes", "\xc3\xa9", "\"\xc3\xa9\""},
	{"three bytes", "\xe2\x82\xac", "\"\xe2\x82\xac\""},
	{"four bytes", "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
	{"a character cut at the end", "a\xe2\x82", "\"a\\ufffd\\ufffd\""},
	{"a byte that begins nothing", "\xff-", "\"\\ufffd-\""},
	{"a longer form than needed", "\xc0\xaf", "\"\\ufffd\\ufffd\""},
	{"a surrogate", "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
	{"beyond the last character", "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
};

struct integer_row {
	const char *name;
	int64_t value;
	const char *json;
};

static const struct integer_row integers[] = {
	{"zero", 0, "0"},
	{"minus one", -1, "-1"},
	{"the largest", INT64_MAX, "9223372036854775807"},
	{"the smallest", INT64_MIN, "-9223372036854775808"},
};

static void check_text(struct writer *writer, const char *json) {
	assert_false(writer->failed);
	assert_int_equal(writer->len, strlen(json));
	assert_memory_equal(writer->text, json, writer->len);
	writer_free(writer);
}

static void check_string(void **state) {
	const struct string_row *row = *state;
	struct writer writer = {0};

	put_string(&writer, NULL, row->value);
	check_text(&writer, row->json);
}

static void check_integer(void **state) {
	const struct integer_row *row = *state;
	struct writer writer = {0};

	put_integer(&writer, NULL, row->value);
	check_text(&writer, row->json);
}

static void bytes_are_digits(void **state) {
	static const uint8_t bytes[] = {0x00, 0x1f, 0xa0, 0xff};
	struct writer writer = {0};

	(void)state;
	put_object(&writer, NULL);
	put_hex(&writer, "a", bytes, sizeof(bytes));
	put_hex(&writer, "b", bytes, 0);
	end_object(&writer);
	check_text(&writer, "{\"a\":\"001fa0ff\",\"b\":\"\"}");
}

static void values_are_parted_where_they_have_to_be(void **state) {
	struct writer writer = {0};

	(void)state;
	put_object(&writer, NULL);
	put_integer(&writer, "a", 1);
	put_list(&writer, "b");
	put_object(&writer, NULL);
	end_object(&writer);
	put_object(&writer, NULL);
	put_null(&writer, "c");
	put_boolean(&writer, "d", true);
	end_object(&writer);
	end_list(&writer);
	put_key(&writer, "e");
	put_boolean(&writer, NULL, false);
	put_string(&writer, "f", "x,");
	put_string(&writer, "g", "y:");
	put_integer(&writer, "h", 2);
	end_object(&writer);
	put_newline(&writer);
	put_integer(&writer, NULL, 3);
	check_text(&writer, "{\"a\":1,\"b\":[{},{\"c\":null,\"d\":true}],\"e\":false,"
			    "\"f\":\"x,\",\"g\":\"y:\",\"h\":2}\n3");
}

static void a_long_text_is_whole(void **state) {
	enum { LEN = 100000 };
	struct writer writer = {0};

	(void)state;
	put_list(&writer, NULL);
	for (unsigned i = 0; i < LEN; i++)
		put_integer(&writer, NULL, 7);
	end_list(&writer);
	assert_int_equal(writer.len, 2 * LEN + 1);
	assert_memory_equal(writer.text, "[7,7", 4);
	assert_memory_equal(writer.text + writer.len - 4, ",7,7]" + 1, 4);
	writer_free(&writer);
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(values_are_parted_where_they_have_to_be),
		cmocka_unit_test(bytes_are_digits),
		cmocka_unit_test(a_long_text_is_whole),
	};

	return RUN_TABLE(strings, check_string) + RUN_TABLE(integers, check_integer) +
	       cmocka_run_group_tests(whole, NULL, NULL);
}
