#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "core/match.h"

// The port by which the switch reaches the network: any DPDK ethernet port, or none.
struct uplink {
	bool present;
	uint16_t port;
	uint16_t mtu;
	unsigned kernel_interface; // index of the interface under it, or 0
	uint32_t max_frame;	   // bytes of a frame with its tags, without FCS
	uint16_t receive_queues;   // queue n is read by data core n modulo their number
	uint16_t send_queues;	   // one for each data core
	const char *steering;	   // how frames find a receive queue: "rss", "vmdq", ...
	char driver[32];
	char device[64];
	struct rte_ether_addr mac;
};

struct uplink_terms {
	uint16_t port;	     // DPDK's number
	uint16_t mtu;	     // of the guests
	uint16_t cores;	     // data cores
	uint16_t frame_room; // bytes that a frame of the pool has behind its headroom
};

// Configures and starts the port. False: why says the cause and the way out.
bool uplink_open(struct uplink *uplink, const struct uplink_terms *terms, struct rte_mempool *pool,
		 char *why, size_t why_size);
void uplink_close(struct uplink *uplink);

bool uplink_is_up(const struct uplink *uplink);

// A burst from the network, each frame with all its tags in its bytes, which are *bytes in sum.
unsigned uplink_receive(const struct uplink *uplink, uint16_t queue, struct rte_mbuf *frames[],
			uint16_t len, uint64_t *bytes);

// Returns how many of the frames, from the first, were taken.
unsigned uplink_send(const struct uplink *uplink, uint16_t queue, struct rte_mbuf *frames[],
		     uint16_t len);
