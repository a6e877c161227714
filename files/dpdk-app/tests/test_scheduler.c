#include "core/scheduler.h"
#include "tests/table.h"

enum {
	SHIFT = 4, // a step is 16 ticks
	STEP = 1 << SHIFT,
	TAKEN_MAX = 8,
};

static const uint64_t TURNS_STEPS = (uint64_t)WHEEL_SLOTS * WHEEL_SLOTS;

static struct scheduler scheduler;

static struct parcel *add(struct queue *queue, struct parcel *parcel, uint64_t departure) {
	*parcel = (struct parcel){.departure = departure, .bytes = 100};
	scheduler_add(&scheduler, queue, parcel);
	return parcel;
}

static unsigned take(uint64_t now, struct parcel *parcels[TAKEN_MAX]) {
	struct queue *queues[TAKEN_MAX];

	return scheduler_take(&scheduler, now, parcels, queues, TAKEN_MAX);
}

struct row {
	const char *name;
	uint64_t start, departure, due;
};

static const struct row rows[] = {
	{"at a step's begin leaves then", 0, 2 * STEP, 2 * STEP},
	{"within a step leaves at the next one", 0, 2 * STEP + 1, 3 * STEP},
	{"of the past leaves at once", 10 * STEP, 3, 10 * STEP},
	{"at the end of a turn", 0, (WHEEL_SLOTS - 1) * STEP, (WHEEL_SLOTS - 1) * STEP},
	{"in the next turn", 0, WHEEL_SLOTS *STEP, WHEEL_SLOTS *STEP},
	{"many turns ahead", 7 * STEP, 1000003 * STEP - 1, 1000003 * STEP},
	{"beyond the reach of both wheels", 5 * STEP, 16777300 * STEP, 16777300 * STEP},
	{"from anywhere in the wheel", 4095 * STEP, 4099 * STEP, 4099 * STEP},
};

// Asked at every step, as a data core does.
static void check_due(void **state) {
	const struct row *row = *state;
	struct parcel *parcels[TAKEN_MAX], parcel;
	struct queue queue = {0};

	scheduler_init(&scheduler, SHIFT, row->start);
	add(&queue, &parcel, row->departure);
	for (uint64_t now = row->start; now < row->due; now += STEP)
		assert_int_equal(take(now, parcels), 0);
	if (row->due > row->start)
		assert_int_equal(take(row->due - 1, parcels), 0);
	assert_int_equal(take(row->due, parcels), 1);
	assert_ptr_equal(parcels[0], &parcel);
	assert_null(queue.head);
	assert_int_equal(scheduler_next(&scheduler), UINT64_MAX);
}

// Asked once, after a long sleep.
static void check_late(void **state) {
	const struct row *row = *state;
	struct parcel *parcels[TAKEN_MAX], parcel;
	struct queue queue = {0};

	scheduler_init(&scheduler, SHIFT, row->start);
	add(&queue, &parcel, row->departure);
	assert_int_equal(take(row->due + 100 * WHEEL_SLOTS * STEP, parcels), 1);
}

// Asked only when it said that something may be due.
static void check_next(void **state) {
	const struct row *row = *state;
	struct parcel *parcels[TAKEN_MAX], parcel;
	struct queue queue = {0};
	uint64_t now = row->start;

	scheduler_init(&scheduler, SHIFT, row->start);
	add(&queue, &parcel, row->departure);
	while (take(now, parcels) == 0) {
		assert_true(scheduler_next(&scheduler) > now);
		now = scheduler_next(&scheduler);
		assert_true(now <= row->due);
	}
	assert_int_equal(now, row->due);
}

static void a_queue_keeps_its_order(void **state) {
	struct parcel *parcels[TAKEN_MAX], own[4];
	struct queue queue = {0};

	(void)state;
	scheduler_init(&scheduler, SHIFT, 0);
	add(&queue, &own[0], 5 * STEP);
	add(&queue, &own[1], 6 * STEP);
	add(&queue, &own[2], 2 * STEP); // a raised rate: not before the one in front of it
	add(&queue, &own[3], 9 * STEP);
	assert_int_equal(queue.packets, 4);
	assert_int_equal(queue.bytes, 400);
	assert_int_equal(take(4 * STEP, parcels), 0);
	assert_int_equal(take(5 * STEP, parcels), 1);
	assert_ptr_equal(parcels[0], &own[0]);
	assert_int_equal(take(8 * STEP, parcels), 2);
	assert_ptr_equal(parcels[0], &own[1]);
	assert_ptr_equal(parcels[1], &own[2]);
	assert_int_equal(queue.packets, 1);
	assert_int_equal(queue.bytes, 100);
	assert_int_equal(take(9 * STEP, parcels), 1);
	assert_int_equal(queue.bytes, 0);
}

static void what_does_not_fit_is_taken_next_time(void **state) {
	struct parcel *parcels[TAKEN_MAX], own[20];
	struct queue queues[2] = {0};
	unsigned taken = 0, len;

	(void)state;
	scheduler_init(&scheduler, SHIFT, 0);
	for (unsigned i = 0; i < 20; i++)
		add(&queues[i % 2], &own[i], STEP);
	while ((len = take(STEP, parcels)) > 0)
		taken += len;
	assert_int_equal(taken, 20);
}

static void a_condemned_queue_is_due(void **state) {
	struct parcel *parcels[TAKEN_MAX], own[2];
	struct queue queue = {0};

	(void)state;
	scheduler_init(&scheduler, SHIFT, 0);
	add(&queue, &own[0], TURNS_STEPS * STEP * 5);
	add(&queue, &own[1], TURNS_STEPS * STEP * 6);
	assert_int_equal(take(STEP, parcels), 0);
	atomic_store(&queue.condemned, true);
	assert_int_equal(take(TURNS_STEPS * STEP, parcels), 2);
	assert_null(queue.head);
}

static void queues_do_not_wait_for_each_other(void **state) {
	struct parcel *parcels[TAKEN_MAX], own[3];
	struct queue queues[3] = {0};

	(void)state;
	scheduler_init(&scheduler, SHIFT, 0);
	add(&queues[0], &own[0], 3 * STEP);
	add(&queues[1], &own[1], (3 + WHEEL_SLOTS) * STEP); // the same slot, one turn later
	add(&queues[2], &own[2], 3 * STEP);
	assert_int_equal(take(3 * STEP, parcels), 2);
	assert_true(parcels[0] != &own[1] && parcels[1] != &own[1]);
	assert_int_equal(take((2 + WHEEL_SLOTS) * STEP, parcels), 0);
	assert_int_equal(take((3 + WHEEL_SLOTS) * STEP, parcels), 1);
	assert_ptr_equal(parcels[0], &own[1]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_keeps_its_order),
		cmocka_unit_test(what_does_not_fit_is_taken_next_time),
		cmocka_unit_test(a_condemned_queue_is_due),
		cmocka_unit_test(queues_do_not_wait_for_each_other),
	};

	return RUN_TABLE(rows, check_due) + RUN_TABLE(rows, check_late) +
	       RUN_TABLE(rows, check_next) + cmocka_run_group_tests(tests, NULL, NULL);
}
