#include "control/store.h"

#include <stdio.h>

#include "control/store_database.h"
#include "control/store_row.h"

// Runs a statement that returns nothing.
static bool run(sqlite3_stmt *statement) {
	const bool good = sqlite3_step(statement) == SQLITE_DONE;

	sqlite3_reset(statement);
	return good;
}

static bool run_with(sqlite3_stmt *statement, const struct row *row) {
	row_bind(statement, row);
	row_bind_checksum(statement, row);
	return run(statement);
}

static bool run_for_vm(sqlite3_stmt *statement, uint16_t vm) {
	sqlite3_bind_int(statement, 1, vm);
	return run(statement);
}

bool store_write_generation(struct store *store, uint64_t generation) {
	struct row row;

	row_of_generation(generation, &row);
	return run_with(store->statements[STORE_SET_GENERATION], &row);
}

static bool write_rule(struct store *store, const struct rule_spec *rule) {
	struct row row;

	row_of_rule(rule, &row);
	return run_with(store->statements[STORE_SET_RULE], &row);
}

// What could not be read back would be taken for damage by the next start.
static bool is_readable(struct store *store, const struct rule_spec *rule, const struct row *row,
			char *why, size_t why_size) {
	struct rule_spec again;
	const char *wrong = row_to_rule(row, &again);

	if (wrong == NULL && match_compare(&rule->match, &again.match) == 0)
		return true;
	snprintf(why, why_size, "the rule cannot be kept: %s is out of range; correct it",
		 wrong != NULL ? wrong : "its match");
	store_undo(store);
	return false;
}

// The result of a part of a change: after a failure the change is undone.
static bool done(struct store *store, bool good, char *why, size_t why_size) {
	if (good)
		return true;
	store_explain(store, "written", why, why_size);
	store_undo(store);
	return false;
}

bool store_begin(struct store *store, char *why, size_t why_size) {
	return done(store, store_execute(store, "BEGIN IMMEDIATE"), why, why_size);
}

bool store_set_port(struct store *store, const struct port_spec *port, char *why, size_t why_size) {
	struct row row;

	row_of_port(port, &row);
	return done(store, run_with(store->statements[STORE_SET_PORT], &row), why, why_size);
}

bool store_remove_port(struct store *store, uint16_t vm, char *why, size_t why_size) {
	return done(store, run_for_vm(store->statements[STORE_REMOVE_PORT], vm), why, why_size);
}

// A slot is one rule's: takes it from another one.
static bool vacate(struct store *store, const struct rule_spec *rule) {
	struct rule_spec other;

	if (rule->slot == NO_SLOT || !store_rule_in_slot(store, rule->vm, rule->slot, &other) ||
	    match_compare(&rule->match, &other.match) == 0)
		return true;
	other.slot = NO_SLOT;
	return write_rule(store, &other);
}

bool store_set_rule(struct store *store, const struct rule_spec *rule, char *why, size_t why_size) {
	struct row row;

	row_of_rule(rule, &row);
	return is_readable(store, rule, &row, why, why_size) &&
	       done(store, vacate(store, rule) && run_with(store->statements[STORE_SET_RULE], &row),
		    why, why_size);
}

bool store_unset_rule(struct store *store, uint16_t vm, const struct match *match, char *why,
		      size_t why_size) {
	sqlite3_stmt *statement = store->statements[STORE_UNSET_RULE];
	struct row row;

	row_of_match(vm, match, &row);
	row_bind(statement, &row);
	return done(store, run(statement), why, why_size);
}

bool store_clear_rules(struct store *store, uint16_t vm, char *why, size_t why_size) {
	return done(store, run_for_vm(store->statements[STORE_CLEAR_RULES], vm), why, why_size);
}

bool store_commit(struct store *store, char *why, size_t why_size) {
	const uint64_t next = store->generation + 1;

	if (!done(store, store_write_generation(store, next) && store_execute(store, "COMMIT"), why,
		  why_size))
		return false;
	store->generation = next;
	return true;
}

void store_undo(struct store *store) {
	if (!sqlite3_get_autocommit(store->db))
		store_execute(store, "ROLLBACK");
}

uint64_t store_generation(const struct store *store) {
	return store->generation;
}
