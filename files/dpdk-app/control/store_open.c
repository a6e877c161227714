#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/store_database.h"
#include "control/store_legacy.h"
#include "control/store_schema.h"

enum {
	BUSY_MS = 2000, // for a switch before us that is about to end
};

enum outcome { GOOD, CORRUPT, UNUSABLE };

static const char *const settings =
	"PRAGMA locking_mode = EXCLUSIVE;" // one owner, and no shared memory beside the file
	"PRAGMA synchronous = FULL;"
	"PRAGMA foreign_keys = ON;"
	"PRAGMA trusted_schema = OFF;"
	"PRAGMA cell_size_check = ON;"
	"PRAGMA temp_store = MEMORY;"
	"PRAGMA cache_size = -65536;"		// KiB: a change of 100 000 rules fits
	"PRAGMA journal_size_limit = 8388608;"; // bytes that stay after a large change

// What of SQLite's errors is the file's fault.
static bool is_damage(int code) {
	switch (code & 0xff) {
	case SQLITE_OK: // it did not do what was asked, without an error
	case SQLITE_ERROR:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_SCHEMA:
	case SQLITE_TOOBIG:
	case SQLITE_CONSTRAINT:
		return true;
	case SQLITE_READONLY: // it was opened for writing before
		return code == SQLITE_READONLY;
	default:
		return code == SQLITE_IOERR_SHORT_READ || code == SQLITE_IOERR_CORRUPTFS;
	}
}

static enum outcome failure(const struct store *store, char *why, size_t why_size) {
	if (!is_damage(sqlite3_extended_errcode(store->db))) {
		store_explain(store, "opened", why, why_size);
		return UNUSABLE;
	}
	snprintf(why, why_size, "%s", sqlite3_errmsg(store->db));
	return CORRUPT;
}

// True if the first column of what the statement returns is this.
static bool says(struct store *store, const char *sql, const char *wanted, char *said,
		 size_t said_size) {
	sqlite3_stmt *statement;
	bool same = false;

	*said = '\0';
	if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return false;
	if (sqlite3_step(statement) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		snprintf(said, said_size, "%s", text != NULL ? text : "");
		same = strcmp(said, wanted) == 0;
	}
	sqlite3_finalize(statement);
	return same;
}

static enum outcome check_schema(struct store *store, char *why, size_t why_size) {
	switch (schema_check(store->db)) {
	case SCHEMA_GOOD:
	case SCHEMA_NONE:
		return GOOD;
	case SCHEMA_STRANGE:
		snprintf(why, why_size, "its tables are not those of a switch");
		return CORRUPT;
	case SCHEMA_NEWER:
		snprintf(why, why_size,
			 "%s was written by a newer switch (schema %d, this one knows %d); start "
			 "that one, or move the file away",
			 store->path, schema_version(store->db), schema_newest);
		return UNUSABLE;
	case SCHEMA_FAILED:
		break;
	}
	return failure(store, why, why_size);
}

static enum outcome check_pages(struct store *store, char *why, size_t why_size) {
	char said[200];

	// The file was opened for writing, so this is what its header says.
	if (sqlite3_db_readonly(store->db, "main") != 0) {
		snprintf(why, why_size, "its format is unknown");
		return CORRUPT;
	}
	if (says(store, "PRAGMA integrity_check(1)", "ok", said, sizeof(said)))
		return GOOD;
	if (*said == '\0')
		return failure(store, why, why_size);
	snprintf(why, why_size, "%s", said);
	return CORRUPT;
}

static bool migrate(struct store *store) {
	const int version = schema_version(store->db);

	if (version == schema_newest)
		return store_prepare(store);
	return store_execute(store, "BEGIN IMMEDIATE") && schema_migrate(store->db) &&
	       store_prepare(store) && (version > 0 || store_write_generation(store, 0)) &&
	       store_execute(store, "COMMIT");
}

