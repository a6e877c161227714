#include "control/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CAPACITY_MIN = 256,
	INTEGER_LEN = 20, // of the longest
};

void writer_free(struct writer *writer) {
	free(writer->text);
	*writer = (struct writer){0};
}

// Room for len more bytes. NULL: none, and the writer has failed.
static char *room(struct writer *writer, size_t len) {
	size_t capacity = writer->capacity > 0 ? writer->capacity : CAPACITY_MIN;

	if (writer->failed)
		return NULL;
	while (capacity - writer->len < len)
		capacity *= 2;
	if (capacity > writer->capacity) {
		char *text = realloc(writer->text, capacity);

		if (text == NULL) {
			writer->failed = true;
			return NULL;
		}
		writer->text = text;
		writer->capacity = capacity;
	}
	return writer->text + writer->len;
}

static void put(struct writer *writer, const char *bytes, size_t len) {
	char *at = room(writer, len);

	if (at != NULL) {
		memcpy(at, bytes, len);
		writer->len += len;
	}
}

// A value that is not the first of its object or list is parted from the one before.
static void part(struct writer *writer) {
	const char last = writer->len > 0 ? writer->text[writer->len - 1] : '[';

	if (last != '{' && last != '[' && last != ':' && last != '\n')
		put(writer, ",", 1);
}

void put_key(struct writer *writer, const char *key) {
	part(writer);
	if (key == NULL)
		return;
	put(writer, "\"", 1);
	put(writer, key, strlen(key));
	put(writer, "\":", 2);
}

void put_object(struct writer *writer, const char *key) {
	put_key(writer, key);
	put(writer, "{", 1);
}

void end_object(struct writer *writer) {
	put(writer, "}", 1);
}

void put_list(struct writer *writer, const char *key) {
	put_key(writer, key);
	put(writer, "[", 1);
}

void end_list(struct writer *writer) {
	put(writer, "]", 1);
}

void put_integer(struct writer *writer, const char *key, int64_t value) {
	char digits[INTEGER_LEN];
	char *at = digits + sizeof(digits);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do
		*--at = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (value < 0)
		*--at = '-';
	put_key(writer, key);
	put(writer, at, (size_t)(digits + sizeof(digits) - at));
}

void put_boolean(struct writer *writer, const char *key, bool value) {
	put_key(writer, key);
	put(writer, value ? "true" : "false", value ? 4 : 5);
}

void put_null(struct writer *writer, const char *key) {
	put_key(writer, key);
	put(writer, "null", 4);
}

static bool between(unsigned char byte, unsigned char first, unsigned char last) {
	return byte >= first && byte <= last;
}

// Length of the character at the start of a terminated text (RFC 3629, clause 4), or 0.
static size_t character(const unsigned char *text) {
	const unsigned char first = text[0];
	const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	const size_t len = first < 0x80			? 1
			   : between(first, 0xc2, 0xdf) ? 2
			   : between(first, 0xe0, 0xef) ? 3
			   : between(first, 0xf0, 0xf4) ? 4
							: 0;

	if (len > 1 && !between(text[1], low, high))
		return 0;
	for (size_t i = 2; i < len; i++)
		if (!between(text[i], 0x80, 0xbf))
			return 0;
	return len;
}

void put_string(struct writer *writer, const char *key, const char *value) {
	put_key(writer, key);
	put(writer, "\"", 1);
	while (*value != '\0') {
		const unsigned char *at = (const unsigned char *)value;
		const size_t len = character(at);
		char escape[8];

		if (*at == '"' || *at == '\\') {
			put(writer, "\\", 1);
			put(writer, value, 1);
		} else if (*at < ' ' || len == 0) {
			snprintf(escape, sizeof(escape), "\\u%04x", len == 0 ? 0xfffd : *at);
			put(writer, escape, 6);
		} else {
			put(writer, value, len);
		}
		value += len > 0 ? len : 1;
	}
	put(writer, "\"", 1);
}

void put_hex(struct writer *writer, const char *key, const uint8_t *bytes, size_t len) {
	static const char digits[] = "0123456789abcdef";

	put_key(writer, key);
	put_json(writer, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		const char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};

		put_json(writer, pair, sizeof(pair));
	}
	put_json(writer, "\"", 1);
}

void put_json(struct writer *writer, const char *json, size_t len) {
	put(writer, json, len);
}

void put_newline(struct writer *writer) {
	put(writer, "\n", 1);
}
