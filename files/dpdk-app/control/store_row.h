#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "core/spec.h"

// A port or a rule as the columns of its table, which a person can read. Each row ends with a
// checksum of the others, so that what a disk has changed is never taken for what was written.

#define PORT_COLUMNS "vm, mac, socket_server"
#define MATCH_COLUMNS                                                                              \
	"vm, destination_mac, ether_type, protocol, source_ip, destination_ip, source_port, "      \
	"destination_port"
#define TREATMENT_COLUMNS                                                                          \
	"priority, tags, tpid, destination_vm, mode, rate_bps, burst_bits, queue_packets, "        \
	"queue_bytes, slot"
#define RULE_COLUMNS MATCH_COLUMNS ", " TREATMENT_COLUMNS

enum {
	GENERATION_WIDTH = 1,
	PORT_WIDTH = 3,
	MATCH_WIDTH = 8,
	RULE_WIDTH = 18, // without the checksum
	ROW_MODES = SHAPE_POLICE + 1,
	ADDRESS_TEXT = 52, // an IPv6 prefix
	TAGS_TEXT = TAGS_MAX * 5,
	MAC_TEXT = 3 * MAC_LEN,
};

enum { PORT_VM, PORT_MAC, PORT_SERVER };

// Columns of a rule; those up to RULE_PRIORITY are its match.
enum {
	RULE_VM,
	RULE_MAC,
	RULE_ETHER_TYPE,
	RULE_PROTOCOL,
	RULE_SOURCE_IP,
	RULE_DESTINATION_IP,
	RULE_SOURCE_PORT,
	RULE_DESTINATION_PORT,
	RULE_PRIORITY,
	RULE_TAGS,
	RULE_TPID,
	RULE_DESTINATION_VM,
	RULE_MODE,
	RULE_RATE,
	RULE_BURST,
	RULE_QUEUE_PACKETS,
	RULE_QUEUE_BYTES,
	RULE_SLOT,
};

extern const char *const row_modes[ROW_MODES];

struct cell {
	int type; // SQLITE_INTEGER, SQLITE_TEXT or SQLITE_NULL
	int len;
	const char *text;
	int64_t integer;
};

struct row {
	unsigned width;
	struct cell cells[RULE_WIDTH];
	char mac[MAC_TEXT]; // text that is not SQLite's or constant
	char source_ip[ADDRESS_TEXT];
	char destination_ip[ADDRESS_TEXT];
	char tags[TAGS_TEXT];
};

void row_of_generation(uint64_t generation, struct row *row);
void row_of_port(const struct port_spec *port, struct row *row);
void row_of_match(uint16_t vm, const struct match *match, struct row *row);
void row_of_rule(const struct rule_spec *rule, struct row *row);

bool row_to_generation(const struct row *row, uint64_t *generation);
// NULL, or the column that cannot be.
const char *row_to_port(const struct row *row, struct port_spec *port);
const char *row_to_rule(const struct row *row, struct rule_spec *rule);

int64_t row_checksum(const struct row *row);

// Binds the cells to the statement's parameters from 1 on. Valid as long as the row is.
void row_bind(sqlite3_stmt *statement, const struct row *row);
void row_bind_checksum(sqlite3_stmt *statement, const struct row *row); // behind them

// Reads the cells and the checksum behind them, valid until the statement's next step. False: the
// checksum is another one.
bool row_read(sqlite3_stmt *statement, unsigned width, struct row *row);
