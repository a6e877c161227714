#include "control/log.h"

#include <stdarg.h>
#include <stdio.h>

static const char *switch_name = "dpdk-tagging";

void log_name(const char *name) {
	switch_name = name;
}

void log_line(const char *format, ...) {
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	fprintf(stderr, "%s: %s\n", switch_name, line);
}
