#include <rte_prefetch.h>

#include "datapath/rules_table.h"

// A burst on its way through the masks of a table. The stages are apart, so that what a stage reads
// was fetched from memory while the others of the burst were in the one before.
struct search {
	const struct match_key *keys;
	const struct rule **found;
	unsigned len;		     // frames that may still find a better rule
	uint8_t frames[RULES_BURST]; // which ones
	uint64_t hashes[RULES_BURST];
	const struct bucket *buckets[RULES_BURST];
	const struct rule *candidates[RULES_BURST];
};

// A mask, with what makes its search short: constants, so that each way has a loop of its own.
struct search_mask {
	const struct table *table;
	uint8_t number;
	bool narrow; // mask_is_narrow()
	bool first;  // no frame has found a rule yet: frames[i] is i
};

static __rte_always_inline unsigned frame_at(const struct search *search,
					     const struct search_mask by, unsigned i) {
	return by.first ? i : search->frames[i];
}

static __rte_always_inline struct key_words key_at(const struct search *search,
						   const struct search_mask by, unsigned i) {
	return key_under(&search->keys[frame_at(search, by, i)], &by.table->masks[by.number].mask,
			 by.number, by.narrow);
}

static __rte_always_inline void find_buckets(struct search *search, const struct search_mask by) {
	for (unsigned i = 0; i < search->len; i++) {
		const struct key_words words = key_at(search, by, i);

		search->hashes[i] = key_hash(&words);
		search->buckets[i] = &by.table->buckets[hash_bucket(by.table, search->hashes[i])];
		rte_prefetch0(search->buckets[i]);
	}
}

static inline void find_candidates(struct search *search) {
	for (unsigned i = 0; i < search->len; i++) {
		const struct bucket *bucket = search->buckets[i];
		const unsigned places = bucket_candidates(bucket,
							  hash_signature(search->hashes[i]));
		const struct rule *rule = NULL;

		if (likely(places != 0)) {
			rule = rule_at(bucket->values[__builtin_ctz(places)]);
			rte_prefetch0(rule);
			rte_prefetch0(&rule->tags);
		}
		search->candidates[i] = rule;
	}
}

// A bucket's other candidates, and the buckets after it. Rare, and so out of line.
static __rte_noinline const struct rule *search_on(const struct table *table,
						   const struct match_key *key, uint8_t number) {
	const struct key_words words = key_under(key, &table->masks[number].mask, number, false);
	const uint32_t value = table_find_key(table, &rule_kind, &words);

	return value != 0 ? rule_at(value) : NULL;
}

// Nearly always a candidate is the rule.
static __rte_always_inline const struct rule *confirm(const struct search *search,
						      const struct search_mask by, unsigned i) {
	const struct rule *candidate = search->candidates[i];
	const struct key_words words = key_at(search, by, i);

	if (likely(candidate != NULL && key_equals(&words, &candidate->key, by.narrow)))
		return candidate;
	if (likely(candidate == NULL && search->buckets[i]->overflow == 0))
		return NULL;
	return search_on(by.table, &search->keys[frame_at(search, by, i)], by.number);
}

static uint32_t score_of(const struct table *table, const struct rule *rule) {
	return table_score(rule->priority, table->masks[rule->key.number].rank);
}

static __rte_always_inline void take_better(struct search *search, const struct search_mask by) {
	for (unsigned i = 0; i < search->len; i++) {
		const struct rule *rule = confirm(search, by, i);
		const struct rule **found = &search->found[frame_at(search, by, i)];

		if (unlikely(rule == NULL))
			continue;
		if (!by.first && *found != NULL &&
		    score_of(by.table, rule) <= score_of(by.table, *found))
			continue;
		*found = rule;
		rte_prefetch0(rule->state);
		rte_prefetch0(&rule->state->shaper);
	}
}

static __rte_always_inline void search_by(struct search *search, const struct search_mask by) {
	find_buckets(search, by);
	find_candidates(search);
	take_better(search, by);
}

// Keeps the frames for which the rules under a mask may be better than what they have found.
static void keep_unsettled(struct search *search, const struct table *table, uint8_t number) {
	unsigned kept = 0;

	for (unsigned i = 0; i < search->len; i++) {
		const uint8_t frame = search->frames[i];
		const struct rule *found = search->found[frame];

		search->frames[kept] = frame;
		kept += found == NULL || score_of(table, found) < table->masks[number].score;
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

		const struct key_words words = key_under(key, &mask->mask, number, false);
		const uint32_t value = table_find_key(table, &ends_kind, &words);
		const struct rule *rule = value != 0 ? rule_at(value) : NULL;

		if (rule == NULL || table_score(rule->priority, mask->rank) <= best)
			continue;
		best = table_score(rule->priority, mask->rank);
		found = rule;
	}
	return found;
}

static void find_neighbours(struct search *search, const struct table *ends) {
	unsigned kept = 0;

	for (unsigned i = 0; i < search->len; i++) {
		if ((search->keys[i].kind & KIND_NEIGHBOUR) != 0)
			search->found[i] = find_neighbour(ends, &search->keys[i]);
		if (search->found[i] == NULL)
			search->frames[kept++] = (uint8_t)i;
	}
	search->len = kept;
}

void rules_match(const struct rule_table *table, const struct match_key keys[], unsigned len,
		 const struct rule *found[]) {
	struct search search; // is filled as far as frames are there
	unsigned kinds = 0;

	search.keys = keys;
	search.found = found;
	search.len = len;
	for (unsigned i = 0; i < len; i++) {
		found[i] = NULL;
		search.frames[i] = (uint8_t)i;
		kinds |= keys[i].kind;
	}
	if (unlikely(table == NULL))
		return;
	if (unlikely((kinds & KIND_NEIGHBOUR) != 0))
		find_neighbours(&search, table->ends);

	const struct table *const rules = table->rules;
	bool first = search.len == len;

	for (unsigned i = 0; i < rules->masks_len && search.len > 0; i++, first = false) {
		const uint8_t number = rules->order[i];
		const bool narrow = mask_is_narrow(&rules->masks[number].mask);

		if (i > 0)
			keep_unsettled(&search, rules, number);
		if (first && narrow)
			search_by(&search, (struct search_mask){rules, number, true, true});
		else if (narrow)
			search_by(&search, (struct search_mask){rules, number, true, false});
		else
			search_by(&search, (struct search_mask){rules, number, false, false});
	}
}
