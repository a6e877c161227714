#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "core/match.h"

// Which receive queues are read: first, first + step, ...; the n-th of them by data core n modulo
// the number of data cores.
struct uplink_reading {
	uint16_t first, step, len;
};

// The port by which the switch reaches the network: any DPDK ethernet port, or none.
struct uplink {
	bool present;
	uint16_t port;
	uint16_t mtu;
	unsigned kernel_interface; // index of the interface under it, or 0
	uint32_t max_frame;	   // bytes of a frame with its tags, without FCS; 0 without uplink
	struct uplink_reading reading; // data core n sends by queue n
	uint16_t steered_vms;	       // those with a lower id arrive at data core id modulo cores
	const char *steering;	       // how frames find a receive queue: "vmdq", "rss", ...
	char driver[32];
	char device[64];
	struct rte_ether_addr mac;
};

struct uplink_terms {
	uint16_t port;	// DPDK's number
	uint16_t mtu;	// of the guests
	uint16_t cores; // data cores
};

// Configures and starts the port. False: why says the cause and the way out.
bool uplink_open(struct uplink *uplink, const struct uplink_terms *terms, struct rte_mempool *pool,
		 char *why, size_t why_size);
void uplink_close(struct uplink *uplink);

bool uplink_is_up(const struct uplink *uplink);

// False: nobody knows.
bool uplink_speed(const struct uplink *uplink, uint64_t *bps);

// A burst from the network, each frame with all its tags in its bytes, which are *bytes in sum.
unsigned uplink_receive(const struct uplink *uplink, uint16_t queue, struct rte_mbuf *frames[],
			uint16_t len, uint64_t *bytes);

// Returns how many of the frames, from the first, were taken.
unsigned uplink_send(const struct uplink *uplink, uint16_t queue, struct rte_mbuf *frames[],
		     uint16_t len);
