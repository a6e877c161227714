#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/drop.h"
#include "core/match.h"

enum {
	ETHER_HEADER_LEN = 14,
	ETHER_TYPE_MIN = 0x0600, // what is below is a length (IEEE 802.3, clause 3.2.6)
};

// Reads a frame that came from the VM with this MAC: *key is what rules match. A frame with a
// length in place of an EtherType has the EtherType 0.
//
// Nothing behind data[len - 1] is read, whatever the frame says of its own lengths.
// Returns KEEP, or the reason to drop the frame; *key is whole only with KEEP.
enum drop frame_from_vm(const uint8_t *data, size_t len, const uint8_t mac[MAC_LEN],
			struct match_key *key);

// The name for a frame with this key that no rule matched.
enum drop frame_unmatched(const struct match_key *key);

// What a frame from the uplink says about where it goes.
struct arrival {
	bool tagged; // its outermost tag is TPID_8021Q or TPID_8021AD
	bool lldp;   // untagged, to a group address of LLDP: it is for the switch
	uint16_t vm; // the VLAN id of its only tag, 0..4095, if it has one
	const uint8_t *destination_mac; // in the frame
};

// Reads a frame that came from the uplink. Returns KEEP, or the reason to drop it.
enum drop frame_from_uplink(const uint8_t *data, size_t len, struct arrival *arrival);

// True if the VM with this MAC shall get the frame that its tag or its sender's rule sent there:
// its own address, or a group address.
bool frame_is_for(const uint8_t *destination_mac, const uint8_t mac[MAC_LEN]);
