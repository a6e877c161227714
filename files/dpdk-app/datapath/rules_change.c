#include "datapath/rules_edit.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_malloc.h>

#include "datapath/grace.h"

// States that no rule has any more, while frames wait in their queues: linked by their links[0].
static uint32_t condemned = SLAB_NONE;

static void free_table(const struct rule_table *table) {
	if (table == NULL)
		return;
	table_free(table->rules);
	table_free(table->ends);
	rte_free((void *)(uintptr_t)table);
}

// Makes room for all that the edits may do, so that only the tables may lack memory later.
static struct rules_change *begin(const struct rules_edit edits[], size_t len) {
	const struct rule_set *now = rules_now();
	struct rules_change *change = calloc(1, sizeof(*change));
	size_t set = 0, unset = 0, cleared = 0;

	if (change == NULL)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		set += edits[i].set_len;
		unset += edits[i].unset_len;
		cleared += edits[i].clear ? rules_len_of(edits[i].vm) : 0;
	}

	// One more of each, because none of nothing is no pointer.
	change->next = rte_malloc("rule set", sizeof(*change->next), 0);
	change->drafts = calloc(len + 1, sizeof(*change->drafts));
	change->made = calloc(set + 1, sizeof(*change->made));
	change->states = calloc(set + 1, sizeof(*change->states));
	change->gone = calloc(set + unset + cleared + 1, sizeof(*change->gone));
	change->undo = calloc(UNDO_PER_SET * set + UNDO_PER_UNSET * unset + cleared + 1,
			      sizeof(*change->undo));
	if (change->next == NULL || change->drafts == NULL || change->made == NULL ||
	    change->states == NULL || change->gone == NULL || change->undo == NULL) {
		rules_cancel(change);
		return NULL;
	}
	*change->next = *now;
	return change;
}

static void end(struct rules_change *change) {
	free(change->drafts);
	free(change->made);
	free(change->states);
	free(change->gone);
	free(change->undo);
	free(change);
}

static size_t rules_after(const struct rules_change *change) {
	size_t len = rules_len();

	for (size_t i = 0; i < change->drafts_len; i++) {
		len += change->drafts[i].len;
		len -= rules_len_of(change->drafts[i].vm);
	}
	return len;
}

static bool apply(struct rules_change *change, const struct rules_edit edits[], size_t len) {
	for (size_t i = 0; i < len; i++) {
		struct draft *draft = &change->drafts[change->drafts_len++];

		draft->vm = edits[i].vm;
		draft->before = rules_now()->by_vm[draft->vm];
		if (!rules_edit_apply(change, draft, &edits[i]))
			return false;
		draft->len = draft->table->rules->len;
		if (draft->len == 0) {
			free_table(draft->table);
			draft->table = NULL;
		}
		change->next->by_vm[draft->vm] = draft->table;
	}
	if (rules_after(change) <= RULES_MAX)
		return true;
	snprintf(change->why, change->why_size,
		 "the switch would have %zu rules, and %u are the most; delete some first",
		 rules_after(change), RULES_MAX);
	return false;
}

struct rules_change *rules_prepare(const struct rules_edit edits[], size_t len, char *why,
				   size_t why_size) {
	struct rules_change *change = begin(edits, len);

	if (change == NULL) {
		snprintf(why, why_size, "no memory; give the switch more of it");
		return NULL;
	}
	change->why = why;
	change->why_size = why_size;
	if (apply(change, edits, len))
		return change;
	rules_cancel(change);
	return NULL;
}

void rules_cancel(struct rules_change *change) {
	while (change->undo_len > 0) {
		const struct undo *undo = &change->undo[--change->undo_len];

		*undo->link = undo->was;
	}
	for (size_t i = 0; i < change->drafts_len; i++)
		free_table(change->drafts[i].table);
	for (size_t i = 0; i < change->made_len; i++)
		slab_give(&rule_slab, change->made[i]);
	for (size_t i = 0; i < change->states_len; i++)
		slab_give(&state_slab, change->states[i]);
	rte_free(change->next);
	end(change);
}

static void condemn(struct rule_state *state) {
	atomic_store_explicit(&state->queue.condemned, true, memory_order_release);
	state->links[0] = condemned;
	condemned = slab_number(&state_slab, state);
}

static void free_gone(uint32_t number) {
	struct rule_state *state = rule_at(number)->state;

	if (state->links[OLDER] == LINK_GONE)
		condemn(state);
	slab_give(&rule_slab, number);
}

void rules_publish(struct rules_change *change) {
	struct rule_set *before = rules_show(change->next);

	grace_wait();
	for (size_t i = 0; i < change->gone_len; i++)
		free_gone(change->gone[i]);
	for (size_t i = 0; i < change->drafts_len; i++)
		free_table(change->drafts[i].before);
	rte_free(before);
	end(change);
	rules_reclaim();
}

// Takes those whose queue is empty off the condemned states.
static uint32_t take_empty(void) {
	uint32_t *link = &condemned;
	uint32_t taken = SLAB_NONE;

	while (*link != SLAB_NONE) {
		const uint32_t number = *link;
		struct rule_state *state = state_at(number);

		if (__atomic_load_n(&state->queue.head, __ATOMIC_ACQUIRE) != NULL) {
			link = &state->links[0];
			continue;
		}
		*link = state->links[0];
		state->links[0] = taken;
		taken = number;
	}
	return taken;
}

void rules_reclaim(void) {
	uint32_t number = take_empty();

	if (number == SLAB_NONE)
		return;

	// The data core that took the last frame out may still be counting it.
	grace_wait();
	while (number != SLAB_NONE) {
		struct rule_state *state = state_at(number);
		const uint32_t next = state->links[0];

		rte_free(state->detail);
		slab_give(&state_slab, number);
		number = next;
	}
}
