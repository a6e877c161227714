#include "datapath/worker.h"

#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "datapath/count.h"
#include "datapath/transit.h"

enum {
	BUFFER_CACHE = 256,
	INBOX_LEN = 1024,
	TO_CONTROL_LEN = 256,
	LLDP_LEN = 64,
	DETAILS_LEN = 512,
};

#define STAGE_NAME(id, name) name,
const char *const stage_names[STAGE_COUNT] = {STAGES(STAGE_NAME)};
#undef STAGE_NAME

static struct worker *workers[WORKERS_MAX];
static unsigned len;

struct rte_mempool *frames_create(unsigned count, uint16_t room) {
	return rte_pktmbuf_pool_create("frames", count, BUFFER_CACHE, TRANSIT_SIZE,
				       (uint16_t)(RTE_PKTMBUF_HEADROOM + room), SOCKET_ID_ANY);
}

// The longest step of 2^shift ticks that is not above STEP_NS.
static unsigned step_shift(uint64_t hz) {
	unsigned shift = 0;

	while ((2ULL << shift) * NS_PER_S <= hz * STEP_NS)
		shift++;
	return shift;
}

static struct rte_ring *make_ring(const char *purpose, unsigned number, unsigned size,
				  unsigned flags) {
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s_%u", purpose, number);
	return rte_ring_create(name, size, SOCKET_ID_ANY, flags);
}

static struct worker *make_worker(const struct worker_terms *terms, unsigned number,
				  unsigned lcore) {
	struct worker *worker = rte_zmalloc("worker", sizeof(*worker), RTE_CACHE_LINE_SIZE);

	if (worker == NULL)
		return NULL;
	worker->terms = terms;
	worker->number = (uint16_t)number;
	worker->lcore = lcore;
	worker->inbox = make_ring("inbox", number, INBOX_LEN, RING_F_SC_DEQ);
	worker->to_control = make_ring("to_control", number, TO_CONTROL_LEN,
				       RING_F_SP_ENQ | RING_F_SC_DEQ);
	worker->lldp = make_ring("lldp", number, LLDP_LEN, RING_F_SP_ENQ | RING_F_SC_DEQ);
	worker->details = make_ring("details", number, DETAILS_LEN, RING_F_SP_ENQ | RING_F_SC_DEQ);
	scheduler_init(&worker->scheduler, step_shift(terms->hz), rte_rdtsc());
	return worker->inbox != NULL && worker->to_control != NULL && worker->lldp != NULL &&
			       worker->details != NULL
		       ? worker
		       : NULL;
}

bool workers_init(const struct worker_terms *terms) {
	unsigned lcore;

	count_init(terms->hz);
	RTE_LCORE_FOREACH_WORKER(lcore) {
		workers[len] = make_worker(terms, len, lcore);
		if (workers[len] == NULL)
			return false;
		len++;
	}
	for (unsigned i = 0; i < len; i++)
		workers[i]->buffers = terms->buffers / len;
	return true;
}

unsigned workers_len(void) {
	return len;
}

struct worker *workers_get(unsigned number) {
	return workers[number];
}

bool worker_hand(struct worker *worker, uint16_t vm, const uint8_t *data, size_t size) {
	struct rte_mbuf *frame = rte_pktmbuf_alloc(worker->terms->pool);
	char *room = frame != NULL ? rte_pktmbuf_append(frame, (uint16_t)size) : NULL;

	if (room != NULL) {
		memcpy(room, data, size);
		transit_of(frame)->destination_vm = vm;
		if (rte_ring_mp_enqueue(worker->inbox, frame) == 0)
			return true;
	}
	rte_pktmbuf_free(frame);
	return false;
}
