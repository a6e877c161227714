#include "datapath/uplink.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_ethdev.h>

#include "core/frame.h"
#include "core/tags.h"
#include "datapath/uplink_plan.h"

enum { QUEUE_LEN = 1024 };

// Some drivers sit on a kernel interface and know neither its MTU nor its state: af_packet, whose
// send queue would stop at the first frame that is too long. Asks the kernel; false: no answer.
static bool ask_kernel(unsigned interface, unsigned long question, struct ifreq *answer) {
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;

	const bool good = if_indextoname(interface, answer->ifr_name) != NULL &&
			  ioctl(fd, question, answer) == 0;

	close(fd);
	return good;
}

static const char *arguments_of(const struct rte_eth_dev_info *info) {
	const struct rte_devargs *arguments = rte_dev_devargs(info->device);

	return arguments != NULL ? arguments->args : NULL;
}

static int set_up_queues(const struct uplink *uplink, const struct uplink_plan *plan,
			 struct rte_mempool *pool) {
	const int socket = rte_eth_dev_socket_id(uplink->port);
	const unsigned numa = socket < 0 ? (unsigned)SOCKET_ID_ANY : (unsigned)socket;
	uint16_t receive_len = QUEUE_LEN, send_len = QUEUE_LEN;
	int error = rte_eth_dev_adjust_nb_rx_tx_desc(uplink->port, &receive_len, &send_len);

	for (uint16_t queue = 0; error == 0 && queue < plan->receive_queues; queue++)
		error = rte_eth_rx_queue_setup(uplink->port, queue, receive_len, numa, NULL, pool);
	for (uint16_t queue = 0; error == 0 && queue < plan->send_queues; queue++)
		error = rte_eth_tx_queue_setup(uplink->port, queue, send_len, numa, NULL);
	return error;
}

static int start(const struct uplink *uplink, const struct uplink_plan *plan,
		 struct rte_mempool *pool) {
	int error = rte_eth_dev_configure(uplink->port, plan->receive_queues, plan->send_queues,
					  &plan->conf);

	if (error == 0)
		error = set_up_queues(uplink, plan, pool);
	return error == 0 ? rte_eth_dev_start(uplink->port) : error;
}

// Starts with the best steering that the device can do, and does. Returns an error of its last try.
static int start_best(struct uplink *uplink, const struct rte_eth_dev_info *info,
		      const struct uplink_terms *terms, struct rte_mempool *pool) {
	struct uplink_plan plan;
	int error = -ENOTSUP;

	for (unsigned steering = 0; steering < STEERINGS && error != 0; steering++) {
		if (!uplink_plan(info, terms, steering, &plan))
			continue;
		error = start(uplink, &plan, pool);
		uplink->reading = plan.reading;
		uplink->steering = plan.steering;
		uplink->steered_vms = steering == STEER_VMDQ ? VMDQ_VMS : 0;
	}
	return error;
}

// These take frames of any length, and their MTU says nothing.
static bool has_no_mtu(const struct uplink *uplink) {
	static const char *const drivers[] = {"net_memif", "net_null", "net_ring"};

	for (unsigned i = 0; i < RTE_DIM(drivers); i++)
		if (strcmp(uplink->driver, drivers[i]) == 0)
			return true;
	return false;
}

static uint16_t find_mtu(const struct uplink *uplink, uint16_t guests_mtu) {
	struct ifreq kernel;
	uint16_t mtu = 0;

	if (has_no_mtu(uplink))
		return guests_mtu + TAGS_SIZE;
	if (uplink->kernel_interface != 0 &&
	    ask_kernel(uplink->kernel_interface, SIOCGIFMTU, &kernel))
		return (uint16_t)RTE_MIN(kernel.ifr_mtu, UINT16_MAX);
	rte_eth_dev_get_mtu(uplink->port, &mtu);
	return mtu;
}

