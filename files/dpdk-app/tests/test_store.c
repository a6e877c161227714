#include "tests/store_fixture.h"

#include <sqlite3.h>

enum { RULES = 600 };

static struct rule_spec rules[RULES];

static bool is_known(const struct rule_spec *rule, size_t len) {
	for (size_t i = 0; i < len; i++)
		if (rules[i].vm == rule->vm && match_compare(&rules[i].match, &rule->match) == 0)
			return true;
	return false;
}

// Rules of all kinds for VMs 1 to 4, each match once.
static void make_rules(void) {
	for (size_t len = 0; len < RULES;) {
		rules[len] = random_rule((uint16_t)(1 + below(4)));
		if (!is_known(&rules[len], len))
			len++;
	}
}

static void add_ports(struct store *store) {
	begin(store);
	for (uint16_t vm = 1; vm <= 4; vm++)
		set_port(store, vm);
	commit(store);
}

static void check_rules(struct store *store) {
	const struct listed *listed = list(store);

	assert_int_equal(listed->rules_len, RULES);
	for (size_t i = 0; i < RULES; i++)
		if (!same_rule(&listed->rules[i], &rules[i]))
			fail_msg("rule %zu is another one", i);
}

static struct store *reopen(struct store *store) {
	store_close(store);
	store = open_store();
	assert_string_equal(report, "");
	return store;
}

static void every_kind_of_rule_is_read_as_it_was_written(void **state) {
	struct store *store = open_store();

	(void)state;
	make_rules();
	add_ports(store);
	begin(store);
	for (size_t i = 0; i < RULES; i++)
		set_rule(store, &rules[i]);
	commit(store);
	check_rules(store);
	store = reopen(store);
	check_rules(store);
	store_close(store);
}

static void an_update_keeps_its_place(void **state) {
	struct store *store = open_store();

	(void)state;
	make_rules();
	add_ports(store);
	begin(store);
	for (size_t i = 0; i < RULES; i++)
		set_rule(store, &rules[i]);
	for (size_t i = RULES; i-- > 0;) {
		randomize_treatment(&rules[i]);
		set_rule(store, &rules[i]);
	}
	commit(store);
	check_rules(store);
	store = reopen(store);
	check_rules(store);
	store_close(store);
}

static void ports_are_listed_by_vm_and_may_change(void **state) {
	struct store *store = open_store();
	const struct port_spec changed = {3, {2, 9, 9, 9, 9, 9}, false};
	const struct listed *listed;

	(void)state;
	begin(store);
	set_port(store, VM_MAX);
	set_port(store, 3);
	set_port(store, 0);
	set_rule(store, &(struct rule_spec){.vm = 3, .slot = NO_SLOT});
	commit(store);
	begin(store);
	ACCEPT(store_set_port(store, &changed, why, sizeof(why)));
	commit(store);
	store = reopen(store);
	listed = list(store);
	assert_int_equal(listed->ports_len, 3);
	assert_int_equal(listed->ports[0].vm, 0);
	assert_int_equal(listed->ports[1].vm, 3);
	assert_int_equal(listed->ports[2].vm, VM_MAX);
	assert_memory_equal(listed->ports[1].mac, changed.mac, MAC_LEN);
	assert_false(listed->ports[0].qemu_serves);
	assert_false(listed->ports[1].qemu_serves);
	assert_int_equal(listed->rules_len, 1);
	store_close(store);
}

static void the_rules_of_a_port_go_with_it(void **state) {
	struct store *store = open_store();
	const struct rule_spec one = plain_rule(1, 1), other = plain_rule(2, 1);

	(void)state;
	add_ports(store);
	begin(store);
	set_rule(store, &one);
	set_rule(store, &other);
	commit(store);
	begin(store);
	ACCEPT(store_remove_port(store, 1, why, sizeof(why)));
	commit(store);
	store = reopen(store);
	assert_int_equal(list(store)->ports_len, 3);
	assert_int_equal(list(store)->rules_len, 1);
	assert_true(same_rule(&list(store)->rules[0], &other));
	store_close(store);
}

