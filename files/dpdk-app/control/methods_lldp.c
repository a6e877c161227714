#include <net/if.h>

#include "control/codec.h"
#include "control/methods.h"
#include "datapath/workers_control.h"

static void put_uplink_port(struct writer *result, const struct uplink *uplink) {
	char interface[IF_NAMESIZE];
	uint64_t speed_bps;

	put_object(result, "port");
	if (if_indextoname(uplink->kernel_interface, interface) != NULL)
		put_string(result, "interface", interface);
	else
		put_null(result, "interface");
	put_mac(result, "mac", uplink->mac.addr_bytes);
	if (uplink_speed(uplink, &speed_bps))
		put_integer(result, "speed_bps", (int64_t)speed_bps);
	else
		put_null(result, "speed_bps");
	put_integer(result, "mtu", uplink->mtu);
	end_object(result);
}

static void put_counts(struct writer *result) {
	struct uplink_counters counters;

	uplink_counters_read(&counters);
	put_integer(result, "frames", (int64_t)counters.lldp_received);
	put_integer(result, "malformed", (int64_t)counters.drops[DROP_MALFORMED]);
	put_integer(result, "left_out", (int64_t)counters.drops[DROP_LLDP_FULL]);
}

static void put_neighbours(struct writer *result, const struct neighbours *neighbours) {
	const uint64_t now_ms = lldp_now_ms();

	put_list(result, "neighbors");
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
		const struct neighbour *neighbour = &neighbours->list[i];

		if (neighbour->len == 0)
			continue;
		put_object(result, NULL);
		put_hex(result, "frame_hex", neighbour->frame, neighbour->len);
		put_integer(result, "age_ms", (int64_t)(now_ms - neighbour->heard_ms));
		end_object(result);
	}
	end_list(result);
}

bool lldp_neighbors(void *context, json_t *params, struct writer *result, struct rpc_error *error) {
	const struct control *control = context;

	if (!methods_no_params(params, error))
		return rpc_fail_action(error, "tell the neighbours");
	if (!control->uplink->present) {
		rpc_fail(error, RPC_NOT_FOUND, "the switch has no uplink; start it with one");
		return rpc_fail_action(error, "tell the neighbours");
	}
	put_object(result, NULL);
	put_uplink_port(result, control->uplink);
	put_counts(result);
	put_neighbours(result, &control->lldp.neighbours);
	end_object(result);
	return true;
}

bool lldp_announce(void *context, json_t *params, struct writer *result, struct rpc_error *error) {
	const struct control *control = context;

	if (!methods_no_params(params, error) || !lldp_tell(&control->lldp, error))
		return rpc_fail_action(error, "send an LLDP frame");
	put_object(result, NULL);
	put_integer(result, "sent", 1);
	end_object(result);
	return true;
}
