#include "datapath/uplink_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/frame.h"
#include "core/tags.h"

enum { AF_PACKET_FRAME = 2048 }; // if it is not told otherwise

static const uint64_t rss_fields = RTE_ETH_RSS_IP | RTE_ETH_RSS_VLAN;

static uint32_t longest_frame(uint16_t mtu) {
	return (uint32_t)mtu + ETHER_HEADER_LEN + TAGS_SIZE;
}

uint16_t frame_room(uint16_t mtu) {
	return (uint16_t)RTE_ALIGN_CEIL(longest_frame(mtu) + AF_PACKET_OVERHEAD, FRAME_ROOM_STEP);
}

static bool is(const struct rte_eth_dev_info *info, const char *driver) {
	return strcmp(info->driver_name, driver) == 0;
}

// Room for a guest's frame with all its tags, or what the device can do.
static uint32_t choose_mtu(const struct rte_eth_dev_info *info, uint16_t mtu) {
	const uint32_t by_frame = info->max_rx_pktlen - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN;

	return RTE_MIN((uint32_t)mtu + TAGS_SIZE, RTE_MIN(by_frame, info->max_mtu));
}

static enum rte_eth_nb_pools pools_of(uint16_t cores) {
	return cores <= RTE_ETH_8_POOLS	   ? RTE_ETH_8_POOLS
	       : cores <= RTE_ETH_16_POOLS ? RTE_ETH_16_POOLS
	       : cores <= RTE_ETH_32_POOLS ? RTE_ETH_32_POOLS
					   : RTE_ETH_64_POOLS;
}

// A pool for each data core: its VMs' ids lead there, and those that are too high to the first.
static bool plan_vmdq(const struct rte_eth_dev_info *info, uint16_t cores,
		      struct uplink_plan *plan) {
	struct rte_eth_vmdq_rx_conf *vmdq = &plan->conf.rx_adv_conf.vmdq_rx_conf;

	if (cores < 2 || info->max_vmdq_pools < pools_of(cores) ||
	    info->vmdq_queue_num < info->max_vmdq_pools ||
	    (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER) == 0)
		return false;

	plan->conf.rxmode.mq_mode = RTE_ETH_MQ_RX_VMDQ_ONLY;
	plan->conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	*vmdq = (struct rte_eth_vmdq_rx_conf){
		.nb_queue_pools = pools_of(cores),
		.enable_default_pool = 1,
		.nb_pool_maps = VMDQ_VMS,
		.rx_mode = RTE_ETH_VMDQ_ACCEPT_UNTAG | RTE_ETH_VMDQ_ACCEPT_BROADCAST |
			   RTE_ETH_VMDQ_ACCEPT_MULTICAST,
	};
	for (uint16_t vm = 0; vm < VMDQ_VMS; vm++) {
		vmdq->pool_map[vm].vlan_id = vm;
		vmdq->pool_map[vm].pools = 1ULL << vm % cores;
	}

	plan->reading = (struct uplink_reading){
		.first = info->vmdq_queue_base,
		.step = info->vmdq_queue_num / info->max_vmdq_pools,
		.len = cores,
	};
	plan->receive_queues = info->vmdq_queue_base + info->vmdq_queue_num;
	return plan->receive_queues <= info->max_rx_queues;
}

static bool plan_rss(const struct rte_eth_dev_info *info, uint16_t cores,
		     struct uplink_plan *plan) {
	plan->conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	plan->conf.rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & rss_fields;
	plan->receive_queues = cores;
	return cores > 1 && info->max_rx_queues >= cores &&
	       plan->conf.rx_adv_conf.rss_conf.rss_hf != 0;
}

// The kernel spreads frames over all queues of an af_packet device: none may stay unread.
static bool plan_device(const struct rte_eth_dev_info *info, uint16_t cores,
			struct uplink_plan *plan) {
	plan->receive_queues = is(info, "net_af_packet") ? info->max_rx_queues
							 : RTE_MIN(cores, info->max_rx_queues);
	return plan->receive_queues > 1;
}

static bool plan_one(const struct rte_eth_dev_info *info, uint16_t cores,
		     struct uplink_plan *plan) {
	(void)cores;
	plan->receive_queues = 1;
	return info->max_rx_queues > 0;
}

static const struct {
	const char *name;
	bool (*plan)(const struct rte_eth_dev_info *, uint16_t cores, struct uplink_plan *);
} steerings[STEERINGS] = {
	[STEER_VMDQ] = {"vmdq", plan_vmdq},
	[STEER_RSS] = {"rss", plan_rss},
	[STEER_DEVICE] = {"device", plan_device},
	[STEER_ONE] = {"one_queue", plan_one},
};

bool uplink_plan(const struct rte_eth_dev_info *info, const struct uplink_terms *terms,
		 enum steering steering, struct uplink_plan *plan) {
	*plan = (struct uplink_plan){
		.conf.rxmode.mtu = choose_mtu(info, terms->mtu),
		.send_queues = terms->cores,
		.steering = steerings[steering].name,
	};
	if (!steerings[steering].plan(info, terms->cores, plan))
		return false;
	if (plan->reading.len == 0)
		plan->reading = (struct uplink_reading){.step = 1, .len = plan->receive_queues};
	return true;
}

static uint32_t af_packet_frame(const char *arguments) {
	const char *found = arguments != NULL ? strstr(arguments, "framesz=") : NULL;

	return found != NULL ? (uint32_t)strtoul(found + strlen("framesz="), NULL, 10)
			     : AF_PACKET_FRAME;
}

const char *uplink_cannot(const struct rte_eth_dev_info *info, const char *arguments,
			  const struct uplink_terms *terms, char *text, size_t size) {
	const uint32_t longest = longest_frame(terms->mtu);

	if (info->max_tx_queues < terms->cores) {
		snprintf(text, size,
			 "it has %u transmit queues, and %u data cores need one each; give it more "
			 "(af_packet: qpairs=%u), or the EAL fewer cores",
			 info->max_tx_queues, terms->cores, terms->cores);
		return text;
	}
	if (is(info, "net_af_packet") &&
	    af_packet_frame(arguments) < longest + AF_PACKET_OVERHEAD) {
		snprintf(text, size,
			 "a frame of %u bytes (--mtu %u, %u tags) does not fit its ring's frames "
			 "of %u bytes; add framesz=%u,blocksz=%u to it",
			 longest, terms->mtu, TAGS_MAX, af_packet_frame(arguments),
			 frame_room(terms->mtu), 4 * frame_room(terms->mtu));
		return text;
	}
	return NULL;
}
