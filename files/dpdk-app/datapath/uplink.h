#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "core/drop.h"
#include "datapath/counter.h"

// The port by which the switch reaches the network: any DPDK ethernet port, or none.
struct uplink {
	bool present;
	uint16_t port;
	uint16_t mtu;
	unsigned kernel_interface; // index of the interface under it, or 0
	uint32_t max_frame;	   // bytes of a frame with its tags, without FCS
	char driver[32];
	char device[64];
	struct rte_ether_addr mac;

	struct traffic received; // dropped or not
	struct traffic sent;
	struct counter drops[DROP_COUNT];
};

// Configures and starts the port. False: why says the cause and the way out.
bool uplink_open(struct uplink *uplink, uint16_t port, struct rte_mempool *pool, char *why,
		 size_t why_size);
void uplink_close(struct uplink *uplink);

bool uplink_is_up(const struct uplink *uplink);

// A burst from the network, each frame with all its tags in its bytes.
unsigned uplink_receive(struct uplink *uplink, struct rte_mbuf *frames[], uint16_t len);

// Returns how many of the frames, from the first, were taken.
unsigned uplink_send(const struct uplink *uplink, struct rte_mbuf *frames[], uint16_t len);
