#include "datapath/rules.h"

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>

#include "datapath/grace.h"

struct rule_change {
	struct rule *rule; // a new one, or the one to update
	struct rule_terms *terms;
	bool created;
};

struct rule_batch {
	size_t len;
	struct rule_change changes[];
};

// By flow, and by the two ends of a flow for ARP.
static struct rte_hash *table;

bool rules_init(void) {
	const struct rte_hash_parameters parameters = {
		.name = "rules",
		.entries = 2 * RULES_MAX,
		.key_len = sizeof(struct flow_key),
		.hash_func = rte_jhash,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF |
			      RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	table = rte_hash_create(&parameters);
	return table != NULL;
}

void rules_match(const struct flow_key *flows, unsigned len, struct rule *found[]) {
	const void *keys[RULES_BURST];
	void *data[RULES_BURST];
	uint64_t hits = 0;

	for (unsigned i = 0; i < len; i++)
		keys[i] = &flows[i];
	rte_hash_lookup_bulk_data(table, keys, len, &hits, data);
	for (unsigned i = 0; i < len; i++)
		found[i] = hits & 1ULL << i ? data[i] : NULL;
}

bool rule_take(struct rule *rule, const struct rule_terms *terms, uint64_t bits, uint64_t now) {
	if (rule->bucket_version != terms->version) {
		bucket_change(&rule->bucket, terms->rate_bps, terms->burst_bits, terms->since);
		rule->bucket_version = terms->version;
	}
	return bucket_take(&rule->bucket, bits, now);
}

static struct rule *find(const struct flow_key *key) {
	void *data = NULL;

	return rte_hash_lookup_data(table, key, &data) >= 0 ? data : NULL;
}

struct rule *rules_find(const struct flow_key *flow) {
	return find(flow);
}

static bool prepare(struct rule_change *change, const struct rule_spec *spec, uint64_t now) {
	change->rule = find(&spec->flow);
	change->terms = rte_zmalloc("terms", sizeof(*change->terms), 0);
	if (change->terms == NULL)
		return false;

	*change->terms = (struct rule_terms){
		.tags = spec->tags,
		.rate_bps = spec->rate_bps,
		.burst_bits = spec->burst_bits,
		.since = now,
	};
	if (change->rule != NULL) {
		change->terms->version = atomic_load(&change->rule->terms)->version + 1;
		return true;
	}

	change->rule = rte_zmalloc("rule", sizeof(*change->rule), RTE_CACHE_LINE_SIZE);
	if (change->rule == NULL)
		return false;

	change->created = true;
	change->rule->flow = spec->flow;
	atomic_init(&change->rule->terms, change->terms);
	bucket_init(&change->rule->bucket, rte_get_tsc_hz(), spec->rate_bps, spec->burst_bits, now);
	return true;
}

struct rule_batch *rules_prepare(const struct rule_spec *specs, size_t len) {
	struct rule_batch *batch = rte_zmalloc("batch",
					       sizeof(*batch) + len * sizeof(batch->changes[0]), 0);
	const uint64_t now = rte_rdtsc();

	if (batch == NULL)
		return NULL;

	for (; batch->len < len; batch->len++) {
		if (prepare(&batch->changes[batch->len], &specs[batch->len], now))
			continue;
		batch->len++;
		rules_cancel(batch);
		return NULL;
	}
	return batch;
}

void rules_cancel(struct rule_batch *batch) {
	for (size_t i = 0; i < batch->len; i++) {
		rte_free(batch->changes[i].terms);
		if (batch->changes[i].created)
			rte_free(batch->changes[i].rule);
	}
	rte_free(batch);
}

// The table has room for two keys of each rule, so this cannot fail.
static void set_key(const struct flow_key *key, struct rule *rule) {
	RTE_VERIFY(rte_hash_add_key_data(table, key, rule) == 0);
}

static void show(struct rule *rule) {
	const struct flow_key ends = flow_ends(&rule->flow);
	struct rule *first = find(&ends);

	if (first == NULL) {
		set_key(&ends, rule);
	} else {
		rule->before = first;
		rule->after = first->after;
		if (rule->after != NULL)
			rule->after->before = rule;
		first->after = rule;
	}
	set_key(&rule->flow, rule);
}

void rules_publish(struct rule_batch *batch) {
	for (size_t i = 0; i < batch->len; i++) {
		struct rule_change *change = &batch->changes[i];

		if (change->created) {
			show(change->rule);
			change->terms = NULL;
		} else {
			change->terms = atomic_exchange(&change->rule->terms, change->terms);
		}
		change->created = false;
	}
	grace_wait();
	rules_cancel(batch); // what is left in it are the previous terms
}

// Returns the place of the key of the ends, or below 0 where another rule still needs it.
static int32_t hide_ends(struct rule *rule) {
	const struct flow_key ends = flow_ends(&rule->flow);

	if (rule->after != NULL)
		rule->after->before = rule->before;
	if (rule->before != NULL) {
		rule->before->after = rule->after;
		return -1;
	}
	if (rule->after != NULL) {
		set_key(&ends, rule->after);
		return -1;
	}
	return rte_hash_del_key(table, &ends);
}

struct hidden {
	struct rule *rule;
	int32_t places[2];
};

void rules_delete(const struct rule_spec *specs, size_t len) {
	struct hidden hidden[64];

	while (len > 0) {
		unsigned count = 0;

		for (; len > 0 && count < RTE_DIM(hidden); specs++, len--) {
			struct rule *rule = find(&specs->flow);

			if (rule == NULL)
				continue;
			hidden[count].rule = rule;
			hidden[count].places[0] = hide_ends(rule);
			hidden[count].places[1] = rte_hash_del_key(table, &rule->flow);
			count++;
		}

		grace_wait();
		for (unsigned i = 0; i < count; i++) {
			for (unsigned k = 0; k < RTE_DIM(hidden[i].places); k++)
				if (hidden[i].places[k] >= 0)
					rte_hash_free_key_with_position(table, hidden[i].places[k]);
			rte_free(atomic_load(&hidden[i].rule->terms));
			rte_free(hidden[i].rule);
		}
	}
}
