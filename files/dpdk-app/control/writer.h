#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Writes JSON as text, without a tree of it in between: a list of 100 000 rules is long enough as
// text. All zero is an empty one.
struct writer {
	char *text; // not terminated
	size_t len;
	size_t capacity;
	bool failed; // no memory: nothing more is written
};

void writer_free(struct writer *writer);

// The key is NULL for what stands in a list, at the top, or behind put_key().
void put_key(struct writer *writer, const char *key);
void put_object(struct writer *writer, const char *key);
void end_object(struct writer *writer);
void put_list(struct writer *writer, const char *key);
void end_list(struct writer *writer);

void put_integer(struct writer *writer, const char *key, int64_t value);
void put_boolean(struct writer *writer, const char *key, bool value);
void put_null(struct writer *writer, const char *key);
// Bytes that are no UTF-8 become U+FFFD.
void put_string(struct writer *writer, const char *key, const char *value);
// Bytes as hexadecimal digits.
void put_hex(struct writer *writer, const char *key, const uint8_t *bytes, size_t len);
// A piece of JSON, as it is.
void put_json(struct writer *writer, const char *json, size_t len);
void put_newline(struct writer *writer);
