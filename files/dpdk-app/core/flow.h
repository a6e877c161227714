#pragma once

#include <assert.h>
#include <stdint.h>

#include "core/frame.h"

// What identifies a rule of a VM, and a flow on the wire. Every byte counts (it is hashed), so
// there is no padding. Numbers are in host order.
struct flow_key {
	uint16_t vm;
	uint8_t is_arp; // 1: the pair of addresses alone, for ARP; protocol and ports are 0
	uint8_t protocol;
	uint32_t source_ip;
	uint32_t destination_ip;
	uint16_t source_port; // 0 unless TCP or UDP
	uint16_t destination_port;
};

static_assert(sizeof(struct flow_key) == 16, "a flow key has no padding");

// The key by which a frame of this VM finds its rule.
struct flow_key flow_of_frame(uint16_t vm, const struct frame *frame);

// The key by which ARP between the two ends of this flow is found.
struct flow_key flow_ends(const struct flow_key *flow);

// Orders by VM, protocol, addresses, ports: below, equal to or above 0.
int flow_compare(const struct flow_key *a, const struct flow_key *b);
