#include "tests/rules_help.h"

#include "datapath/rules_table.h"

#define IPV4_KEY(s, d, p, sp, dp)                                                                  \
	{                                                                                          \
		.destination_mac = {2, 0, 0, 0, 0, 7}, .ether_type = ETHER_IPV4, .kind = KIND_IP,  \
		.source_ip = {10, 0, 0, s}, .destination_ip = {10, 0, 0, d}, .protocol = p,        \
		.source_port = sp, .destination_port = dp                                          \
	}
#define FRAGMENT_KEY(s, d, p)                                                                      \
	{                                                                                          \
		.ether_type = ETHER_IPV4, .kind = KIND_IP | KIND_FRAGMENT,                         \
		.source_ip = {10, 0, 0, s}, .destination_ip = {10, 0, 0, d}, .protocol = p         \
	}
#define ARP_KEY(s, d)                                                                              \
	{                                                                                          \
		.ether_type = ETHER_ARP, .kind = KIND_NEIGHBOUR, .source_ip = {10, 0, 0, s},       \
		.destination_ip = {                                                                \
			10,                                                                        \
			0,                                                                         \
			0,                                                                         \
			d                                                                          \
		}                                                                                  \
	}
#define IPV6_KEY(s, d, p, sp, dp)                                                                  \
	{                                                                                          \
		.ether_type = ETHER_IPV6, .kind = KIND_IP, .source_ip = {0xfd, [15] = s},          \
		.destination_ip = {0xfd, [15] = d}, .protocol = p, .source_port = sp,              \
		.destination_port = dp                                                             \
	}
#define ND_KEY(s, d)                                                                               \
	{                                                                                          \
		.ether_type = ETHER_IPV6, .kind = KIND_IP | KIND_NEIGHBOUR,                        \
		.protocol = PROTOCOL_ICMPV6, .source_ip = {0xfd, [15] = s}, .destination_ip = {    \
			0xfd,                                                                      \
			[15] = d                                                                   \
		}                                                                                  \
	}

#define V4_PAIR(sb, s, db, d)                                                                      \
	.family = ETHER_IPV4, .source_bits = sb, .source_ip = {10, 0, 0, s},                       \
	.destination_bits = db, .destination_ip = {10, 0, 0, d}
#define V6_PAIR(sb, s, db, d)                                                                      \
	.family = ETHER_IPV6, .source_bits = sb, .source_ip = {0xfd, [15] = s},                    \
	.destination_bits = db, .destination_ip = {0xfd, [15] = d}
#define UDP_PORTS(from, to)                                                                        \
	.has_protocol = true, .protocol = PROTOCOL_UDP, .has_source_port = true,                   \
	.source_port = from, .has_destination_port = true, .destination_port = to
#define ICMP .has_protocol = true, .protocol = PROTOCOL_ICMP
#define MAC  .has_destination_mac = true, .destination_mac = {2, 0, 0, 0, 0, 7}

enum { ROW_RULES = 3 };

struct match_row {
	const char *name;
	struct {
		uint16_t priority;
		struct match_fields fields;
		bool used;
	} rules[ROW_RULES]; // with the rates 1, 2, 3
	struct match_key key;
	uint64_t rate; // of the rule that is found; 0: none
};

#define RULE(priority, ...)                                                                        \
	{ priority, {__VA_ARGS__}, true }

