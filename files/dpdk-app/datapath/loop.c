#include "datapath/loop.h"

#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "datapath/count.h"
#include "datapath/grace.h"
#include "datapath/serve.h"
#include "datapath/workers_control.h"

enum { SPIN_NS = 20000 }; // a sleep shorter than this would end too late

static bool running;

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
	details_refill();
	for (unsigned i = 0; i < workers_len(); i++)
		rte_eal_remote_launch(run, workers_get(i), workers_get(i)->lcore);
}

void workers_stop(void) {
	for (unsigned i = 0; i < workers_len(); i++)
		atomic_store(&workers_get(i)->stop, true);
	rte_eal_mp_wait_lcore();
	running = false;
}

bool workers_are_running(void) {
	return running;
}
