#pragma once

#include <assert.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "core/scheduler.h"
#include "datapath/ports.h"

// What a frame that does not leave at once carries in its buffer.
struct transit {
	struct parcel parcel;	 // of a frame in a queue
	struct port *port;	 // of the VM that sent it, if it is in a queue
	uint16_t destination_vm; // or TO_UPLINK
};

enum { TRANSIT_SIZE = RTE_ALIGN_CEIL(sizeof(struct transit), RTE_MBUF_PRIV_ALIGN) };

static inline struct transit *transit_of(struct rte_mbuf *frame) {
	return rte_mbuf_to_priv(frame);
}

static inline struct transit *transit_of_parcel(struct parcel *parcel) {
	static_assert(offsetof(struct transit, parcel) == 0, "a parcel begins its transit");
	return (struct transit *)parcel;
}

// The private area of a buffer lies behind its struct rte_mbuf.
static inline struct rte_mbuf *transit_frame(struct transit *transit) {
	return (struct rte_mbuf *)transit - 1;
}
