#pragma once

#include <stdio.h>

// Writes one line to standard error, with the switch's name in front.
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

void log_name(const char *name);

// For many lines at once, without the name in front: a stream to write them to, or NULL. log_end()
// writes them out, so that no other line comes between.
FILE *log_begin(void);
void log_end(FILE *stream);
