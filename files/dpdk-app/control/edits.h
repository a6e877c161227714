#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "control/rpc.h"
#include "core/spec.h"
#include "datapath/rules.h"

// Rules to set and to unset, as the data path takes them: one edit for each VM.
struct edits {
	size_t len;
	struct rules_edit *list; // by VM
	struct rule_spec *set;	 // what they point to
	struct match *unset;
};

// Each VM's rules stay in their order. False: *error is filled, nothing is to be freed.
bool edits_make(const struct rule_spec set[], size_t set_len, const struct rule_spec unset[],
		size_t unset_len, struct edits *edits, struct rpc_error *error);
void edits_free(struct edits *edits);
