#include "control/codec.h"
#include "control/decode.h"
#include "control/methods.h"

enum { ALL_VMS = -1 };

struct listing {
	int64_t vm; // or ALL_VMS
	struct writer *result;
};

static const struct member members[] = {
	{"vm", decode_integer, offsetof(struct listing, vm), 0, VM_MAX, NULL, false},
};

static bool list_rule(const struct rule_spec *rule, void *of) {
	const struct listing *listing = of;

	if (listing->vm != ALL_VMS && rule->vm != listing->vm)
		return true;
	put_object(listing->result, NULL);
	put_rule(listing->result, rule);
	end_object(listing->result);
	return true;
}

bool rule_list(void *context, json_t *params, struct writer *result, struct rpc_error *error) {
	const struct control *control = context;
	struct listing listing = {.vm = ALL_VMS, .result = result};

	if (!decode_object(params, members, 1, &listing, NULL, error))
		return rpc_fail_action(error, "list the rules");

	put_object(result, NULL);
	put_list(result, "rules");
	if (!store_rules(control->store, list_rule, &listing)) {
		rpc_fail(error, RPC_STORAGE, "%s cannot be read; restart the switch",
			 control->options->state_path);
		return rpc_fail_action(error, "list the rules");
	}
	end_list(result);
	end_object(result);
	return true;
}
