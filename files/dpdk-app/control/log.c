#include "control/log.h"

#include <stdarg.h>
#include <stdlib.h>

static const char *switch_name = "dpdk-tagging";
static char *collected;
static size_t collected_len;

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

FILE *log_begin(void) {
	return open_memstream(&collected, &collected_len);
}

void log_end(FILE *stream) {
	if (fclose(stream) == 0)
		fwrite(collected, 1, collected_len, stderr);
	free(collected);
	collected = NULL;
}