static const struct match_row matches[] = {
	{"a five-tuple finds its frame",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), UDP_PORTS(5, 6))},
	 IPV4_KEY(1, 2, 17, 5, 6),
	 1},
	{"another source port is another flow",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), UDP_PORTS(5, 6))},
	 IPV4_KEY(1, 2, 17, 6, 6),
	 0},
	{"another destination port",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), UDP_PORTS(5, 6))},
	 IPV4_KEY(1, 2, 17, 5, 5),
	 0},
	{"another source",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), UDP_PORTS(5, 6))},
	 IPV4_KEY(3, 2, 17, 5, 6),
	 0},
	{"another destination",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), UDP_PORTS(5, 6))},
	 IPV4_KEY(1, 3, 17, 5, 6),
	 0},
	{"another protocol",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), UDP_PORTS(5, 6))},
	 IPV4_KEY(1, 2, 6, 5, 6),
	 0},
	{"a five-tuple of IPv6",
	 {RULE(0, V6_PAIR(128, 1, 128, 2), UDP_PORTS(5, 6))},
	 IPV6_KEY(1, 2, 17, 5, 6),
	 1},
	{"the last byte of an IPv6 address counts",
	 {RULE(0, V6_PAIR(128, 1, 128, 2), UDP_PORTS(5, 6))},
	 IPV6_KEY(1, 3, 17, 5, 6),
	 0},
	{"a rule of IPv4 finds no IPv6",
	 {RULE(0, V4_PAIR(0, 0, 0, 0))},
	 IPV6_KEY(1, 2, 17, 5, 6),
	 0},
	{"ICMP has no ports", {RULE(0, V4_PAIR(32, 1, 32, 2), ICMP)}, IPV4_KEY(1, 2, 1, 0, 0), 1},
	{"a rule of nothing is for all", {RULE(0, .family = 0)}, {.ether_type = 0x88f7}, 1},
	{"a destination MAC", {RULE(0, MAC)}, IPV4_KEY(1, 2, 17, 5, 6), 1},
	{"an EtherType",
	 {RULE(0, .has_ether_type = true, .ether_type = 0x88f7)},
	 {.ether_type = 0x88f7},
	 1},
	{"protocol 0 is not a frame without protocol",
	 {RULE(0, .has_protocol = true, .protocol = 0)},
	 {.ether_type = 0x88f7},
	 0},
	{"a prefix has its end within",
	 {RULE(0, V4_PAIR(0, 0, 31, 2))},
	 IPV4_KEY(1, 3, 17, 5, 6),
	 1},
	{"and ends there", {RULE(0, V4_PAIR(0, 0, 31, 2))}, IPV4_KEY(1, 4, 17, 5, 6), 0},

	{"the higher priority wins",
	 {RULE(7, V4_PAIR(0, 0, 24, 0)), RULE(8, MAC), RULE(6, .family = 0)},
	 IPV4_KEY(1, 2, 17, 5, 6),
	 2},
	{"even over more bits",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), UDP_PORTS(5, 6)), RULE(1, .family = 0)},
	 IPV4_KEY(1, 2, 17, 5, 6),
	 2},
	{"of equal priorities more bits win",
	 {RULE(5, V4_PAIR(0, 0, 24, 0)), RULE(5, V4_PAIR(0, 0, 25, 0)), RULE(5, .family = 0)},
	 IPV4_KEY(1, 2, 17, 5, 6),
	 2},
	{"what does not match wins nothing",
	 {RULE(9, V4_PAIR(32, 9, 0, 0)), RULE(1, V4_PAIR(0, 0, 24, 0)), RULE(0, .family = 0)},
	 IPV4_KEY(1, 2, 17, 5, 6),
	 2},
	{"a rule of a low priority under a mask of a high one",
	 {RULE(9, V4_PAIR(32, 9, 0, 0)), RULE(1, V4_PAIR(32, 1, 0, 0)),
	  RULE(5, V4_PAIR(0, 0, 24, 0))},
	 IPV4_KEY(1, 2, 17, 5, 6),
	 3},

	{"a fragment is not for a rule with ports",
	 {RULE(9, V4_PAIR(32, 1, 32, 2), UDP_PORTS(0, 0)),
	  RULE(0, V4_PAIR(32, 1, 32, 2), .has_protocol = true, .protocol = 17)},
	 FRAGMENT_KEY(1, 2, 17),
	 2},
	{"nor with the ports that ICMP has not",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), ICMP)},
	 FRAGMENT_KEY(1, 2, 1),
	 0},
	{"a fragment is for a rule that leaves ports open",
	 {RULE(0, V4_PAIR(32, 1, 32, 2))},
	 FRAGMENT_KEY(1, 2, 1),
	 1},

	{"ARP goes the way of a rule between its ends",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), UDP_PORTS(5, 6))},
	 ARP_KEY(1, 2),
	 1},
	{"but not the other way round",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), UDP_PORTS(5, 6))},
	 ARP_KEY(2, 1),
	 0},
	{"ARP goes the way of the oldest",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), UDP_PORTS(5, 6)),
	  RULE(9, V4_PAIR(32, 1, 32, 2), UDP_PORTS(7, 8))},
	 ARP_KEY(1, 2),
	 1},
	{"of different ends the higher priority wins",
	 {RULE(0, V4_PAIR(32, 1, 32, 2)), RULE(1, V4_PAIR(0, 0, 24, 0))},
	 ARP_KEY(1, 2),
	 2},
	{"of equal priorities the more exact ends",
	 {RULE(0, V4_PAIR(0, 0, 24, 0)), RULE(0, V4_PAIR(0, 0, 32, 2))},
	 ARP_KEY(1, 2),
	 2},
	{"the ends of two prefixes of the same bytes differ",
	 {RULE(0, V4_PAIR(0, 0, 32, 0)), RULE(0, V4_PAIR(0, 0, 24, 0))},
	 ARP_KEY(1, 2),
	 2},
	{"ARP comes before a rule for all of it",
	 {RULE(9, .has_ether_type = true, .ether_type = ETHER_ARP), RULE(0, V4_PAIR(0, 0, 24, 0))},
	 ARP_KEY(1, 2),
	 2},
	{"ARP between no rule's ends is matched like any frame",
	 {RULE(0, .has_ether_type = true, .ether_type = ETHER_ARP), RULE(0, V4_PAIR(32, 9, 0, 0))},
	 ARP_KEY(1, 2),
	 1},
	{"neighbour discovery goes the way of IPv6",
	 {RULE(0, V6_PAIR(128, 1, 128, 2), UDP_PORTS(5, 6))},
	 ND_KEY(1, 2),
	 1},
	{"and not that of IPv4", {RULE(0, V4_PAIR(1, 0, 0, 0))}, ND_KEY(1, 2), 0},
	{"neighbour discovery between no rule's ends is ICMPv6",
	 {RULE(0, .has_protocol = true, .protocol = PROTOCOL_ICMPV6)},
	 ND_KEY(1, 2),
	 1},
	{"an IPv4 frame does not find ends",
	 {RULE(0, V4_PAIR(32, 1, 32, 2), UDP_PORTS(5, 6))},
	 IPV4_KEY(1, 2, 17, 0, 0),
	 0},
};

