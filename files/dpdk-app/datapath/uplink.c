#include "datapath/uplink.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "core/tags.h"

enum {
	QUEUE_LEN = 1024,
	GUEST_MTU = 1500,
};

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

// Room for a guest's frame with all its tags, or what the device can do.
static uint16_t choose_mtu(const struct rte_eth_dev_info *info) {
	const uint32_t wanted = GUEST_MTU + TAGS_MAX * TAG_LEN;
	const uint32_t by_frame = info->max_rx_pktlen - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN;

	return (uint16_t)RTE_MIN(wanted, RTE_MIN(by_frame, info->max_mtu));
}

static bool start(struct uplink *uplink, const struct rte_eth_dev_info *info,
		  struct rte_mempool *pool, char *why, size_t why_size) {
	const struct rte_eth_conf conf = {.rxmode.mtu = choose_mtu(info)};
	const int socket = rte_eth_dev_socket_id(uplink->port);
	const unsigned numa = socket < 0 ? (unsigned)SOCKET_ID_ANY : (unsigned)socket;
	uint16_t receive_len = QUEUE_LEN, send_len = QUEUE_LEN;
	int error = rte_eth_dev_configure(uplink->port, 1, 1, &conf);

	if (error == 0)
		error = rte_eth_dev_adjust_nb_rx_tx_desc(uplink->port, &receive_len, &send_len);
	if (error == 0)
		error = rte_eth_rx_queue_setup(uplink->port, 0, receive_len, numa, NULL, pool);
	if (error == 0)
		error = rte_eth_tx_queue_setup(uplink->port, 0, send_len, numa, NULL);
	if (error == 0)
		error = rte_eth_dev_start(uplink->port);
	if (error != 0) {
		snprintf(why, why_size, "%s refuses to start: %s", uplink->device,
			 rte_strerror(-error));
		return false;
	}
	return true;
}

bool uplink_open(struct uplink *uplink, uint16_t port, struct rte_mempool *pool, char *why,
		 size_t why_size) {
	struct rte_eth_dev_info info;
	struct ifreq kernel;

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

	uplink->port = port;
	snprintf(uplink->driver, sizeof(uplink->driver), "%s", info.driver_name);
	if (!start(uplink, &info, pool, why, why_size))
		return false;

	// Frames for the VMs carry their MACs, not this port's. Without the right to ask for it
	// (CAP_NET_ADMIN) it works where the interface does not filter, as veth.
	rte_eth_promiscuous_enable(port);

	rte_eth_dev_get_mtu(port, &uplink->mtu);
	uplink->kernel_interface = info.if_index;
	if (info.if_index != 0 && ask_kernel(info.if_index, SIOCGIFMTU, &kernel))
		uplink->mtu = (uint16_t)RTE_MIN(kernel.ifr_mtu, UINT16_MAX);
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

unsigned uplink_receive(struct uplink *uplink, struct rte_mbuf *frames[], uint16_t len) {
	const uint16_t received = rte_eth_rx_burst(uplink->port, 0, frames, len);
	uint64_t bytes = 0;

	if (received == 0)
		return 0;

	for (uint16_t i = 0; i < received; i++) {
		// A tag that hardware or kernel took out goes back to where it was. Where it cannot
		// (no headroom) the frame stays as it is, and counts as untagged.
		if (frames[i]->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
			rte_vlan_insert(&frames[i]);
		bytes += frames[i]->pkt_len;
	}
	traffic_add(&uplink->received, received, bytes);
	return received;
}

unsigned uplink_send(const struct uplink *uplink, struct rte_mbuf *frames[], uint16_t len) {
	return rte_eth_tx_burst(uplink->port, 0, frames, len);
}
