#include "datapath/rules_edit.h"

#include <stdio.h>

#include <rte_cycles.h>
#include <rte_malloc.h>

static uint32_t find(const struct rule_table *table, const struct match *match) {
	return table != NULL ? table_find(table->rules, &rule_kind, match) : SLAB_NONE;
}

// The state stays, for a rule that may take it up again.
static void let_go(struct rules_change *change, uint32_t number) {
	change_link(change, number, OLDER, LINK_GONE);
	change->gone[change->gone_len++] = number;
}

static void unset_all(struct rules_change *change, const struct table *rules) {
	for (uint32_t i = 0; i < rules->buckets_len; i++)
		for (unsigned place = 0; place < BUCKET_LEN; place++)
			if (rules->buckets[i].signatures[place] != 0)
				let_go(change, rules->buckets[i].values[place]);
}

static void unset(struct rules_change *change, struct rule_table *table,
		  const struct match *match) {
	const uint32_t number = find(table, match);

	if (number == SLAB_NONE)
		return;
	if (rule_at(number)->ends != TABLE_NO_MASK)
		ring_remove(change, table->ends, number);
	table_remove(table->rules, &rule_kind, number);
	let_go(change, number);
}

static struct rule_state *make_state(struct rules_change *change, const struct rule_spec *spec) {
	// A bucket that no shaper has drained is full, however deep a later rule makes it.
	const uint64_t burst_bits = spec->shaper.mode == SHAPE_OFF ? INT64_MAX
								   : spec->shaper.burst_bits;
	const uint32_t number = slab_take(&state_slab);
	struct rule_state *state;

	if (number == SLAB_NONE)
		return NULL;
	change->states[change->states_len++] = number;
	state = state_at(number);
	*state = (struct rule_state){.detail = NULL};
	shaper_init(&state->shaper, rte_get_tsc_hz(), burst_bits, rte_rdtsc());
	return state;
}

// A higher rate gets a version that neither the rule before it had, nor the one that the data core
// has used last.
static uint8_t next_version(const struct rule *before, uint64_t rate_bps) {
	const uint8_t used = __atomic_load_n(&before->state->version, __ATOMIC_RELAXED);
	const uint8_t next = before->version + 1;

	if (rate_bps <= before->rate_bps)
		return before->version;
	return next != used ? next : (uint8_t)(next + 1);
}

static void take_up(struct rule *rule, const struct rule *before) {
	rule->state = before->state;
	rule->version = next_version(before, rule->rate_bps);
}

static void fill(struct rule *rule, const struct rule_spec *spec) {
	*rule = (struct rule){
		.key = spec->match.key,
		.rate_bps = spec->shaper.rate_bps,
		.burst_bits = spec->shaper.burst_bits,
		.queue_bytes = spec->shaper.queue_bytes,
		.queue_packets = spec->shaper.queue_packets,
		.destination_vm = spec->destination_vm,
		.priority = spec->priority,
		.slot = spec->slot,
		.mode = spec->shaper.mode,
		.ends = TABLE_NO_MASK,
	};
	rule->tags_len = (uint8_t)tags_encode(&spec->tags, rule->tags);
}

// There are masks enough for ends: each belongs to a mask of rules.
static bool number_masks(struct rule_table *table, struct rule *rule, const struct match *match) {
	const uint8_t number = table_add_mask(table->rules, &match->mask);
	struct match ends;

	if (number == TABLE_NO_MASK)
		return false;
	rule->key.number = number;
	if (match_ends(match, &ends))
		rule->ends = table_add_mask(table->ends, &ends.mask);
	return true;
}

static void replace(struct rules_change *change, struct rule_table *table, uint32_t number,
		    uint32_t next) {
	take_up(rule_at(next), rule_at(number));
	if (rule_at(number)->ends != TABLE_NO_MASK)
		ring_replace(change, table->ends, number, next);
	table_replace(table->rules, &rule_kind, number, next);
	change->gone[change->gone_len++] = number;
}

// A rule that this edit has unset before has its state again, but not its age.
static bool add(struct rules_change *change, const struct draft *draft,
		const struct rule_spec *spec, uint32_t number) {
	const uint32_t before = find(draft->before, &spec->match);
	struct rule *rule = rule_at(number);

	if (before != SLAB_NONE) {
		take_up(rule, rule_at(before));
		change_link(change, number, OLDER, number);
	} else {
		rule->state = make_state(change, spec);
		if (rule->state == NULL)
			return false;
	}

	table_insert(draft->table->rules, &rule_kind, number);
	if (rule->ends != TABLE_NO_MASK)
		ring_append(change, draft->table->ends, number);
	return true;
}

static bool refuse_memory(const struct rules_change *change, uint16_t vm) {
	snprintf(change->why, change->why_size,
		 "no memory for the rules of VM %u; give the switch more hugepages", vm);
	return false;
}

static bool refuse_mask(const struct rules_change *change, uint16_t vm) {
	snprintf(change->why, change->why_size,
		 "VM %u would have more than %u combinations of match fields and prefix lengths; "
		 "match by those that its other rules have",
		 vm, RULE_MASKS_MAX);
	return false;
}

static bool set(struct rules_change *change, const struct draft *draft,
		const struct rule_spec *spec) {
	const uint32_t there = find(draft->table, &spec->match);
	const uint32_t number = slab_take(&rule_slab);

	if (number == SLAB_NONE)
		return refuse_memory(change, draft->vm);
	change->made[change->made_len++] = number;
	fill(rule_at(number), spec);
	if (!number_masks(draft->table, rule_at(number), &spec->match))
		return refuse_mask(change, draft->vm);

	if (there != SLAB_NONE)
		replace(change, draft->table, there, number);
	else if (!add(change, draft, spec, number))
		return refuse_memory(change, draft->vm);
	return true;
}

// The table that the edit begins with.
static bool begin(struct draft *draft, const struct rules_edit *edit) {
	const struct rule_table *kept = edit->clear ? NULL : draft->before;

	draft->table = rte_zmalloc("rule table", sizeof(*draft->table), 0);
	if (draft->table == NULL)
		return false;
	draft->table->rules = table_copy(kept != NULL ? kept->rules : NULL, &rule_kind,
					 edit->set_len);
	draft->table->ends = table_copy(kept != NULL ? kept->ends : NULL, &ends_kind,
					edit->set_len);
	return draft->table->rules != NULL && draft->table->ends != NULL;
}

bool rules_edit_apply(struct rules_change *change, struct draft *draft,
		      const struct rules_edit *edit) {
	if (!begin(draft, edit))
		return refuse_memory(change, draft->vm);

	if (edit->clear && draft->before != NULL)
		unset_all(change, draft->before->rules);
	for (size_t i = 0; i < edit->unset_len; i++)
		unset(change, draft->table, &edit->unset[i]);
	for (size_t i = 0; i < edit->set_len; i++)
		if (!set(change, draft, &edit->set[i]))
			return false;

	draft->table->rules = table_finish(draft->table->rules, &rule_kind);
	draft->table->ends = table_finish(draft->table->ends, &ends_kind);
	return true;
}
