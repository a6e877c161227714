#include "tests/table.h"

#include <string.h>

#include "control/rpc.h"

static json_t *echo(void *context, json_t *params, struct rpc_error *error) {
	(void)context;
	(void)error;
	return json_incref(params);
}

static json_t *fail_at_item(void *context, json_t *params, struct rpc_error *error) {
	(void)context;
	(void)params;
	error->index = 3;
	return rpc_fail(error, RPC_CONFLICT, "Cannot");
}

static const struct rpc_method table[] = {
	{"echo", echo},
	{"fail", fail_at_item},
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
	 "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32002,\"message\":\"Cannot\","
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
	{"a batch", "[" VERSION "\"id\":1,\"method\":\"echo\"}]",
	 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"},
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

static void check_request(void **state) {
	const struct rpc_row *row = *state;
	char *answer = rpc_answer(table, NULL, row->request, strlen(row->request));

	if (row->answer == NULL) {
		assert_null(answer);
		return;
	}
	assert_non_null(answer);
	assert_memory_equal(answer, row->answer, strlen(row->answer));
	assert_int_equal(answer[strlen(answer) - 1], '\n');
	free(answer);
}

static void deep_nesting_is_an_error_not_a_crash(void **state) {
	enum { DEPTH = 200000 };
	char *request = malloc(DEPTH);

	(void)state;
	assert_non_null(request);
	memset(request, '[', DEPTH);
	char *answer = rpc_answer(table, NULL, request, DEPTH);

	assert_non_null(strstr(answer, "-32700"));
	free(answer);
	free(request);
}

int main(void) {
	const struct CMUnitTest deep[] = {cmocka_unit_test(deep_nesting_is_an_error_not_a_crash)};

	return RUN_TABLE(requests, check_request) + cmocka_run_group_tests(deep, NULL, NULL);
}
