#include "tests/table.h"

#include <stdio.h>
#include <string.h>

#include "control/rpc.h"

static bool echo(void *context, json_t *params, struct writer *result, struct rpc_error *error) {
	const json_t *a = json_object_get(params, "a");

	(void)context;
	(void)error;
	put_object(result, NULL);
	if (a != NULL)
		put_integer(result, "a", json_integer_value(a));
	end_object(result);
	return true;
}

static bool fail_at_item(void *context, json_t *params, struct writer *result,
			 struct rpc_error *error) {
	(void)context;
	(void)params;
	put_list(result, NULL); // what was written before is not in the answer
	error->index = 3;
	rpc_fail(error, RPC_CONFLICT, "no");
	return rpc_fail_action(error, "do it");
}

static unsigned calls;

static bool write_much(void *context, json_t *params, struct writer *result,
		       struct rpc_error *error) {
	static const char spaces[1 << 20] = {0};

	(void)context;
	(void)params;
	(void)error;
	calls++;
	for (unsigned i = 0; i < 40; i++)
		put_json(result, spaces, sizeof(spaces));
	return true;
}

static const struct rpc_method table[] = {
	{"echo", echo},
	{"fail", fail_at_item},
	{"much", write_much},
	{NULL, NULL},
};

#define VERSION "{\"jsonrpc\":\"2.0\","

struct rpc_row {
	const char *name;
	const char *request;
	const char *answer; // its beginning; NULL: none
};