// The answer is the same in whatever order the rules are set, but for the age of ends, and among
// the frames of a burst.
static void check_match(void **state) {
	const struct match_row *row = *state;
	struct match_key keys[RULES_BURST];
	const struct rule *found[RULES_BURST];

	clear();
	for (unsigned i = 0; i < ROW_RULES; i++) {
		if (!row->rules[i].used)
			continue;

		const struct rule_spec rule = rule_of(&row->rules[i].fields, row->rules[i].priority,
						      i + 1);

		set(&rule, 1);
	}
	assert_int_equal(rate_for(&row->key), row->rate);

	for (unsigned i = 0; i < RULES_BURST; i++)
		keys[i] = i % 3 == 0 ? row->key : (struct match_key){.ether_type = 0xffff};
	rules_match(rules_now()->by_vm[VM], keys, RULES_BURST, found);
	for (unsigned i = 0; i < RULES_BURST; i += 3)
		assert_int_equal(found[i] != NULL ? found[i]->rate_bps : 0, row->rate);
}

static void no_table_matches_nothing(void **state) {
	const struct match_key keys[] = {IPV4_KEY(1, 2, 17, 5, 6), ARP_KEY(1, 2)};
	const struct rule *found[RTE_DIM(keys)];

	UNUSED_STATE;
	clear();
	assert_null(rules_now()->by_vm[VM]);
	rules_match(NULL, keys, RTE_DIM(keys), found);
	assert_null(found[0]);
	assert_null(found[1]);
}

