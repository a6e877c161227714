#include "control/lldp.h"

#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#include "datapath/lldp.h"
#include "datapath/workers_control.h"

enum {
	RETRY_MS = 1000,      // until the link is up
	FRAMES_PER_TICK = 16, // of a data core; the next ones wait in its ring
};

uint64_t lldp_now_ms(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * MS_PER_S + (uint64_t)now.tv_nsec / 1000000;
}

void lldp_init(struct lldp_agent *agent, const struct options *options,
	       const struct uplink *uplink) {
	*agent = (struct lldp_agent){
		.uplink = uplink,
		.interval_ms = (uint64_t)options->lldp_interval_s * MS_PER_S,
	};
	agent->own_len = lldp_write(uplink->mac.addr_bytes, (uint16_t)options->lldp_ttl_s,
				    options->lldp_system_name, agent->own);
}

// The kernel shows an af_packet uplink also what another program of the host sends there, as lldpd.
// A frame of the switch's own that comes back is not that: there is a loop in the network.
static bool is_of_host(const struct lldp_agent *agent, const uint8_t *data,
		       const struct lldp_heard *heard) {
	struct lldp_heard own;

	return memcmp(data + MAC_LEN, agent->uplink->mac.addr_bytes, MAC_LEN) == 0 &&
	       lldp_read(agent->own, agent->own_len, &own) &&
	       (heard->id_len != own.id_len || memcmp(heard->id, own.id, own.id_len) != 0);
}

static void hear(struct lldp_agent *agent, unsigned worker, uint64_t now_ms) {
	uint8_t data[LLDP_FRAME_MAX];
	struct lldp_heard heard;

	for (unsigned i = 0; i < FRAMES_PER_TICK; i++) {
		const size_t len = lldp_next(worker, data);

		if (len == 0)
			return;
		if (lldp_read(data, len, &heard) && !is_of_host(agent, data, &heard) &&
		    !neighbours_hear(&agent->neighbours, data, len, &heard, now_ms))
			lldp_leave_out();
	}
}

// So that data cores let their frames pass.
static void show_known(const struct neighbours *neighbours) {
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
		const struct neighbour *neighbour = &neighbours->list[i];

		lldp_know(i, neighbour->len > 0 ? neighbour->hash : 0);
	}
}

void lldp_serve(struct lldp_agent *agent) {
	const uint64_t now_ms = lldp_now_ms();
	struct rpc_error none;

	for (unsigned i = 0; i < workers_len(); i++)
		hear(agent, i, now_ms);
	neighbours_expire(&agent->neighbours, now_ms);
	show_known(&agent->neighbours);
	if (agent->uplink->present && agent->interval_ms > 0 && now_ms >= agent->due_ms)
		agent->due_ms = now_ms + (lldp_tell(agent, &none) ? agent->interval_ms : RETRY_MS);
}

bool lldp_tell(const struct lldp_agent *agent, struct rpc_error *error) {
	if (!agent->uplink->present)
		return rpc_fail(error, RPC_NOT_FOUND,
				"the switch has no uplink; start it with one");
	if (!uplink_is_up(agent->uplink))
		return rpc_fail(error, RPC_CONFLICT,
				"the link of %s is down; set it up, and look at the cable",
				agent->uplink->device);
	if (!lldp_send(agent->own, agent->own_len))
		return rpc_fail(error, RPC_NO_CAPACITY, "the first data core is behind; try again");
	return true;
}
