#include "control/codec.h"
#include "control/methods.h"
#include "datapath/ports.h"
#include "datapath/rules.h"

static const char *const no_members[] = {NULL};

static json_t *encode_traffic(const struct traffic *traffic) {
	return json_pack("{s:I, s:I}", "packets", (json_int_t)counter_read(&traffic->packets),
			 "bytes", (json_int_t)counter_read(&traffic->bytes));
}

static json_t *encode_drops(const struct counter drops[], unsigned where) {
	json_t *object = json_object();

	for (unsigned i = 0; i < DROP_COUNT; i++)
		if (drop_info[i].where & where)
			json_object_set_new(object, drop_info[i].name,
					    json_integer((json_int_t)counter_read(&drops[i])));
	return object;
}

static json_t *encode_vms(const struct config *config) {
	json_t *list = json_array();

	for (size_t i = 0; i < config->ports_len; i++) {
		const struct port *port = ports_now()->by_vm[config->ports[i].vm];

		json_array_append_new(list,
				      json_pack("{s:i, s:o, s:o, s:o}", "vm", port->vm, "from_vm",
						encode_traffic(&port->from_vm), "to_vm",
						encode_traffic(&port->to_vm), "drops",
						encode_drops(port->drops, DROP_AT_VM)));
	}
	return list;
}

static json_t *encode_rules(const struct config *config) {
	json_t *list = json_array();

	for (size_t i = 0; i < config->rules_len; i++) {
		const struct rule *rule = rules_find(&config->rules[i].flow);
		json_t *object = encode_flow(&rule->flow);

		json_object_update_new(object, encode_traffic(&rule->passed));
		json_object_set_new(object, "drops",
				    json_pack("{s:I}", drop_info[DROP_OVER_RATE].name,
					      (json_int_t)counter_read(&rule->over_rate)));
		json_array_append_new(list, object);
	}
	return list;
}

json_t *stats_get(void *context, json_t *params, struct rpc_error *error) {
	const struct control *control = context;
	const struct uplink *uplink = control->uplink;
	const struct rte_mempool *pool = control->worker->pool;

	if (!decode_only(params, no_members, error))
		return fail_action(error, "read the counters");

	return json_pack("{s:o, s:{s:o, s:o, s:o}, s:o, s:{s:i, s:i}}", "vms",
			 encode_vms(&control->config), "uplink", "received",
			 encode_traffic(&uplink->received), "sent", encode_traffic(&uplink->sent),
			 "drops", encode_drops(uplink->drops, DROP_AT_UPLINK), "rules",
			 encode_rules(&control->config), "buffers", "in_use",
			 (int)rte_mempool_in_use_count(pool), "size", (int)pool->size);
}

static void reset_drops(struct counter drops[]) {
	for (unsigned i = 0; i < DROP_COUNT; i++)
		counter_reset(&drops[i]);
}

json_t *stats_reset(void *context, json_t *params, struct rpc_error *error) {
	const struct control *control = context;
	const struct port_set *ports = ports_now();

	if (!decode_only(params, no_members, error))
		return fail_action(error, "reset the counters");

	for (unsigned i = 0; i < ports->len; i++) {
		traffic_reset(&ports->list[i]->from_vm);
		traffic_reset(&ports->list[i]->to_vm);
		reset_drops(ports->list[i]->drops);
	}
	traffic_reset(&control->uplink->received);
	traffic_reset(&control->uplink->sent);
	reset_drops(control->uplink->drops);
	for (size_t i = 0; i < control->config.rules_len; i++) {
		struct rule *rule = rules_find(&control->config.rules[i].flow);

		traffic_reset(&rule->passed);
		counter_reset(&rule->over_rate);
	}
	return json_object();
}
