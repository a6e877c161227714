#pragma once

#include "tests/table.h"

#include <stdio.h>
#include <string.h>

#include <rte_eal.h>

#include "datapath/grace.h"
#include "datapath/rules.h"

// What tests of rules have in common. A rule is told from others by its rate.

#define UNUSED_STATE (void)state

enum { VM = 3 };

static inline void begin(void) {
	const char *arguments[] = {
		"test",		  "--no-huge",	   "--no-pci", "--no-shconf", "--no-telemetry",
		"--log-level",	  "lib.eal:error", "-m",       "512",	      "--lcores",
		"0@(0-1),1@(0-1)"};

	assert_true(rte_eal_init(RTE_DIM(arguments), (char **)(uintptr_t)arguments) > 0);
	assert_true(grace_init() && rules_init());
}

#define FIVE_TUPLE(from, to)                                                                       \
	{                                                                                          \
		.family = ETHER_IPV4, .source_bits = 32, .destination_bits = 32,                   \
		.source_ip = {10, 0, 0, 1}, .destination_ip = {10, 0, 0, 2}, .has_protocol = true, \
		.protocol = PROTOCOL_UDP, .has_source_port = true,                                 \
		.source_port = (uint16_t)(from), .has_destination_port = true,                     \
		.destination_port = (uint16_t)(to)                                                 \
	}

static inline struct match match_of(const struct match_fields *fields) {
	struct match match;

	assert_null(match_make(fields, &match));
	return match;
}

static inline struct rule_spec rule_of(const struct match_fields *fields, uint16_t priority,
				       uint64_t rate_bps) {
	return (struct rule_spec){
		.vm = VM,
		.priority = priority,
		.destination_vm = TO_UPLINK,
		.slot = NO_SLOT,
		.match = match_of(fields),
		.tags = {.tpid = TPID_8021Q, .len = 2, .vid = {21, 7}},
		.shaper = {.rate_bps = rate_bps,
			   .burst_bits = 12000,
			   .queue_bytes = QUEUE_BYTES_DEFAULT,
			   .queue_packets = QUEUE_PACKETS_DEFAULT,
			   .mode = SHAPE_DELAY},
	};
}

// Makes a change that is expected to be made.
static inline void change(const struct rules_edit *edit) {
	char why[256] = "";
	struct rules_change *prepared = rules_prepare(edit, 1, why, sizeof(why));

	assert_string_equal(why, "");
	assert_non_null(prepared);
	rules_publish(prepared);
}

static inline void set(const struct rule_spec *rules, size_t len) {
	change(&(struct rules_edit){.vm = VM, .set = rules, .set_len = len});
}

static inline void unset(const struct match *matches, size_t len) {
	change(&(struct rules_edit){.vm = VM, .unset = matches, .unset_len = len});
}

static inline void clear(void) {
	change(&(struct rules_edit){.vm = VM, .clear = true});
}

static inline const struct rule *matched(const struct match_key *key) {
	const struct rule *found;

	rules_match(rules_now()->by_vm[VM], key, 1, &found);
	return found;
}

// The rate of the rule for a frame, or 0.
static inline uint64_t rate_for(const struct match_key *key) {
	const struct rule *rule = matched(key);

	return rule != NULL ? rule->rate_bps : 0;
}