static const struct match_fields flow = FIVE_TUPLE(5, 6);
static const struct match_key arp = ARP_KEY(1, 2);

static void a_rule_reads_back_as_it_was_set(void **state) {
	struct rule_spec rule = rule_of(&flow, 7, 1000), read;

	UNUSED_STATE;
	clear();
	rule.slot = 255;
	rule.tags.tpid = TPID_8021AD;
	set(&rule, 1);
	rule_read(VM, rules_find(VM, &rule.match), &read);
	assert_memory_equal(&read.match, &rule.match, sizeof(rule.match));
	assert_memory_equal(&read.tags, &rule.tags, sizeof(rule.tags));
	assert_int_equal(read.shaper.rate_bps, rule.shaper.rate_bps);
	assert_int_equal(read.shaper.burst_bits, rule.shaper.burst_bits);
	assert_int_equal(read.shaper.queue_bytes, rule.shaper.queue_bytes);
	assert_int_equal(read.shaper.queue_packets, rule.shaper.queue_packets);
	assert_int_equal(read.shaper.mode, rule.shaper.mode);
	assert_int_equal(read.vm, VM);
	assert_int_equal(read.priority, 7);
	assert_int_equal(read.destination_vm, TO_UPLINK);
	assert_int_equal(read.slot, 255);
}

// Sets a rule and marks its state, as a data core that has counted.
static struct rule_state *set_marked(const struct rule_spec *rule) {
	clear();
	set(rule, 1);

	struct rule_state *state = rules_find(VM, &rule->match)->state;

	state->packets = 77;
	state->shaper.level = -5;
	return state;
}

static void assert_marked(const struct rule_state *state, const struct match *match) {
	assert_ptr_equal(rules_find(VM, match)->state, state);
	assert_int_equal(state->packets, 77);
	assert_true(state->shaper.level == -5);
}

static void a_replaced_rule_keeps_its_state(void **state) {
	struct rule_spec rule = rule_of(&flow, 0, 1000);
	struct rule_state *kept = set_marked(&rule);

	UNUSED_STATE;
	rule.shaper.rate_bps = 2000;
	rule.priority = 5;
	set(&rule, 1);
	assert_int_equal(rules_find(VM, &rule.match)->rate_bps, 2000);
	assert_int_equal(rules_len_of(VM), 1);
	assert_marked(kept, &rule.match);
}

static void a_rule_unset_and_set_in_one_edit_keeps_its_state(void **state) {
	const struct rule_spec rule = rule_of(&flow, 0, 1000);
	struct rule_state *kept = set_marked(&rule);

	UNUSED_STATE;
	change(&(struct rules_edit){
		.vm = VM, .unset = &rule.match, .unset_len = 1, .set = &rule, .set_len = 1});
	assert_marked(kept, &rule.match);
}

static void a_rule_of_a_replaced_table_keeps_its_state(void **state) {
	const struct match_fields other = FIVE_TUPLE(7, 8);
	const struct rule_spec rules[] = {rule_of(&other, 0, 1), rule_of(&flow, 0, 1000)};
	struct rule_state *kept = set_marked(&rules[1]);

	UNUSED_STATE;
	change(&(struct rules_edit){.vm = VM, .clear = true, .set = rules, .set_len = 2});
	assert_marked(kept, &rules[1].match);
	assert_int_equal(rules_len_of(VM), 2);
}

