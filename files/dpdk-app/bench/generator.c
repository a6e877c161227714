// Sends UDP over IPv4 by one port as fast as it takes it: the guest in benchmarks.
//
// A line on standard input says what to send: the number of flows, and lengths of frames (without
// FCS), each with its share, as "1000 60*7 590*4 1514*1". An empty line changes nothing. Each line
// is answered with the counters so far as one line of JSON. The end of the input ends the program.
//
// Flows (bench/flows.h) come in random order, each as often as any other; it is the same order in
// every run.

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_udp.h>

#include "bench/flows.h"

enum {
	PORT = 0,
	BURST = 32,
	RING = 1024,
	BUFFERS = 4095,
	BUFFER_CACHE = 512,
	FLOWS_MAX = 1 << 20,
	SEQUENCE_MIN = 1 << 18, // frames until the order repeats; at least each flow once
	SIZES_MAX = 8,
	LEN_MIN = 60,
	LEN_MAX = 1514,
	LINE_MAX_LEN = 256,
	SEED = 4,
	FULL_PAUSES = 16, // a full ring is left to the device under test for so long
};

struct headers {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
} __rte_packed __rte_aligned(2);

// What differs from frame to frame, in network order.
struct variation {
	rte_be32_t destination;
	uint16_t len; // host order
	uint16_t checksum;
};

struct traffic {
	size_t len;
	struct variation sequence[];
};

struct size {
	unsigned len;
	unsigned share;
};

// turns: calls of transmit; full: those in which the ring did not take all frames. Where none is
// full, this program is the bottleneck.
static struct { _Atomic uint64_t sent, turns, full; } counters;

static struct traffic *_Atomic wanted; // by the main lcore
static struct traffic *_Atomic used;   // by the sending lcore
static _Atomic bool ended;

static void fail(const char *action, const char *cause) {
	fprintf(stderr, "generator: cannot %s: %s\n", action, cause);
	exit(EXIT_FAILURE);
}

static const struct headers template = {
	.ether =
		{
			.dst_addr = {{0x02, 0, 0, 0, 0, 0xff}},
			.src_addr = {{0x02, 0, 0, 0, 0, BENCH_VM}},
			.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		},
	.ip =
		{
			.version_ihl = RTE_IPV4_VHL_DEF,
			.time_to_live = 64,
			.next_proto_id = IPPROTO_UDP,
			.src_addr = RTE_BE32(BENCH_SOURCE),
		},
	.udp =
		{
			.src_port = RTE_BE16(BENCH_SOURCE_PORT),
			.dst_port = RTE_BE16(BENCH_DESTINATION_PORT),
		},
};

static void fill(struct rte_mempool *pool, void *of, void *buffer, unsigned index) {
	uint8_t *data = rte_pktmbuf_mtod((struct rte_mbuf *)buffer, uint8_t *);

	RTE_SET_USED(pool);
	RTE_SET_USED(of);
	RTE_SET_USED(index);
	memset(data, 0, LEN_MAX);
	memcpy(data, &template, sizeof(template));
}

static uint64_t next_random(uint64_t *state) { // xorshift64
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint16_t pick_len(const struct size sizes[], unsigned shares, uint64_t *random) {
	unsigned left = (unsigned)(next_random(random) % shares);

	while (left >= sizes->share)
		left -= sizes++->share;
	return (uint16_t)sizes->len;
}

static struct variation vary(uint32_t flow, uint16_t len) {
	struct rte_ipv4_hdr ip = template.ip;

	ip.dst_addr = rte_cpu_to_be_32(BENCH_DESTINATION + flow);
	ip.total_length = rte_cpu_to_be_16((uint16_t)(len - sizeof(struct rte_ether_hdr)));
	return (struct variation){
		.destination = ip.dst_addr,
		.len = len,
		.checksum = rte_ipv4_cksum(&ip),
	};
}

// Permutations of all flows, one after the other.
static struct traffic *make_traffic(uint32_t flows, const struct size sizes[], unsigned shares) {
	const uint32_t rounds = (SEQUENCE_MIN + flows - 1) / flows;
	const size_t len = (size_t)rounds * flows;
	struct traffic *traffic = malloc(sizeof(*traffic) + len * sizeof(traffic->sequence[0]));
	uint64_t random = SEED;

	if (traffic == NULL)
		fail("prepare the flows", "no memory");
	traffic->len = len;

	for (size_t i = 0; i < len; i++) {
		const uint32_t flow = (uint32_t)(i % flows);
		const size_t other = i - next_random(&random) % (flow + 1);

		traffic->sequence[i] = traffic->sequence[other];
		traffic->sequence[other] = vary(flow, pick_len(sizes, shares, &random));
	}
	return traffic;
}

static void write_frame(struct rte_mbuf *buffer, const struct variation *variation) {
	struct headers *headers = rte_pktmbuf_mtod(buffer, struct headers *);
	const uint16_t ip_len = (uint16_t)(variation->len - sizeof(headers->ether));

	buffer->data_len = variation->len;
	buffer->pkt_len = variation->len;
	headers->ip.dst_addr = variation->destination;
	headers->ip.total_length = rte_cpu_to_be_16(ip_len);
	headers->ip.hdr_checksum = variation->checksum;
	headers->udp.dgram_len = rte_cpu_to_be_16((uint16_t)(ip_len - sizeof(headers->ip)));
}

static void add(_Atomic uint64_t *counter, uint64_t count) { // one writer: no locked instruction
	const uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, value + count, memory_order_relaxed);
}

