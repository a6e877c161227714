#pragma once

#include <stdbool.h>
#include <stddef.h>

// The files of a database: PATH, and what SQLite keeps beside it.

// Makes the file if it is not there, for its owner alone. False: why says the cause and the way
// out. *empty: there is nothing in it, though its journal may hold something.
bool store_file_make(const char *path, bool *empty, char *why, size_t why_size);

// True if there is a journal with something in it.
bool store_file_has_journal(const char *path);

// Renames them to PATH.corrupt…, in place of older ones.
bool store_file_set_aside(const char *path, char *why, size_t why_size);

// Makes what was renamed in the directory of path durable.
bool store_file_sync_directory(const char *path);

// Appends a sentence to a report.
__attribute__((format(printf, 3, 4))) void report_add(char *report, size_t size, const char *format,
						      ...);
