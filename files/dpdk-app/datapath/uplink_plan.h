#pragma once

#include <rte_ethdev.h>

#include "datapath/uplink.h"

// How a device is configured as the uplink: values in, values out.

enum {
	// What af_packet has in front of a frame in its ring (linux/if_packet.h, TPACKET2).
	AF_PACKET_OVERHEAD = 66,
	FRAME_ROOM_STEP = 1024,
	VMDQ_VMS = RTE_ETH_VMDQ_MAX_VLAN_FILTERS, // those with a lower id have a pool
};

// How frames find a receive queue, the best first.
enum steering {
	STEER_VMDQ,   // by the VM's id, which is the VLAN id: to the core that owns the VM
	STEER_RSS,    // by a hash of addresses and VLAN id
	STEER_DEVICE, // by what is behind the device, which has several queues
	STEER_ONE,    // all to one
	STEERINGS,
};

struct uplink_plan {
	struct rte_eth_conf conf;
	uint16_t receive_queues, send_queues; // to set up
	struct uplink_reading reading;
	const char *steering;
};

// Bytes that a buffer needs behind its headroom for frames of guests with this MTU.
uint16_t frame_room(uint16_t mtu);

// False: the device cannot do it.
bool uplink_plan(const struct rte_eth_dev_info *info, const struct uplink_terms *terms,
		 enum steering steering, struct uplink_plan *plan);

// NULL, or why no plan can work, and the way out.
const char *uplink_cannot(const struct rte_eth_dev_info *info, const char *arguments,
			  const struct uplink_terms *terms, char *text, size_t size);
