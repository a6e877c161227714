#include "control/store_row.h"

// FNV-1a, 64 bits: no single wrong byte goes unseen.
static uint64_t hash(uint64_t state, const void *bytes, size_t len) {
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		state = (state ^ at[i]) * 0x100000001b3;
	return state;
}

int64_t row_checksum(const struct row *row) {
	uint64_t state = 0xcbf29ce484222325;

	for (unsigned i = 0; i < row->width; i++) {
		const struct cell *cell = &row->cells[i];
		const uint8_t type = (uint8_t)cell->type;

		state = hash(state, &type, sizeof(type));
		if (type == SQLITE_INTEGER)
			state = hash(state, &cell->integer, sizeof(cell->integer));
		if (type == SQLITE_TEXT)
			state = hash(state, cell->text, (size_t)cell->len + 1);
	}
	return (int64_t)state;
}

void row_bind(sqlite3_stmt *statement, const struct row *row) {
	for (unsigned i = 0; i < row->width; i++) {
		const struct cell *cell = &row->cells[i];
		const int parameter = (int)i + 1;

		if (cell->type == SQLITE_INTEGER)
			sqlite3_bind_int64(statement, parameter, cell->integer);
		else if (cell->type == SQLITE_TEXT)
			sqlite3_bind_text(statement, parameter, cell->text, cell->len,
					  SQLITE_STATIC);
		else
			sqlite3_bind_null(statement, parameter);
	}
}

void row_bind_checksum(sqlite3_stmt *statement, const struct row *row) {
	sqlite3_bind_int64(statement, (int)row->width + 1, row_checksum(row));
}

bool row_read(sqlite3_stmt *statement, unsigned width, struct row *row) {
	row->width = width;
	for (unsigned i = 0; i < width; i++) {
		const int column = (int)i, type = sqlite3_column_type(statement, column);
		struct cell *cell = &row->cells[i];

		*cell = (struct cell){.type = type};
		if (type == SQLITE_INTEGER)
			cell->integer = sqlite3_column_int64(statement, column);
		if (type == SQLITE_TEXT) {
			cell->text = (const char *)sqlite3_column_text(statement, column);
			cell->len = sqlite3_column_bytes(statement, column);
		}
	}
	return sqlite3_column_int64(statement, (int)width) == row_checksum(row);
}
