#include "control/rpc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/arena.h"

struct callee {
	const struct rpc_method *methods;
	void *context;
};

bool rpc_fail(struct rpc_error *error, enum rpc_code code, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	error->code = code;
	return false;
}

bool rpc_fail_action(struct rpc_error *error, const char *action) {
	char cause[sizeof(error->message)];

	memcpy(cause, error->message, sizeof(cause));
	return rpc_fail(error, error->code, "Cannot %s: %s", action, cause);
}

static int put_piece(const char *json, size_t len, void *answer) {
	put_json(answer, json, len);
	return 0;
}

// Opens an answer's object. id is NULL for a request whose id could not be read.
static void put_head(struct writer *answer, const json_t *id) {
	put_object(answer, NULL);
	put_string(answer, "jsonrpc", "2.0");
	put_key(answer, "id");
	if (id == NULL)
		put_json(answer, "null", 4);
	else
		json_dump_callback(id, put_piece, answer, JSON_ENCODE_ANY);
}

static void put_error(struct writer *answer, const json_t *id, const struct rpc_error *error) {
	put_head(answer, id);
	put_object(answer, "error");
	put_integer(answer, "code", error->code);
	put_string(answer, "message", error->message);
	if (error->index != RPC_NO_INDEX) {
		put_object(answer, "data");
		put_integer(answer, "index", error->index);
		end_object(answer);
	}
	end_object(answer);
	end_object(answer);
}

static void put_refusal(struct writer *answer, enum rpc_code code, const char *message) {
	struct rpc_error error = {.index = RPC_NO_INDEX};

	rpc_fail(&error, code, "%s", message);
	put_error(answer, NULL, &error);
}

void rpc_refuse(struct writer *answer, enum rpc_code code, const char *message) {
	put_refusal(answer, code, message);
	put_newline(answer);
}

static const char *fault_of(const json_t *request) {
	const json_t *version = json_object_get(request, "jsonrpc");
	const json_t *id = json_object_get(request, "id");

	if (!json_is_object(request))
		return "Cannot serve what is no object; send a request object, or a list of them";
	if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0)
		return "Cannot serve a request without \"jsonrpc\": \"2.0\"; add it";
	if (!json_is_string(json_object_get(request, "method")))
		return "Cannot serve a request without a method; add its name as a string";
	if (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return "Cannot serve this id; give a string or a number";
	return NULL;
}

static bool call(const struct callee *callee, const json_t *request, struct writer *result,
		 struct rpc_error *error) {
	const struct rpc_method *method = callee->methods;
	const char *name = json_string_value(json_object_get(request, "method"));
	json_t *params = json_object_get(request, "params");

	while (method->name != NULL && strcmp(method->name, name) != 0)
		method++;
	if (method->name == NULL)
		return rpc_fail(error, RPC_METHOD_NOT_FOUND,
				"Cannot call \"%.60s\": no such method; the README lists them",
				name);
	if (params != NULL && !json_is_object(params))
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"Cannot call %s: params is no object; give parameters by name",
				name);
	if (result->len > RPC_BATCH_ANSWER_MAX)
		return rpc_fail(error, RPC_NO_CAPACITY,
				"Cannot call %s: the batch's answers before take %d MiB; send it "
				"in the next batch",
				name, RPC_BATCH_ANSWER_MAX >> 20);

	json_t *none = params == NULL ? json_object() : NULL;
	const bool good = method->handle(callee->context, params != NULL ? params : none, result,
					 error);

	json_decref(none);
	return good;
}

static void serve(const struct callee *callee, const json_t *request, struct writer *answer) {
	const size_t before = answer->len;
	const char *fault = fault_of(request);
	const json_t *id = json_object_get(request, "id");
	struct rpc_error error = {.index = RPC_NO_INDEX};

	if (fault != NULL) {
		put_refusal(answer, RPC_INVALID_REQUEST, fault);
		return;
	}
	put_head(answer, id);
	put_key(answer, "result");
	const bool good = call(callee, request, answer, &error);

	end_object(answer);
	if (id == NULL || !good)
		answer->len = before;
	if (id != NULL && !good)
		put_error(answer, id, &error);
}

static unsigned serve_batch(const struct callee *callee, const json_t *batch,
			    struct writer *answer) {
	const size_t len = json_array_size(batch);
	const size_t before = answer->len;
	const json_t *request;
	char message[100];
	size_t i;

	if (len == 0 || len > RPC_BATCH_MAX) {
		snprintf(message, sizeof(message),
			 "Cannot serve a batch of %zu requests; send 1 to %d", len, RPC_BATCH_MAX);
		put_refusal(answer, RPC_INVALID_REQUEST, message);
		return 1;
	}
	put_list(answer, NULL);
	const size_t opened = answer->len;

	json_array_foreach(batch, i, request) {
		serve(callee, request, answer);
	}
	if (answer->len == opened) // notifications alone
		answer->len = before;
	else
		end_list(answer);
	return (unsigned)len;
}

static void refuse_text(struct writer *answer, const json_error_t *cause) {
	char message[300];

	if (arena_exhausted())
		snprintf(message, sizeof(message),
			 "Cannot read the request: it takes more than %d MiB of memory; split it",
			 ARENA_MAX >> 20);
	else
		snprintf(message, sizeof(message),
			 "Cannot read the request: %.160s (column %d); "
			 "send one JSON object or list per line",
			 cause->text, cause->column);
	put_refusal(answer, RPC_PARSE_ERROR, message);
}

unsigned rpc_answer(const struct rpc_method methods[], void *context, const char *request,
		    size_t len, struct writer *answer) {
	const struct callee callee = {methods, context};
	unsigned requests = 1;
	json_error_t cause;

	arena_begin();
	json_t *parsed = json_loadb(request, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &cause);

	if (parsed == NULL)
		refuse_text(answer, &cause);
	else if (json_is_array(parsed))
		requests = serve_batch(&callee, parsed, answer);
	else
		serve(&callee, parsed, answer);
	arena_end();

	if (answer->failed) {
		writer_free(answer);
		put_refusal(answer, RPC_NO_CAPACITY, "No memory left for the answer; ask for less");
	}
	if (answer->len > 0)
		put_newline(answer);
	return requests;
}
