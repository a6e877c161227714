#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/asked.h"
#include "control/change.h"
#include "control/codec.h"
#include "control/decode.h"
#include "control/edits.h"
#include "control/methods.h"
#include "control/rule_equal.h"
#include "datapath/ports.h"
#include "datapath/rules.h"

enum { NO_GENERATION = -1, ALL_VMS = -1 };

struct params {
	const json_t *rules;
	int64_t if_generation;
	int64_t vm;
};

#define AT(field) offsetof(struct params, field)

static const struct member members[] = {
	{"rules", decode_list, AT(rules), 0, 0, "a list of rules", true},
	{"if_generation", decode_integer, AT(if_generation), 0, INT64_MAX, NULL, false},
	{"vm", decode_integer, AT(vm), 0, VM_MAX, NULL, false},
};

enum { MEMBERS_OF_CHANGE = 2, MEMBERS_OF_REPLACE = 3 };

static bool read_params(const struct control *control, json_t *json, unsigned members_len,
			struct params *params, struct rpc_error *error) {
	const uint64_t generation = store_generation(control->store);

	*params = (struct params){.if_generation = NO_GENERATION, .vm = ALL_VMS};
	if (!decode_object(json, members, members_len, params, NULL, error))
		return false;
	if (params->if_generation == NO_GENERATION || (uint64_t)params->if_generation == generation)
		return true;
	return rpc_fail(error, RPC_GENERATION,
			"the generation is %" PRIu64 ", not %" PRId64 ": something has changed "
			"since; list the rules again",
			generation, params->if_generation);
}

// Each match once, each VM with a port, and of the given VM if there is one.
static bool check(const struct asked *asked, int64_t only_vm, struct rpc_error *error) {
	if (!asked_is_distinct(asked, error))
		return false;
	for (size_t i = 0; i < asked->len; i++) {
		const uint16_t vm = asked->rules[i].vm;

		error->index = (int)i;
		if (only_vm != ALL_VMS && vm != only_vm)
			return rpc_fail(error, RPC_INVALID_PARAMS,
					"the rule is of VM %u, but the table of VM %" PRId64
					" is to be replaced; leave one of them out",
					vm, only_vm);
		if (ports_now()->by_vm[vm] == NULL)
			return rpc_fail(error, RPC_NOT_FOUND, "VM %u has no port; add it first",
					vm);
	}
	error->index = RPC_NO_INDEX;
	return true;
}

// Moves those that differ from what is there to the front, and returns how many. A rule that VM 0
// knows by a slot keeps it.
static size_t changed_ones(struct rule_spec rules[], size_t len) {
	size_t changed = 0;

	for (size_t i = 0; i < len; i++) {
		const struct rule *rule = rules_find(rules[i].vm, &rules[i].match);
		struct rule_spec present;

		if (rule != NULL) {
			rule_read(rules[i].vm, rule, &present);
			rules[i].slot = present.slot;
			if (rule_equal(&rules[i], &present))
				continue;
		}
		rules[changed++] = rules[i];
	}
	return changed;
}

static bool apply(struct control *control, const struct rule_spec set[], size_t set_len,
		  const struct rule_spec unset[], size_t unset_len, struct rpc_error *error) {
	struct edits edits;

	if (set_len == 0 && unset_len == 0)
		return true;
	if (!edits_make(set, set_len, unset, unset_len, &edits, error))
		return false;

	const bool good = change_rules(control, edits.list, edits.len, error);

	edits_free(&edits);
	return good;
}

bool rule_set(void *context, json_t *json, struct writer *result, struct rpc_error *error) {
	struct control *control = context;
	struct params params;
	struct asked asked;

	if (!read_params(control, json, MEMBERS_OF_CHANGE, &params, error) ||
	    !asked_read(params.rules, decode_rule, &asked, error))
		return rpc_fail_action(error, "set rules");

	bool good = check(&asked, ALL_VMS, error);
	const size_t changed = good ? changed_ones(asked.rules, asked.len) : 0;

	good = good && apply(control, asked.rules, changed, NULL, 0, error);
	asked_free(&asked);
	if (!good)
		return rpc_fail_action(error, "set rules");

	put_object(result, NULL);
	put_integer(result, "changed", (int64_t)changed);
	methods_end_change(control, result);
	return true;
}

