#pragma once

// Every reason for which the switch drops a frame. One row is one enum entry, one counter and one
// JSON key, counted at a VM's port, at the uplink, at a rule, or (by the same name) at several.
#define DROPS(X)                                                                                   \
	/* what the frame says */                                                                  \
	X(TRUNCATED, "truncated", DROP_AT_VM | DROP_AT_UPLINK)                                     \
	X(MALFORMED, "malformed", DROP_AT_VM | DROP_AT_UPLINK)                                     \
	X(SOURCE_MAC, "source_mac", DROP_AT_VM)                                                    \
	X(GUEST_TAGGED, "guest_tagged", DROP_AT_VM)                                                \
	X(GUEST_LLDP, "guest_lldp", DROP_AT_VM)                                                    \
	X(ARP_SENDER, "arp_sender", DROP_AT_VM)                                                    \
	X(ND_SENDER, "nd_sender", DROP_AT_VM)                                                      \
	X(CONTROL_ROLE, "control_role", DROP_AT_VM)                                                \
	X(CONTROL_FULL, "control_full", DROP_AT_VM)                                                \
	X(LLDP_FULL, "lldp_full", DROP_AT_UPLINK)                                                  \
	/* no rule for it */                                                                       \
	X(NO_RULE, "no_rule", DROP_AT_VM)                                                          \
	X(FRAGMENT, "fragment", DROP_AT_VM)                                                        \
	X(ARP_NO_RULE, "arp_no_rule", DROP_AT_VM)                                                  \
	X(ND_NO_RULE, "nd_no_rule", DROP_AT_VM)                                                    \
	/* what its rule says */                                                                   \
	X(OVERSIZE, "oversize", DROP_AT_VM | DROP_AT_RULE)                                         \
	X(OVER_RATE, "over_rate", DROP_AT_VM | DROP_AT_RULE)                                       \
	X(QUEUE_FULL, "queue_full", DROP_AT_VM | DROP_AT_RULE)                                     \
	X(BUFFERS_FULL, "buffers_full", DROP_AT_VM | DROP_AT_RULE)                                 \
	X(RULE_REMOVED, "rule_removed", DROP_AT_VM)                                                \
	/* where it should go */                                                                   \
	X(NO_UPLINK, "no_uplink", DROP_AT_VM | DROP_AT_RULE)                                       \
	X(UPLINK_FULL, "uplink_full", DROP_AT_VM | DROP_AT_RULE | DROP_AT_UPLINK)                  \
	X(UNTAGGED, "untagged", DROP_AT_UPLINK)                                                    \
	X(EXTRA_TAGS, "extra_tags", DROP_AT_UPLINK)                                                \
	X(UNKNOWN_VM, "unknown_vm", DROP_AT_VM | DROP_AT_RULE | DROP_AT_UPLINK)                    \
	X(INBOX_FULL, "inbox_full", DROP_AT_VM | DROP_AT_RULE | DROP_AT_UPLINK)                    \
	X(DESTINATION_MAC, "destination_mac", DROP_AT_VM)                                          \
	X(NOT_CONNECTED, "not_connected", DROP_AT_VM)                                              \
	X(GUEST_FULL, "guest_full", DROP_AT_VM)

enum {
	DROP_AT_VM = 1,
	DROP_AT_UPLINK = 2,
	DROP_AT_RULE = 4,
};

#define DROP_ENUM(id, name, where) DROP_##id,
enum drop { DROPS(DROP_ENUM) DROP_COUNT, KEEP = DROP_COUNT };
#undef DROP_ENUM

struct drop_info {
	const char *name;
	unsigned where; // DROP_AT_VM, DROP_AT_UPLINK and DROP_AT_RULE as bits
};

extern const struct drop_info drop_info[DROP_COUNT];
