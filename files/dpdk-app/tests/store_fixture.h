#pragma once

// A directory for a database, and rules of all kinds, for the tests of the store.

#include "tests/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/store.h"

static char directory[] = "/dev/shm/store-test-XXXXXX"; // in memory: thousands are made
static char path[64];
static char report[800];
static char why[600];

static inline void remove_files(void) {
	static const char *const names[] = {
		"state.db",	      "state.db-wal",	      "state.db-journal",
		"state.db.corrupt",   "state.db.corrupt-wal", "state.json",
		"state.json.corrupt", "state.json.migrated",
	};
	char file[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s", directory, names[i]);
		unlink(file);
	}
}

static inline int make_directory(void **state) {
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/state.db", directory);
	return 0;
}

static inline int remove_directory(void **state) {
	(void)state;
	remove_files();
	return rmdir(directory);
}

static inline int start_empty(void **state) {
	(void)state;
	remove_files();
	return 0;
}

static inline struct store *open_store(void) {
	struct store *store;

	if (store_open(path, &store, report, sizeof(report), why, sizeof(why)) != STORE_OPENED)
		fail_msg("%s", why);
	return store;
}

#define ACCEPT(call)                                                                               \
	do {                                                                                       \
		if (!(call))                                                                       \
			fail_msg("%s: %s", #call, why);                                            \
	} while (0)

static inline void begin(struct store *store) {
	ACCEPT(store_begin(store, why, sizeof(why)));
}

static inline void commit(struct store *store) {
	ACCEPT(store_commit(store, why, sizeof(why)));
}

static inline void set_port(struct store *store, uint16_t vm) {
	const struct port_spec port = {vm, {2, 0, 0, 0, 0, (uint8_t)vm}, vm % 2 == 1};

	ACCEPT(store_set_port(store, &port, why, sizeof(why)));
}

static inline void set_rule(struct store *store, const struct rule_spec *rule) {
	ACCEPT(store_set_rule(store, rule, why, sizeof(why)));
}

// Random numbers that are the same in each run.
static uint64_t seed = 0x9e3779b97f4a7c15;

static inline uint64_t random_bits(void) {
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static inline uint64_t below(uint64_t limit) {
	return random_bits() % limit;
}

static inline bool coin(void) {
	return random_bits() >> 40 & 1;
}

static inline void random_bytes(uint8_t *bytes, size_t len) {
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)random_bits();
}

// Any fields; many of them contradict each other, and some are common to many rules.
static inline struct match_fields random_fields(void) {
	static const uint16_t families[] = {0, ETHER_IPV4, ETHER_IPV6};
	static const uint8_t protocols[] = {PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP, 132, 0, 255};
	struct match_fields fields = {
		.has_destination_mac = below(4) == 0,
		.has_ether_type = below(4) == 0,
		.has_protocol = coin(),
		.has_source_port = coin(),
		.has_destination_port = coin(),
		.ether_type = (uint16_t)(0x0600 + below(0xfa00)),
		.protocol = protocols[below(6)],
		.family = families[below(3)],
	};
	const unsigned bits = fields.family == 0	    ? 0
			      : fields.family == ETHER_IPV4 ? IPV4_BITS
							    : IPV6_BITS;

	if (fields.has_source_port)
		fields.source_port = (uint16_t)below(4);
	if (fields.has_destination_port)
		fields.destination_port = (uint16_t)random_bits();
	fields.source_bits = (uint8_t)(coin() ? bits : below(bits + 1));
	fields.destination_bits = (uint8_t)(coin() ? bits : below(bits + 1));
	random_bytes(fields.destination_mac, MAC_LEN);
	random_bytes(fields.source_ip, bits / 8);
	random_bytes(fields.destination_ip, bits / 8);
	return fields;
}

static inline struct match random_match(void) {
	struct match match;
	struct match_fields fields;

	do
		fields = random_fields();
	while (match_make(&fields, &match) != NULL);
	return match;
}

static inline uint64_t edge_or_random(uint64_t max) {
	const uint64_t values[] = {1, max, 1 + below(max)};

	return values[below(3)];
}

static inline struct shaper_terms random_shaper(void) {
	struct shaper_terms terms = {.mode = (uint8_t)below(3)};

	if (terms.mode != SHAPE_OFF) {
		terms.rate_bps = edge_or_random(RATE_BPS_MAX);
		terms.burst_bits = edge_or_random(INT64_MAX);
	}
	if (terms.mode == SHAPE_DELAY) {
		terms.queue_bytes = (uint32_t)edge_or_random(UINT32_MAX);
		terms.queue_packets = (uint16_t)edge_or_random(UINT16_MAX);
	}
	return terms;
}

static inline void randomize_treatment(struct rule_spec *rule) {
	rule->priority = (uint16_t)below(UINT16_MAX + 1);
	rule->destination_vm = coin() ? TO_UPLINK : (uint16_t)below(VM_COUNT);
	rule->slot = NO_SLOT;
	rule->tags = (struct tag_stack){.tpid = coin() ? TPID_8021AD : TPID_8021Q};
	if (rule->destination_vm == TO_UPLINK)
		rule->tags.len = (uint16_t)below(TAGS_MAX + 1);
	for (unsigned i = 0; i < rule->tags.len; i++)
		rule->tags.vid[i] = (uint16_t)edge_or_random(TAG_VID_MAX);
	rule->shaper = random_shaper();
}

static inline struct rule_spec random_rule(uint16_t vm) {
	struct rule_spec rule = {.vm = vm, .match = random_match()};

	randomize_treatment(&rule);
	return rule;
}

// A rule like those that there are by the thousand: UDP between two addresses.
static inline struct rule_spec plain_rule(uint16_t vm, uint32_t number) {
	const struct match_fields fields = {
		.has_protocol = true,
		.has_source_port = true,
		.has_destination_port = true,
		.protocol = PROTOCOL_UDP,
		.source_port = 5000,
		.destination_port = 6000,
		.family = ETHER_IPV4,
		.source_bits = IPV4_BITS,
		.destination_bits = IPV4_BITS,
		.source_ip = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number},
		.destination_ip = {10, 200, 0, (uint8_t)vm},
	};
	struct rule_spec rule = {
		.vm = vm,
		.destination_vm = TO_UPLINK,
		.slot = NO_SLOT,
		.tags = {TPID_8021Q, 3, {21, 22, 7}},
		.shaper = {100000000, 1000000, QUEUE_BYTES_DEFAULT, QUEUE_PACKETS_DEFAULT,
			   SHAPE_DELAY},
	};

	assert_null(match_make(&fields, &rule.match));
	return rule;
}

