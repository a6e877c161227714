#pragma once

#include "control/decode.h"
#include "core/spec.h"

// A rule as its JSON says it, member by member, before it is known to make sense.

struct prefix {
	uint16_t family; // ETHER_IPV4 or ETHER_IPV6; 0: not given
	uint8_t bits;
	uint8_t address[IP_LEN];
};

struct rule_draft {
	uint32_t given; // a bit for each member, by enum rule_member
	int64_t vm;
	uint8_t destination_mac[MAC_LEN];
	int64_t ether_type, protocol, source_port, destination_port;
	struct prefix source, destination;
	struct tag_stack tags;
	int64_t priority, destination_vm, rate_bps, burst_bits, queue_packets, queue_bytes;
	int64_t tpid, mode; // enum shaper_mode
};

// What identifies a rule comes first.
enum rule_member {
	RULE_VM,
	RULE_DESTINATION_MAC,
	RULE_ETHER_TYPE,
	RULE_PROTOCOL,
	RULE_SOURCE_IP,
	RULE_DESTINATION_IP,
	RULE_SOURCE_PORT,
	RULE_DESTINATION_PORT,
	IDENTITY_MEMBERS,
	RULE_PRIORITY = IDENTITY_MEMBERS,
	RULE_TAGS,
	RULE_TPID,
	RULE_DESTINATION_VM,
	RULE_MODE,
	RULE_RATE,
	RULE_BURST,
	RULE_QUEUE_PACKETS,
	RULE_QUEUE_BYTES,
	RULE_MEMBERS,
};

static inline bool draft_has(const struct rule_draft *draft, enum rule_member member) {
	return draft->given >> member & 1;
}

// Reader of a member that is a struct prefix.
bool decode_prefix(json_t *value, const struct member *member, void *into, struct rpc_error *error);

// The match of a draft. False: its members contradict each other, and *error is filled.
bool draft_match(const struct rule_draft *draft, struct match *match, struct rpc_error *error);