static void a_rule_given_twice_is_the_last_one(void **state) {
	const struct rule_spec rules[] = {rule_of(&flow, 0, 1), rule_of(&flow, 0, 2)};

	UNUSED_STATE;
	clear();
	set(rules, 2);
	assert_int_equal(rules_find(VM, &rules[0].match)->rate_bps, 2);
	assert_int_equal(rules_len_of(VM), 1);
	assert_int_equal(rule_slab.used, 1);
	assert_int_equal(state_slab.used, 1);
}

static void a_higher_rate_earns_nothing_for_the_past(void **state) {
	struct rule_spec rule = rule_of(&flow, 0, 1000);
	struct rule_state *kept = set_marked(&rule);

	UNUSED_STATE;
	kept->shaper.last = 100;
	rule_follow(rules_find(VM, &rule.match), 200);
	assert_int_equal(kept->shaper.last, 100);

	rule.shaper.rate_bps = 1001;
	set(&rule, 1);
	rule_follow(rules_find(VM, &rule.match), 300);
	assert_int_equal(kept->shaper.last, 300);
	rule_follow(rules_find(VM, &rule.match), 400);
	assert_int_equal(kept->shaper.last, 300);

	rule.shaper.rate_bps = 1000;
	set(&rule, 1);
	rule_follow(rules_find(VM, &rule.match), 500);
	assert_int_equal(kept->shaper.last, 300);
}

// However often it was raised while no frame came.
static void every_number_of_raises_is_seen(void **state) {
	struct rule_spec rule = rule_of(&flow, 0, 1000);
	struct rule_state *kept = set_marked(&rule);

	UNUSED_STATE;
	for (unsigned i = 1; i <= 600; i++) {
		rule.shaper.rate_bps++;
		set(&rule, 1);
		assert_int_not_equal(rules_find(VM, &rule.match)->version, kept->version);
	}
}

static void a_rule_without_shaper_gets_a_full_bucket(void **state) {
	struct rule_spec rule = rule_of(&flow, 0, 0);

	UNUSED_STATE;
	clear();
	rule.shaper = (struct shaper_terms){.mode = SHAPE_OFF};
	set(&rule, 1);
	rule = rule_of(&flow, 0, 1000);
	set(&rule, 1);

	struct shaper *shaper = &rules_find(VM, &rule.match)->state->shaper;

	assert_true(shaper_take(shaper, 1000, 1000, rule.shaper.burst_bits, 12000, shaper->last));
	assert_false(shaper_take(shaper, 1000, 1000, rule.shaper.burst_bits, 1, shaper->last));
}

static void the_next_oldest_rule_has_the_ends(void **state) {
	const struct match_fields fields[] = {FIVE_TUPLE(1, 1), FIVE_TUPLE(2, 2), FIVE_TUPLE(3, 3)};
	struct rule_spec rules[RTE_DIM(fields)];

	UNUSED_STATE;
	clear();
	for (unsigned i = 0; i < RTE_DIM(fields); i++)
		rules[i] = rule_of(&fields[i], 0, i + 1);
	set(rules, RTE_DIM(rules));
	assert_int_equal(rate_for(&arp), 1);

	rules[0].shaper.rate_bps = 9; // replaced: it stays the oldest
	set(&rules[0], 1);
	assert_int_equal(rate_for(&arp), 9);

	unset(&rules[1].match, 1); // from the middle
	unset(&rules[0].match, 1);
	assert_int_equal(rate_for(&arp), 3);

	set(&rules[1], 1); // the youngest now
	assert_int_equal(rate_for(&arp), 3);
	change(&(struct rules_edit){.vm = VM,
				    .unset = &rules[2].match,
				    .unset_len = 1,
				    .set = &rules[2],
				    .set_len = 1});
	assert_int_equal(rate_for(&arp), 2);

	unset(&rules[1].match, 1);
	unset(&rules[2].match, 1);
	assert_int_equal(rate_for(&arp), 0);
}