static void a_match_is_one_vms(void **state) {
	struct store *store = open_store();
	const struct rule_spec one = plain_rule(1, 1);
	struct rule_spec other = one;

	(void)state;
	other.vm = 2;
	add_ports(store);
	begin(store);
	set_rule(store, &one);
	set_rule(store, &other);
	ACCEPT(store_unset_rule(store, 1, &one.match, why, sizeof(why)));
	commit(store);
	assert_int_equal(list(store)->rules_len, 1);
	assert_int_equal(list(store)->rules[0].vm, 2);
	store_close(store);
}

static void each_kind_of_rule_can_be_unset(void **state) {
	struct store *store = open_store();

	(void)state;
	make_rules();
	add_ports(store);
	begin(store);
	for (size_t i = 0; i < RULES; i++)
		set_rule(store, &rules[i]);
	commit(store);
	for (size_t i = 0; i < RULES; i++) {
		begin(store);
		ACCEPT(store_unset_rule(store, rules[i].vm, &rules[i].match, why, sizeof(why)));
		commit(store);
		assert_int_equal(list(store)->rules_len, RULES - 1 - i);
	}
	store_close(store);
}

static void what_is_not_there_is_passed_over(void **state) {
	struct store *store = open_store();
	const struct rule_spec rule = plain_rule(1, 1);

	(void)state;
	begin(store);
	ACCEPT(store_unset_rule(store, 1, &rule.match, why, sizeof(why)));
	ACCEPT(store_clear_rules(store, 1, why, sizeof(why)));
	ACCEPT(store_remove_port(store, 1, why, sizeof(why)));
	commit(store);
	store_close(store);
}

