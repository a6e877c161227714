#include <rte_malloc.h>

#include "datapath/rules_table.h"

struct slab rule_slab = {.name = "rules", .size = sizeof(struct rule)};
struct slab state_slab = {.name = "states", .size = sizeof(struct rule_state)};

static _Atomic(struct rule_set *) now;

static void rule_key(uint32_t value, struct match_key *key) {
	*key = rule_at(value)->key;
}

// A rule's addresses are what its ends have too; the rest goes without saying.
static void ends_key(uint32_t value, struct match_key *key) {
	const struct rule *rule = rule_at(value);

	*key = (struct match_key){
		.ether_type = rule->key.ether_type == ETHER_IPV4 ? ETHER_ARP : ETHER_IPV6,
		.kind = KIND_NEIGHBOUR,
		.number = rule->ends,
	};
	memcpy(key->source_ip, rule->key.source_ip, IP_LEN);
	memcpy(key->destination_ip, rule->key.destination_ip, IP_LEN);
}

static uint16_t rule_priority(uint32_t value) {
	return rule_at(value)->priority;
}

const struct table_kind rule_kind = {.key = rule_key, .priority = rule_priority};
const struct table_kind ends_kind = {.key = ends_key, .priority = rule_priority};

bool rules_init(void) {
	struct rule_set *set = rte_zmalloc("rule set", sizeof(*set), 0);

	atomic_store(&now, set);
	return set != NULL && table_init();
}

struct rule_set *rules_show(struct rule_set *set) {
	return atomic_exchange_explicit(&now, set, memory_order_acq_rel);
}

const struct rule_set *rules_now(void) {
	return atomic_load_explicit(&now, memory_order_acquire);
}

const struct rule *rules_find(uint16_t vm, const struct match *match) {
	const struct rule_table *table = rules_now()->by_vm[vm];
	const uint32_t number = table != NULL ? table_find(table->rules, &rule_kind, match) : 0;

	return number != SLAB_NONE ? rule_at(number) : NULL;
}

void rule_read(uint16_t vm, const struct rule *rule, struct rule_spec *spec) {
	const struct rule_table *table = rules_now()->by_vm[vm];

	*spec = (struct rule_spec){
		.vm = vm,
		.priority = rule->priority,
		.destination_vm = rule->destination_vm,
		.slot = rule->slot,
		.match = {.key = rule->key, .mask = table->rules->masks[rule->key.number].mask},
		.shaper = {.rate_bps = rule->rate_bps,
			   .burst_bits = rule->burst_bits,
			   .queue_bytes = rule->queue_bytes,
			   .queue_packets = rule->queue_packets,
			   .mode = rule->mode},
	};
	spec->match.key.number = 0;
	tags_decode(rule->tags, rule->tags_len, &spec->tags);
}

size_t rules_len_of(uint16_t vm) {
	const struct rule_table *table = rules_now()->by_vm[vm];

	return table != NULL ? table->rules->len : 0;
}

size_t rules_len(void) {
	size_t len = 0;

	for (uint16_t vm = 0; vm < VM_COUNT; vm++)
		len += rules_len_of(vm);
	return len;
}

void rules_visit(uint16_t vm, void (*visit)(const struct rule *rule, void *of), void *of) {
	const struct rule_table *table = rules_now()->by_vm[vm];

	for (uint32_t i = 0; table != NULL && i < table->rules->buckets_len; i++) {
		const struct bucket *bucket = &table->rules->buckets[i];

		for (unsigned place = 0; place < BUCKET_LEN; place++)
			if (bucket->signatures[place] != 0)
				visit(rule_at(bucket->values[place]), of);
	}
}

size_t rules_memory(void) {
	const struct rule_set *set = rules_now();
	size_t memory = slab_memory(&rule_slab) + slab_memory(&state_slab) + sizeof(*set);

	for (uint16_t vm = 0; vm < VM_COUNT; vm++)
		if (set->by_vm[vm] != NULL)
			memory += table_memory(set->by_vm[vm]->rules) +
				  table_memory(set->by_vm[vm]->ends);
	return memory;
}
