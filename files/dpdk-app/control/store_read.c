#include <stdio.h>

#include "control/store_database.h"
#include "control/store_row.h"

// After the last row: true unless it was not the last one.
static bool finish(struct store *store, sqlite3_stmt *statement, int last, char *why,
		   size_t why_size) {
	if (last != SQLITE_DONE && last != SQLITE_ROW)
		store_explain(store, "read", why, why_size);
	sqlite3_reset(statement);
	return last == SQLITE_DONE;
}

// Always returns false.
static bool blame(const char *table, int64_t number, const char *wrong, char *why,
		  size_t why_size) {
	snprintf(why, why_size, "%s %lld: %s", table, (long long)number, wrong);
	return false;
}

static const char *const wrong_checksum = "its checksum does not fit";

bool store_read_generation(struct store *store, char *why, size_t why_size) {
	sqlite3_stmt *statement = store->statements[STORE_GET_GENERATION];
	const int found = sqlite3_step(statement);
	struct row row;
	const bool good = found == SQLITE_ROW && row_read(statement, GENERATION_WIDTH, &row) &&
			  row_to_generation(&row, &store->generation);

	finish(store, statement, found, why, why_size);
	if (!good && (found == SQLITE_ROW || found == SQLITE_DONE))
		snprintf(why, why_size, "the generation is lost");
	return good;
}

bool store_read_ports(struct store *store, bool (*visit)(const struct port_spec *, void *),
		      void *of, char *why, size_t why_size) {
	sqlite3_stmt *statement = store->statements[STORE_LIST_PORTS];
	bool good = true;
	int found;

	*why = '\0';
	while ((found = sqlite3_step(statement)) == SQLITE_ROW && good) {
		struct port_spec port;
		struct row row;
		const char *wrong = row_read(statement, PORT_WIDTH, &row) ? row_to_port(&row, &port)
									  : wrong_checksum;

		good = wrong == NULL
			       ? visit(&port, of)
			       : blame("port", row.cells[PORT_VM].integer, wrong, why, why_size);
	}
	return finish(store, statement, found, why, why_size) && good;
}

bool store_read_rules(struct store *store, bool (*visit)(const struct rule_spec *, void *),
		      void *of, char *why, size_t why_size) {
	sqlite3_stmt *statement = store->statements[STORE_LIST_RULES];
	bool good = true;
	int found;

	*why = '\0';
	while ((found = sqlite3_step(statement)) == SQLITE_ROW && good) {
		struct rule_spec rule;
		struct row row;
		const char *wrong = row_read(statement, RULE_WIDTH, &row) ? row_to_rule(&row, &rule)
									  : wrong_checksum;

		good = wrong == NULL
			       ? visit(&rule, of)
			       : blame("rule", sqlite3_column_int64(statement, RULE_WIDTH + 1),
				       wrong, why, why_size);
	}
	return finish(store, statement, found, why, why_size) && good;
}

bool store_ports(struct store *store, bool (*visit)(const struct port_spec *, void *), void *of) {
	char why[200];

	return store_read_ports(store, visit, of, why, sizeof(why));
}

bool store_rules(struct store *store, bool (*visit)(const struct rule_spec *, void *), void *of) {
	char why[200];

	return store_read_rules(store, visit, of, why, sizeof(why));
}

bool store_rule_in_slot(struct store *store, uint16_t vm, int16_t slot, struct rule_spec *rule) {
	sqlite3_stmt *statement = store->statements[STORE_RULE_IN_SLOT];
	struct row row;

	sqlite3_bind_int(statement, 1, vm);
	sqlite3_bind_int(statement, 2, slot);
	const bool found = sqlite3_step(statement) == SQLITE_ROW &&
			   row_read(statement, RULE_WIDTH, &row) && row_to_rule(&row, rule) == NULL;

	sqlite3_reset(statement);
	return found;
}

bool store_slot(struct store *store, uint16_t vm, int16_t slot, struct match *match) {
	struct rule_spec rule;
	const bool found = store_rule_in_slot(store, vm, slot, &rule);

	if (found)
		*match = rule.match;
	return found;
}
