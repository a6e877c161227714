// The reference's algorithm on the path of the benchmarks: takes frames from the first port, gives
// them to the second. It has the rules of the first flows of bench-generator.

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "bench/flows.h"
#include "bench/reference.h"

enum {
	FROM = 0,
	TO = 1,
	BURST = 32,
	RING = 1024,
	BUFFERS = 16383,
	BUFFER_CACHE = 256,
	TAGS = 2,
};

static volatile sig_atomic_t ended;
static struct reference_table table;

static void end(int signal) {
	ended = signal;
}

static void set_rules(void) {
	for (unsigned i = 0; i < REFERENCE_RULES; i++) {
		table.rules[BENCH_VM][i] = (struct reference_rule){
			.used = true,
			.protocol = IPPROTO_UDP,
			.source_ip = htonl(BENCH_SOURCE),
			.destination_ip = htonl(BENCH_DESTINATION + i),
			.source_port = htons(BENCH_SOURCE_PORT),
			.destination_port = htons(BENCH_DESTINATION_PORT),
			.rate_bps = 400000000000,
			.burst_bits = 1000000000,
			.last = rte_rdtsc(),
			.tags_len = TAGS,
			.tags = {1, 2},
		};
	}
}

static bool handle(struct rte_mbuf *frame, uint64_t hz) {
	uint8_t *data = rte_pktmbuf_mtod(frame, uint8_t *);
	struct reference_rule *rule = reference_match(&table, data);

	if (rule == NULL || !reference_shape(rule, data, hz, rte_rdtsc()))
		return false;
	reference_tag(rule, data);
	rte_pktmbuf_prepend(frame, (uint16_t)(rule->tags_len * 4));
	return true;
}

static int forward(void *unused) {
	struct rte_mbuf *frames[BURST];
	const uint64_t hz = rte_get_tsc_hz();

	RTE_SET_USED(unused);
	while (!ended) {
		const uint16_t len = rte_eth_rx_burst(FROM, 0, frames, BURST);
		uint16_t kept = 0;

		for (uint16_t i = 0; i < len; i++) {
			if (handle(frames[i], hz))
				frames[kept++] = frames[i];
			else
				rte_pktmbuf_free(frames[i]);
		}

		const uint16_t sent = rte_eth_tx_burst(TO, 0, frames, kept);

		rte_pktmbuf_free_bulk(&frames[sent], kept - sent);
	}
	return 0;
}

static bool start_port(uint16_t port, struct rte_mempool *pool) {
	const struct rte_eth_conf plain = {0};

	return rte_eth_dev_configure(port, 1, 1, &plain) == 0 &&
	       rte_eth_rx_queue_setup(port, 0, RING, SOCKET_ID_ANY, NULL, pool) == 0 &&
	       rte_eth_tx_queue_setup(port, 0, RING, SOCKET_ID_ANY, NULL) == 0 &&
	       rte_eth_dev_start(port) == 0;
}

int main(int argc, char *argv[]) {
	struct rte_mempool *pool;

	signal(SIGTERM, end);
	signal(SIGINT, end);
	if (rte_eal_init(argc, argv) < 0 || rte_eth_dev_count_avail() != 2 ||
	    rte_lcore_count() != 2) {
		fprintf(stderr, "reference: give it two devices and two lcores, the second of "
				"which forwards\n");
		return EXIT_FAILURE;
	}
	pool = rte_pktmbuf_pool_create("frames", BUFFERS, BUFFER_CACHE, 0,
				       RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL || !start_port(FROM, pool) || !start_port(TO, pool)) {
		fprintf(stderr, "reference: cannot start its ports; see the messages above, and "
				"the hugepages\n");
		return EXIT_FAILURE;
	}
	set_rules();
	fprintf(stderr, "ready\n");
	rte_eal_remote_launch(forward, NULL, rte_get_next_lcore(-1, 1, 0));
	rte_eal_mp_wait_lcore();
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}