static void the_ends_of_a_replaced_table_are_of_its_first_rule(void **state) {
	const struct match_fields fields[] = {FIVE_TUPLE(1, 1), FIVE_TUPLE(2, 2)};
	struct rule_spec rules[] = {rule_of(&fields[0], 0, 1), rule_of(&fields[1], 0, 2)};
	const struct rule_spec swapped[] = {rules[1], rules[0]};

	UNUSED_STATE;
	clear();
	set(rules, 2);
	change(&(struct rules_edit){.vm = VM, .clear = true, .set = swapped, .set_len = 2});
	assert_int_equal(rate_for(&arp), 2);
	unset(&rules[1].match, 1);
	assert_int_equal(rate_for(&arp), 1);
}

// The masks of a table: prefixes of the source, the shortest first.
static struct rule_spec nth_form(unsigned n) {
	const struct match_fields fields = {.family = ETHER_IPV6,
					    .source_bits = (uint8_t)(n + 1),
					    .source_ip = {0xff, 0xff, 0xff, 0xff, 0xff}};

	return rule_of(&fields, 0, n + 1);
}

static void more_masks_than_there_may_be_are_refused(void **state) {
	const struct match_key key = {.ether_type = ETHER_IPV6,
				      .kind = KIND_IP,
				      .source_ip = {0xff, 0xff, 0xff, 0xff, 0xff}};
	struct rule_spec rules[RULE_MASKS_MAX + 1];
	char why[256] = "";

	UNUSED_STATE;
	clear();
	for (unsigned i = 0; i <= RULE_MASKS_MAX; i++)
		rules[i] = nth_form(i);
	set(rules, RULE_MASKS_MAX);

	const struct rule_set *before = rules_now();
	const size_t memory = rules_memory(), used = rule_slab.used;
	struct rules_edit edit = {.vm = VM, .set = &rules[RULE_MASKS_MAX], .set_len = 1};

	assert_null(rules_prepare(&edit, 1, why, sizeof(why)));
	assert_non_null(strstr(why, "VM 3 would have more than 32 combinations"));
	assert_ptr_equal(rules_now(), before);
	assert_int_equal(rules_memory(), memory);
	assert_int_equal(rule_slab.used, used);
	assert_int_equal(rate_for(&key), RULE_MASKS_MAX);

	edit.unset = &rules[0].match; // whose mask becomes free
	edit.unset_len = 1;
	change(&edit);
	assert_int_equal(rate_for(&key), RULE_MASKS_MAX + 1);
}

struct counts {
	size_t memory, rules, states, len;
};

static struct counts count(void) {
	return (struct counts){rules_memory(), rule_slab.used, state_slab.used, rules_len()};
}

static void assert_counts(const struct counts *before) {
	const struct counts after = count();

	assert_memory_equal(before, &after, sizeof(after));
}

static void a_cancelled_change_leaves_nothing(void **state) {
	const struct match_fields fields[] = {FIVE_TUPLE(1, 1), FIVE_TUPLE(2, 2), FIVE_TUPLE(3, 3)};
	struct rule_spec rules[5000];
	struct match matches_of_rules[3];
	char why[256];

	UNUSED_STATE;
	clear();
	for (unsigned i = 0; i < 3; i++) {
		rules[i] = rule_of(&fields[i], 0, i + 1);
		matches_of_rules[i] = rules[i].match;
	}
	set(rules, 3);

	const struct counts before = count();

	for (unsigned i = 3; i < RTE_DIM(rules); i++) {
		const struct match_fields more = FIVE_TUPLE(i + 1, 1);

		rules[i] = rule_of(&more, 0, i + 1);
	}

	// Each sort of edit, on the same ring of ends.
	const struct rules_edit edits[] = {
		{.vm = VM, .set = rules, .set_len = RTE_DIM(rules)},
		{.vm = VM, .unset = matches_of_rules, .unset_len = 3},
		{.vm = VM, .unset = matches_of_rules, .unset_len = 2, .set = rules, .set_len = 9},
		{.vm = VM, .clear = true},
		{.vm = VM, .clear = true, .set = rules + 1, .set_len = RTE_DIM(rules) - 1},
	};

	for (unsigned i = 0; i < RTE_DIM(edits); i++) {
		rules_cancel(rules_prepare(&edits[i], 1, why, sizeof(why)));
		assert_counts(&before);
	}
	for (unsigned i = 0; i < 3; i++) { // the ring is as it was
		assert_int_equal(rate_for(&arp), i + 1);
		unset(&rules[i].match, 1);
	}
	assert_int_equal(rate_for(&arp), 0);
}

