#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/flow.h"
#include "core/tags.h"

enum {
	VM_MAX = 4094, // highest id: it has to fit a VLAN id
	VM_COUNT = VM_MAX + 1,
};

// What control wants of a port.
struct port_spec {
	uint16_t vm;
	uint8_t mac[MAC_LEN];
	bool qemu_serves; // which side is the server of the vhost-user socket
};

// What control wants of a rule.
struct rule_spec {
	struct flow_key flow;
	struct tag_stack tags;
	uint64_t rate_bps;
	uint64_t burst_bits;
};
