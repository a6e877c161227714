#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/match.h"

// Tuple space search (Srinivasan, Suri and Varghese, 1999): a few masks, and one hash table of the
// keys under them. Data cores read a table that control has finished; it never changes again.

enum {
	TABLE_MASKS_MAX = 32,
	TABLE_NO_MASK = 0xff,
	BUCKET_LEN = 10,
};

// A mask, and what is known of the values under it.
struct table_mask {
	struct match_key mask; // number is 0
	uint32_t score;	       // of the best value that it may lead to, above 0
	uint32_t len;	       // keys
	uint32_t top_len;      // keys with the highest priority; 0: this has to be found anew
	uint16_t top;	       // the highest priority
	uint16_t rank;	       // 1 for the mask with the fewest bits of the table, and so on
};

// A cache line. A key belongs to the bucket that its hash says, or where this one is full, to one
// of the next: then each one that was full has it in its overflow.
struct bucket {
	uint16_t signatures[BUCKET_LEN]; // of the hash; 0: free
	uint16_t overflow;
	uint16_t unused;
	uint32_t values[BUCKET_LEN];
} __rte_cache_aligned;

struct table {
	uint32_t len; // keys
	uint32_t buckets_len;
	uint32_t masks_len;		// that have keys
	uint8_t order[TABLE_MASKS_MAX]; // their numbers, that of the highest score first
	struct table_mask masks[TABLE_MASKS_MAX] __rte_cache_aligned;
	struct bucket buckets[];
};

static_assert(sizeof(struct table_mask) == 64, "a mask takes one cache line");
static_assert(sizeof(struct bucket) == 64, "a bucket takes one cache line");

// What values are of: their key, with the number of its mask, and their priority.
struct table_kind {
	void (*key)(uint32_t value, struct match_key *key);
	uint16_t (*priority)(uint32_t value);
};

enum {
	KEY_WORDS = sizeof(struct match_key) / sizeof(uint64_t),
	NUMBER_AT = offsetof(struct match_key, number),
	NUMBER_WORD = NUMBER_AT / sizeof(uint64_t),
	NUMBER_SHIFT = NUMBER_AT % sizeof(uint64_t) * 8,
};

static_assert(RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN, "the first byte of a word is its lowest");

struct key_words {
	uint64_t word[KEY_WORDS];
};

// A copy of a table (NULL: an empty one) with room for that many more keys. NULL: no memory.
struct table *table_copy(const struct table *table, const struct table_kind *kind, size_t more);
void table_free(struct table *table);
size_t table_memory(const struct table *table);

// The number of a mask, which is added if it is new; or TABLE_NO_MASK: there are too many.
uint8_t table_add_mask(struct table *table, const struct match_key *mask);

// The value of this match, or 0.
uint32_t table_find(const struct table *table, const struct table_kind *kind,
		    const struct match *match);

// The value of this key, or 0.
uint32_t table_find_key(const struct table *table, const struct table_kind *kind,
			const struct key_words *words);

// The key of the value is new, is in the table, or is that of both.
void table_insert(struct table *table, const struct table_kind *kind, uint32_t value);
void table_remove(struct table *table, const struct table_kind *kind, uint32_t value);
void table_replace(struct table *table, const struct table_kind *kind, uint32_t value,
		   uint32_t next);

// Makes a table ready to be searched, and smaller if it can be.
struct table *table_finish(struct table *table, const struct table_kind *kind);

// What is best has the highest priority, and of these the most bits in its mask.
static inline uint32_t table_score(uint16_t priority, uint16_t rank) {
	return (uint32_t)priority << 16 | rank;
}

// Word by word: a copy of the whole key would be stored in other pieces than it is loaded again,
// which stalls a core longer than the search takes.
static inline uint64_t key_word(const struct match_key *key, unsigned i) {
	uint64_t word;

	memcpy(&word, (const uint8_t *)key + i * sizeof(word), sizeof(word));
	return word;
}

// True for a mask that leaves all but the first bytes of addresses open, as those of IPv4 do: under
// it words 3 and 5 are 0, and need not be looked at.
static inline bool mask_is_narrow(const struct match_key *mask) {
	return key_word(mask, 3) == 0 && key_word(mask, 5) == 0;
}

// A frame's key under a mask, with the mask's number, as a value's key is.
static __rte_always_inline struct key_words
key_under(const struct match_key *key, const struct match_key *mask, uint8_t number, bool narrow) {
	struct key_words words;

	for (unsigned i = 0; i < KEY_WORDS; i++)
		words.word[i] = narrow && (i == 3 || i == 5) ? 0
							     : key_word(key, i) & key_word(mask, i);
	words.word[NUMBER_WORD] |= (uint64_t)number << NUMBER_SHIFT;
	return words;
}

static __rte_always_inline bool key_equals(const struct key_words *words,
					   const struct match_key *key, bool narrow) {
	uint64_t difference = 0;

	for (unsigned i = 0; i < KEY_WORDS; i++)
		if (!narrow || (i != 3 && i != 5))
			difference |= words->word[i] ^ key_word(key, i);
	return difference == 0;
}

// Random, so that nobody can choose keys that meet in one bucket.
extern uint64_t table_secret[KEY_WORDS];
bool table_init(void); // false: no random numbers

// Both halves of a product: every bit of a and b counts in every bit of it.
static inline uint64_t fold(uint64_t a, uint64_t b) {
	__extension__ const unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static __rte_always_inline uint64_t key_hash(const struct key_words *words) {
	const uint64_t *w = words->word, *s = table_secret;

	return fold(w[0] ^ s[0], w[1] ^ s[1]) ^ fold(w[2] ^ s[2], w[4] ^ s[4]) ^ fold(w[3], s[3]) ^
	       fold(w[5], s[5]);
}

static inline uint32_t hash_bucket(const struct table *table, uint64_t hash) {
	return (uint32_t)((hash >> 32) * table->buckets_len >> 32);
}

static inline uint16_t hash_signature(uint64_t hash) {
	const uint16_t signature = (uint16_t)hash;

	return signature != 0 ? signature : 1;
}

// Which places of a bucket have this signature, as bits.
static inline unsigned bucket_candidates(const struct bucket *bucket, uint16_t signature) {
	unsigned places = 0;
#ifdef __SSE2__
	const __m128i *line = (const __m128i *)bucket;
	const __m128i wanted = _mm_set1_epi16((short)signature);
	const __m128i low = _mm_cmpeq_epi16(_mm_load_si128(line), wanted);
	const __m128i high = _mm_cmpeq_epi16(_mm_load_si128(line + 1), wanted);

	places = (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, high));
	places &= (1U << BUCKET_LEN) - 1;
#else
	for (unsigned i = 0; i < BUCKET_LEN; i++)
		places |= (unsigned)(bucket->signatures[i] == signature) << i;
#endif
	return places;
}
