#include "datapath/table.h"

#include <stdlib.h>
#include <sys/random.h>

#include <rte_malloc.h>

// Of the ten places of a bucket, as many as are taken on average: when a table is made, when it is
// made anew because it is too full, and because it is too empty.
enum {
	LOAD_MADE = 5,
	LOAD_MOST = 6,
	LOAD_LEAST = 3,
};

uint64_t table_secret[KEY_WORDS];

bool table_init(void) {
	return getrandom(table_secret, sizeof(table_secret), 0) == sizeof(table_secret);
}

static size_t size_of(uint32_t buckets_len) {
	return sizeof(struct table) + buckets_len * sizeof(struct bucket);
}

size_t table_memory(const struct table *table) {
	return table != NULL ? size_of(table->buckets_len) : 0;
}

void table_free(struct table *table) {
	rte_free(table);
}

static uint32_t buckets_for(size_t len) {
	return (uint32_t)(len / LOAD_MADE + 1);
}

static struct bucket *next_bucket(struct table *table, struct bucket *bucket) {
	return ++bucket < table->buckets + table->buckets_len ? bucket : table->buckets;
}

static struct key_words words_of(const struct table_kind *kind, uint32_t value) {
	struct match_key key;
	struct key_words words;

	kind->key(value, &key);
	memcpy(&words, &key, sizeof(words));
	return words;
}

// There is room: the average load is below that of a full bucket.
static void put(struct table *table, uint64_t hash, uint32_t value) {
	struct bucket *bucket = &table->buckets[hash_bucket(table, hash)];
	unsigned places;

	while ((places = bucket_candidates(bucket, 0)) == 0) {
		bucket->overflow++;
		bucket = next_bucket(table, bucket);
	}

	const int place = __builtin_ctz(places);

	bucket->signatures[place] = hash_signature(hash);
	bucket->values[place] = value;
}

// The same keys in another number of buckets. NULL: no memory.
static struct table *made_anew(const struct table *table, const struct table_kind *kind,
			       uint32_t buckets_len) {
	struct table *made = rte_zmalloc("table", size_of(buckets_len), RTE_CACHE_LINE_SIZE);

	if (made == NULL)
		return NULL;
	if (table != NULL)
		memcpy(made, table, sizeof(*made));
	made->buckets_len = buckets_len;

	for (uint32_t i = 0; table != NULL && i < table->buckets_len; i++) {
		for (unsigned k = 0; k < BUCKET_LEN; k++) {
			const uint32_t value = table->buckets[i].values[k];
			struct key_words words;

			if (table->buckets[i].signatures[k] == 0)
				continue;
			words = words_of(kind, value);
			put(made, key_hash(&words), value);
		}
	}
	return made;
}

struct table *table_copy(const struct table *table, const struct table_kind *kind, size_t more) {
	const size_t len = (table != NULL ? table->len : 0) + more;
	struct table *copy;

	if (table == NULL || len > (size_t)table->buckets_len * LOAD_MOST)
		return made_anew(table, kind, buckets_for(len));

	copy = rte_malloc("table", table_memory(table), RTE_CACHE_LINE_SIZE);
	if (copy != NULL)
		memcpy(copy, table, table_memory(table));
	return copy;
}

static uint8_t find_mask(const struct table *table, const struct match_key *mask) {
	for (uint8_t i = 0; i < TABLE_MASKS_MAX; i++)
		if (table->masks[i].len > 0 &&
		    memcmp(&table->masks[i].mask, mask, sizeof(*mask)) == 0)
			return i;
	return TABLE_NO_MASK;
}

uint8_t table_add_mask(struct table *table, const struct match_key *mask) {
	const uint8_t known = find_mask(table, mask);

	if (known != TABLE_NO_MASK)
		return known;
	for (uint8_t i = 0; i < TABLE_MASKS_MAX; i++) {
		if (table->masks[i].len > 0)
			continue;
		table->masks[i] = (struct table_mask){.mask = *mask};
		return i;
	}
	return TABLE_NO_MASK;
}

uint32_t table_find_key(const struct table *table, const struct table_kind *kind,
			const struct key_words *words) {
	const uint64_t hash = key_hash(words);
	uint32_t at = hash_bucket(table, hash);

	for (uint32_t i = 0; i < table->buckets_len; i++) {
		const struct bucket *bucket = &table->buckets[at];
		unsigned places = bucket_candidates(bucket, hash_signature(hash));

		for (; places != 0; places &= places - 1) {
			const uint32_t value = bucket->values[__builtin_ctz(places)];
			struct match_key key;

			kind->key(value, &key);
			if (key_equals(words, &key, false))
				return value;
		}
		if (bucket->overflow == 0)
			return 0;
		at = at + 1 < table->buckets_len ? at + 1 : 0;
	}
	return 0;
}

uint32_t table_find(const struct table *table, const struct table_kind *kind,
		    const struct match *match) {
	const uint8_t number = find_mask(table, &match->mask);

	if (number == TABLE_NO_MASK)
		return 0;

	const struct key_words words = key_under(&match->key, &match->mask, number, false);

	return table_find_key(table, kind, &words);
}