bool uplink_open(struct uplink *uplink, const struct uplink_terms *terms, struct rte_mempool *pool,
		 char *why, size_t why_size) {
	const uint16_t port = terms->port;
	struct rte_eth_dev_info info;
	char cause[200];

	if (!rte_eth_dev_is_valid_port(port)) {
		snprintf(why, why_size,
			 "DPDK has no port %u (it has %u); give the EAL a device (-a or --vdev), "
			 "or --uplink-port none",
			 port, rte_eth_dev_count_avail());
		return false;
	}
	if (rte_eth_dev_info_get(port, &info) != 0 ||
	    rte_eth_dev_get_name_by_port(port, uplink->device) != 0 ||
	    rte_eth_macaddr_get(port, &uplink->mac) != 0) {
		snprintf(why, why_size, "DPDK's port %u does not describe itself", port);
		return false;
	}
	if (uplink_cannot(&info, arguments_of(&info), terms, cause, sizeof(cause)) != NULL) {
		snprintf(why, why_size, "%s cannot be the uplink: %s", uplink->device, cause);
		return false;
	}

	uplink->port = port;
	snprintf(uplink->driver, sizeof(uplink->driver), "%s", info.driver_name);

	const int error = start_best(uplink, &info, terms, pool);

	if (error != 0) {
		snprintf(why, why_size, "%s refuses to start: %s", uplink->device,
			 rte_strerror(-error));
		return false;
	}

	// Frames for the VMs carry their MACs, not this port's. Without the right to ask for it
	// (CAP_NET_ADMIN) it works where the interface does not filter, as veth.
	rte_eth_promiscuous_enable(port);

	uplink->kernel_interface = info.if_index;
	uplink->mtu = find_mtu(uplink, terms->mtu);
	// The first tag does not count as payload.
	uplink->max_frame = uplink->mtu + ETHER_HEADER_LEN + TAG_LEN;
	uplink->present = true;
	return true;
}

void uplink_close(struct uplink *uplink) {
	if (!uplink->present)
		return;
	rte_eth_dev_stop(uplink->port);
	rte_eth_dev_close(uplink->port);
	uplink->present = false;
}

bool uplink_is_up(const struct uplink *uplink) {
	struct rte_eth_link link;
	struct ifreq kernel;

	if (uplink->kernel_interface != 0 &&
	    ask_kernel(uplink->kernel_interface, SIOCGIFFLAGS, &kernel))
		return (kernel.ifr_flags & IFF_RUNNING) != 0;
	return rte_eth_link_get_nowait(uplink->port, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}

// What a virtual device that has no kernel interface says of its speed is made up.
static bool is_virtual(const struct uplink *uplink) {
	struct rte_eth_dev_info info;

	return rte_eth_dev_info_get(uplink->port, &info) != 0 ||
	       strcmp(rte_bus_name(rte_dev_bus(info.device)), "vdev") == 0;
}

bool uplink_speed(const struct uplink *uplink, uint64_t *bps) {
	struct ethtool_cmd settings = {.cmd = ETHTOOL_GSET};
	struct ifreq kernel = {.ifr_data = (char *)&settings};
	struct rte_eth_link link;
	uint32_t mbps = 0;

	if (uplink->kernel_interface != 0) {
		if (ask_kernel(uplink->kernel_interface, SIOCETHTOOL, &kernel))
			mbps = ethtool_cmd_speed(&settings);
	} else if (!is_virtual(uplink) && rte_eth_link_get_nowait(uplink->port, &link) == 0) {
		mbps = link.link_speed;
	}
	if (mbps == 0 || mbps == UINT32_MAX) // both: unknown
		return false;
	*bps = mbps * UINT64_C(1000000);
	return true;
}

unsigned uplink_receive(const struct uplink *uplink, uint16_t queue, struct rte_mbuf *frames[],
			uint16_t len, uint64_t *bytes) {
	const uint16_t received = rte_eth_rx_burst(uplink->port, queue, frames, len);

	*bytes = 0;
	for (uint16_t i = 0; i < received; i++) {
		// A tag that hardware or kernel took out goes back to where it was. Where it cannot
		// (no headroom) the frame stays as it is, and counts as untagged.
		if (frames[i]->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
			rte_vlan_insert(&frames[i]);
		*bytes += frames[i]->pkt_len;
	}
	return received;
}

unsigned uplink_send(const struct uplink *uplink, uint16_t queue, struct rte_mbuf *frames[],
		     uint16_t len) {
	return rte_eth_tx_burst(uplink->port, queue, frames, len);
}
