#include "tests/table.h"

#include <string.h>

#include "control/asked.h"
#include "control/codec.h"

static struct asked asked;
static struct rpc_error error;

static bool read_text(const char *text) {
	json_t *list = json_loads(text, 0, NULL);

	assert_non_null(list);
	error = (struct rpc_error){.index = RPC_NO_INDEX};
	const bool good = asked_read(list, decode_identity, &asked, &error);

	json_decref(list);
	return good;
}

static void rules_keep_their_order_and_are_found(void **state) {
	struct match unknown;

	(void)state;
	assert_true(read_text("[{\"vm\":9},{\"vm\":2,\"protocol\":6},{\"vm\":2},{\"vm\":9,"
			      "\"protocol\":6}]"));
	assert_int_equal(asked.len, 4);
	for (uint32_t i = 0; i < asked.len; i++)
		assert_int_equal(asked_find(&asked, asked.rules[i].vm, &asked.rules[i].match), i);
	assert_int_equal(asked.rules[0].vm, 9);
	unknown = asked.rules[1].match;
	unknown.key.protocol = 17;
	assert_int_equal(asked_find(&asked, 2, &unknown), ASKED_NONE);
	assert_int_equal(asked_find(&asked, 3, &asked.rules[2].match), ASKED_NONE);
	assert_true(asked_is_distinct(&asked, &error));
	asked_free(&asked);
}

static void the_same_match_twice_is_named(void **state) {
	(void)state;
	assert_true(read_text("[{\"vm\":2},{\"vm\":1,\"source_ip\":\"10.0.0.0/8\"},{\"vm\":1},"
			      "{\"vm\":1,\"ether_type\":2048,\"source_ip\":\"10.0.0.0/8\"}]"));
	assert_false(asked_is_distinct(&asked, &error));
	assert_string_equal(error.message,
			    "rules[1] and rules[3] are for the same match of VM 1; give one of "
			    "them");
	assert_int_equal(error.index, 3);
	assert_int_equal(asked_find(&asked, 1, &asked.rules[3].match), 1); // the first one
	asked_free(&asked);
}

static void a_bad_item_is_named(void **state) {
	(void)state;
	assert_false(read_text("[{\"vm\":1},{\"vm\":true}]"));
	assert_int_equal(error.index, 1);
	assert_false(read_text("[7]"));
	assert_int_equal(error.index, 0);
	assert_string_equal(error.message, "this is no object; give one");
}

static void an_empty_list_is_one(void **state) {
	struct match match = {0};

	(void)state;
	assert_true(read_text("[]"));
	assert_int_equal(asked.len, 0);
	assert_true(asked_is_distinct(&asked, &error));
	assert_int_equal(asked_find(&asked, 0, &match), ASKED_NONE);
	asked_free(&asked);
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(rules_keep_their_order_and_are_found),
		cmocka_unit_test(the_same_match_twice_is_named),
		cmocka_unit_test(a_bad_item_is_named),
		cmocka_unit_test(an_empty_list_is_one),
	};

	return cmocka_run_group_tests(whole, NULL, NULL);
}
