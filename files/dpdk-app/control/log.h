#pragma once

// Writes one line to standard error, with the switch's name in front.
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

void log_name(const char *name);
