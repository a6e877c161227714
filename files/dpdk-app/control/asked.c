#include "control/asked.h"

#include <stdlib.h>
#include <string.h>

enum {
	VM_SHIFT = 48,
	WORDS = sizeof(struct match) / sizeof(uint64_t),
};

// Equal rules have equal keys. Different ones may, too: it only costs time.
static uint64_t key_of(uint16_t vm, const struct match *match) {
	uint64_t words[WORDS], hash = 0;

	memcpy(words, match, sizeof(words));
	for (unsigned i = 0; i < WORDS; i++) {
		hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return (uint64_t)vm << VM_SHIFT | hash >> (64 - VM_SHIFT);
}

static int compare(const void *a, const void *b, void *of) {
	const struct place *first = a, *second = b;
	const struct asked *asked = of;

	if (first->key != second->key)
		return first->key < second->key ? -1 : 1;

	const int order = match_compare(&asked->rules[first->index].match,
					&asked->rules[second->index].match);

	return order != 0 ? order : first->index < second->index ? -1 : 1;
}

static bool read_items(const json_t *list, rule_decoder *decode, struct asked *asked,
		       struct rpc_error *error) {
	for (size_t i = 0; i < asked->len; i++) {
		struct rule_spec *rule = &asked->rules[i];

		error->index = (int)i;
		if (!decode(json_array_get(list, i), rule, error))
			return false;
		asked->sorted[i] = (struct place){key_of(rule->vm, &rule->match), (uint32_t)i};
	}
	error->index = RPC_NO_INDEX;
	return true;
}

bool asked_read(const json_t *list, rule_decoder *decode, struct asked *asked,
		struct rpc_error *error) {
	const size_t len = json_array_size(list);

	*asked = (struct asked){
		.len = len,
		.rules = calloc(len + 1, sizeof(asked->rules[0])),
		.sorted = calloc(len + 1, sizeof(asked->sorted[0])),
	};
	if (asked->rules == NULL || asked->sorted == NULL) {
		asked_free(asked);
		return rpc_fail(error, RPC_NO_CAPACITY, "no memory left; give fewer rules at once");
	}
	if (!read_items(list, decode, asked, error)) {
		asked_free(asked);
		return false;
	}
	qsort_r(asked->sorted, len, sizeof(asked->sorted[0]), compare, asked);
	return true;
}

void asked_free(struct asked *asked) {
	free(asked->rules);
	free(asked->sorted);
	*asked = (struct asked){0};
}

static bool same(const struct asked *asked, const struct place *a, const struct place *b) {
	return a->key == b->key &&
	       match_compare(&asked->rules[a->index].match, &asked->rules[b->index].match) == 0;
}

bool asked_is_distinct(const struct asked *asked, struct rpc_error *error) {
	for (size_t i = 1; i < asked->len; i++) {
		const struct place *first = &asked->sorted[i - 1], *second = &asked->sorted[i];

		if (!same(asked, first, second))
			continue;
		error->index = (int)second->index;
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"rules[%u] and rules[%u] are for the same match of VM %u; give one "
				"of them",
				first->index, second->index, asked->rules[first->index].vm);
	}
	return true;
}

uint32_t asked_find(const struct asked *asked, uint16_t vm, const struct match *match) {
	const uint64_t key = key_of(vm, match);
	size_t low = 0, high = asked->len;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (asked->sorted[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < asked->len && asked->sorted[low].key == key; low++)
		if (match_compare(&asked->rules[asked->sorted[low].index].match, match) == 0)
			return asked->sorted[low].index;
	return ASKED_NONE;
}
