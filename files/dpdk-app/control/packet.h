#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "control/codec_draft.h"
#include "control/rpc.h"

enum { PACKET_MAX = 9000 + 22 }; // bytes of a frame: the largest MTU, with header and two tags

// A frame as somebody describes it by its fields.
struct packet {
	uint32_t given;
	uint8_t destination_mac[MAC_LEN];
	int64_t ether_type, protocol, source_port, destination_port;
	struct prefix source, destination;
	int64_t length; // of the frame, without FCS
};

// False: *error says what is missing or does not fit together.
bool packet_decode(json_t *object, struct packet *packet, struct rpc_error *error);

// Builds the frame of a packet that was decoded, with zeros where nothing is said. Returns its
// length; 0: its length is below that of its headers, and *error is filled.
size_t packet_build(const struct packet *packet, const uint8_t source_mac[MAC_LEN],
		    uint8_t frame[PACKET_MAX], struct rpc_error *error);
