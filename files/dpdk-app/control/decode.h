#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "control/rpc.h"
#include "core/match.h"

// Reads JSON objects by tables of their members. Whatever is refused fills an error with the
// member, its value, and what it should be.

struct member {
	const char *name;
	// Puts the value at its place in *into, or returns false with *error filled.
	bool (*read)(json_t *value, const struct member *member, void *into,
		     struct rpc_error *error);
	size_t at;     // offset of its place
	int64_t least; // of an integer
	int64_t most;
	const char *wanted; // what to give; NULL: an integer from least to most
	bool required;
};

enum { MEMBERS_MAX = 32 };

// Reads an object's members into *into; what is not there stays as it is. *given (unless NULL) gets
// a bit for each member that is there, by its place in the table.
bool decode_object(json_t *object, const struct member members[], unsigned len, void *into,
		   uint32_t *given, struct rpc_error *error);

// Fills the error for a value (NULL: missing) that is not what is wanted. Always returns false.
bool decode_refuse(const json_t *value, const char *name, const char *wanted,
		   struct rpc_error *error);
bool decode_refuse_member(const json_t *value, const struct member *member,
			  struct rpc_error *error);

// Readers of members: into an int64_t, a bool, a const char *, a json_t * that is a list, and
// MAC_LEN bytes.
bool decode_integer(json_t *value, const struct member *member, void *into,
		    struct rpc_error *error);
bool decode_boolean(json_t *value, const struct member *member, void *into,
		    struct rpc_error *error);
bool decode_string(json_t *value, const struct member *member, void *into, struct rpc_error *error);
bool decode_list(json_t *value, const struct member *member, void *into, struct rpc_error *error);
bool decode_mac(json_t *value, const struct member *member, void *into, struct rpc_error *error);

#define MEMBER_MAC_TEXT "like \"02:aa:bb:cc:dd:01\""