static bool is_wanted(const struct traffic *traffic) {
	return atomic_load_explicit(&wanted, memory_order_acquire) == traffic;
}

// Sends all frames of a burst, however long the ring is full, unless other traffic is wanted.
static void send_burst(struct rte_mbuf *frames[BURST], const struct traffic *traffic) {
	unsigned sent = 0;

	while (sent < BURST && is_wanted(traffic)) {
		const uint16_t left = (uint16_t)(BURST - sent);
		const uint16_t taken = rte_eth_tx_burst(PORT, 0, &frames[sent], left);

		sent += taken;
		add(&counters.sent, taken);
		add(&counters.turns, 1);
		if (taken < left) {
			add(&counters.full, 1);
			for (unsigned i = 0; i < FULL_PAUSES; i++)
				rte_pause();
		}
	}
	rte_pktmbuf_free_bulk(&frames[sent], BURST - sent);
}

static void send_traffic(struct rte_mempool *pool, const struct traffic *traffic) {
	struct rte_mbuf *frames[BURST];
	size_t at = 0;

	while (is_wanted(traffic)) {
		if (rte_pktmbuf_alloc_bulk(pool, frames, BURST) != 0)
			continue;
		for (unsigned i = 0; i < BURST; i++)
			__builtin_prefetch(rte_pktmbuf_mtod(frames[i], void *), 1);
		for (unsigned i = 0; i < BURST; i++) {
			write_frame(frames[i], &traffic->sequence[at]);
			at = at + 1 < traffic->len ? at + 1 : 0;
		}
		send_burst(frames, traffic);
	}
}

static int send_all(void *of) {
	while (!atomic_load_explicit(&ended, memory_order_acquire)) {
		struct traffic *traffic = atomic_load_explicit(&wanted, memory_order_acquire);

		atomic_store_explicit(&used, traffic, memory_order_release);
		if (traffic != NULL)
			send_traffic(of, traffic);
	}
	return 0;
}

static void use(struct traffic *traffic) {
	struct traffic *old = atomic_exchange(&wanted, traffic);

	while (old != NULL && atomic_load_explicit(&used, memory_order_acquire) == old)
		rte_pause();
	free(old);
}

// Reads a line like "1000 60*7 590*4". False: it is none.
static bool read_line(char *line) {
	struct size sizes[SIZES_MAX];
	unsigned len = 0, shares = 0;
	char *rest = NULL;
	const char *flows_text = strtok_r(line, " \n", &rest);
	const unsigned long flows = flows_text == NULL ? 0 : strtoul(flows_text, NULL, 10);

	if (flows < 1 || flows > FLOWS_MAX)
		return false;
	for (const char *text; len < SIZES_MAX && (text = strtok_r(NULL, " \n", &rest)) != NULL;) {
		struct size *size = &sizes[len++];

		if (sscanf(text, "%u*%u", &size->len, &size->share) != 2 || size->len < LEN_MIN ||
		    size->len > LEN_MAX || size->share == 0)
			return false;
		shares += size->share;
	}
	if (shares == 0)
		return false;
	use(make_traffic((uint32_t)flows, sizes, shares));
	return true;
}

static void answer(void) {
	printf("{\"sent\": %lu, \"turns\": %lu, \"full\": %lu}\n", counters.sent, counters.turns,
	       counters.full);
	fflush(stdout);
}

static struct rte_mempool *make_pool(const char *name) {
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		name, BUFFERS, BUFFER_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	if (pool == NULL)
		fail("get buffers", "too little memory; reserve more hugepages");
	return pool;
}

static struct rte_mempool *start_port(void) {
	const struct rte_eth_conf plain = {0};
	struct rte_mempool *to_send = make_pool("to_send");

	rte_mempool_obj_iter(to_send, fill, NULL);
	if (rte_eth_dev_configure(PORT, 1, 1, &plain) != 0 ||
	    rte_eth_rx_queue_setup(PORT, 0, RING, SOCKET_ID_ANY, NULL, make_pool("received")) !=
		    0 ||
	    rte_eth_tx_queue_setup(PORT, 0, RING, SOCKET_ID_ANY, NULL) != 0 ||
	    rte_eth_dev_start(PORT) != 0)
		fail("start the port", "see the messages above");
	return to_send;
}

int main(int argc, char *argv[]) {
	char line[LINE_MAX_LEN];

	if (rte_eal_init(argc, argv) < 0 || rte_eth_dev_count_avail() != 1 ||
	    rte_lcore_count() != 2)
		fail("start", "give it one device and two lcores, the second of which sends");

	struct rte_mempool *pool = start_port();

	rte_eal_remote_launch(send_all, pool, rte_get_next_lcore(-1, 1, 0));
	answer();
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (line[0] != '\n' && !read_line(line))
			fail("read a line", "say FLOWS LENGTH*SHARE...");
		answer();
	}
	use(NULL);
	atomic_store(&ended, true);
	rte_eal_mp_wait_lcore();
	rte_eth_dev_stop(PORT);
	rte_eth_dev_close(PORT);
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}
