#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/drop.h"
#include "core/shaper.h"
#include "datapath/ports.h"
#include "datapath/rules.h"

// What the shaper of a rule would say to a frame.
struct verdict {
	enum drop drop; // or KEEP
	uint64_t bits;	// what the frame costs
	int128 level;	// bits in the bucket now, below 0 by what waits
	uint32_t queue_packets;
	uint32_t queue_bytes;
	uint64_t delay_ns;
};

// Reads the state of the rule as its data core has it at some moment, and decides on that.
void trace_shape(const struct port *port, const struct rule *rule, size_t frame_len,
		 struct verdict *verdict);
