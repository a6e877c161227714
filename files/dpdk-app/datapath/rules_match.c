#include <rte_prefetch.h>

#include "datapath/rules_table.h"

// A burst on its way through the masks of a table. The stages are apart, so that what a stage reads
// was fetched from memory while the others of the burst were in the one before.
struct search {
	const struct match_key *keys;
	const struct rule **found;
	unsigned len;		      // frames that may still find a better rule
	uint8_t frames[RULES_BURST];  // which ones
	uint32_t scores[RULES_BURST]; // of what each frame of the burst has found; 0: nothing
	uint64_t hashes[RULES_BURST];
	const struct bucket *buckets[RULES_BURST];
	const struct rule *candidates[RULES_BURST];
};

static void find_buckets(struct search *search, const struct table *table, uint8_t number) {
	const struct match_key *mask = &table->masks[number].mask;

	for (unsigned i = 0; i < search->len; i++) {
		const struct key_words words = key_under(&search->keys[search->frames[i]], mask,
							 number);

		search->hashes[i] = key_hash(&words);
		search->buckets[i] = &table->buckets[hash_bucket(table, search->hashes[i])];
		rte_prefetch0(search->buckets[i]);
	}
}

static void find_candidates(struct search *search) {
	for (unsigned i = 0; i < search->len; i++) {
		const struct bucket *bucket = search->buckets[i];
		const unsigned places = bucket_candidates(bucket,
							  hash_signature(search->hashes[i]));

		search->candidates[i] = NULL;
		if (places == 0)
			continue;
		search->candidates[i] = rule_at(bucket->values[__builtin_ctz(places)]);
		rte_prefetch0(search->candidates[i]);
		rte_prefetch0(&search->candidates[i]->tags);
	}
}

static const struct rule *confirm(const struct search *search, unsigned i,
				  const struct table *table, uint8_t number) {
	const struct rule *candidate = search->candidates[i];
	const struct key_words words = key_under(&search->keys[search->frames[i]],
						 &table->masks[number].mask, number);

	if (likely(candidate != NULL && key_equals(&words, &candidate->key)))
		return candidate;
	if (likely(candidate == NULL && search->buckets[i]->overflow == 0))
		return NULL;

	const uint32_t value = table_find_key(table, &rule_kind, &words);

	return value != 0 ? rule_at(value) : NULL;
}

static void take_better(struct search *search, const struct table *table, uint8_t number) {
	const uint16_t rank = table->masks[number].rank;

	for (unsigned i = 0; i < search->len; i++) {
		const struct rule *rule = confirm(search, i, table, number);
		const unsigned frame = search->frames[i];

		if (rule == NULL)
			continue;

		const uint32_t score = table_score(rule->priority, rank);

		if (score <= search->scores[frame])
			continue;
		search->scores[frame] = score;
		search->found[frame] = rule;
		rte_prefetch0(rule->state);
		rte_prefetch0(&rule->state->epoch);
	}
}

static void keep_unsettled(struct search *search, uint32_t score) {
	unsigned kept = 0;

	for (unsigned i = 0; i < search->len; i++) {
		const uint8_t frame = search->frames[i];

		search->frames[kept] = frame;
		kept += search->scores[frame] < score;
	}
	search->len = kept;
}

// ARP and neighbour discovery are rare, and searched one by one.
static const struct rule *find_neighbour(const struct table *table, const struct match_key *key) {
	const struct rule *found = NULL;
	uint32_t best = 0;

	for (unsigned i = 0; i < table->masks_len; i++) {
		const uint8_t number = table->order[i];
		const struct table_mask *mask = &table->masks[number];

		if (mask->score <= best)
			break;

		const struct key_words words = key_under(key, &mask->mask, number);
		const uint32_t value = table_find_key(table, &ends_kind, &words);
		const struct rule *rule = value != 0 ? rule_at(value) : NULL;

		if (rule == NULL || table_score(rule->priority, mask->rank) <= best)
			continue;
		best = table_score(rule->priority, mask->rank);
		found = rule;
	}
	return found;
}

void rules_match(const struct rule_table *table, const struct match_key keys[], unsigned len,
		 const struct rule *found[]) {
	struct search search; // is filled as far as frames are there

	search.keys = keys;
	search.found = found;
	search.len = 0;
	for (unsigned i = 0; i < len; i++) {
		found[i] = NULL;
		search.scores[i] = 0;
		if (unlikely(table != NULL && (keys[i].kind & KIND_NEIGHBOUR) != 0))
			found[i] = find_neighbour(table->ends, &keys[i]);
		if (likely(found[i] == NULL))
			search.frames[search.len++] = (uint8_t)i;
	}
	if (table == NULL)
		return;

	for (unsigned i = 0; i < table->rules->masks_len && search.len > 0; i++) {
		const uint8_t number = table->rules->order[i];

		keep_unsettled(&search, table->rules->masks[number].score);
		find_buckets(&search, table->rules, number);
		find_candidates(&search);
		take_better(&search, table->rules, number);
	}
}
