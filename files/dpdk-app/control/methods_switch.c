#include <unistd.h>

#include <rte_lcore.h>
#include <rte_version.h>

#include "control/codec.h"
#include "control/methods.h"

static json_t *encode_uplink(const struct uplink *uplink) {
	char mac[RTE_ETHER_ADDR_FMT_SIZE];

	if (!uplink->present)
		return json_null();

	rte_ether_format_addr(mac, sizeof(mac), &uplink->mac);
	return json_pack("{s:s, s:s, s:s, s:b, s:i}", "driver", uplink->driver, "device",
			 uplink->device, "mac", mac, "link_up", uplink_is_up(uplink), "mtu",
			 uplink->mtu);
}

json_t *switch_info(void *context, json_t *params, struct rpc_error *error) {
	static const char *const members[] = {NULL};
	const struct control *control = context;
	json_t *data_cores = json_array();
	struct timespec now;
	unsigned core;

	if (!decode_only(params, members, error)) {
		json_decref(data_cores);
		return fail_action(error, "describe the switch");
	}
	RTE_LCORE_FOREACH_WORKER(core)
	json_array_append_new(data_cores, json_integer(core));
	clock_gettime(CLOCK_MONOTONIC, &now);

	return json_pack("{s:s, s:s, s:s, s:i, s:I, s:i, s:o, s:o, s:I, s:I}", "name",
			 control->options->name, "version", SWITCH_VERSION, "dpdk", rte_version(),
			 "pid", getpid(), "uptime_s",
			 (json_int_t)(now.tv_sec - control->started.tv_sec), "idle_sleep_us",
			 control->options->idle_sleep_us, "data_cores", data_cores, "uplink",
			 encode_uplink(control->uplink), "ports",
			 (json_int_t)control->config.ports_len, "rules",
			 (json_int_t)control->config.rules_len);
}
