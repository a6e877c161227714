#pragma once

#include "datapath/rules.h"
#include "datapath/slab.h"
#include "datapath/table.h"

// What rules are made of, for the files rules*.c alone. Rules are known by their numbers here.

static_assert((int)TABLE_MASKS_MAX == (int)RULE_MASKS_MAX, "a table has the promised masks");

struct rule_table {
	struct table *rules; // all
	struct table *ends;  // the oldest rule between two ends, by match_ends()
};

extern struct slab rule_slab, state_slab;
extern const struct table_kind rule_kind, ends_kind;

static inline struct rule *rule_at(uint32_t number) {
	return slab_at(&rule_slab, number, sizeof(struct rule));
}

static inline struct rule_state *state_at(uint32_t number) {
	return slab_at(&state_slab, number, sizeof(struct rule_state));
}

// Makes a set the one of now. Returns the one before, which data cores may still have.
struct rule_set *rules_show(struct rule_set *set);
