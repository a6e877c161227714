#include "core/shaper.h"
#include "tests/table.h"

enum { HZ = 1000 };

struct row {
	const char *name;
	uint64_t rate_bps, burst_bits;
	struct {
		uint64_t now, bits;
		bool taken;
	} steps[4];
};

static const struct row takes[] = {
	{"exactly the burst passes", 1, 1000, {{0, 1000, true}, {0, 1, false}}},
	{"one bit more than the burst does not", 1, 1000, {{0, 1001, false}, {0, 1000, true}}},
	{"a tick earns the rate, not less",
	 1000,
	 1000,
	 {{0, 1000, true}, {1, 1, true}, {1, 1, false}}},
	{"a fraction of a bit is kept",
	 500,
	 1000,
	 {{0, 1000, true}, {1, 1, false}, {2, 1, true}, {2, 1, false}}},
	{"no more than the burst is earned",
	 1000,
	 1000,
	 {{0, 1000, true}, {1000000, 1001, false}, {1000000, 1000, true}}},
	{"time that runs back earns nothing",
	 1000,
	 1000,
	 {{10, 1000, true}, {9, 1, false}, {10, 1, false}, {11, 1, true}}},
	{"bursts above 2^32 bits are whole", 1, INT64_MAX, {{0, INT64_MAX, true}, {0, 1, false}}},
	{"400 Gbit/s for a century does not overflow",
	 RATE_BPS_MAX,
	 INT64_MAX,
	 {{0, INT64_MAX, true},
	  {3155760000000, INT64_MAX, true},
	  {3155760000000, INT64_MAX, false}}},
};

static void check_takes(void **state) {
	const struct row *row = *state;
	struct shaper shaper;

	shaper_init(&shaper, HZ, row->burst_bits, 0);
	for (unsigned i = 0; i < 4 && row->steps[i].bits > 0; i++)
		assert_int_equal(shaper_take(&shaper, HZ, row->rate_bps, row->burst_bits,
					     row->steps[i].bits, row->steps[i].now),
				 row->steps[i].taken);
}

struct charge_row {
	const char *name;
	uint64_t rate_bps, burst_bits;
	struct {
		uint64_t now, bits, departure;
	} steps[4];
};

static const struct charge_row charges[] = {
	{"within the burst leaves at once", 1000, 1000, {{5, 1000, 5}}},
	{"above the burst waits for what is missing", 1000, 1000, {{0, 1000, 0}, {0, 7, 7}}},
	{"rounds up to a whole tick", 2000, 1000, {{0, 1000, 0}, {0, 3, 2}, {0, 1, 2}, {0, 1, 3}}},
	{"each one waits for those before it", 1000, 10, {{0, 10, 0}, {0, 10, 10}, {4, 10, 20}}},
	{"larger than the burst waits for its excess", 1000, 10, {{0, 25, 15}, {0, 10, 25}}},
	{"the slowest rate waits long",
	 1,
	 1,
	 {{0, 1, 0}, {0, 12304, 12304000}, {12304000, 1, 12305000}}},
	{"a debt above 64 bits is exact",
	 RATE_BPS_MAX,
	 1,
	 {{0, 1, 0}, {0, 1ULL << 60, 2882303762}}},
};

static void check_charges(void **state) {
	const struct charge_row *row = *state;
	struct shaper shaper;

	shaper_init(&shaper, HZ, row->burst_bits, 0);
	for (unsigned i = 0; i < 4 && row->steps[i].bits > 0; i++)
		assert_int_equal(shaper_charge(&shaper, HZ, row->rate_bps, row->burst_bits,
					       row->steps[i].bits, row->steps[i].now),
				 row->steps[i].departure);
}

static void refund_gives_back_no_more_than_the_burst(void **state) {
	struct shaper shaper;

	(void)state;
	shaper_init(&shaper, HZ, 1000, 0);
	assert_true(shaper_take(&shaper, HZ, 1, 1000, 400, 0));
	shaper_refund(&shaper, HZ, 1000, 400);
	assert_true(shaper_take(&shaper, HZ, 1, 1000, 1000, 0));
	shaper_refund(&shaper, HZ, 1000, 5000);
	assert_true(shaper_take(&shaper, HZ, 1, 1000, 1000, 0));
	assert_false(shaper_take(&shaper, HZ, 1, 1000, 1, 0));
}

static void forfeit_earns_nothing_for_the_past(void **state) {
	struct shaper shaper;

	(void)state;
	shaper_init(&shaper, HZ, 1000, 0);
	assert_true(shaper_take(&shaper, HZ, 1, 1000, 1000, 0));
	shaper_forfeit(&shaper, 500);
	assert_false(shaper_take(&shaper, HZ, RATE_BPS_MAX, 1000, 1, 500));
	assert_true(shaper_take(&shaper, HZ, 1000, 1000, 1, 501));
}

static void a_smaller_burst_takes_the_excess_away(void **state) {
	struct shaper shaper;

	(void)state;
	shaper_init(&shaper, HZ, 1000, 0);
	assert_false(shaper_take(&shaper, HZ, 1, 100, 101, 0));
	assert_true(shaper_take(&shaper, HZ, 1, 100, 100, 0));
}

struct wire_row {
	const char *name;
	size_t len, tags_len;
	uint64_t bits;
};

static const struct wire_row wires[] = {
	{"the shortest frame", 60, 0, 8 * 84},
	{"a frame below the minimum counts as the minimum", 14, 0, 8 * 84},
	{"a tag of a short frame fits its padding", 42, 4, 8 * 84},
	{"a tag of the shortest frame counts", 60, 4, 8 * 88},
	{"ten tags count", 60, 40, 8 * 124},
	{"a full frame", 1514, 0, 8 * 1538},
	{"a jumbo frame", 9014, 8, 8 * 9046},
};

static void check_wire(void **state) {
	const struct wire_row *row = *state;

	assert_int_equal(wire_bits(row->len, row->tags_len), row->bits);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refund_gives_back_no_more_than_the_burst),
		cmocka_unit_test(forfeit_earns_nothing_for_the_past),
		cmocka_unit_test(a_smaller_burst_takes_the_excess_away),
	};

	return RUN_TABLE(takes, check_takes) + RUN_TABLE(charges, check_charges) +
	       RUN_TABLE(wires, check_wire) + cmocka_run_group_tests(tests, NULL, NULL);
}
