#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/match.h"

// LLDP (IEEE 802.1AB-2016): what a neighbour's frame says of who sent it, and the frame by which
// the switch says who it is.

enum {
	LLDP_FRAME_MAX = 1514, // bytes of a frame, without FCS
	LLDP_NAME_MAX = 255,   // of a system's name
	LLDP_OWN_MIN = 60,     // of the switch's own frame
	LLDP_OWN_MAX = 14 + 9 + 4 + 4 + 8 + 2 + LLDP_NAME_MAX + 2,
};

// What a frame says of its neighbour.
struct lldp_heard {
	const uint8_t *id; // its chassis id and its port id: two whole TLVs, in the frame
	size_t id_len;
	uint16_t ttl_s; // for so long it counts; 0: the neighbour goes away
};

// True for the three group addresses of table 7-1, which no bridge forwards any further.
bool lldp_is_group(const uint8_t mac[MAC_LEN]);

// Reads a frame that has LLDP's EtherType. Nothing behind data[len - 1] is read.
//
// Returns false, and *heard is undefined, for what 9.2.7.7 discards: a chassis id, a port id and a
// time to live have to come first, each once, and no TLV may be longer than the frame. What other
// TLVs say is not looked at. A Chameleon host's frame is a good one: its chassis id, an address
// without a family, differs in meaning alone.
bool lldp_read(const uint8_t *data, size_t len, struct lldp_heard *heard);

// A number by which a neighbour's id is told from others most times; never 0.
uint64_t lldp_hash(const uint8_t *id, size_t len);

// Writes the frame of the switch that has this MAC at its uplink: chassis id (the MAC), port id
// (locally assigned, "0"), time to live, port description "uplink", system name of 1 to
// LLDP_NAME_MAX bytes. Returns its length.
size_t lldp_write(const uint8_t mac[MAC_LEN], uint16_t ttl_s, const char *system_name,
		  uint8_t frame[LLDP_OWN_MAX]);
