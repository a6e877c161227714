// A process that writes is killed at any moment: every commit that it reported is there as a whole,
// and no other one but the next, as a whole.

#include "tests/store_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum {
	ROUNDS = 20, // or as the environment's STORE_CRASH_ROUNDS says
	FRESH_EVERY = 4,
	BATCH_MAX = 150,
	BATCHES_KEPT = 8,
	LONGEST_US = 60000,
};

static uint32_t size_of(uint64_t batch) {
	return 1 + (uint32_t)(batch * 7919 % BATCH_MAX);
}

// Rule i of a batch, as it is when the generation is this: the next batch changes it.
static struct rule_spec rule_of(uint64_t batch, uint32_t i, uint64_t generation) {
	struct rule_spec rule = plain_rule(1, (uint32_t)batch << 8 | i);

	rule.priority = generation > batch ? 2 : 1;
	return rule;
}

// One commit: adds a batch, changes the one before, removes the oldest.
static void write_batch(struct store *store, uint64_t batch) {
	const uint64_t oldest = batch - BATCHES_KEPT;

	begin(store);
	set_port(store, 1);
	for (uint32_t i = 0; i < size_of(batch); i++) {
		const struct rule_spec rule = rule_of(batch, i, batch);

		set_rule(store, &rule);
	}
	for (uint32_t i = 0; batch > 1 && i < size_of(batch - 1); i++) {
		const struct rule_spec rule = rule_of(batch - 1, i, batch);

		set_rule(store, &rule);
	}
	for (uint32_t i = 0; batch > BATCHES_KEPT && i < size_of(oldest); i++) {
		const struct rule_spec rule = rule_of(oldest, i, batch);

		ACCEPT(store_unset_rule(store, 1, &rule.match, why, sizeof(why)));
	}
	commit(store);
}

static _Noreturn void write_until_killed(int reports) {
	struct store *store = open_store();

	for (;;) {
		write_batch(store, store_generation(store) + 1);
		const uint64_t generation = store_generation(store);

		if (write(reports, &generation, sizeof(generation)) != sizeof(generation))
			_exit(EXIT_FAILURE);
	}
}

static void check_content(struct store *store) {
	const uint64_t generation = store_generation(store);
	const uint64_t oldest = generation > BATCHES_KEPT ? generation - BATCHES_KEPT + 1 : 1;
	const struct listed *listed = list(store);
	size_t at = 0;

	assert_int_equal(listed->ports_len, generation > 0);
	for (uint64_t batch = oldest; batch <= generation; batch++)
		for (uint32_t i = 0; i < size_of(batch); i++, at++) {
			const struct rule_spec wanted = rule_of(batch, i, generation);

			assert_in_range(at, 0, listed->rules_len - 1);
			assert_true(same_rule(&listed->rules[at], &wanted));
		}
	assert_int_equal(at, listed->rules_len);
}

static void sleep_us(uint64_t us) {
	const struct timespec time = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};

	nanosleep(&time, NULL);
}

// Returns the last generation that the writer reported, or the one before.
static uint64_t run_and_kill(uint64_t before) {
	uint64_t reported = before, generation;
	int ends[2], status;

	assert_int_equal(pipe(ends), 0);
	const pid_t writer = fork();

	assert_true(writer >= 0);
	if (writer == 0) {
		close(ends[0]);
		write_until_killed(ends[1]);
	}
	close(ends[1]);
	sleep_us(below(LONGEST_US));
	kill(writer, SIGKILL);
	while (read(ends[0], &generation, sizeof(generation)) == sizeof(generation))
		reported = generation;
	close(ends[0]);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_true(WIFSIGNALED(status));
	return reported;
}

static void what_was_reported_is_there_and_nothing_by_halves(void **state) {
	const char *asked = getenv("STORE_CRASH_ROUNDS");
	const unsigned rounds = asked != NULL ? (unsigned)strtoul(asked, NULL, 10) : ROUNDS;
	uint64_t kept = 0, commits = 0;

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		struct store *store;

		if (i % FRESH_EVERY == 0) {
			remove_files();
			kept = 0;
		}
		const uint64_t reported = run_and_kill(kept);

		commits += reported - kept;
		store = open_store();
		assert_string_equal(report, "");
		kept = store_generation(store);
		assert_in_range(kept, reported, reported + 1);
		check_content(store);
		store_close(store);
	}
	print_message("%u writers killed, %llu commits reported\n", rounds,
		      (unsigned long long)commits);
	assert_true(commits > rounds);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_reported_is_there_and_nothing_by_halves),
	};

	seed ^= (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	print_message("seed %#llx\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
