#include "datapath/worker.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "datapath/count.h"
#include "datapath/grace.h"
#include "datapath/serve.h"
#include "datapath/transit.h"
#include "datapath/workers_control.h"

enum {
	BUFFER_CACHE = 256,
	INBOX_LEN = 1024,
	TO_CONTROL_LEN = 256,
	DETAILS_LEN = 512,
	SPIN_NS = 20000, // a sleep shorter than this would end too late
};

#define STAGE_NAME(id, name) name,
const char *const stage_names[STAGE_COUNT] = {STAGES(STAGE_NAME)};
#undef STAGE_NAME

static struct worker *workers[WORKERS_MAX];
static unsigned len;
static bool running;

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
	worker->details = make_ring("details", number, DETAILS_LEN, RING_F_SP_ENQ | RING_F_SC_DEQ);
	scheduler_init(&worker->scheduler, step_shift(terms->hz), rte_rdtsc());
	return worker->inbox != NULL && worker->to_control != NULL && worker->details != NULL
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
	details_refill();
	return true;
}

unsigned workers_len(void) {
	return len;
}

struct worker *workers_get(unsigned number) {
	return workers[number];
}

// Until something may come, or the first waiting frame is due.
static void rest(struct worker *worker) {
	const uint64_t due = worker->waiting > 0 ? scheduler_next(&worker->scheduler) : UINT64_MAX;
	const uint64_t hz = worker->terms->hz;
	uint64_t pause_ns = worker->terms->idle_sleep_us * 1000ULL;

	if (due <= worker->clock)
		return;
	if (due - worker->clock < hz) // less than a second: no overflow
		pause_ns = RTE_MIN(pause_ns, (due - worker->clock) * NS_PER_S / hz);
	if (due != UINT64_MAX && pause_ns < SPIN_NS)
		return;

	const struct timespec pause = {
		.tv_sec = (time_t)(pause_ns / NS_PER_S),
		.tv_nsec = (long)(pause_ns % NS_PER_S),
	};

	grace_asleep();
	nanosleep(&pause, NULL);
	grace_awake();
}

// Returns how many frames moved.
static unsigned turn(struct worker *worker) {
	unsigned released, taken;

	worker->rules = rules_now();
	worker->ports = ports_now();
	worker->epoch = counters_epoch();

	released = serve_queues(worker);
	taken = serve_inbox(worker) + serve_uplink(worker);
	for (unsigned i = worker->ports->first[worker->number];
	     i < worker->ports->first[worker->number + 1]; i++)
		taken += serve_vm(worker, worker->ports->list[i]);

	grace_quiet();
	counter_add(&worker->polls, 1);
	counter_add(&worker->packets, taken);
	return released + taken;
}

static int run(void *of) {
	struct worker *const worker = of;

	prctl(PR_SET_TIMERSLACK, 1UL);
	grace_join();
	worker->clock = rte_rdtsc();
	while (!atomic_load_explicit(&worker->stop, memory_order_relaxed)) {
		if (turn(worker) > 0) {
			counter_add(&worker->busy_polls, 1);
			continue;
		}
		if (worker->terms->idle_sleep_us > 0)
			rest(worker);
		lap(worker, STAGE_IDLE);
	}
	grace_leave();
	return 0;
}

void workers_start(void) {
	running = true;
	for (unsigned i = 0; i < len; i++)
		rte_eal_remote_launch(run, workers[i], workers[i]->lcore);
}

void workers_stop(void) {
	for (unsigned i = 0; i < len; i++)
		atomic_store(&workers[i]->stop, true);
	rte_eal_mp_wait_lcore();
	running = false;
}

bool workers_are_running(void) {
	return running;
}
