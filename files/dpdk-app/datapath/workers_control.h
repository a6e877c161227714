#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/rules.h"

// What control, and only its thread, asks of the data cores. It reads their counters, and never
// writes what they write.

struct uplink_counters {
	uint64_t received_packets, received_bytes; // dropped or not
	uint64_t sent_packets, sent_bytes;
	uint64_t lldp_received, lldp_sent; // of these
	uint64_t drops[DROP_COUNT];	   // only those with DROP_AT_UPLINK
};

// Of all data cores together, since the last reset.
void uplink_counters_read(struct uplink_counters *counters);

// Most ticks and nanoseconds of the delays that a bucket of struct rule_detail counts; the last
// has no end (UINT64_MAX).
extern const uint64_t delay_bucket_ns[DELAY_BUCKETS];

struct rule_counters {
	uint64_t packets, bytes; // that left
	uint64_t drops[DROP_COUNT];
	uint64_t delays[DELAY_BUCKETS];
	uint64_t delay_max_ns;
	uint32_t queue_packets, queue_bytes; // waiting now
};

// Of one rule, since the last reset.
void rule_counters_read(const struct rule_state *state, struct rule_counters *counters);

// The number of resets: counters of a rule that are of another epoch count as 0.
uint32_t counters_epoch(void);

// Resets the counters of ports, uplink, cores and rules. Frames of the moment may count as before.
void counters_reset(void);

// Copies the next control frame of VM 0. Returns its length; 0: there is none.
size_t control_frame_next(uint8_t *data, size_t size);

// Sends a frame to a VM. False: no port, or no room; nothing was sent.
bool control_frame_send(uint16_t vm, const uint8_t *data, size_t len);

// Counts an LLDP frame of a neighbour for whom there is no place: the drop lldp_full.
void lldp_leave_out(void);

// Gives the data cores what they took from their stock of struct rule_detail. For now and then
// (each tick of control, 100 ms or less).
void details_refill(void);
