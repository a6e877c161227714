#include "control/edits.h"

#include <stdlib.h>
#include <string.h>

// Counts into an edit for each VM, and gives each its part of the two arrays.
static void lay_out(struct edits *edits, const struct rule_spec set[], size_t set_len,
		    const struct rule_spec unset[], size_t unset_len) {
	struct rule_spec *next_set = edits->set;
	struct match *next_unset = edits->unset;

	for (size_t i = 0; i < set_len; i++)
		edits->list[set[i].vm].set_len++;
	for (size_t i = 0; i < unset_len; i++)
		edits->list[unset[i].vm].unset_len++;
	for (unsigned vm = 0; vm < VM_COUNT; vm++) {
		struct rules_edit *edit = &edits->list[vm];

		edit->vm = (uint16_t)vm;
		edit->set = next_set;
		edit->unset = next_unset;
		next_set += edit->set_len;
		next_unset += edit->unset_len;
	}
}

static void fill(const struct edits *edits, const struct rule_spec set[], size_t set_len,
		 const struct rule_spec unset[], size_t unset_len) {
	size_t set_filled[VM_COUNT] = {0}, unset_filled[VM_COUNT] = {0};

	for (size_t i = 0; i < set_len; i++) {
		const uint16_t vm = set[i].vm;
		const size_t at = (size_t)(edits->list[vm].set - edits->set) + set_filled[vm]++;

		edits->set[at] = set[i];
	}
	for (size_t i = 0; i < unset_len; i++) {
		const uint16_t vm = unset[i].vm;
		const size_t at = (size_t)(edits->list[vm].unset - edits->unset) +
				  unset_filled[vm]++;

		edits->unset[at] = unset[i].match;
	}
}

// Leaves out the VMs of which nothing changes.
static void close_up(struct edits *edits) {
	for (unsigned vm = 0; vm < VM_COUNT; vm++)
		if (edits->list[vm].set_len > 0 || edits->list[vm].unset_len > 0)
			edits->list[edits->len++] = edits->list[vm];
}

bool edits_make(const struct rule_spec set[], size_t set_len, const struct rule_spec unset[],
		size_t unset_len, struct edits *edits, struct rpc_error *error) {
	*edits = (struct edits){
		.list = calloc(VM_COUNT, sizeof(edits->list[0])),
		.set = calloc(set_len + 1, sizeof(edits->set[0])),
		.unset = calloc(unset_len + 1, sizeof(edits->unset[0])),
	};
	if (edits->list == NULL || edits->set == NULL || edits->unset == NULL) {
		edits_free(edits);
		return rpc_fail(error, RPC_NO_CAPACITY, "no memory left; give fewer rules at once");
	}
	lay_out(edits, set, set_len, unset, unset_len);
	fill(edits, set, set_len, unset, unset_len);
	close_up(edits);
	return true;
}

void edits_free(struct edits *edits) {
	free(edits->list);
	free(edits->set);
	free(edits->unset);
	*edits = (struct edits){0};
}
