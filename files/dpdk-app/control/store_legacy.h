#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "control/store.h"

// What version 1.0 wrote, beside the database.
#define LEGACY_NAME "state.json"

// Takes that file over in one change if the store holds nothing yet, and renames it to
// state.json.migrated; a corrupt one to state.json.corrupt. What was done is added to the report.
// False: why says the cause and the way out, and the store is as before.
bool legacy_take(struct store *store, const char *path, char *report, size_t report_size, char *why,
		 size_t why_size);
