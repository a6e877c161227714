#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

// The files of a database: PATH, and what SQLite keeps beside it.

enum { STORE_PATH_MAX = PATH_MAX - 32 }; // so that there is room for what is put behind it

// The path without a symbolic link in its directory: if SQLite must not follow one at the end, it
// follows none at all. False: why says the cause and the way out, as below.
bool store_file_resolve(const char *path, char resolved[STORE_PATH_MAX], char *why,
			size_t why_size);

// Makes the file if it is not there, for its owner alone. *empty: there is nothing in it, though
// its journal may hold something.
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