static bool mark_port(const struct port_spec *port, void *of) {
	bool *has_port = of;

	has_port[port->vm] = true;
	return true;
}

static bool has_its_port(const struct rule_spec *rule, void *of) {
	const bool *has_port = of;

	return has_port[rule->vm];
}

static enum outcome check_rows(struct store *store, char *why, size_t why_size) {
	bool has_port[VM_COUNT] = {false};

	if (store_read_generation(store, why, why_size) &&
	    store_read_ports(store, mark_port, has_port, why, why_size) &&
	    store_read_rules(store, has_its_port, has_port, why, why_size))
		return GOOD;
	if (*why == '\0')
		snprintf(why, why_size, "a rule's VM has no port");
	return is_damage(sqlite3_extended_errcode(store->db)) ? CORRUPT : UNUSABLE;
}

static enum outcome open_database(struct store *store, char *why, size_t why_size) {
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
	char said[40];
	bool empty;

	if (!store_file_make(store->path, &empty, why, why_size))
		return UNUSABLE;
	if (empty && store_file_has_journal(store->path)) {
		snprintf(why, why_size, "it is empty, but its journal is not");
		return CORRUPT;
	}
	if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
		return failure(store, why, why_size);
	sqlite3_busy_timeout(store->db, BUSY_MS);
	// A corrupt file is kept as it was found.
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (!store_execute(store, settings))
		return failure(store, why, why_size);

	enum outcome outcome = check_schema(store, why, why_size);

	if (outcome == GOOD)
		outcome = check_pages(store, why, why_size);
	if (outcome != GOOD)
		return outcome;
	if (!says(store, "PRAGMA journal_mode = WAL", "wal", said, sizeof(said)) || !migrate(store))
		return failure(store, why, why_size);

	outcome = check_rows(store, why, why_size);
	if (outcome == GOOD)
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return outcome;
}

static struct store *new_store(const char *path) {
	struct store *store = calloc(1, sizeof(*store));

	if (store != NULL)
		snprintf(store->path, sizeof(store->path), "%s", path);
	return store;
}

// Opens; a corrupt database is set aside, once.
static struct store *open_or_set_aside(const char *path, char *report, size_t report_size,
				       char *why, size_t why_size) {
	for (bool again = false;; again = true) {
		struct store *store = new_store(path);
		enum outcome outcome;

		if (store == NULL) {
			snprintf(why, why_size, "%s cannot be opened: no memory; free some", path);
			return NULL;
		}
		outcome = open_database(store, why, why_size);
		if (outcome == GOOD)
			return store;
		store_close(store);
		if (outcome == UNUSABLE || again)
			return NULL;

		report_add(report, report_size,
			   "%s is corrupt: %s; it is now %s.corrupt, and the switch starts empty",
			   path, why, path);
		if (!store_file_set_aside(path, why, why_size))
			return NULL;
	}
}

enum store_found store_open(const char *path, struct store **store, char *report,
			    size_t report_size, char *why, size_t why_size) {
	char resolved[STORE_PATH_MAX];

	*report = *why = '\0';
	*store = NULL;
	if (!store_file_resolve(path, resolved, why, why_size))
		return STORE_UNUSABLE;

	*store = open_or_set_aside(resolved, report, report_size, why, why_size);
	if (*store == NULL)
		return STORE_UNUSABLE;
	if (legacy_take(*store, resolved, report, report_size, why, why_size) &&
	    store_file_sync_directory(resolved))
		return STORE_OPENED;

	if (*why == '\0')
		snprintf(why, why_size, "The directory of %s cannot be written: %s", path,
			 strerror(errno));
	store_close(*store);
	*store = NULL;
	return STORE_UNUSABLE;
}

void store_close(struct store *store) {
	if (store == NULL)
		return;
	for (unsigned i = 0; i < STORE_STATEMENTS; i++)
		sqlite3_finalize(store->statements[i]);
	sqlite3_close(store->db);
	free(store);
}
