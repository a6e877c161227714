#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <sqlite3.h>

// Uniqueness of a match, where NULL (any) is a value as well.
#define MATCH_INDEX                                                                                \
	"vm, ifnull(source_ip, ''), ifnull(destination_ip, ''), ifnull(source_port, -1), "         \
	"ifnull(destination_port, -1), ifnull(protocol, -1), ifnull(destination_mac, ''), "        \
	"ifnull(ether_type, -1)"

enum schema_found {
	SCHEMA_GOOD,
	SCHEMA_NONE, // an empty database
	SCHEMA_NEWER,
	SCHEMA_STRANGE, // not what any version makes
	SCHEMA_FAILED,	// see sqlite3_errcode()
};

// Looks at the version, and compares the schema with what that version has.
enum schema_found schema_check(sqlite3 *db);

// Brings an empty or older database to the newest version, in a transaction of the caller.
bool schema_migrate(sqlite3 *db);

// The version of a database, and the newest one.
int schema_version(sqlite3 *db);
extern const int schema_newest;
