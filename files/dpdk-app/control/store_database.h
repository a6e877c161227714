#pragma once

#include <sqlite3.h>

#include "control/store.h"
#include "control/store_file.h"

// What the parts of the store share.

enum {
	STORE_GET_GENERATION,
	STORE_SET_GENERATION,
	STORE_SET_PORT,
	STORE_REMOVE_PORT,
	STORE_SET_RULE,
	STORE_UNSET_RULE,
	STORE_CLEAR_RULES,
	STORE_LIST_PORTS,
	STORE_LIST_RULES,
	STORE_RULE_IN_SLOT,
	STORE_STATEMENTS,
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[STORE_STATEMENTS];
	uint64_t generation;
	char path[STORE_PATH_MAX];
};

// The statements need the newest schema.
bool store_prepare(struct store *store);

bool store_execute(struct store *store, const char *sql);

// Says the last error of SQLite and the way out. Always returns false.
bool store_explain(const struct store *store, const char *action, char *why, size_t why_size);

// Writes the generation, in a transaction of the caller.
bool store_write_generation(struct store *store, uint64_t generation);

// Reads and checks everything, the generation as well. visit: as for store_ports() and
// store_rules(). False: why says what is wrong, or nothing if visit stopped.
bool store_read_generation(struct store *store, char *why, size_t why_size);
bool store_read_ports(struct store *store, bool (*visit)(const struct port_spec *, void *),
		      void *of, char *why, size_t why_size);
bool store_read_rules(struct store *store, bool (*visit)(const struct rule_spec *, void *),
		      void *of, char *why, size_t why_size);
bool store_rule_in_slot(struct store *store, uint16_t vm, int16_t slot, struct rule_spec *rule);
