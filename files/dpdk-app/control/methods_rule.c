#include <stdio.h>
#include <stdlib.h>

#include "control/codec.h"
#include "control/methods.h"
#include "datapath/rules.h"

// A rule of a request and its place there, which messages name.
struct asked {
	struct rule_spec spec; // first, so that rule_spec_compare() compares these
	int index;
};

struct asked_list {
	size_t len;
	struct asked *items;
};

typedef bool decoder(json_t *object, struct rule_spec *spec, struct rpc_error *error);

static bool decode_identity(json_t *object, struct rule_spec *spec, struct rpc_error *error) {
	*spec = (struct rule_spec){0};
	return decode_flow(object, &spec->flow, error);
}

// Reads {"rules": [...]}, in order of flows. False: *error is filled, nothing is to be freed.
static bool read_list(json_t *params, decoder *decode, struct asked_list *list,
		      struct rpc_error *error) {
	static const char *const members[] = {"rules", NULL};
	const json_t *rules = json_object_get(params, "rules");

	if (!decode_only(params, members, error))
		return false;
	if (!json_is_array(rules)) {
		rpc_fail(error, RPC_INVALID_PARAMS, "rules is no list; give a list of rules");
		return false;
	}

	list->len = json_array_size(rules);
	list->items = calloc(list->len + 1, sizeof(list->items[0]));
	if (list->items == NULL) {
		rpc_fail(error, RPC_NO_CAPACITY, "no memory left; give fewer rules at once");
		return false;
	}

	for (size_t i = 0; i < list->len; i++) {
		list->items[i].index = error->index = (int)i;
		if (!decode(json_array_get(rules, i), &list->items[i].spec, error)) {
			free(list->items);
			return false;
		}
	}
	error->index = RPC_NO_INDEX;
	qsort(list->items, list->len, sizeof(list->items[0]), rule_spec_compare);
	return true;
}

// Each flow once, each VM with a port.
static bool check(const struct config *config, const struct asked_list *list,
		  struct rpc_error *error) {
	for (size_t i = 0; i < list->len; i++) {
		const struct asked *item = &list->items[i];

		if (i > 0 && rule_spec_compare(&item[-1], item) == 0) {
			const int other = item[-1].index;

			error->index = item->index > other ? item->index : other;
			rpc_fail(error, RPC_INVALID_PARAMS,
				 "rules[%d] and rules[%d] are for the same flow; give one of them",
				 item->index < other ? item->index : other, error->index);
			return false;
		}
		if (config_find_port(config, item->spec.flow.vm) == NULL) {
			error->index = item->index;
			rpc_fail(error, RPC_NOT_FOUND, "VM %u has no port; add it first",
				 item->spec.flow.vm);
			return false;
		}
	}
	return true;
}

// Those of the list that differ from what is there; frees the list's items.
static size_t changes(const struct config *config, struct asked_list *list,
		      struct rule_spec *changed) {
	size_t len = 0;

	for (size_t i = 0; i < list->len; i++) {
		const struct rule_spec *wanted = &list->items[i].spec;
		const struct rule_spec *present = config_find_rule(config, &wanted->flow);

		if (present == NULL || !rule_spec_equal(present, wanted))
			changed[len++] = *wanted;
	}
	return len;
}

static bool apply(struct control *control, const struct rule_spec *changed, size_t len,
		  struct rpc_error *error) {
	struct config next;

	if (!config_set_rules(&control->config, changed, len, &next)) {
		rpc_fail(error, RPC_NO_CAPACITY, "no memory left; stop something else");
		return false;
	}
	if (next.rules_len > RULES_MAX) {
		rpc_fail(error, RPC_NO_CAPACITY, "%zu rules would be more than %d; delete some",
			 next.rules_len, RULES_MAX);
		config_free(&next);
		return false;
	}

	struct rule_batch *batch = rules_prepare(changed, len);

	if (batch == NULL) {
		config_free(&next);
		rpc_fail(error, RPC_NO_CAPACITY,
			 "no memory left for %zu rules; reserve more hugepages", len);
		return false;
	}
	if (!control_commit(control, &next, error)) {
		rules_cancel(batch);
		return false;
	}
	rules_publish(batch);
	return true;
}

json_t *rule_set(void *context, json_t *params, struct rpc_error *error) {
	struct control *control = context;
	struct asked_list list;

	if (!read_list(params, decode_rule, &list, error))
		return fail_action(error, "set rules");

	struct rule_spec *changed = calloc(list.len + 1, sizeof(*changed));
	bool good = changed != NULL && check(&control->config, &list, error);
	size_t len = 0;

	if (changed == NULL)
		rpc_fail(error, RPC_NO_CAPACITY, "no memory left; give fewer rules at once");
	if (good) {
		len = changes(&control->config, &list, changed);
		good = len == 0 || apply(control, changed, len, error);
	}
	free(changed);
	free(list.items);
	if (!good)
		return fail_action(error, "set rules");
	return json_pack("{s:I}", "changed", (json_int_t)len);
}

// Those of the list that are there, each once.
static size_t present_ones(const struct config *config, const struct asked_list *list,
			   struct rule_spec *present) {
	size_t len = 0;

	for (size_t i = 0; i < list->len; i++) {
		const struct asked *item = &list->items[i];

		if (i > 0 && rule_spec_compare(&item[-1], item) == 0)
			continue;
		if (config_find_rule(config, &item->spec.flow) != NULL)
			present[len++] = item->spec;
	}
	return len;
}

json_t *rule_delete(void *context, json_t *params, struct rpc_error *error) {
	struct control *control = context;
	struct asked_list list;
	struct config next;

	if (!read_list(params, decode_identity, &list, error))
		return fail_action(error, "delete rules");

	struct rule_spec *gone = calloc(list.len + 1, sizeof(*gone));
	const size_t len = gone != NULL ? present_ones(&control->config, &list, gone) : 0;
	bool good = len == 0;

	free(list.items);
	if (gone == NULL || (len > 0 && !config_delete_rules(&control->config, gone, len, &next))) {
		rpc_fail(error, RPC_NO_CAPACITY, "no memory left; give fewer rules at once");
		good = false;
	} else if (len > 0) {
		good = control_commit(control, &next, error);
		if (good)
			rules_delete(gone, len);
	}
	free(gone);
	if (!good)
		return fail_action(error, "delete rules");
	return json_pack("{s:I}", "deleted", (json_int_t)len);
}

json_t *rule_list(void *context, json_t *params, struct rpc_error *error) {
	static const char *const members[] = {"vm", NULL};
	const struct control *control = context;
	const struct rule_spec *first = control->config.rules;
	size_t len = control->config.rules_len;
	uint16_t vm;

	if (!decode_only(params, members, error))
		return fail_action(error, "list the rules");
	if (json_object_get(params, "vm") != NULL) {
		if (!decode_vm(params, &vm, error))
			return fail_action(error, "list the rules");
		len = config_rules_of(&control->config, vm, &first);
	}

	json_t *list = json_array();

	for (size_t i = 0; i < len; i++)
		json_array_append_new(list, encode_rule(&first[i]));
	return json_pack("{s:o}", "rules", list);
}
