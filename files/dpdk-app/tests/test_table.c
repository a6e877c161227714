#include "tests/rules_help.h"

#include "datapath/slab.h"
#include "datapath/table.h"

// What no search shows: a table that answers as it should, but slower than it could, and memory
// that is not given back.

enum { VALUES = 3000 };

static struct match_key keys[VALUES];
static uint16_t priorities[VALUES];

static void key(uint32_t value, struct match_key *of) {
	*of = keys[value];
}

static uint16_t priority(uint32_t value) {
	return priorities[value];
}

static const struct table_kind kind = {.key = key, .priority = priority};

static struct match_key mask_of(unsigned bytes) {
	struct match_key mask = {.kind = 0};

	memset(mask.source_ip, 0xff, bytes);
	return mask;
}

// A value under the mask of that many bytes, with a key of its own.
static void insert(struct table *table, unsigned bytes, uint32_t value, uint16_t of) {
	const struct match_key mask = mask_of(bytes);

	keys[value] = (struct match_key){.number = table_add_mask(table, &mask)};
	const uint64_t scattered = value * 0x9e3779b97f4a7c15;

	memcpy(keys[value].source_ip, &scattered, sizeof(scattered));
	memcpy(keys[value].destination_ip, &value, sizeof(value));
	priorities[value] = of;
	table_insert(table, &kind, value);
}

static struct table *empty(size_t room) {
	struct table *table = table_copy(NULL, &kind, room);

	assert_non_null(table);
	return table;
}

static unsigned overflow(const struct table *table) {
	unsigned sum = 0;

	for (uint32_t i = 0; i < table->buckets_len; i++)
		sum += table->buckets[i].overflow;
	return sum;
}

static void nothing_is_beyond_the_buckets_of_an_empty_table(void **state) {
	struct table *table = empty(VALUES);

	UNUSED_STATE;
	for (uint32_t value = 1; value < VALUES; value++)
		insert(table, 2, value, 0);
	assert_true(overflow(table) > 0);
	assert_true(overflow(table) < VALUES / 20);
	for (uint32_t value = 1; value < VALUES; value++)
		table_remove(table, &kind, value);
	assert_int_equal(overflow(table), 0);
	table_free(table);
}

static const struct table_mask *nth(const struct table *table, unsigned n) {
	return &table->masks[table->order[n]];
}

static void masks_are_in_order_of_the_best_that_they_may_find(void **state) {
	struct table *table = empty(8);

	UNUSED_STATE;
	insert(table, 2, 1, 5);
	insert(table, 2, 2, 9);
	insert(table, 2, 7, 4);
	insert(table, 3, 3, 7);
	insert(table, 4, 4, 7);
	table = table_finish(table, &kind);
	assert_int_equal(table->masks_len, 3);
	assert_int_equal(nth(table, 0)->score, table_score(9, 1));
	assert_int_equal(nth(table, 1)->score, table_score(7, 3));
	assert_int_equal(nth(table, 2)->score, table_score(7, 2));

	table_remove(table, &kind, 2); // the best of its mask: the next one is found
	table_remove(table, &kind, 4); // the last of its mask
	table = table_finish(table, &kind);
	assert_int_equal(table->masks_len, 2);
	assert_int_equal(nth(table, 0)->score, table_score(7, 2));
	assert_int_equal(nth(table, 1)->score, table_score(5, 1));

	priorities[5] = 8;
	keys[5] = keys[1];
	table_replace(table, &kind, 1, 5);
	table = table_finish(table, &kind);
	assert_int_equal(nth(table, 0)->score, table_score(8, 1));

	priorities[6] = 1;
	keys[6] = keys[5];
	table_replace(table, &kind, 5, 6);
	table = table_finish(table, &kind);
	assert_int_equal(nth(table, 1)->score, table_score(4, 1));
	table_free(table);
}

static void a_table_is_as_large_as_what_is_in_it(void **state) {
	struct table *table = empty(VALUES);
	const size_t full = table_memory(table);

	UNUSED_STATE;
	for (uint32_t value = 1; value < VALUES; value++)
		insert(table, 2, value, 0);
	table = table_finish(table, &kind);
	assert_int_equal(table_memory(table), full);
	for (uint32_t value = 1; value < VALUES - 10; value++)
		table_remove(table, &kind, value);
	table = table_finish(table, &kind);
	assert_true(table_memory(table) < full / 10);

	struct table *copy = table_copy(table, &kind, 1);

	assert_int_equal(table_memory(copy), table_memory(table));
	for (uint32_t value = VALUES - 10; value < VALUES; value++) {
		struct key_words words;

		memcpy(&words, &keys[value], sizeof(words));
		assert_int_equal(table_find_key(copy, &kind, &words), value);
	}
	table_free(copy);
	table_free(table);
}

static void a_slab_fills_its_lowest_chunks_and_gives_the_others_back(void **state) {
	struct slab slab = {.name = "test", .size = 24};
	uint32_t numbers[3 * SLAB_CHUNK_LEN];
	const size_t chunk = 24 * SLAB_CHUNK_LEN;

	UNUSED_STATE;
	for (unsigned i = 0; i < RTE_DIM(numbers); i++) {
		numbers[i] = slab_take(&slab);
		assert_int_not_equal(numbers[i], SLAB_NONE);
		memset(slab_at(&slab, numbers[i], 24), (int)i, 24);
	}
	assert_int_equal(slab.used, RTE_DIM(numbers));
	assert_int_equal(slab_memory(&slab), 4 * chunk); // number 0 is of no object
	for (unsigned i = 0; i < RTE_DIM(numbers); i++) {
		uint8_t bytes[24];

		memset(bytes, (int)i, sizeof(bytes));
		assert_memory_equal(slab_at(&slab, numbers[i], 24), bytes, sizeof(bytes));
		assert_int_equal(slab_number(&slab, slab_at(&slab, numbers[i], 24)), numbers[i]);
	}

	slab_give(&slab, numbers[7]);
	assert_int_equal(slab_take(&slab), numbers[7]);
	for (unsigned i = 0; i < SLAB_CHUNK_LEN - 1; i++) // all of the lowest chunk
		slab_give(&slab, numbers[i]);
	assert_int_equal(slab_memory(&slab), 3 * chunk);
	for (unsigned i = SLAB_CHUNK_LEN - 1; i < RTE_DIM(numbers); i++)
		slab_give(&slab, numbers[i]);
	assert_int_equal(slab_memory(&slab), 0);
	assert_int_equal(slab.used, 0);
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(nothing_is_beyond_the_buckets_of_an_empty_table),
		cmocka_unit_test(masks_are_in_order_of_the_best_that_they_may_find),
		cmocka_unit_test(a_table_is_as_large_as_what_is_in_it),
		cmocka_unit_test(a_slab_fills_its_lowest_chunks_and_gives_the_others_back),
	};

	begin();
	// By chance, a run in some thousand would have no bucket that is full.
	for (unsigned i = 0; i < KEY_WORDS; i++)
		table_secret[i] = (i + 1) * 0x9e3779b97f4a7c15;

	return cmocka_run_group_tests(whole, NULL, NULL);
}
