#include <unistd.h>

#include <rte_lcore.h>
#include <rte_version.h>

#include "control/codec.h"
#include "control/methods.h"
#include "datapath/ports.h"
#include "datapath/rules.h"
#include "datapath/worker.h"

static void put_uplink(struct writer *result, const struct uplink *uplink) {
	if (!uplink->present) {
		put_null(result, "uplink");
		return;
	}
	put_object(result, "uplink");
	put_string(result, "driver", uplink->driver);
	put_string(result, "device", uplink->device);
	put_mac(result, "mac", uplink->mac.addr_bytes);
	put_boolean(result, "link_up", uplink_is_up(uplink));
	put_integer(result, "mtu", uplink->mtu);
	put_integer(result, "max_frame", uplink->max_frame);
	put_integer(result, "receive_queues", uplink->reading.len);
	put_string(result, "steering", uplink->steering);
	end_object(result);
}

static void put_data_cores(struct writer *result) {
	put_list(result, "data_cores");
	for (unsigned i = 0; i < workers_len(); i++)
		put_integer(result, NULL, workers_get(i)->lcore);
	end_list(result);
}

// What the program's arguments set.
static void put_terms(struct writer *result, const struct worker_terms *terms) {
	put_integer(result, "idle_sleep_us", terms->idle_sleep_us);
	put_integer(result, "mtu", terms->mtu);
	put_integer(result, "buffers", terms->buffers);
	put_integer(result, "vm_buffers", terms->vm_buffers);
	put_boolean(result, "accept_untagged", terms->accept_untagged);
}

static void put_lldp(struct writer *result, const struct options *options) {
	put_object(result, "lldp");
	put_integer(result, "interval_s", options->lldp_interval_s);
	put_integer(result, "ttl_s", options->lldp_ttl_s);
	put_string(result, "system_name", options->lldp_system_name);
	end_object(result);
}

static void put_state(struct writer *result, const struct control *control) {
	put_object(result, "state");
	put_string(result, "path", control->options->state_path);
	put_string(result, "report", control->report);
	put_integer(result, "generation", (int64_t)store_generation(control->store));
	end_object(result);
}

bool switch_info(void *context, json_t *params, struct writer *result, struct rpc_error *error) {
	const struct control *control = context;
	struct timespec now;

	if (!methods_no_params(params, error))
		return rpc_fail_action(error, "describe the switch");

	clock_gettime(CLOCK_MONOTONIC, &now);
	put_object(result, NULL);
	put_string(result, "name", control->options->name);
	put_string(result, "version", SWITCH_VERSION);
	put_string(result, "dpdk", rte_version());
	put_integer(result, "pid", getpid());
	put_integer(result, "uptime_s", now.tv_sec - control->started.tv_sec);
	put_terms(result, workers_get(0)->terms);
	put_lldp(result, control->options);
	put_data_cores(result);
	put_uplink(result, control->uplink);
	put_integer(result, "ports", ports_now()->len);
	put_integer(result, "rules", (int64_t)rules_len());
	put_integer(result, "rules_bytes", (int64_t)rules_memory());
	put_state(result, control);
	end_object(result);
	return true;
}
