#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "core/drop.h"
#include "core/scheduler.h"
#include "core/spec.h"

enum {
	RULES_MAX = 1048576,
	RULES_BURST = 64,    // frames in one rules_match()
	RULE_MASKS_MAX = 32, // different forms of match in the table of one VM
	DELAY_BUCKETS = 16,
};

// What few rules need: counted from the first frame that had to wait or was dropped.
struct rule_detail {
	uint64_t drops[DROP_COUNT]; // only those with DROP_AT_RULE are ever counted
	uint64_t delays[DELAY_BUCKETS];
	uint64_t delay_max; // ticks
};

// What changes with every frame. Of the one data core that serves the rule's VM, until control has
// withdrawn all rules that have it; it stays when a rule is replaced by one with the same match.
//
// States lie one after the other, so each second one begins in the middle of a cache line. What a
// frame that need not wait changes is in one line, or in that one and the one before.
struct rule_state {
	uint64_t packets; // that left
	uint64_t bytes;
	struct rule_detail *detail; // or NULL; from rte_malloc, freed with the state
	uint32_t epoch;		    // counters of another than the worker's count as 0
	uint8_t version;	    // of the rule that the shaper was last used for
	struct shaper shaper;
	struct queue queue;
	uint32_t links[2]; // of control
};

// A rule as data cores see it. Immutable; a change publishes another one.
struct rule {
	struct match_key key; // with the number of its mask in the table
	struct rule_state *state;
	uint64_t rate_bps;
	uint64_t burst_bits;
	uint32_t queue_bytes;
	uint16_t queue_packets;
	uint16_t destination_vm; // or TO_UPLINK
	uint16_t priority;
	int16_t slot;
	uint8_t mode;	  // enum shaper_mode
	uint8_t tags_len; // bytes
	uint8_t version;  // another one than before if it replaces a rule of a lower rate
	uint8_t ends;	  // of control
	uint8_t tags[TAGS_SIZE];
} __rte_cache_aligned;

static_assert(sizeof(struct rule_state) == 96, "a rule's state has no holes");
static_assert(offsetof(struct rule_state, shaper) == 32 &&
		      offsetof(struct rule_state, queue.head) + sizeof(void *) <= 64,
	      "shaper and the head of its queue are in one cache line");
static_assert(sizeof(struct rule) == 128, "a rule takes two cache lines");

// Before the shaper of a rule's state is used: a rate that was raised fills no bucket for the past.
static inline void rule_follow(const struct rule *rule, uint64_t now) {
	struct rule_state *const state = rule->state;

	if (unlikely(state->version != rule->version)) {
		shaper_forfeit(&state->shaper, now);
		state->version = rule->version;
	}
}

// The rules of one VM: masks, and a hash table of rules. Immutable.
struct rule_table;

// The tables of all VMs, which a data core reads once per turn, so that a change of any number of
// rules is one step. Immutable while published.
struct rule_set {
	const struct rule_table *by_vm[VM_COUNT]; // NULL: no rules
};

// False: no memory.
bool rules_init(void);

// The set as of now; a data core may use it, its tables and rules until its next grace_quiet().
const struct rule_set *rules_now(void);

// Finds the rule of each frame, or NULL: of those that match the one with the highest priority, of
// these the one with most bits in its match. A rule that is found is on its way to the cache, with
// its state. table may be NULL: nothing matches.
void rules_match(const struct rule_table *table, const struct match_key keys[], unsigned len,
		 const struct rule *found[]);

// The rule of exactly this match, or NULL. For control.
const struct rule *rules_find(uint16_t vm, const struct match *match);

// Back from a rule to what was wanted.
void rule_read(uint16_t vm, const struct rule *rule, struct rule_spec *spec);

size_t rules_len(void);
size_t rules_len_of(uint16_t vm);

// Calls visit for each rule of a VM, in no order.
void rules_visit(uint16_t vm, void (*visit)(const struct rule *rule, void *of), void *of);

// A change of the rules of one VM: what is there (nothing, if clear), without those of unset, and
// with those of set, each match once.
struct rules_edit {
	uint16_t vm;
	bool clear;
	size_t unset_len;
	const struct match *unset; // those that are not there are passed over
	size_t set_len;
	const struct rule_spec *set;
};

// A change that is prepared needs nothing more, so that publishing it cannot fail.
struct rules_change;

// edits: each VM once. NULL: why says the cause and the way out.
struct rules_change *rules_prepare(const struct rules_edit edits[], size_t len, char *why,
				   size_t why_size);

// All at once for the data cores; waits until none has the previous set, and frees what is gone.
// A state that still has frames in its queue is condemned, and freed by rules_reclaim().
void rules_publish(struct rules_change *change);
void rules_cancel(struct rules_change *change);

// Frees states whose condemned queue has become empty; for control, now and then.
void rules_reclaim(void);

// Bytes of memory for rules, states and tables.
size_t rules_memory(void);
