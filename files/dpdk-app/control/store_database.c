#include "control/store_database.h"

#include <stdio.h>
#include <string.h>

#include "control/store_row.h"
#include "control/store_schema.h"

#define THIS_MATCH                                                                                 \
	"(?1, ifnull(?5, ''), ifnull(?6, ''), ifnull(?7, -1), ifnull(?8, -1), ifnull(?4, -1), "    \
	"ifnull(?2, ''), ifnull(?3, -1))"
#define TREATMENT_VALUES "?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19"

static const char *const statements[STORE_STATEMENTS] = {
	[STORE_GET_GENERATION] = "SELECT generation, checksum FROM switch",
	[STORE_SET_GENERATION] = "INSERT INTO switch (one, generation, checksum) VALUES (1, ?1, ?2)"
				 " ON CONFLICT DO UPDATE SET generation = ?1, checksum = ?2",
	[STORE_SET_PORT] = "INSERT INTO port (" PORT_COLUMNS ", checksum) VALUES (?1, ?2, ?3, ?4)"
			   " ON CONFLICT DO UPDATE SET mac = ?2, socket_server = ?3, checksum = ?4",
	[STORE_REMOVE_PORT] = "DELETE FROM port WHERE vm = ?1",
	[STORE_SET_RULE] = "INSERT INTO rule (" RULE_COLUMNS ", checksum)"
			   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, " TREATMENT_VALUES ")"
			   " ON CONFLICT (" MATCH_INDEX ") DO UPDATE"
			   " SET (" TREATMENT_COLUMNS ", checksum) = (" TREATMENT_VALUES ")",
	[STORE_UNSET_RULE] = "DELETE FROM rule WHERE (" MATCH_INDEX ") = " THIS_MATCH,
	[STORE_CLEAR_RULES] = "DELETE FROM rule WHERE vm = ?1",
	[STORE_LIST_PORTS] = "SELECT " PORT_COLUMNS ", checksum FROM port ORDER BY vm",
	[STORE_LIST_RULES] = "SELECT " RULE_COLUMNS ", checksum, number FROM rule ORDER BY number",
	[STORE_RULE_IN_SLOT] = "SELECT " RULE_COLUMNS ", checksum FROM rule"
			       " WHERE vm = ?1 AND slot = ?2",
};

static const struct {
	int code;
	const char *way_out;
} ways_out[] = {
	{SQLITE_FULL, "make room on its file system"},
	{SQLITE_IOERR, "see the kernel's log, make room, or give another path"},
	{SQLITE_READONLY, "give it and its directory to the user of the switch"},
	{SQLITE_CANTOPEN, "give its directory to the user of the switch"},
	{SQLITE_PERM, "give it to the user of the switch"},
	{SQLITE_BUSY, "another program has it open: end that, or give another path"},
	{SQLITE_NOMEM, "free some memory"},
	{SQLITE_CONSTRAINT, "add the VM's port first"},
};

static const char *way_out(int code) {
	for (size_t i = 0; i < sizeof(ways_out) / sizeof(ways_out[0]); i++)
		if (ways_out[i].code == code)
			return ways_out[i].way_out;
	return "restart the switch, which sets a corrupt file aside";
}

bool store_explain(const struct store *store, const char *action, char *why, size_t why_size) {
	const int code = sqlite3_errcode(store->db) & 0xff;
	const int number = sqlite3_system_errno(store->db);
	const bool has_number = number != 0 && (code == SQLITE_IOERR || code == SQLITE_CANTOPEN);

	snprintf(why, why_size, "%s cannot be %s: %s%s%s; %s", store->path, action,
		 sqlite3_errmsg(store->db), has_number ? ", " : "",
		 has_number ? strerror(number) : "", way_out(code));
	return false;
}

bool store_execute(struct store *store, const char *sql) {
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool store_prepare(struct store *store) {
	for (unsigned i = 0; i < STORE_STATEMENTS; i++)
		if (sqlite3_prepare_v3(store->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &store->statements[i], NULL) != SQLITE_OK)
			return false;
	return true;
}
