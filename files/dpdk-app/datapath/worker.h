#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mempool.h>
#include <rte_ring.h>

#include "core/scheduler.h"
#include "core/shaper.h"
#include "datapath/counter.h"
#include "datapath/ports.h"
#include "datapath/rules.h"
#include "datapath/uplink.h"

// The data cores. Each is the only one that serves its VMs, and the only one that writes its own
// counters, those of its VMs' ports and the states of its VMs' rules.

enum {
	CONTROL_VM = 0, // whose control frames count
	BURST = RULES_BURST,
	STEP_NS = 1000, // of the wheel, at most
};

// What a data core's time is spent on.
#define STAGES(X)                                                                                  \
	X(RECEIVE, "receive")	/* take frames from guests, uplink and inbox, and read them */     \
	X(MATCH, "match")	/* find their rules */                                             \
	X(SHAPE, "shape")	/* charge and tag them, put them in queues and take them out */    \
	X(TRANSMIT, "transmit") /* give them to the uplink or to another core */                   \
	X(DELIVER, "deliver")	/* give them to guests */                                          \
	X(IDLE, "idle")		/* turns in which nothing moved */

#define STAGE_ENUM(id, name) STAGE_##id,
enum stage { STAGES(STAGE_ENUM) STAGE_COUNT };
#undef STAGE_ENUM

extern const char *const stage_names[STAGE_COUNT];

// What all data cores work with.
struct worker_terms {
	struct rte_mempool *pool; // from frames_create()
	struct uplink *uplink;
	uint64_t hz;		// ticks per second
	unsigned idle_sleep_us; // 0: poll without a pause
	uint32_t buffers;	// most frames that may wait, of all cores together
	uint32_t vm_buffers;	// most frames of one VM that may wait
	uint16_t mtu;
	bool accept_untagged; // frames from the uplink, for the VM with their destination MAC
};

struct worker {
	// Set before it runs.
	const struct worker_terms *terms;
	uint16_t number; // 0, 1, ...: of its transmit queue too
	unsigned lcore;
	uint32_t buffers;	     // its share of terms->buffers
	struct rte_ring *inbox;	     // frames for its VMs, from other cores and from control
	struct rte_ring *to_control; // control frames of VM 0
	struct rte_ring *lldp;	     // LLDP frames, for control
	struct rte_ring *details;    // empty struct rule_detail, from control
	atomic_bool stop;

	// Of this turn.
	const struct rule_set *rules __rte_cache_aligned;
	const struct port_set *ports;
	uint64_t clock;	  // tick of the last look at it
	uint32_t epoch;	  // of rule counters
	uint32_t waiting; // frames in queues

	// Counters. received and drops are of the uplink's frames that this core received.
	struct traffic received;
	struct traffic sent;
	struct counter polls;
	struct counter busy_polls;
	struct counter packets; // taken from VMs, uplink and inbox
	struct counter cycles[STAGE_COUNT];
	struct counter lldp_received; // good or not
	struct counter lldp_sent;
	struct counter drops[DROP_COUNT];

	struct shaper strangers; // LLDP frames of neighbours that control does not know
	struct scheduler scheduler;
} __rte_cache_aligned;

// A pool of frames, each with room for its parcel, and for len bytes behind the headroom. NULL: no
// memory.
struct rte_mempool *frames_create(unsigned count, uint16_t len);

// Makes one worker for each worker lcore of the EAL. False: no memory.
bool workers_init(const struct worker_terms *terms);

unsigned workers_len(void);
struct worker *workers_get(unsigned number);

// Puts a frame of control's into the inbox of a core, which has this VM, or TO_UPLINK. False: no
// room.
bool worker_hand(struct worker *worker, uint16_t vm, const uint8_t *data, size_t len);
