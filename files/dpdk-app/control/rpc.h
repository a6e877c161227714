#pragma once

#include <stddef.h>

#include <jansson.h>

enum rpc_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603,
	RPC_NOT_FOUND = -32001,
	RPC_CONFLICT = -32002,
	RPC_NO_CAPACITY = -32003,
	RPC_STORAGE = -32004,
};

enum { RPC_NO_INDEX = -1 };

struct rpc_error {
	enum rpc_code code;
	int index; // of the item of a list that is meant, or RPC_NO_INDEX
	char message[400];
};

// Fills an error; the message says object, value, cause and way out. Always returns NULL, so that
// a method can return it.
__attribute__((format(printf, 3, 4))) json_t *rpc_fail(struct rpc_error *error, enum rpc_code code,
						       const char *format, ...);

// Returns a new result, or NULL with *error filled. params is an object.
typedef json_t *rpc_handler(void *context, json_t *params, struct rpc_error *error);

struct rpc_method {
	const char *name;
	rpc_handler *handle;
};

// Answers one JSON-RPC 2.0 request by a table of methods that ends with a name of NULL.
//
// Returns the answer, ending with a newline, to be freed; NULL for a notification.
char *rpc_answer(const struct rpc_method methods[], void *context, const char *request, size_t len);

// The answer to what is no request at all.
char *rpc_refuse(enum rpc_code code, const char *message);
