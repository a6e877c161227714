#include "datapath/rules_edit.h"

static uint32_t link_of(uint32_t number, unsigned which) {
	return rule_at(number)->state->links[which];
}

static uint32_t oldest(const struct table *ends, uint32_t number) {
	struct match_key key;
	struct key_words words;

	ends_kind.key(number, &key);
	memcpy(&words, &key, sizeof(words));
	return table_find_key(ends, &ends_kind, &words);
}

void ring_append(struct rules_change *change, struct table *ends, uint32_t number) {
	const uint32_t first = oldest(ends, number);

	if (first == SLAB_NONE) {
		change_link(change, number, OLDER, number);
		change_link(change, number, YOUNGER, number);
		table_insert(ends, &ends_kind, number);
		return;
	}

	const uint32_t last = link_of(first, OLDER);

	change_link(change, number, OLDER, last);
	change_link(change, number, YOUNGER, first);
	change_link(change, last, YOUNGER, number);
	change_link(change, first, OLDER, number);
}

void ring_remove(struct rules_change *change, struct table *ends, uint32_t number) {
	const uint32_t older = link_of(number, OLDER), younger = link_of(number, YOUNGER);

	if (younger == number) {
		table_remove(ends, &ends_kind, number);
	} else {
		change_link(change, older, YOUNGER, younger);
		change_link(change, younger, OLDER, older);
		if (oldest(ends, number) == number)
			table_replace(ends, &ends_kind, number, younger);
	}
}

void ring_replace(struct rules_change *change, struct table *ends, uint32_t number, uint32_t next) {
	change_link(change, link_of(number, OLDER), YOUNGER, next);
	change_link(change, link_of(number, YOUNGER), OLDER, next);
	if (oldest(ends, number) == number)
		table_replace(ends, &ends_kind, number, next);
}