// Those of the list that are there, each once.
static size_t present_ones(const struct asked *asked, struct rule_spec present[]) {
	size_t len = 0;

	for (uint32_t i = 0; i < asked->len; i++) {
		const struct rule_spec *rule = &asked->rules[i];

		if (asked_find(asked, rule->vm, &rule->match) == i &&
		    rules_find(rule->vm, &rule->match) != NULL)
			present[len++] = *rule;
	}
	return len;
}

static bool delete_ones(struct control *control, const struct asked *asked, size_t *deleted,
			struct rpc_error *error) {
	struct rule_spec *gone = calloc(asked->len + 1, sizeof(*gone));

	if (gone == NULL)
		return rpc_fail(error, RPC_NO_CAPACITY, "no memory left; give fewer rules at once");
	*deleted = present_ones(asked, gone);
	const bool good = apply(control, NULL, 0, gone, *deleted, error);

	free(gone);
	return good;
}

bool rule_delete(void *context, json_t *json, struct writer *result, struct rpc_error *error) {
	struct control *control = context;
	struct params params;
	struct asked asked;
	size_t deleted = 0;

	if (!read_params(control, json, MEMBERS_OF_CHANGE, &params, error) ||
	    !asked_read(params.rules, decode_identity, &asked, error))
		return rpc_fail_action(error, "delete rules");

	const bool good = delete_ones(control, &asked, &deleted, error);

	asked_free(&asked);
	if (!good)
		return rpc_fail_action(error, "delete rules");

	put_object(result, NULL);
	put_integer(result, "deleted", (int64_t)deleted);
	methods_end_change(control, result);
	return true;
}

// The rules that are there and were not asked for.
struct leftover {
	const struct asked *asked;
	uint16_t vm;
	size_t len;
	struct rule_spec *rules;
};

static void find_leftover(const struct rule *rule, void *of) {
	struct leftover *leftover = of;
	struct rule_spec *spec = &leftover->rules[leftover->len];

	rule_read(leftover->vm, rule, spec);
	if (asked_find(leftover->asked, spec->vm, &spec->match) == ASKED_NONE)
		leftover->len++;
}

// False: no memory, and *error is filled.
static bool find_leftovers(const struct asked *asked, int64_t only_vm, struct leftover *leftover,
			   struct rpc_error *error) {
	const unsigned first = only_vm == ALL_VMS ? 0 : (unsigned)only_vm;
	const unsigned last = only_vm == ALL_VMS ? VM_MAX : (unsigned)only_vm;

	*leftover = (struct leftover){
		.asked = asked,
		.rules = calloc(rules_len() + 1, sizeof(leftover->rules[0])),
	};
	if (leftover->rules == NULL)
		return rpc_fail(error, RPC_NO_CAPACITY, "no memory left; replace VM by VM");
	for (unsigned vm = first; vm <= last; vm++) {
		leftover->vm = (uint16_t)vm;
		rules_visit((uint16_t)vm, find_leftover, leftover);
	}
	return true;
}

bool rule_replace(void *context, json_t *json, struct writer *result, struct rpc_error *error) {
	struct control *control = context;
	struct leftover gone = {0};
	struct params params;
	struct asked asked;
	size_t set = 0;

	if (!read_params(control, json, MEMBERS_OF_REPLACE, &params, error) ||
	    !asked_read(params.rules, decode_rule, &asked, error))
		return rpc_fail_action(error, "replace rules");

	bool good = check(&asked, params.vm, error) &&
		    find_leftovers(&asked, params.vm, &gone, error);

	if (good) {
		set = changed_ones(asked.rules, asked.len);
		good = apply(control, asked.rules, set, gone.rules, gone.len, error);
	}
	free(gone.rules);
	asked_free(&asked);
	if (!good)
		return rpc_fail_action(error, "replace rules");

	put_object(result, NULL);
	put_integer(result, "set", (int64_t)set);
	put_integer(result, "deleted", (int64_t)gone.len);
	methods_end_change(control, result);
	return true;
}
