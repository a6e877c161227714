#pragma once

#include <stdbool.h>

// Memory for the JSON tree of one request, so that no request can take more than its share, and
// nothing of it has to be freed piece by piece.

enum { ARENA_MAX = 512 * 1024 * 1024 }; // bytes

// From here on jansson takes its memory from the arena.
void arena_begin(void);

// Everything that was taken since arena_begin() is gone; jansson is as before.
void arena_end(void);

// True if some memory since arena_begin() was refused.
bool arena_exhausted(void);