static void clearing_leaves_other_vms_alone(void **state) {
	struct store *store = open_store();

	(void)state;
	add_ports(store);
	begin(store);
	for (uint32_t i = 0; i < 10; i++) {
		const struct rule_spec rule = plain_rule((uint16_t)(1 + i % 2), i);

		set_rule(store, &rule);
	}
	ACCEPT(store_clear_rules(store, 1, why, sizeof(why)));
	commit(store);
	assert_int_equal(list(store)->rules_len, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(list(store)->rules[i].vm, 2);
	store_close(store);
}

static void a_slot_is_one_rules(void **state) {
	struct store *store = open_store();
	struct rule_spec one = plain_rule(1, 1), other = plain_rule(1, 2);
	struct match match;

	(void)state;
	one.slot = other.slot = 255;
	add_ports(store);
	begin(store);
	set_rule(store, &one);
	commit(store);
	assert_true(store_slot(store, 1, 255, &match));
	assert_int_equal(match_compare(&match, &one.match), 0);
	assert_false(store_slot(store, 1, 254, &match));
	assert_false(store_slot(store, 2, 255, &match));

	begin(store);
	set_rule(store, &other);
	commit(store);
	store = reopen(store);
	assert_true(store_slot(store, 1, 255, &match));
	assert_int_equal(match_compare(&match, &other.match), 0);
	one.slot = NO_SLOT;
	assert_true(same_rule(&list(store)->rules[0], &one));
	assert_true(same_rule(&list(store)->rules[1], &other));
	store_close(store);
}

static void a_rule_can_change_its_slot(void **state) {
	struct store *store = open_store();
	struct rule_spec rule = plain_rule(1, 1);
	struct match match;

	(void)state;
	add_ports(store);
	for (int16_t slot = NO_SLOT; slot <= 1; slot++) {
		rule.slot = slot;
		begin(store);
		set_rule(store, &rule);
		commit(store);
		assert_int_equal(store_slot(store, 1, 0, &match), slot == 0);
		assert_int_equal(store_slot(store, 1, 1, &match), slot == 1);
	}
	begin(store);
	ACCEPT(store_unset_rule(store, 1, &rule.match, why, sizeof(why)));
	commit(store);
	assert_false(store_slot(store, 1, 1, &match));
	store_close(store);
}

static void what_is_undone_never_was(void **state) {
	struct store *store = open_store();
	const struct rule_spec rule = plain_rule(1, 1), more = plain_rule(1, 2);

	(void)state;
	add_ports(store);
	begin(store);
	set_rule(store, &rule);
	commit(store);
	begin(store);
	set_port(store, 9);
	set_rule(store, &more);
	ACCEPT(store_unset_rule(store, 1, &rule.match, why, sizeof(why)));
	ACCEPT(store_remove_port(store, 2, why, sizeof(why)));
	store_undo(store);
	for (int turn = 0; turn < 2; turn++, store = reopen(store)) {
		assert_int_equal(store_generation(store), 2);
		assert_int_equal(list(store)->ports_len, 4);
		assert_int_equal(list(store)->rules_len, 1);
		assert_true(same_rule(&list(store)->rules[0], &rule));
	}
	store_undo(store); // nothing to undo
	store_close(store);
}

static void the_generation_counts_what_was_committed(void **state) {
	struct store *store = open_store();

	(void)state;
	assert_int_equal(store_generation(store), 0);
	for (uint64_t i = 1; i <= 5; i++) {
		begin(store);
		set_port(store, (uint16_t)i);
		assert_int_equal(store_generation(store), i - 1);
		commit(store);
		assert_int_equal(store_generation(store), i);
		store = reopen(store);
		assert_int_equal(store_generation(store), i);
		assert_int_equal(list(store)->ports_len, i);
	}
	store_close(store);
}

static void a_part_that_fails_undoes_the_change(void **state) {
	struct store *store = open_store();
	const struct rule_spec good = plain_rule(1, 1), without_port = plain_rule(9, 1);

	(void)state;
	add_ports(store);
	begin(store);
	set_rule(store, &good);
	assert_false(store_set_rule(store, &without_port, why, sizeof(why)));
	assert_non_null(strstr(why, path));
	assert_non_null(strstr(why, "add the VM's port first"));
	assert_int_equal(list(store)->rules_len, 0);
	assert_int_equal(store_generation(store), 1);
	begin(store);
	set_rule(store, &good);
	commit(store);
	store = reopen(store);
	assert_int_equal(list(store)->rules_len, 1);
	store_close(store);
}

static void what_could_not_be_read_back_is_refused(void **state) {
	struct store *store = open_store();
	struct rule_spec rule = plain_rule(1, 1);

	(void)state;
	add_ports(store);
	begin(store);
	rule.shaper.rate_bps = RATE_BPS_MAX + 1;
	assert_false(store_set_rule(store, &rule, why, sizeof(why)));
	assert_non_null(strstr(why, "rate_bps is out of range"));
	begin(store);
	rule = plain_rule(1, 1);
	rule.match.key.destination_port ^= 1;
	rule.match.mask.destination_port = 1;
	assert_false(store_set_rule(store, &rule, why, sizeof(why)));
	assert_non_null(strstr(why, "its match is out of range"));
	store = reopen(store);
	assert_int_equal(list(store)->rules_len, 0);
	store_close(store);
}

static bool stop(const struct rule_spec *rule, void *of) {
	(void)rule;
	return ++*(int *)of < 2;
}

static void a_visit_may_stop(void **state) {
	struct store *store = open_store();
	int visited = 0;

	(void)state;
	add_ports(store);
	begin(store);
	for (uint32_t i = 0; i < 4; i++) {
		const struct rule_spec rule = plain_rule(1, i);

		set_rule(store, &rule);
	}
	commit(store);
	assert_false(store_rules(store, stop, &visited));
	assert_int_equal(visited, 2);
	assert_int_equal(list(store)->rules_len, 4);
	store_close(store);
}

static int expect_columns(void *of, int columns, char **values, char **names) {
	static const char *const wanted[] = {"1",    NULL,	"ff00::/8", "5001",  NULL,
					     "21,7", "802.1ad", "police",   "64000", NULL};

	(void)names;
	assert_int_equal(columns, 10);
	for (int i = 0; i < columns; i++)
		if (wanted[i] == NULL)
			assert_null(values[i]);
		else
			assert_string_equal(values[i], wanted[i]);
	++*(int *)of;
	return 0;
}

static void a_person_can_read_it(void **state) {
	const struct match_fields fields = {
		.family = ETHER_IPV6,
		.destination_bits = 8,
		.destination_ip = {0xff},
		.has_source_port = true,
		.source_port = 5001,
	};
	struct rule_spec rule = {.vm = 1,
				 .destination_vm = TO_UPLINK,
				 .slot = NO_SLOT,
				 .tags = {TPID_8021AD, 2, {21, 7}},
				 .shaper = {64000, 1, 0, 0, SHAPE_POLICE}};
	struct store *store = open_store();
	int seen = 0;
	sqlite3 *db;

	(void)state;
	assert_null(match_make(&fields, &rule.match));
	add_ports(store);
	begin(store);
	set_rule(store, &rule);
	commit(store);
	store_close(store);

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "SELECT vm, source_ip, destination_ip, source_port, "
				      "destination_port, tags, tpid, mode, rate_bps, queue_bytes "
				      "FROM rule",
				      expect_columns, &seen, NULL),
			 SQLITE_OK);
	assert_int_equal(seen, 1);
	sqlite3_close(db);
}

