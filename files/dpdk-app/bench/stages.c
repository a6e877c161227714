// What each stage of the data path costs. Prints one JSON object of figures by their names:
//
//   NAME_ns, NAME_cycles      per packet; cycles are those of the time stamp counter. NAME is one
//   of
//     empty_loop              what the loop itself takes, and is taken off the stages
//     read                    what a frame says: core/frame.h
//     match_N_rules           and so on: what a stage adds to those before it
//     shape_N_rules
//     tag_N_rules_T_tags
//     match_shape_tag_N_rules_T_tags        the three together
//     read_match_shape_tag_N_rules_T_tags   all four together
//     reference_match, reference_shape, reference_tag, reference_match_shape_tag
//                             the same by the reference's algorithm, with 3 rules and 2 tags
//   cost_10_tags_vs_1         ratio of match_shape_tag_1000_rules
//   load_100000_rules_s       to prepare and publish a table
//   bytes_per_rule            of that table
//   tsc_hz
#include "bench/stage_loops.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "datapath/grace.h"

enum { PASSES = 31, LOADS = 5, RULES_MOST = 100000 };

struct setting {
	uint32_t rules;
	uint16_t tags;
};

static const struct setting settings[] = {
	{3, 2}, {256, 2}, {1000, 1}, {1000, 2}, {1000, 10}, {10000, 2}, {RULES_MOST, 2},
};

static struct loop_input input;
static struct loop_flow flows[RULES_MOST];

static void fail(const char *what) {
	fprintf(stderr, "bench-stages: %s\n", what);
	exit(EXIT_FAILURE);
}

static void begin(const char *program) {
	const char *arguments[] = {program,	     "--in-memory", "--no-pci",
				   "--no-telemetry", "--log-level", "lib.eal:error"};

	if (rte_eal_init(RTE_DIM(arguments), (char **)(uintptr_t)arguments) < 0)
		fail("cannot start DPDK; 64 hugepages of 2 MiB have to be free");
	if (!grace_init() || !rules_init())
		fail("no memory for rules; give more hugepages");
	input.hz = rte_get_tsc_hz();
}

// xorshift64*: the same numbers in each run.
static uint32_t any(uint32_t below) {
	static uint64_t seed = 0x9e3779b97f4a7c15;

	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)(((seed * 0x2545f4914f6cdd1d) >> 32) * below >> 32);
}

// Destinations all over 10.0.0.0/8: an odd factor gives each flow one of its own.
static void make_flows(void) {
	for (uint32_t i = 0; i < RULES_MOST; i++) {
		const uint32_t scattered = i * 0x9e3779b1;

		flows[i] = (struct loop_flow){
			.destination_ip = {10, (uint8_t)scattered, (uint8_t)(scattered >> 8),
					   (uint8_t)(scattered >> 16)},
			.source_port = (uint16_t)any(UINT16_MAX),
		};
	}
	input.flows = flows;
}

static void make_frames(void) {
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		"frames", LOOP_FRAMES, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	if (pool == NULL || rte_pktmbuf_alloc_bulk(pool, input.frames, LOOP_FRAMES) != 0)
		fail("no memory for frames; give more hugepages");
	for (unsigned i = 0; i < LOOP_FRAMES; i++)
		loop_frame(rte_pktmbuf_mtod(input.frames[i], uint8_t *));
}

// Round after round of all flows, each in another order.
static void make_order(uint32_t len) {
	for (uint32_t i = 0; i < LOOP_PACKETS; i++) {
		const uint32_t first = i - i % len, at = first + any(i - first + 1);

		input.order[i] = input.order[at];
		input.order[at] = i - first;
	}
}

static struct rule_spec rule_of(const struct loop_flow *flow, uint16_t tags) {
	struct rule_spec rule = {
		.vm = LOOP_VM,
		.destination_vm = TO_UPLINK,
		.slot = NO_SLOT,
		.tags = {.tpid = TPID_8021Q, .len = tags, .vid = {11, 12, 13, 14, 15, 16}},
		.shaper = {.rate_bps = LOOP_RATE_BPS,
			   .burst_bits = LOOP_BURST_BITS,
			   .queue_bytes = QUEUE_BYTES_DEFAULT,
			   .queue_packets = QUEUE_PACKETS_DEFAULT,
			   .mode = SHAPE_DELAY},
	};

	loop_match(flow, &rule.match);
	return rule;
}

// Returns the seconds that the change took.
static double set_rules(const struct setting *setting) {
	const struct rules_edit clear = {.vm = LOOP_VM, .clear = true};
	struct rule_spec *rules = calloc(setting->rules, sizeof(*rules));
	const struct rules_edit edit = {.vm = LOOP_VM, .set = rules, .set_len = setting->rules};
	char why[256];

	if (rules == NULL)
		fail("no memory");
	for (uint32_t i = 0; i < setting->rules; i++)
		rules[i] = rule_of(&flows[i], setting->tags);
	rules_publish(rules_prepare(&clear, 1, why, sizeof(why)));

	const uint64_t begin = rte_rdtsc();
	struct rules_change *change = rules_prepare(&edit, 1, why, sizeof(why));

	if (change == NULL)
		fail(why);
	rules_publish(change);

	const uint64_t ticks = rte_rdtsc() - begin;

	free(rules);
	return (double)ticks / (double)input.hz;
}

