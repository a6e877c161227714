#pragma once

#include <stdbool.h>
#include <stdint.h>

// A yardstick: what the end host that this switch follows does with a VM's frame, faults included
// (search of up to three rules one after the other, a token bucket that divides for every frame,
// cost from the IP header, one tag after the other). For benchmarks only.

enum {
	REFERENCE_VMS = 65,
	REFERENCE_RULES = 3, // of a VM
	REFERENCE_TAGS = 10,
};

struct reference_rule {
	bool used;
	uint8_t protocol;
	uint32_t source_ip, destination_ip; // network order, as the ports
	uint16_t source_port, destination_port;
	uint64_t rate_bps;
	uint64_t burst_bits;
	uint64_t tokens; // bit
	uint64_t last;	 // tick of the last refill
	unsigned tags_len;
	uint16_t tags[REFERENCE_TAGS]; // outermost first
};

struct reference_table {
	struct reference_rule rules[REFERENCE_VMS][REFERENCE_RULES];
};

// The rule of a frame, by the VM that the last byte of its source MAC names; NULL: drop it.
struct reference_rule *reference_match(struct reference_table *table, const uint8_t *frame);

// Takes a frame's cost from its rule's bucket. False: drop it.
bool reference_shape(struct reference_rule *rule, const uint8_t *frame, uint64_t hz, uint64_t now);

// Pushes the rule's tags; there is headroom for them. Returns the new start of the frame.
uint8_t *reference_tag(const struct reference_rule *rule, uint8_t *frame);
