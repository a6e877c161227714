// Whatever is done to the files, the store opens with what was written, or sets them aside and says
// so: it never shows what was never written.

#include "tests/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>

enum {
	BLOCK = 512,
	COMMITS = 12,
	PER_COMMIT = 25,
};

struct image {
	size_t len;
	uint8_t *bytes;
};

static struct image database;		// of a store that was closed
static struct image beginning, journal; // the same, as they were while it was open
static char journal_path[80];

static struct image read_image(const char *file) {
	const int fd = open(file, O_RDONLY);
	struct image image = {0};
	struct stat found;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &found), 0);
	image.len = (size_t)found.st_size;
	image.bytes = malloc(image.len + 1);
	assert_non_null(image.bytes);
	assert_int_equal(read(fd, image.bytes, image.len), image.len);
	close(fd);
	return image;
}

static void write_image(const char *file, const uint8_t *bytes, size_t len) {
	const int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

// Commit n sets rules n * PER_COMMIT and on, so that the generation tells the content.
static void fill(struct store *store, uint32_t commits) {
	begin(store);
	set_port(store, 1);
	commit(store);
	for (uint32_t i = 0; i < commits; i++) {
		begin(store);
		for (uint32_t j = 0; j < PER_COMMIT; j++) {
			struct rule_spec rule = plain_rule(1, i * PER_COMMIT + j);

			rule.slot = j == 0 ? (int16_t)i : NO_SLOT;
			set_rule(store, &rule);
		}
		commit(store);
	}
}

static void check_content(struct store *store) {
	const uint64_t generation = store_generation(store);
	const struct listed *listed = list(store);

	assert_in_range(generation, 0, COMMITS + 1);
	assert_int_equal(listed->ports_len, generation > 0);
	assert_int_equal(listed->rules_len, generation > 1 ? (generation - 1) * PER_COMMIT : 0);
	for (uint32_t i = 0; i < listed->rules_len; i++) {
		struct rule_spec wanted = plain_rule(1, i);

		wanted.slot = i % PER_COMMIT == 0 ? (int16_t)(i / PER_COMMIT) : NO_SLOT;
		assert_true(same_rule(&listed->rules[i], &wanted));
	}
}

static int make_images(void **state) {
	struct store *store;

	if (make_directory(state) != 0)
		return -1;
	snprintf(journal_path, sizeof(journal_path), "%s-wal", path);
	store = open_store();
	fill(store, COMMITS);
	beginning = read_image(path);
	journal = read_image(journal_path);
	store_close(store);
	database = read_image(path);
	return 0;
}

static int forget_images(void **state) {
	free(database.bytes);
	free(beginning.bytes);
	free(journal.bytes);
	return remove_directory(state);
}

// Opens damaged files. Returns whether they were set aside.
static bool opens_empty_or_right(uint64_t least) {
	struct store *store = open_store();
	const bool aside = strstr(report, "is corrupt") != NULL;

	check_content(store);
	if (aside)
		assert_int_equal(store_generation(store), 0);
	else
		assert_in_range(store_generation(store), least, COMMITS + 1);

	// It can be used.
	begin(store);
	set_port(store, 9);
	commit(store);
	store_close(store);
	return aside;
}

static size_t damage(const struct image *image, const char *file, const struct image *other,
		     const char *other_file, uint64_t least, size_t from, size_t len) {
	uint8_t *bytes = malloc(image->len);

	memcpy(bytes, image->bytes, image->len);
	for (size_t i = from; i < from + len && i < image->len; i++)
		bytes[i] ^= (uint8_t)(1 + below(255));
	remove_files();
	write_image(file, bytes, image->len);
	if (other != NULL)
		write_image(other_file, other->bytes, other->len);
	free(bytes);
	return opens_empty_or_right(least);
}

static void a_damaged_block_of_the_database_is_noticed(void **state) {
	const size_t blocks = database.len / BLOCK;
	size_t aside = 0;

	(void)state;
	for (size_t i = 0; i < blocks; i++)
		aside += damage(&database, path, NULL, NULL, COMMITS + 1, i * BLOCK, BLOCK);
	assert_in_range(aside, blocks / 2, blocks); // the others are free space
}

static void one_damaged_byte_of_the_database_is_noticed(void **state) {
	size_t aside = 0, bytes = 0;

	(void)state;
	for (size_t i = below(8); i < database.len; i += 1 + below(200), bytes++)
		aside += damage(&database, path, NULL, NULL, COMMITS + 1, i, 1);
	assert_in_range(aside, bytes / 2, bytes);
}

static void each_byte_of_the_header_counts(void **state) {
	(void)state;
	for (size_t i = 0; i < 100; i++)
		damage(&database, path, NULL, NULL, COMMITS + 1, i, 1);
}

// Behind a damaged place a journal holds nothing, as if that had never been written.
static void a_damaged_journal_gives_an_earlier_commit(void **state) {
	(void)state;
	for (size_t i = 0; i < journal.len; i += BLOCK)
		assert_int_equal(damage(&journal, journal_path, &beginning, path, 0, i, 1), 0);
}

static void a_journal_cut_short_gives_an_earlier_commit(void **state) {
	uint64_t last = 0;

	(void)state;
	for (size_t len = 0; len <= journal.len; len += BLOCK) {
		struct store *store;

		remove_files();
		write_image(path, beginning.bytes, beginning.len);
		write_image(journal_path, journal.bytes, len);
		store = open_store();
		assert_string_equal(report, "");
		check_content(store);
		assert_in_range(store_generation(store), last, last + 1);
		last = store_generation(store);
		store_close(store);
	}
	assert_in_range(last, COMMITS, COMMITS + 1);
}

static void a_database_cut_short_is_noticed(void **state) {
	(void)state;
	for (size_t len = BLOCK; len < database.len; len += BLOCK) {
		remove_files();
		write_image(path, database.bytes, len);
		assert_true(opens_empty_or_right(0));
	}
}

static void what_is_no_database_is_set_aside(void **state) {
	char aside[80];
	uint8_t bytes[3 * BLOCK];
	struct image found;

	(void)state;
	remove_files();
	random_bytes(bytes, sizeof(bytes));
	write_image(path, bytes, sizeof(bytes));
	assert_true(opens_empty_or_right(0));
	assert_non_null(strstr(report, "file is not a database"));

	snprintf(aside, sizeof(aside), "%s.corrupt", path);
	assert_non_null(strstr(report, aside));
	found = read_image(aside);
	assert_int_equal(found.len, sizeof(bytes));
	assert_memory_equal(found.bytes, bytes, sizeof(bytes));
	free(found.bytes);
}

static void the_journal_is_set_aside_with_its_database(void **state) {
	uint8_t bytes[3 * BLOCK];
	const struct image useless = {sizeof(bytes), bytes};
	char aside[80];
	struct image found;

	(void)state;
	random_bytes(bytes, sizeof(bytes));
	damage(&database, path, &useless, journal_path, 0, 0, 3 * BLOCK);
	assert_non_null(strstr(report, "is corrupt"));
	snprintf(aside, sizeof(aside), "%s.corrupt-wal", path);
	found = read_image(aside);
	assert_int_equal(found.len, sizeof(bytes));
	assert_memory_equal(found.bytes, bytes, sizeof(bytes));
	free(found.bytes);

	// The next one, which has none, replaces both.
	write_image(path, journal.bytes, journal.len);
	assert_true(opens_empty_or_right(0));
	assert_int_equal(access(aside, F_OK), -1);
}

static void an_emptied_database_is_not_taken_for_a_new_one(void **state) {
	(void)state;
	remove_files();
	write_image(path, database.bytes, 0);
	write_image(journal_path, journal.bytes, journal.len);
	assert_true(opens_empty_or_right(0));
	assert_non_null(strstr(report, "it is empty, but its journal is not"));
}

// What only a person can do: SQLite finds nothing wrong with it.
struct forgery {
	const char *name;
	const char *sql;
	const char *said;
};

static const struct forgery forgeries[] = {
	{"a changed rule is noticed", "UPDATE rule SET rate_bps = 5 WHERE number = 7",
	 "rule 7: its checksum does not fit"},
	{"a changed port is noticed", "UPDATE port SET mac = '02:00:00:00:00:09'",
	 "port 1: its checksum does not fit"},
	{"a changed generation is noticed", "UPDATE switch SET generation = 3",
	 "the generation is lost"},
	{"a missing generation is noticed", "DELETE FROM switch", "the generation is lost"},
	{"a rule without a port is noticed", "DELETE FROM port", "a rule's VM has no port"},
	{"another table is noticed", "CREATE TABLE more (one)", "not those of a switch"},
	{"a missing index is noticed", "DROP INDEX rule_match", "not those of a switch"},
	{"a trigger is noticed",
	 "CREATE TRIGGER more AFTER INSERT ON rule BEGIN DELETE FROM port; END",
	 "not those of a switch"},
	{"a version without its mark is noticed", "PRAGMA user_version = 2",
	 "not those of a switch"},
	{"another program's database is noticed",
	 "DROP TABLE rule; DROP TABLE port; DROP TABLE switch; PRAGMA user_version = 0;"
	 "PRAGMA application_id = 0; CREATE TABLE theirs (one)",
	 "not those of a switch"},
};

static void check_forgery(void **state) {
	const struct forgery *row = *state;
	sqlite3 *db;

	remove_files();
	write_image(path, database.bytes, database.len);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, row->sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_true(opens_empty_or_right(0));
	if (strstr(report, row->said) == NULL)
		fail_msg("%s", report);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_block_of_the_database_is_noticed),
		cmocka_unit_test(one_damaged_byte_of_the_database_is_noticed),
		cmocka_unit_test(each_byte_of_the_header_counts),
		cmocka_unit_test(a_damaged_journal_gives_an_earlier_commit),
		cmocka_unit_test(a_journal_cut_short_gives_an_earlier_commit),
		cmocka_unit_test(a_database_cut_short_is_noticed),
		cmocka_unit_test(what_is_no_database_is_set_aside),
		cmocka_unit_test(the_journal_is_set_aside_with_its_database),
		cmocka_unit_test(an_emptied_database_is_not_taken_for_a_new_one),
	};

	if (make_images(NULL) != 0)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL) + RUN_TABLE(forgeries, check_forgery) +
	       forget_images(NULL);
}