static void edits_of_several_vms_are_one_change(void **state) {
	const struct rule_spec rule = rule_of(&flow, 0, 1);
	const struct rules_edit edits[] = {
		{.vm = VM, .set = &rule, .set_len = 1},
		{.vm = VM_MAX, .set = &rule, .set_len = 1},
	};
	const struct rules_edit cleared[] = {{.vm = VM, .clear = true},
					     {.vm = VM_MAX, .clear = true}};
	char why[256];

	UNUSED_STATE;
	clear();

	const struct counts before = count();

	rules_publish(rules_prepare(edits, 2, why, sizeof(why)));
	assert_int_equal(rules_len(), 2);
	assert_ptr_not_equal(rules_find(VM, &rule.match)->state,
			     rules_find(VM_MAX, &rule.match)->state);
	rules_publish(rules_prepare(cleared, 2, why, sizeof(why)));
	assert_counts(&before);
}

static void a_state_with_waiting_frames_is_freed_once_they_are_gone(void **state) {
	const struct rule_spec rule = rule_of(&flow, 0, 1);
	struct rule_state *waiting = set_marked(&rule);
	struct parcel parcel = {.next = NULL};

	UNUSED_STATE;
	waiting->queue.head = &parcel;
	clear();
	assert_true(atomic_load(&waiting->queue.condemned));
	assert_int_equal(waiting->packets, 77);
	rules_reclaim();
	assert_int_equal(state_slab.used, 1);

	set(&rule, 1); // one more, with another state
	assert_ptr_not_equal(rules_find(VM, &rule.match)->state, waiting);
	waiting->queue.head = NULL;
	rules_reclaim();
	assert_int_equal(state_slab.used, 1);
	clear();
	assert_int_equal(state_slab.used, 0);
}

static struct rule_spec *many(unsigned len) {
	struct rule_spec *rules = calloc(len, sizeof(*rules));

	assert_non_null(rules);
	for (unsigned i = 0; i < len; i++) {
		struct match_fields fields = FIVE_TUPLE(i, i >> 8);

		fields.destination_ip[2] = (uint8_t)(i >> 16);
		fields.destination_ip[3] = (uint8_t)(i >> 8);
		rules[i] = rule_of(&fields, 0, i + 1);
	}
	return rules;
}

static void assert_found(const struct rule_spec rules[], unsigned from, unsigned to, bool there) {
	const struct rule_table *table = rules_now()->by_vm[VM];

	for (unsigned i = from; i < to; i += RULES_BURST) {
		const unsigned len = RTE_MIN(to - i, (unsigned)RULES_BURST);
		const struct rule *found[RULES_BURST];
		struct match_key keys[RULES_BURST];

		for (unsigned k = 0; k < len; k++) {
			keys[k] = rules[i + k].match.key;
			memset(keys[k].destination_mac, (int)i, MAC_LEN); // does not count
		}
		rules_match(table, keys, len, found);
		for (unsigned k = 0; k < len; k++)
			assert_int_equal(found[k] != NULL ? found[k]->rate_bps : 0,
					 there ? rules[i + k].shaper.rate_bps : 0);
	}
}

static void count_visit(const struct rule *rule, void *of) {
	uint64_t *sum = of;

	*sum += rule->rate_bps;
}

