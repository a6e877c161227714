#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "control/config.h"

// Saves the configuration so that after a crash the file holds either this one or the last.
// False: the file is as before, and why says the cause.
bool state_save(const char *path, const struct config *config, char *why, size_t why_size);

enum state_found {
	STATE_LOADED,
	STATE_ABSENT,
	STATE_CORRUPT, // why says what is wrong with it
	STATE_UNREADABLE,
};

// Reads what was saved; *config is empty unless STATE_LOADED.
enum state_found state_load(const char *path, struct config *config, char *why, size_t why_size);
