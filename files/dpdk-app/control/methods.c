#include "control/methods.h"

#include "control/decode.h"

const struct rpc_method methods[] = {
	{"switch.info", switch_info},
	{"port.add", port_add},
	{"port.remove", port_remove},
	{"port.list", port_list},
	{"port.features", port_features},
	{"rule.set", rule_set},
	{"rule.delete", rule_delete},
	{"rule.replace", rule_replace},
	{"rule.list", rule_list},
	{"stats.get", stats_get},
	{"stats.reset", stats_reset},
	{"trace", trace_frame},
	{"lldp.neighbors", lldp_neighbors},
	{"lldp.announce", lldp_announce},
	{NULL, NULL},
};

bool methods_no_params(json_t *params, struct rpc_error *error) {
	return decode_object(params, NULL, 0, NULL, NULL, error);
}

void methods_end_change(const struct control *control, struct writer *result) {
	put_integer(result, "generation", (int64_t)store_generation(control->store));
	end_object(result);
}
