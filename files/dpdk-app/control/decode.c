#include "control/decode.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	QUOTED_LEN = 80, // most of a value that a message quotes
	WANTED_LEN = 160,
};

struct quotation {
	size_t len;
	char text[QUOTED_LEN + sizeof("...")];
};

// Stops the dump of a long value as soon as the quotation is full.
static int quote_piece(const char *piece, size_t len, void *of) {
	struct quotation *quotation = of;
	const size_t left = QUOTED_LEN - quotation->len;
	const size_t taken = len < left ? len : left;

	memcpy(quotation->text + quotation->len, piece, taken);
	quotation->len += taken;
	if (taken == len)
		return 0;
	strcpy(quotation->text + QUOTED_LEN, "...");
	return -1;
}

bool decode_refuse(const json_t *value, const char *name, const char *wanted,
		   struct rpc_error *error) {
	struct quotation quotation = {0};

	if (value == NULL)
		return rpc_fail(error, RPC_INVALID_PARAMS, "%s is missing; give %s", name, wanted);
	json_dump_callback(value, quote_piece, &quotation, JSON_COMPACT | JSON_ENCODE_ANY);
	return rpc_fail(error, RPC_INVALID_PARAMS, "%s is %s; give %s", name, quotation.text,
			wanted);
}

bool decode_refuse_member(const json_t *value, const struct member *member,
			  struct rpc_error *error) {
	char wanted[WANTED_LEN];

	if (member->wanted != NULL)
		return decode_refuse(value, member->name, member->wanted, error);
	snprintf(wanted, sizeof(wanted), "an integer from %" PRId64 " to %" PRId64, member->least,
		 member->most);
	return decode_refuse(value, member->name, wanted, error);
}

static unsigned find(const struct member members[], unsigned len, const char *name) {
	unsigned i = 0;

	while (i < len && (members[i].name[0] != name[0] || strcmp(members[i].name, name) != 0))
		i++;
	return i;
}

bool decode_object(json_t *object, const struct member members[], unsigned len, void *into,
		   uint32_t *given, struct rpc_error *error) {
	uint32_t found = 0;
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return rpc_fail(error, RPC_INVALID_PARAMS, "this is no object; give one");
	json_object_foreach(object, name, value) {
		const unsigned i = find(members, len, name);

		if (i == len)
			return rpc_fail(error, RPC_INVALID_PARAMS,
					"%.60s is not known here; leave it out", name);
		if (!members[i].read(value, &members[i], into, error))
			return false;
		found |= UINT32_C(1) << i;
	}
	for (unsigned i = 0; i < len; i++)
		if (members[i].required && !(found & UINT32_C(1) << i))
			return decode_refuse_member(NULL, &members[i], error);
	if (given != NULL)
		*given = found;
	return true;
}

static void *place(void *into, const struct member *member) {
	return (char *)into + member->at;
}

bool decode_integer(json_t *value, const struct member *member, void *into,
		    struct rpc_error *error) {
	const int64_t integer = json_integer_value(value);

	if (!json_is_integer(value) || integer < member->least || integer > member->most)
		return decode_refuse_member(value, member, error);
	*(int64_t *)place(into, member) = integer;
	return true;
}

bool decode_boolean(json_t *value, const struct member *member, void *into,
		    struct rpc_error *error) {
	if (!json_is_boolean(value))
		return decode_refuse_member(value, member, error);
	*(bool *)place(into, member) = json_is_true(value);
	return true;
}

bool decode_string(json_t *value, const struct member *member, void *into,
		   struct rpc_error *error) {
	if (!json_is_string(value))
		return decode_refuse_member(value, member, error);
	*(const char **)place(into, member) = json_string_value(value);
	return true;
}

bool decode_list(json_t *value, const struct member *member, void *into, struct rpc_error *error) {
	if (!json_is_array(value))
		return decode_refuse_member(value, member, error);
	*(const json_t **)place(into, member) = value;
	return true;
}

static unsigned nibble(char digit) {
	return (unsigned)(isdigit((unsigned char)digit) ? digit - '0' : tolower(digit) - 'a' + 10);
}

bool decode_mac(json_t *value, const struct member *member, void *into, struct rpc_error *error) {
	const char *text = json_string_value(value);
	uint8_t *mac = place(into, member);

	if (text == NULL || strlen(text) != 3 * MAC_LEN - 1)
		return decode_refuse_member(value, member, error);
	for (unsigned i = 0; i < MAC_LEN; i++, text += 3) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    (i < MAC_LEN - 1 && text[2] != ':'))
			return decode_refuse_member(value, member, error);
		mac[i] = (uint8_t)(nibble(text[0]) << 4 | nibble(text[1]));
	}
	return true;
}
