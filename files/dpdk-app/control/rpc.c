#include "control/rpc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *rpc_fail(struct rpc_error *error, enum rpc_code code, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	error->code = code;
	return NULL;
}

// Takes the answer's reference.
static char *to_line(json_t *answer) {
	char *text = json_dumps(answer, JSON_COMPACT);
	const size_t len = text != NULL ? strlen(text) : 0;
	char *line = text != NULL ? realloc(text, len + 2) : NULL;

	json_decref(answer);
	if (line == NULL) {
		free(text);
		return NULL;
	}
	memcpy(line + len, "\n", 2);
	return line;
}

static char *error_line(const json_t *id, const struct rpc_error *error) {
	// A message cut in the middle of a character is no JSON text: it is left out then.
	json_t *message = json_string(error->message);
	json_t *body = json_pack("{s:i, s:o}", "code", error->code, "message",
				 message != NULL ? message : json_string("(not printable)"));

	if (error->index != RPC_NO_INDEX)
		json_object_set_new(body, "data", json_pack("{s:i}", "index", error->index));
	return to_line(json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", id, "error", body));
}

char *rpc_refuse(enum rpc_code code, const char *message) {
	struct rpc_error error = {.index = RPC_NO_INDEX};

	rpc_fail(&error, code, "%s", message);
	return error_line(json_null(), &error);
}

static const char *fault_of(const json_t *request) {
	const json_t *version = json_object_get(request, "jsonrpc");
	const json_t *id = json_object_get(request, "id");

	if (json_is_array(request))
		return "Cannot serve a batch; send one object per line";
	if (!json_is_object(request))
		return "Cannot serve what is no object; send one request object per line";
	if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0)
		return "Cannot serve a request without \"jsonrpc\": \"2.0\"; add it";
	if (!json_is_string(json_object_get(request, "method")))
		return "Cannot serve a request without a method; add its name as a string";
	if (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return "Cannot serve this id; give a string or a number";
	return NULL;
}

static json_t *call(const struct rpc_method methods[], void *context, const json_t *request,
		    struct rpc_error *error) {
	const char *name = json_string_value(json_object_get(request, "method"));
	json_t *given = json_object_get(request, "params");

	while (methods->name != NULL && strcmp(methods->name, name) != 0)
		methods++;
	if (methods->name == NULL)
		return rpc_fail(error, RPC_METHOD_NOT_FOUND,
				"Cannot call \"%.60s\": no such method; the README lists them",
				name);
	if (given != NULL && !json_is_object(given))
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"Cannot call %s: params is no object; give parameters by name",
				name);

	json_t *none = json_object();
	json_t *result = methods->handle(context, given != NULL ? given : none, error);

	json_decref(none);
	return result;
}

char *rpc_answer(const struct rpc_method methods[], void *context, const char *request,
		 size_t len) {
	json_error_t cause;
	json_t *parsed = json_loadb(request, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &cause);
	char *line = NULL;

	if (parsed == NULL) {
		char message[300];

		snprintf(message, sizeof(message),
			 "Cannot read the request: %.160s (column %d); "
			 "send one JSON object per line",
			 cause.text, cause.column);
		return rpc_refuse(RPC_PARSE_ERROR, message);
	}

	const char *fault = fault_of(parsed);

	if (fault != NULL) {
		line = rpc_refuse(RPC_INVALID_REQUEST, fault);
	} else {
		struct rpc_error error = {.index = RPC_NO_INDEX};
		const json_t *id = json_object_get(parsed, "id");
		json_t *result = call(methods, context, parsed, &error);

		if (id == NULL)
			json_decref(result);
		else if (result == NULL)
			line = error_line(id, &error);
		else
			line = to_line(json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id,
						 "result", result));
	}
	json_decref(parsed);
	return line;
}
