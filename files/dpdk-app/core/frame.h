#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/drop.h"

enum {
	MAC_LEN = 6,
	ETHER_HEADER_LEN = 14,
	ETHER_IPV4 = 0x0800,
	ETHER_ARP = 0x0806,
	TAG_LEN = 4,
	TPID_8021Q = 0x8100,
	TPID_8021AD = 0x88a8,
	TPID_QINQ = 0x9100, // used before 802.1ad, still seen
	VID_MASK = 0x0fff,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
};

// What a frame from a VM says about itself. Numbers are in host order.
struct frame {
	uint16_t ether_type; // ETHER_IPV4 or ETHER_ARP
	uint8_t protocol;    // of IPv4
	uint32_t source_ip;  // of IPv4, or the sender's and the target's of ARP
	uint32_t destination_ip;
	uint16_t source_port; // 0 unless TCP or UDP
	uint16_t destination_port;
};

// Reads a frame that came from the VM with this MAC.
//
// Nothing behind data[len - 1] is read, whatever the frame says of its own lengths.
// Returns KEEP, or the reason to drop the frame; *frame is whole only with KEEP.
enum drop frame_from_vm(const uint8_t *data, size_t len, const uint8_t mac[MAC_LEN],
			struct frame *frame);

// What a frame from the uplink says about where it goes.
struct arrival {
	uint16_t vm; // the VLAN id of its only tag
	bool is_arp;
	const uint8_t *destination_mac; // in the frame
};

// Reads a frame that came from the uplink. Returns KEEP, or the reason to drop it.
enum drop frame_from_uplink(const uint8_t *data, size_t len, struct arrival *arrival);

// True if the VM with this MAC shall get the frame: its own, or a broadcast that is ARP.
bool arrival_is_for(const struct arrival *arrival, const uint8_t mac[MAC_LEN]);