static void only_its_owner_can_read_it(void **state) {
	static const char *const suffixes[] = {"", "-wal"};
	struct store *store;
	char file[80];
	struct stat found;

	(void)state;
	umask(0);
	fclose(fopen(path, "w"));
	assert_int_equal(chmod(path, 0666), 0);
	store = open_store();
	add_ports(store);
	for (size_t i = 0; i < 2; i++) {
		snprintf(file, sizeof(file), "%s%s", path, suffixes[i]);
		assert_int_equal(stat(file, &found), 0);
		assert_int_equal(found.st_mode & 07777, 0600);
	}
	snprintf(file, sizeof(file), "%s-shm", path);
	assert_int_equal(access(file, F_OK), -1);
	store_close(store);
}

static void it_has_one_owner(void **state) {
	struct store *store = open_store(), *other;

	(void)state;
	add_ports(store);
	assert_int_equal(store_open(path, &other, report, sizeof(report), why, sizeof(why)),
			 STORE_UNUSABLE);
	assert_null(other);
	assert_non_null(strstr(why, "another program has it open"));
	assert_int_equal(list(store)->ports_len, 4);
	store_close(store);
}

int main(void) {
#define FRESH(test) cmocka_unit_test_setup(test, start_empty)
	const struct CMUnitTest tests[] = {
		FRESH(every_kind_of_rule_is_read_as_it_was_written),
		FRESH(an_update_keeps_its_place),
		FRESH(ports_are_listed_by_vm_and_may_change),
		FRESH(the_rules_of_a_port_go_with_it),
		FRESH(a_match_is_one_vms),
		FRESH(each_kind_of_rule_can_be_unset),
		FRESH(what_is_not_there_is_passed_over),
		FRESH(clearing_leaves_other_vms_alone),
		FRESH(a_slot_is_one_rules),
		FRESH(a_rule_can_change_its_slot),
		FRESH(what_is_undone_never_was),
		FRESH(the_generation_counts_what_was_committed),
		FRESH(a_part_that_fails_undoes_the_change),
		FRESH(what_could_not_be_read_back_is_refused),
		FRESH(a_visit_may_stop),
		FRESH(a_person_can_read_it),
		FRESH(only_its_owner_can_read_it),
		FRESH(it_has_one_owner),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
