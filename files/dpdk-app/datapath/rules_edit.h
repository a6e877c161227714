#pragma once

#include "datapath/rules_table.h"

// A change on its way, for rules_change.c, rules_edit.c and rules_ring.c alone.

// A link of a state, and what it is again if the change is cancelled.
struct undo {
	uint32_t *link;
	uint32_t was;
};

// The rules of one VM in a change.
struct draft {
	uint16_t vm;
	const struct rule_table *before; // or NULL
	struct rule_table *table;	 // or NULL
	size_t len;			 // of the table
};

struct rules_change {
	struct rule_set *next;
	struct draft *drafts;
	uint32_t *made;	  // rules
	uint32_t *states; // made
	uint32_t *gone;	  // rules; some may have been made by this change
	struct undo *undo;
	size_t drafts_len, made_len, states_len, gone_len, undo_len;
	char *why; // of rules_prepare()
	size_t why_size;
};

enum { OLDER, YOUNGER }; // links of a state, with the numbers of rules

// The link to the older one while no rule has the state.
#define LINK_GONE UINT32_MAX

static inline void change_link(struct rules_change *change, uint32_t number, unsigned which,
			       uint32_t to) {
	uint32_t *link = &rule_at(number)->state->links[which];

	change->undo[change->undo_len++] = (struct undo){.link = link, .was = *link};
	*link = to;
}

enum { UNDO_PER_SET = 5, UNDO_PER_UNSET = 3 }; // at most

// Makes the next table of a VM. False: change->why says the cause and the way out.
bool rules_edit_apply(struct rules_change *change, struct draft *draft,
		      const struct rules_edit *edit);

// Rules between the same two ends are in a ring in order of their age; the table of ends has the
// oldest.
void ring_append(struct rules_change *change, struct table *ends, uint32_t number);
void ring_remove(struct rules_change *change, struct table *ends, uint32_t number);
void ring_replace(struct rules_change *change, struct table *ends, uint32_t number, uint32_t next);
