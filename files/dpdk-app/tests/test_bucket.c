#include "tests/table.h"

#include "core/bucket.h"

enum { HZ = 1000 }; // ticks per second, where a row does not need another

struct step {
	uint64_t now;
	uint64_t bits;
	bool passes;
};

struct bucket_row {
	const char *name;
	uint64_t hz, rate, burst;
	struct step steps[6];
};

#define GBIT 1000000000ULL

static const struct bucket_row buckets[] = {
	{"a new bucket is full", HZ, 1000, 800, {{0, 800, true}, {0, 1, false}}},
	{"exactly the bucket passes", HZ, 1, 672, {{0, 672, true}}},
	{"one bit more than the bucket does not", HZ, 1, 672, {{0, 673, false}}},
	{"a refused packet takes nothing", HZ, 1, 672, {{0, 673, false}, {0, 672, true}}},
	{"tokens come with the rate",
	 HZ,
	 1000,
	 800,
	 {{0, 800, true}, {499, 500, false}, {500, 500, true}, {500, 1, false}}},
	{"fractions of a bit are kept",
	 HZ,
	 1,
	 1,
	 {{0, 1, true}, {333, 1, false}, {666, 1, false}, {999, 1, false}, {1000, 1, true}}},
	{"no more than the burst is saved up",
	 HZ,
	 1000,
	 800,
	 {{0, 800, true}, {1000000, 801, false}, {1000000, 800, true}, {1000000, 1, false}}},
	{"time that runs back earns nothing",
	 HZ,
	 1000,
	 800,
	 {{1000, 800, true}, {900, 1, false}, {1000, 1, false}, {1001, 1, true}}},
	{"400 Gbit/s for a day does not overflow",
	 5 * GBIT,
	 400 * GBIT,
	 INT64_MAX,
	 {{0, INT64_MAX, true},
	  {5 * GBIT, 400 * GBIT, true},
	  {5 * GBIT, 1, false},
	  {86400 * 5 * GBIT, 86399 * 400 * GBIT, true},
	  {86400 * 5 * GBIT, 1, false}}},
	{"the largest rate and burst over the longest time do not overflow",
	 5 * GBIT,
	 INT64_MAX,
	 INT64_MAX,
	 {{0, INT64_MAX, true}, {UINT64_MAX, INT64_MAX, true}, {UINT64_MAX, 1, false}}},
};

static void check_bucket(void **state) {
	const struct bucket_row *row = *state;
	struct bucket bucket;

	bucket_init(&bucket, row->hz, row->rate, row->burst, 0);
	for (const struct step *step = row->steps; step->bits != 0; step++)
		assert_int_equal(bucket_take(&bucket, step->bits, step->now), step->passes);
}

struct change_row {
	const char *name;
	uint64_t taken; // of 800 at tick 0
	uint64_t rate, burst, when;
	uint64_t left; // at that tick
};

static const struct change_row changes[] = {
	{"an update does not refill", 800, 1000, 800, 0, 0},
	{"a larger burst brings no tokens", 800, 1000, 8000, 0, 0},
	{"a smaller burst cuts what is saved", 0, 1000, 300, 0, 300},
	{"time before the update counts at the old rate", 800, 1000000, 800, 100, 100},
};

static void check_change(void **state) {
	const struct change_row *row = *state;
	struct bucket bucket;

	bucket_init(&bucket, HZ, 1000, 800, 0);
	assert_true(bucket_take(&bucket, row->taken, 0));
	bucket_change(&bucket, row->rate, row->burst, row->when);
	assert_false(bucket_take(&bucket, row->left + 1, row->when));
	assert_true(bucket_take(&bucket, row->left, row->when));
}

static void a_refund_gives_back_and_never_more_than_the_bucket_holds(void **state) {
	struct bucket bucket;

	(void)state;
	bucket_init(&bucket, HZ, 1000, 800, 0);
	assert_true(bucket_take(&bucket, 800, 0));
	bucket_refund(&bucket, 300);
	assert_false(bucket_take(&bucket, 301, 0));
	bucket_refund(&bucket, 5000);
	assert_false(bucket_take(&bucket, 801, 0));
	assert_true(bucket_take(&bucket, 800, 0));
}

struct wire_row {
	const char *name;
	size_t frame_len;
	unsigned tags;
	uint64_t bits;
};

static const struct wire_row costs[] = {
	// 8 preamble + 14 header + 4 FCS + 12 gap + 100 IP + 4 * 3 tags
	{"a frame costs its headers, gap and tags too", 114, 3, 8 * (8 + 14 + 4 + 12 + 100 + 12)},
	{"a short frame costs the minimum", 42, 0, 8 * 84},
	{"tags fill up a short frame", 42, 3, 8 * 84},
	{"60 bytes without tags are the minimum", 60, 0, 8 * 84},
	{"one byte above the minimum counts", 61, 0, 8 * 85},
	{"ten tags count", 1514, 10, 8 * (1514 + 4 + 40 + 20)},
};

static void check_cost(void **state) {
	const struct wire_row *row = *state;

	assert_int_equal(wire_bits(row->frame_len, row->tags), row->bits);
}

int main(void) {
	const struct CMUnitTest refunds[] = {
		cmocka_unit_test(a_refund_gives_back_and_never_more_than_the_bucket_holds),
	};

	return RUN_TABLE(buckets, check_bucket) + RUN_TABLE(changes, check_change) +
	       RUN_TABLE(costs, check_cost) + cmocka_run_group_tests(refunds, NULL, NULL);
}