static inline bool same_rule(const struct rule_spec *a, const struct rule_spec *b) {
	return a->vm == b->vm && a->priority == b->priority &&
	       a->destination_vm == b->destination_vm && a->slot == b->slot &&
	       match_compare(&a->match, &b->match) == 0 && a->tags.tpid == b->tags.tpid &&
	       a->tags.len == b->tags.len &&
	       memcmp(a->tags.vid, b->tags.vid, a->tags.len * sizeof(a->tags.vid[0])) == 0 &&
	       a->shaper.rate_bps == b->shaper.rate_bps &&
	       a->shaper.burst_bits == b->shaper.burst_bits &&
	       a->shaper.queue_bytes == b->shaper.queue_bytes &&
	       a->shaper.queue_packets == b->shaper.queue_packets &&
	       a->shaper.mode == b->shaper.mode;
}

// What a store lists.
enum { LISTED_MAX = 16384 };

struct listed {
	size_t ports_len, rules_len;
	struct port_spec ports[64];
	struct rule_spec rules[LISTED_MAX];
};

static inline bool add_port(const struct port_spec *port, void *of) {
	struct listed *listed = of;

	if (listed->ports_len == sizeof(listed->ports) / sizeof(listed->ports[0]))
		return false;
	listed->ports[listed->ports_len++] = *port;
	return true;
}

static inline bool add_rule(const struct rule_spec *rule, void *of) {
	struct listed *listed = of;

	if (listed->rules_len == LISTED_MAX)
		return false;
	listed->rules[listed->rules_len++] = *rule;
	return true;
}

static inline const struct listed *list(struct store *store) {
	static struct listed listed;

	listed.ports_len = listed.rules_len = 0;
	assert_true(store_ports(store, add_port, &listed));
	assert_true(store_rules(store, add_rule, &listed));
	return &listed;
}
