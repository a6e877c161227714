#pragma once

// cmocka wants these before it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

// Runs one test per row of a table; each row starts with its name, a sentence.
#define RUN_TABLE(rows, check)                                                                     \
	run_table(#rows, rows, sizeof(rows) / sizeof((rows)[0]), sizeof((rows)[0]), check)

static inline int run_table(const char *group, const void *rows, size_t len, size_t size,
			    void (*check)(void **)) {
	struct CMUnitTest *tests = calloc(len, sizeof(*tests));
	const char *row = rows;

	for (size_t i = 0; i < len; i++, row += size)
		tests[i] = (struct CMUnitTest){
			.name = *(const char *const *)(const void *)row,
			.test_func = check,
			.initial_state = (void *)(uintptr_t)row,
		};

	const int failed = _cmocka_run_group_tests(group, tests, len, NULL, NULL);

	free(tests);
	return failed;
}