static void count_in(struct table_mask *mask, uint16_t priority) {
	if (mask->len == 0 || priority > mask->top) {
		mask->top = priority;
		mask->top_len = 0;
	}
	mask->top_len += priority == mask->top;
	mask->len++;
}

// Where the highest priority is gone, table_finish() finds the next one.
static void count_out(struct table_mask *mask, uint16_t priority) {
	mask->top_len -= mask->top_len > 0 && priority == mask->top;
	mask->len--;
}

static struct table_mask *mask_of(struct table *table, const struct table_kind *kind,
				  uint32_t value) {
	struct match_key key;

	kind->key(value, &key);
	return &table->masks[key.number];
}

void table_insert(struct table *table, const struct table_kind *kind, uint32_t value) {
	const struct key_words words = words_of(kind, value);

	put(table, key_hash(&words), value);
	table->len++;
	count_in(mask_of(table, kind, value), kind->priority(value));
}

// The bucket that has a value, with its place; those before it on its way count one key less, or
// more.
static struct bucket *locate(struct table *table, const struct table_kind *kind, uint32_t value,
			     unsigned *place, int passed) {
	const struct key_words words = words_of(kind, value);
	const uint64_t hash = key_hash(&words);
	struct bucket *bucket = &table->buckets[hash_bucket(table, hash)];

	for (;; bucket = next_bucket(table, bucket)) {
		unsigned places = bucket_candidates(bucket, hash_signature(hash));

		for (; places != 0; places &= places - 1) {
			*place = (unsigned)__builtin_ctz(places);
			if (bucket->values[*place] == value)
				return bucket;
		}
		bucket->overflow = (uint16_t)(bucket->overflow + passed);
	}
}

void table_remove(struct table *table, const struct table_kind *kind, uint32_t value) {
	unsigned place;
	struct bucket *bucket = locate(table, kind, value, &place, -1);

	bucket->signatures[place] = 0;
	table->len--;
	count_out(mask_of(table, kind, value), kind->priority(value));
}

void table_replace(struct table *table, const struct table_kind *kind, uint32_t value,
		   uint32_t next) {
	struct table_mask *mask = mask_of(table, kind, value);
	unsigned place;

	locate(table, kind, value, &place, 0)->values[place] = next;
	count_in(mask, kind->priority(next));
	count_out(mask, kind->priority(value));
}

// Finds the highest priorities that are not known any more.
static void count_tops(struct table *table, const struct table_kind *kind) {
	bool unknown[TABLE_MASKS_MAX];
	bool any = false;

	for (unsigned i = 0; i < TABLE_MASKS_MAX; i++) {
		struct table_mask *mask = &table->masks[i];

		unknown[i] = mask->len > 0 && mask->top_len == 0;
		any |= unknown[i];
		if (unknown[i])
			mask->top = 0;
	}

	for (uint32_t i = 0; any && i < table->buckets_len; i++) {
		const struct bucket *bucket = &table->buckets[i];

		for (unsigned k = 0; k < BUCKET_LEN; k++) {
			if (bucket->signatures[k] == 0)
				continue;

			struct table_mask *mask = mask_of(table, kind, bucket->values[k]);

			if (!unknown[mask - table->masks])
				continue;
			mask->len--; // counted in again
			count_in(mask, kind->priority(bucket->values[k]));
		}
	}
}

static int by_rank(const void *a, const void *b) {
	const struct table_mask *const *x = a, *const *y = b;
	const unsigned bits_x = match_bits(&(*x)->mask), bits_y = match_bits(&(*y)->mask);

	if (bits_x != bits_y)
		return bits_x < bits_y ? -1 : 1;
	return memcmp(&(*x)->mask, &(*y)->mask, sizeof((*x)->mask));
}

static int by_score(const void *a, const void *b) {
	const struct table_mask *const *x = a, *const *y = b;

	return (*x)->score < (*y)->score ? 1 : -1;
}

static void order_masks(struct table *table) {
	struct table_mask *masks[TABLE_MASKS_MAX];
	uint32_t len = 0;

	for (unsigned i = 0; i < TABLE_MASKS_MAX; i++)
		if (table->masks[i].len > 0)
			masks[len++] = &table->masks[i];

	qsort(masks, len, sizeof(masks[0]), by_rank);
	for (uint32_t i = 0; i < len; i++) {
		masks[i]->rank = (uint16_t)(i + 1);
		masks[i]->score = table_score(masks[i]->top, masks[i]->rank);
	}

	qsort(masks, len, sizeof(masks[0]), by_score);
	for (uint32_t i = 0; i < len; i++)
		table->order[i] = (uint8_t)(masks[i] - table->masks);
	table->masks_len = len;
}

struct table *table_finish(struct table *table, const struct table_kind *kind) {
	struct table *smaller = NULL;

	count_tops(table, kind);
	order_masks(table);
	if (table->buckets_len > buckets_for(table->len) &&
	    (size_t)table->len < (size_t)table->buckets_len * LOAD_LEAST)
		smaller = made_anew(table, kind, buckets_for(table->len));
	if (smaller == NULL)
		return table;

	table_free(table);
	return smaller;
}
