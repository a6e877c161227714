#include "control/store_schema.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

// Step n makes version n + 1. A step that was released is never changed; the next one is added.
static const char *const steps[] = {
	"CREATE TABLE switch ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" generation INTEGER NOT NULL,"
	" checksum INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE port ("
	" vm INTEGER PRIMARY KEY,"
	" mac TEXT NOT NULL,"
	" socket_server TEXT NOT NULL,"
	" checksum INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE rule ("
	" number INTEGER PRIMARY KEY," // the order in which rules were first set
	" vm INTEGER NOT NULL REFERENCES port ON DELETE CASCADE,"
	" destination_mac TEXT," // NULL, here and below, is any
	" ether_type INTEGER,"
	" protocol INTEGER,"
	" source_ip TEXT," // an address, or a prefix like 10.0.0.0/8
	" destination_ip TEXT,"
	" source_port INTEGER,"
	" destination_port INTEGER,"
	" priority INTEGER NOT NULL,"
	" tags TEXT NOT NULL," // outermost first, with commas between
	" tpid TEXT NOT NULL,"
	" destination_vm INTEGER," // NULL: the uplink
	" mode TEXT NOT NULL,"
	" rate_bps INTEGER,"
	" burst_bits INTEGER,"
	" queue_packets INTEGER,"
	" queue_bytes INTEGER,"
	" slot INTEGER,"
	" checksum INTEGER NOT NULL"
	") STRICT;"
	"CREATE UNIQUE INDEX rule_match ON rule (" MATCH_INDEX ");"
	"CREATE UNIQUE INDEX rule_slot ON rule (vm, slot) WHERE slot IS NOT NULL;",
};

const int schema_newest = sizeof(steps) / sizeof(steps[0]);

// Of an SQLite file's application_id: it is this plus the version, so that a damaged version is
// not taken for a newer one.
enum { APPLICATION = 0x64740000 };

static int64_t number_of(sqlite3 *db, const char *sql) {
	sqlite3_stmt *statement;
	int64_t number = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return number;
}

int schema_version(sqlite3 *db) {
	return (int)number_of(db, "PRAGMA user_version");
}

static bool make(sqlite3 *db, int from, int to) {
	char versions[100];

	for (int i = from; i < to; i++)
		if (sqlite3_exec(db, steps[i], NULL, NULL, NULL) != SQLITE_OK)
			return false;
	snprintf(versions, sizeof(versions), "PRAGMA user_version = %d; PRAGMA application_id = %d",
		 to, APPLICATION + to);
	return sqlite3_exec(db, versions, NULL, NULL, NULL) == SQLITE_OK;
}

bool schema_migrate(sqlite3 *db) {
	return make(db, schema_version(db), schema_newest);
}

static sqlite3_stmt *list(sqlite3 *db) {
	sqlite3_stmt *statement = NULL;

	sqlite3_prepare_v2(db,
			   "SELECT group_concat(type || name || tbl_name || ifnull(sql, ''), ';') "
			   "FROM sqlite_schema",
			   -1, &statement, NULL);
	if (statement != NULL && sqlite3_step(statement) != SQLITE_ROW) {
		sqlite3_finalize(statement);
		return NULL;
	}
	return statement;
}

static enum schema_found compare(sqlite3 *db, sqlite3 *model) {
	sqlite3_stmt *found = list(db), *wanted = list(model);
	enum schema_found result = SCHEMA_FAILED;

	if (found != NULL && wanted != NULL) {
		const unsigned char *text = sqlite3_column_text(found, 0);
		const bool same = text != NULL &&
				  strcmp((const char *)text,
					 (const char *)sqlite3_column_text(wanted, 0)) == 0;

		result = same ? SCHEMA_GOOD : SCHEMA_STRANGE;
	}
	sqlite3_finalize(found);
	sqlite3_finalize(wanted);
	return result;
}

static enum schema_found compare_with_model(sqlite3 *db, int version) {
	enum schema_found result = SCHEMA_FAILED;
	sqlite3 *model;

	if (sqlite3_open(":memory:", &model) == SQLITE_OK && make(model, 0, version))
		result = compare(db, model);
	sqlite3_close(model);
	return result;
}

enum schema_found schema_check(sqlite3 *db) {
	const int64_t entries = number_of(db, "SELECT count(*) FROM sqlite_schema");
	const int version = schema_version(db);
	const int64_t application = number_of(db, "PRAGMA application_id");

	if (entries < 0 || version < 0)
		return SCHEMA_FAILED;
	if (entries == 0 && version == 0 && application == 0)
		return SCHEMA_NONE;
	if (version == 0 || application - version != APPLICATION)
		return SCHEMA_STRANGE;
	if (version > schema_newest)
		return SCHEMA_NEWER;
	return compare_with_model(db, version);
}
