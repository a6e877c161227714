#include <rte_cycles.h>
#include <rte_mempool.h>

#include "control/codec.h"
#include "control/counters.h"
#include "control/decode.h"
#include "control/methods.h"
#include "datapath/workers_control.h"

struct params {
	int64_t vm;
	bool rules;
};

enum { ALL_VMS = -1 };

static const struct member members[] = {
	{"vm", decode_integer, offsetof(struct params, vm), 0, VM_MAX, NULL, false},
	{"rules", decode_boolean, offsetof(struct params, rules), 0, 0, "true or false", false},
};

static void put_vms(struct writer *result, int64_t only_vm) {
	put_list(result, "vms");
	for (unsigned vm = 0; vm < VM_COUNT; vm++) {
		const struct port *port = ports_now()->by_vm[vm];

		if (port == NULL || (only_vm != ALL_VMS && vm != only_vm))
			continue;
		put_object(result, NULL);
		put_port_counters(result, port);
		end_object(result);
	}
	end_list(result);
}

struct listing {
	int64_t only_vm;
	struct writer *result;
};

static bool list_rule(const struct rule_spec *spec, void *of) {
	const struct listing *listing = of;
	const struct rule *rule = rules_find(spec->vm, &spec->match);

	if (rule == NULL || (listing->only_vm != ALL_VMS && spec->vm != listing->only_vm))
		return true;
	put_object(listing->result, NULL);
	put_identity(listing->result, spec->vm, &spec->match);
	put_rule_counters(listing->result, rule->state);
	end_object(listing->result);
	return true;
}

static bool put_rules(struct writer *result, const struct control *control, int64_t only_vm) {
	struct listing listing = {only_vm, result};

	put_list(result, "rules");
	if (!store_rules(control->store, list_rule, &listing))
		return false;
	end_list(result);
	return true;
}

static void put_cores(struct writer *result) {
	put_list(result, "cores");
	for (unsigned i = 0; i < workers_len(); i++) {
		put_object(result, NULL);
		put_worker_counters(result, workers_get(i));
		end_object(result);
	}
	end_list(result);
}

static void put_buffers(struct writer *result) {
	const struct rte_mempool *pool = workers_get(0)->terms->pool;

	put_object(result, "buffers");
	put_integer(result, "in_use", rte_mempool_in_use_count(pool));
	put_integer(result, "size", pool->size);
	end_object(result);
}

bool stats_get(void *context, json_t *json, struct writer *result, struct rpc_error *error) {
	const struct control *control = context;
	struct params params = {.vm = ALL_VMS, .rules = true};

	if (!decode_object(json, members, 2, &params, NULL, error))
		return rpc_fail_action(error, "read the counters");

	put_object(result, NULL);
	put_vms(result, params.vm);
	put_object(result, "uplink");
	put_uplink_counters(result);
	end_object(result);
	if (params.rules && !put_rules(result, control, params.vm)) {
		rpc_fail(error, RPC_STORAGE, "%s cannot be read; restart the switch",
			 control->options->state_path);
		return rpc_fail_action(error, "read the counters");
	}
	put_cores(result);
	put_buffers(result);
	put_integer(result, "hz", (int64_t)rte_get_tsc_hz());
	end_object(result);
	return true;
}

bool stats_reset(void *context, json_t *params, struct writer *result, struct rpc_error *error) {
	(void)context;
	if (!methods_no_params(params, error))
		return rpc_fail_action(error, "reset the counters");

	counters_reset();
	put_object(result, NULL);
	end_object(result);
	return true;
}