static const struct rpc_row requests[] = {
	{"a result comes with the request's id",
	 VERSION "\"id\":7,\"method\":\"echo\",\"params\":{\"a\":1}}",
	 "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":1}}\n"},
	{"params may be left out", VERSION "\"id\":\"x\",\"method\":\"echo\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{}}\n"},
	{"an id of null is answered", VERSION "\"id\":null,\"method\":\"echo\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}\n"},
	{"a notification gets no answer", VERSION "\"method\":\"echo\"}", NULL},
	{"a notification that fails gets no answer", VERSION "\"method\":\"nothing\"}", NULL},
	{"an error names the item", VERSION "\"id\":1,\"method\":\"fail\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32002,\"message\":\"Cannot do it: "
	 "no\","
	 "\"data\":{\"index\":3}}}\n"},
	{"an unknown method", VERSION "\"id\":1,\"method\":\"nothing\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,"},
	{"params by position", VERSION "\"id\":1,\"method\":\"echo\",\"params\":[1]}",
	 "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,"},
	{"an empty line", "", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"},
	{"garbage", "}{", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"},
	{"two requests in one line", VERSION "\"method\":\"echo\"} 1",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"},
	{"bytes that are no UTF-8", VERSION "\"id\":1,\"method\":\"\xff\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"},
	{"a member twice", VERSION "\"id\":1,\"id\":2,\"method\":\"echo\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"},
	{"an integer beyond 63 bits", VERSION "\"id\":9223372036854775808,\"method\":\"echo\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"},
	{"a NUL in a string", VERSION "\"id\":1,\"method\":\"echo\\u0000\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"},
	{"a number beyond all bounds", VERSION "\"id\":1e999,\"method\":\"echo\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"},
	{"an id with quotes", VERSION "\"id\":\"a\\\"b\",\"method\":\"echo\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"result\":{}}\n"},
	{"a batch is answered in its order",
	 "[" VERSION "\"id\":1,\"method\":\"echo\"}," VERSION "\"id\":2,\"method\":\"fail\"}]",
	 "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":"
	 "{\"code\":-32002,\"message\":\"Cannot do it: no\",\"data\":{\"index\":3}}}]\n"},
	{"a batch answers no notification",
	 "[" VERSION "\"method\":\"echo\"}," VERSION "\"id\":2,\"method\":\"echo\"}]",
	 "[{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}]\n"},
	{"a batch of notifications gets no answer",
	 "[" VERSION "\"method\":\"echo\"}," VERSION "\"method\":\"fail\"}]", NULL},
	{"what is no request in a batch is one error",
	 "[1," VERSION "\"id\":2,\"method\":\"echo\"}]",
	 "[{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"Cannot serve "
	 "what is no object; send a request object, or a list of them\"}},"
	 "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}]\n"},
	{"an empty batch", "[]",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"Cannot serve a "
	 "batch of 0 requests; send 1 to 1000\"}}\n"},
	{"a batch in a batch", "[[]]",
	 "[{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"},
	{"a number", "7", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"},
	{"no version", "{\"id\":1,\"method\":\"echo\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"},
	{"another version", "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"echo\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"},
	{"no method", VERSION "\"id\":1}",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"},
	{"a method that is no string", VERSION "\"id\":1,\"method\":{}}",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"},
	{"an id that is a list", VERSION "\"id\":[],\"method\":\"echo\"}",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"},
};

static struct writer answer;

static unsigned ask(const char *request, size_t len) {
	writer_free(&answer);
	return rpc_answer(table, NULL, request, len, &answer);
}

static bool says(const char *text) {
	return memmem(answer.text, answer.len, text, strlen(text)) != NULL;
}

static void check_request(void **state) {
	const struct rpc_row *row = *state;

	ask(row->request, strlen(row->request));
	if (row->answer == NULL) {
		assert_int_equal(answer.len, 0);
		return;
	}
	assert_true(answer.len >= strlen(row->answer));
	assert_memory_equal(answer.text, row->answer, strlen(row->answer));
	assert_int_equal(answer.text[answer.len - 1], '\n');
	assert_null(memchr(answer.text, '\n', answer.len - 1));
}

// A request that begins so, goes on with so many pieces, and ends so.
static void ask_long(const char *begin, const char *piece, size_t pieces, const char *end) {
	const size_t len = strlen(piece);
	char *request = malloc(strlen(begin) + len * pieces + strlen(end) + 1);
	char *at = stpcpy(request, begin);

	for (size_t i = 0; i < pieces; i++)
		at = stpcpy(at, piece);
	at = stpcpy(at, end);
	ask(request, (size_t)(at - request));
	free(request);
}

static void deep_nesting_is_an_error_not_a_crash(void **state) {
	(void)state;
	ask_long("", "[", 200000, "");
	assert_true(says("-32700"));
	assert_true(says("send one JSON object or list per line"));
	ask_long("", "{\"a\":", 200000, "");
	assert_true(says("-32700"));
}

static void a_tree_that_is_too_big_is_refused_and_forgotten(void **state) {
	(void)state;
	ask_long("[0", ",[]", 8 << 20, "]");
	assert_true(says("it takes more than 512 MiB of memory; split it"));
	ask_long("[0", ",[]", 2000, "]"); // the next request has all the memory again
	assert_true(says("a batch of 2001 requests; send 1 to 1000"));
}

static void a_thousand_requests_are_a_batch(void **state) {
	const char *const request = VERSION "\"id\":1,\"method\":\"echo\"}";
	const char *const more = "," VERSION "\"id\":1,\"method\":\"echo\"}";
	char begin[100];

	(void)state;
	snprintf(begin, sizeof(begin), "[%s", request);
	ask_long(begin, more, 999, "]");
	assert_int_equal(answer.text[0], '[');
	ask_long(begin, more, 1000, "]");
	assert_true(says("a batch of 1001 requests"));
}

static void a_batch_counts_as_its_requests(void **state) {
	const char *const batch = "[" VERSION "\"id\":1,\"method\":\"echo\"},1,2]";

	(void)state;
	assert_int_equal(ask(batch, strlen(batch)), 3);
	assert_int_equal(ask("}", 1), 1);
}

static void a_batch_with_too_long_answers_is_answered_in_part(void **state) {
	const char *const call = VERSION "\"id\":1,\"method\":\"much\"}";
	char batch[300];

	(void)state;
	calls = 0;
	snprintf(batch, sizeof(batch), "[%s,%s,%s]", call, call, call);
	ask(batch, strlen(batch));
	assert_int_equal(calls, 2); // 40 MiB each: the third one comes after 64 MiB
	assert_true(says("send it in the next batch"));
	assert_int_equal(answer.text[answer.len - 2], ']');
}

static int forget_answer(void **state) {
	(void)state;
	writer_free(&answer);
	return 0;
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(deep_nesting_is_an_error_not_a_crash),
		cmocka_unit_test(a_tree_that_is_too_big_is_refused_and_forgotten),
		cmocka_unit_test(a_thousand_requests_are_a_batch),
		cmocka_unit_test(a_batch_counts_as_its_requests),
		cmocka_unit_test(a_batch_with_too_long_answers_is_answered_in_part),
	};

	return RUN_TABLE(requests, check_request) +
	       cmocka_run_group_tests(whole, NULL, forget_answer);
}