static void set_reference_rules(void) {
	for (unsigned i = 0; i < REFERENCE_RULES; i++) {
		struct reference_rule *rule = &input.reference.rules[LOOP_VM][i];
		struct match match;

		loop_match(&flows[i], &match);
		*rule = (struct reference_rule){
			.used = true,
			.protocol = match.key.protocol,
			.source_port = rte_cpu_to_be_16(match.key.source_port),
			.destination_port = rte_cpu_to_be_16(match.key.destination_port),
			.rate_bps = LOOP_RATE_BPS,
			.burst_bits = LOOP_BURST_BITS,
			.tokens = LOOP_BURST_BITS,
			.last = rte_rdtsc(),
			.tags_len = 2,
			.tags = {11, 12},
		};
		memcpy(&rule->source_ip, match.key.source_ip, sizeof(rule->source_ip));
		memcpy(&rule->destination_ip, match.key.destination_ip,
		       sizeof(rule->destination_ip));
	}
}

// Cycles per packet of some loops: the fewest of many passes, because what disturbs a pass only
// adds to it. The loops take turns, so that all have the same neighbours.
static void measure(unsigned from, unsigned to, double cycles[LOOP_COUNT]) {
	uint64_t ticks[LOOP_COUNT];

	memset(ticks, 0xff, sizeof(ticks));
	for (unsigned pass = 0; pass < PASSES; pass++)
		for (unsigned loop = from; loop <= to; loop++)
			ticks[loop] = RTE_MIN(ticks[loop], loop_run((enum loop)loop, &input));
	for (unsigned loop = from; loop <= to; loop++)
		cycles[loop] = (double)ticks[loop] / LOOP_PACKETS;
}

static void print(const char *stage, const char *of, double cycles) {
	printf("\"%s%s_ns\": %.3f, \"%s%s_cycles\": %.2f,\n", stage, of,
	       cycles * 1e9 / (double)input.hz, stage, of, cycles);
}

// Returns the cycles to match, shape and tag.
static double measure_setting(const struct setting *setting) {
	double cycles[LOOP_COUNT];
	char rules[32], tags[48];

	make_order(setting->rules);
	set_rules(setting);
	measure(LOOP_EMPTY, LOOP_READ_MATCH_SHAPE_TAG, cycles);

	snprintf(rules, sizeof(rules), "_%u_rules", setting->rules);
	snprintf(tags, sizeof(tags), "%s_%u_tags", rules, setting->tags);
	if (setting->tags == 2) {
		print("match", rules, cycles[LOOP_MATCH] - cycles[LOOP_EMPTY]);
		print("shape", rules, cycles[LOOP_MATCH_SHAPE] - cycles[LOOP_MATCH]);
	}
	print("tag", tags, cycles[LOOP_MATCH_SHAPE_TAG] - cycles[LOOP_MATCH_SHAPE]);
	print("match_shape_tag", tags, cycles[LOOP_MATCH_SHAPE_TAG] - cycles[LOOP_EMPTY]);
	print("read_match_shape_tag", tags,
	      cycles[LOOP_READ_MATCH_SHAPE_TAG] - cycles[LOOP_EMPTY_FRAMES]);
	return cycles[LOOP_MATCH_SHAPE_TAG] - cycles[LOOP_EMPTY];
}

static void measure_reference(void) {
	double cycles[LOOP_COUNT];

	make_order(REFERENCE_RULES);
	set_rules(&settings[0]);
	set_reference_rules();
	measure(LOOP_EMPTY, LOOP_COUNT - 1, cycles);
	print("empty_loop", "", cycles[LOOP_EMPTY]);
	print("read", "", cycles[LOOP_READ] - cycles[LOOP_EMPTY_FRAMES]);
	print("reference_match", "", cycles[LOOP_REFERENCE_MATCH] - cycles[LOOP_EMPTY_FRAMES]);
	print("reference_shape", "",
	      cycles[LOOP_REFERENCE_MATCH_SHAPE] - cycles[LOOP_REFERENCE_MATCH]);
	print("reference_tag", "",
	      cycles[LOOP_REFERENCE_MATCH_SHAPE_TAG] - cycles[LOOP_REFERENCE_MATCH_SHAPE]);
	print("reference_match_shape_tag", "",
	      cycles[LOOP_REFERENCE_MATCH_SHAPE_TAG] - cycles[LOOP_EMPTY_FRAMES]);
}

static void measure_load(void) {
	const struct setting most = {RULES_MOST, 2};
	double seconds = set_rules(&most);

	for (unsigned load = 1; load < LOADS; load++)
		seconds = RTE_MIN(seconds, set_rules(&most));
	printf("\"load_100000_rules_s\": %.4f,\n", seconds);
	printf("\"bytes_per_rule\": %.1f,\n", (double)rules_memory() / RULES_MOST);
}

int main(int argc, char *argv[]) {
	double one = 0, ten = 0;

	if (argc > 1)
		fail("takes no arguments");
	begin(argv[0]);
	make_flows();
	make_frames();

	printf("{");
	measure_reference();
	for (unsigned i = 0; i < RTE_DIM(settings); i++) {
		const double cycles = measure_setting(&settings[i]);

		one = settings[i].tags == 1 ? cycles : one;
		ten = settings[i].tags == 10 ? cycles : ten;
	}
	printf("\"cost_10_tags_vs_1\": %.3f,\n", ten / one);
	measure_load();
	printf("\"tsc_hz\": %lu}\n", input.hz);
	if (input.lost > 0)
		fail("frames matched no rule, or did not conform: the figures are wrong");
	return 0;
}
