#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/match.h"
#include "core/shaper.h"
#include "core/tags.h"

enum {
	VM_MAX = 4094, // highest id: it has to fit a VLAN id
	VM_COUNT = VM_MAX + 1,
	TO_UPLINK = 0xffff, // as a rule's destination_vm
	NO_SLOT = -1,
	PRIORITY_DEFAULT = 0,
};

// What control wants of a port.
struct port_spec {
	uint16_t vm;
	uint8_t mac[MAC_LEN];
	bool qemu_serves; // which side is the server of the vhost-user socket
};

// What control wants of a rule. Its VM and its match identify it.
struct rule_spec {
	uint16_t vm;
	uint16_t priority;	 // the highest of the rules that match a frame wins
	uint16_t destination_vm; // of this host, in place of the uplink; or TO_UPLINK
	int16_t slot; // number by which VM 0's control frames know it, 0..255; or NO_SLOT
	struct match match;
	struct tag_stack tags; // none with a destination_vm
	struct shaper_terms shaper;
};
