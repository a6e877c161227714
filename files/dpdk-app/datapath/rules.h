#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>

#include "core/bucket.h"
#include "core/spec.h"
#include "datapath/counter.h"

enum {
	RULES_MAX = 131072,
	RULES_BURST = 32, // flows in one rules_match()
};

// What a rule does. Immutable once published; an update publishes the next version.
struct rule_terms {
	struct tag_stack tags;
	uint32_t version;
	uint64_t rate_bps;
	uint64_t burst_bits;
	uint64_t since; // tick
};

struct rule {
	_Atomic(struct rule_terms *) terms;

	// Of the one data core that serves the rule's VM.
	struct bucket bucket;
	uint32_t bucket_version; // of the terms that the bucket follows
	struct traffic passed;
	struct counter over_rate;

	// Of control.
	struct flow_key flow;
	struct rule *before; // rules between the same two ends: the first one has their ARP
	struct rule *after;
} __rte_cache_aligned;

// False: no memory.
bool rules_init(void);

// Finds the rule of each flow, or NULL. For data cores; good until grace_quiet().
void rules_match(const struct flow_key *flows, unsigned len, struct rule *found[]);

// Takes a frame's bits from the rule's bucket under these terms. False: over the rate.
bool rule_take(struct rule *rule, const struct rule_terms *terms, uint64_t bits, uint64_t now);

// The rule of exactly this flow, or NULL. For control.
struct rule *rules_find(const struct flow_key *flow);

// What a change of rules needs is prepared first, so that publishing it cannot fail.
struct rule_batch;

// Returns NULL without memory. Every flow of the specs is different.
struct rule_batch *rules_prepare(const struct rule_spec *specs, size_t len);
void rules_publish(struct rule_batch *batch);
void rules_cancel(struct rule_batch *batch);

// Rules that do not exist are passed over.
void rules_delete(const struct rule_spec *specs, size_t len);
