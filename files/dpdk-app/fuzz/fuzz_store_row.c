// Any cells as a rule of the store, whose checksum fits. What is accepted is written as a row that
// is accepted, too, and says the same.

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "control/rule_equal.h"
#include "control/store_row.h"
#include "fuzz/target.h"

enum {
	HEAD_LEN = 3, // of a cell in the input: its column, its type, its length
	CELLS_MAX = RULE_WIDTH,
};

static const struct rule_spec plain = {
	.destination_vm = TO_UPLINK,
	.slot = 3,
	.tags = {TPID_8021Q, 2, {21, 7}},
	.shaper = {1000000, 12208, QUEUE_BYTES_DEFAULT, QUEUE_PACKETS_DEFAULT, SHAPE_DELAY},
};

// Replaces a cell by the first one of data. Returns how many bytes that took. *text is to be freed.
static size_t replace_cell(struct row *row, const uint8_t *data, size_t size, char **text) {
	struct cell *cell = &row->cells[data[0] % RULE_WIDTH];
	const size_t rest = size - HEAD_LEN;
	const size_t len = data[2] < rest ? data[2] : rest;
	const uint8_t *bytes = data + HEAD_LEN;

	*cell = (struct cell){.type = SQLITE_NULL};
	if (data[1] % 3 == 1) {
		*text = calloc(1, len + 1);
		assert(*text != NULL);
		memcpy(*text, bytes, len);
		*cell = (struct cell){.type = SQLITE_TEXT, .len = (int)len, .text = *text};
	} else if (data[1] % 3 == 2) {
		cell->type = SQLITE_INTEGER;
		memcpy(&cell->integer, bytes, len < sizeof(cell->integer) ? len : 8);
	}
	return HEAD_LEN + len;
}

static void check_rule(const struct rule_spec *rule) {
	const struct shaper_terms *terms = &rule->shaper;
	struct rule_spec same;
	struct row row;

	assert(rule->vm <= VM_MAX && rule->slot >= NO_SLOT && rule->slot <= UINT8_MAX);
	assert(rule->destination_vm <= VM_MAX || rule->destination_vm == TO_UPLINK);
	assert(rule->tags.len <= TAGS_MAX);
	for (unsigned i = 0; i < rule->tags.len; i++)
		assert(rule->tags.vid[i] >= TAG_VID_MIN && rule->tags.vid[i] <= TAG_VID_MAX);
	if (terms->mode != SHAPE_OFF) {
		assert(terms->rate_bps >= 1 && terms->rate_bps <= RATE_BPS_MAX);
		assert(terms->burst_bits >= 1 && terms->burst_bits <= INT64_MAX);
	}

	row_of_rule(rule, &row);
	assert(row_to_rule(&row, &same) == NULL && rule_equal(rule, &same));
	assert(rule->vm == same.vm && match_compare(&rule->match, &same.match) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	char *texts[CELLS_MAX] = {NULL};
	struct rule_spec rule;
	struct row row;

	row_of_rule(&plain, &row);
	for (unsigned i = 0; i < CELLS_MAX && size >= HEAD_LEN; i++) {
		const size_t taken = replace_cell(&row, data, size, &texts[i]);

		data += taken;
		size -= taken;
	}
	if (row_to_rule(&row, &rule) == NULL)
		check_rule(&rule);
	for (unsigned i = 0; i < CELLS_MAX; i++)
		free(texts[i]);
	return 0;
}
