#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "control/writer.h"

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
	RPC_GENERATION = -32005,
};

enum {
	RPC_NO_INDEX = -1,
	RPC_BATCH_MAX = 1000,			 // requests
	RPC_BATCH_ANSWER_MAX = 64 * 1024 * 1024, // bytes of answers, from which on no more are made
};

struct rpc_error {
	enum rpc_code code;
	int index; // of the item of a list that is meant, or RPC_NO_INDEX
	char message[400];
};

// Fills an error; the message says object, value, cause and way out. Always returns false, so that
// a method can return it.
__attribute__((format(printf, 3, 4))) bool rpc_fail(struct rpc_error *error, enum rpc_code code,
						    const char *format, ...);

// Puts "Cannot ACTION: " in front of the message. Always returns false.
bool rpc_fail_action(struct rpc_error *error, const char *action);

// Writes one value as the result, or returns false with *error filled. params is an object; the
// tree that it belongs to ends with the request.
typedef bool rpc_handler(void *context, json_t *params, struct writer *result,
			 struct rpc_error *error);

struct rpc_method {
	const char *name;
	rpc_handler *handle;
};

// Answers one line, a JSON-RPC 2.0 request or batch, by a table of methods that ends with a name of
// NULL. The answer is a line, or nothing for notifications. Returns how many requests it were.
unsigned rpc_answer(const struct rpc_method methods[], void *context, const char *request,
		    size_t len, struct writer *answer);

// The answer to what is no request at all.
void rpc_refuse(struct writer *answer, enum rpc_code code, const char *message);