static void a_hundred_thousand_rules_are_found(void **state) {
	enum { LEN = 100000, HALF = LEN / 2 };
	struct rule_spec *rules = many(LEN);
	struct match *gone = calloc(HALF, sizeof(*gone));
	uint64_t sum = 0;

	UNUSED_STATE;
	clear();

	const struct counts before = count();

	assert_non_null(gone);
	set(rules, LEN);
	assert_int_equal(rules_len(), LEN);
	assert_found(rules, 0, LEN, true);
	rules_visit(VM, count_visit, &sum);
	assert_int_equal(sum, (uint64_t)LEN * (LEN + 1) / 2);
	assert_true(rules_memory() / LEN <= 256);

	for (unsigned i = 0; i < HALF; i++)
		gone[i] = rules[i].match;
	unset(gone, HALF);
	assert_found(rules, 0, HALF, false);
	assert_found(rules, HALF, LEN, true);

	change(&(struct rules_edit){.vm = VM, .clear = true, .set = rules, .set_len = HALF});
	assert_found(rules, 0, HALF, true);
	assert_found(rules, HALF, LEN, false);
	clear();
	assert_counts(&before);
	free(gone);
	free(rules);
}

// One rule per change, as a controller that knows of no batches does.
static void a_table_grows_and_shrinks_rule_by_rule(void **state) {
	enum { LEN = 2000 };
	struct rule_spec *rules = many(LEN);

	UNUSED_STATE;
	clear();

	const struct counts before = count();

	for (unsigned i = 0; i < LEN; i++)
		set(&rules[i], 1);
	assert_found(rules, 0, LEN, true);
	for (unsigned i = 0; i < LEN; i++) {
		unset(&rules[i].match, 1);
		if (i % 100 == 0) {
			assert_found(rules, 0, i + 1, false);
			assert_found(rules, i + 1, LEN, true);
		}
	}
	assert_counts(&before);
	free(rules);
}

static void more_rules_than_there_may_be_are_refused(void **state) {
	struct rule_spec *rules = many(RULES_MAX / 2 + 1);
	const struct rules_edit edits[] = {
		{.vm = VM, .set = rules, .set_len = RULES_MAX / 2},
		{.vm = VM + 1, .set = rules, .set_len = RULES_MAX / 2 + 1},
	};
	char why[256] = "";

	UNUSED_STATE;
	clear();

	const struct counts before = count();

	assert_null(rules_prepare(edits, 2, why, sizeof(why)));
	assert_non_null(strstr(why, "1048577 rules"));
	assert_counts(&before);
	free(rules);
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(no_table_matches_nothing),
		cmocka_unit_test(a_rule_reads_back_as_it_was_set),
		cmocka_unit_test(a_replaced_rule_keeps_its_state),
		cmocka_unit_test(a_rule_unset_and_set_in_one_edit_keeps_its_state),
		cmocka_unit_test(a_rule_of_a_replaced_table_keeps_its_state),
		cmocka_unit_test(a_rule_given_twice_is_the_last_one),
		cmocka_unit_test(a_higher_rate_earns_nothing_for_the_past),
		cmocka_unit_test(every_number_of_raises_is_seen),
		cmocka_unit_test(a_rule_without_shaper_gets_a_full_bucket),
		cmocka_unit_test(the_next_oldest_rule_has_the_ends),
		cmocka_unit_test(the_ends_of_a_replaced_table_are_of_its_first_rule),
		cmocka_unit_test(more_masks_than_there_may_be_are_refused),
		cmocka_unit_test(a_cancelled_change_leaves_nothing),
		cmocka_unit_test(edits_of_several_vms_are_one_change),
		cmocka_unit_test(a_state_with_waiting_frames_is_freed_once_they_are_gone),
		cmocka_unit_test(a_hundred_thousand_rules_are_found),
		cmocka_unit_test(a_table_grows_and_shrinks_rule_by_rule),
		cmocka_unit_test(more_rules_than_there_may_be_are_refused),
	};

	begin();
	return RUN_TABLE(matches, check_match) + cmocka_run_group_tests(whole, NULL, NULL);
}
