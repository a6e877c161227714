#include "tests/rules_help.h"

#include <stdatomic.h>

#include <rte_launch.h>
#include <rte_lcore.h>

#include "datapath/rules_table.h"

// Random edits of random rules, against a list of rules that is searched from end to end; and a
// data core that searches while control replaces everything.

enum {
	EDITS = 5000,
	EDIT_MAX = 12,
	MODEL_MAX = 4096,
	KEYS = RULES_BURST,
	RULES_TO_KEEP = 100, // above them the model is cleared
};

static uint64_t seed = 0x9e3779b97f4a7c15;

// xorshift64*: the same numbers in each run.
static unsigned any(unsigned below) {
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (unsigned)((seed * 0x2545f4914f6cdd1d) >> 33) % below;
}

struct modelled {
	struct rule_spec spec;
	struct rule_state *state;
	struct match ends;
	bool leads; // the oldest of these ends
};

// In order of age.
static struct modelled model[MODEL_MAX];
static size_t model_len;

static size_t model_find(const struct match *match) {
	size_t i = 0;

	while (i < model_len && match_compare(&model[i].spec.match, match) != 0)
		i++;
	return i;
}

static void model_apply(const struct rules_edit *edit) {
	if (edit->clear)
		model_len = 0;
	for (size_t i = 0; i < edit->unset_len; i++) {
		const size_t at = model_find(&edit->unset[i]);

		if (at == model_len)
			continue;
		model_len--;
		memmove(&model[at], &model[at + 1], (model_len - at) * sizeof(model[0]));
	}
	for (size_t i = 0; i < edit->set_len; i++) {
		const size_t at = model_find(&edit->set[i].match);

		assert_true(at < MODEL_MAX);
		model_len += at == model_len;
		model[at].spec = edit->set[i];
	}
}

static size_t model_masks(void) {
	size_t masks = 0;

	for (size_t i = 0; i < model_len; i++) {
		size_t k = 0;

		while (memcmp(&model[k].spec.match.mask, &model[i].spec.match.mask,
			      sizeof(struct match_key)) != 0)
			k++;
		masks += k == i;
	}
	return masks;
}

static bool applies(const struct match *match, const struct match_key *frame) {
	const uint8_t *key = (const uint8_t *)&match->key, *mask = (const uint8_t *)&match->mask;
	const uint8_t *bytes = (const uint8_t *)frame;

	for (size_t i = 0; i < sizeof(*frame); i++)
		if ((bytes[i] & mask[i]) != key[i])
			return false;
	return true;
}

static bool is_better(uint16_t priority, const struct match_key *mask, uint16_t than,
		      const struct match_key *than_mask) {
	const unsigned bits = match_bits(mask), than_bits = match_bits(than_mask);

	if (priority != than)
		return priority > than;
	if (bits != than_bits)
		return bits > than_bits;
	return memcmp(mask, than_mask, sizeof(*mask)) > 0;
}

// The way of ARP and neighbour discovery is that of the oldest rule between their ends.
static void model_find_ends(void) {
	for (size_t i = 0; i < model_len; i++) {
		struct modelled *rule = &model[i];

		rule->leads = match_ends(&rule->spec.match, &rule->ends);
		for (size_t k = 0; k < i && rule->leads; k++)
			rule->leads = !model[k].leads ||
				      match_compare(&model[k].ends, &rule->ends) != 0;
	}
}

static uint64_t model_search(const struct match_key *frame, bool by_ends) {
	const struct modelled *best = NULL;
	const struct match *best_match = NULL;

	for (size_t i = 0; i < model_len; i++) {
		const struct modelled *rule = &model[i];
		const struct match *match = by_ends ? &rule->ends : &rule->spec.match;

		if ((by_ends && !rule->leads) || !applies(match, frame))
			continue;
		if (best != NULL && !is_better(rule->spec.priority, &match->mask,
					       best->spec.priority, &best_match->mask))
			continue;
		best = rule;
		best_match = match;
	}
	return best != NULL ? best->spec.shaper.rate_bps : 0;
}

static uint64_t model_rate_for(const struct match_key *frame) {
	const uint64_t rate = frame->kind & KIND_NEIGHBOUR ? model_search(frame, true) : 0;

	return rate != 0 ? rate : model_search(frame, false);
}

// A small world, in which much matches much.
static const uint16_t ether_types[] = {ETHER_IPV4, ETHER_IPV6, ETHER_ARP, 0x88f7};
static const uint8_t protocols[] = {0, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP};
static const uint8_t prefixes[] = {0, 0, 1, 7, 30, 31, 32, 32};

static void any_address(uint16_t family, uint8_t address[IP_LEN]) {
	memset(address, 0, IP_LEN);
	address[0] = (uint8_t)(any(4) << 6);
	address[family == ETHER_IPV6 ? IP_LEN - 1 : 3] = (uint8_t)any(4);
}

static uint8_t any_prefix(uint16_t family) {
	const uint8_t bits = prefixes[any(RTE_DIM(prefixes))];

	return family == ETHER_IPV6 && bits > 7 ? bits + IPV6_BITS - IPV4_BITS : bits;
}

static struct match any_match(void) {
	struct match match;
	struct match_fields fields;

	do {
		fields = (struct match_fields){
			.has_destination_mac = any(4) == 0,
			.destination_mac = {2, 0, 0, 0, 0, (uint8_t)any(2)},
			.has_ether_type = any(6) == 0,
			.ether_type = ether_types[any(4)],
			.has_protocol = any(2) == 0,
			.protocol = protocols[any(4)],
			.has_source_port = any(3) == 0,
			.source_port = (uint16_t)any(3),
			.has_destination_port = any(3) == 0,
			.destination_port = (uint16_t)any(3),
			.family = any(3) > 0 ? ether_types[any(2)] : 0,
		};
		if (fields.family != 0) {
			fields.source_bits = any_prefix(fields.family);
			fields.destination_bits = any_prefix(fields.family);
			any_address(fields.family, fields.source_ip);
			any_address(fields.family, fields.destination_ip);
		}
	} while (match_make(&fields, &match) != NULL);
	return match;
}

static struct match_key any_frame(void) {
	struct match_key key = {
		.destination_mac = {2, 0, 0, 0, 0, (uint8_t)any(2)},
		.ether_type = ether_types[any(4)],
	};
	const bool ip = key.ether_type == ETHER_IPV4 || key.ether_type == ETHER_IPV6;

	if (key.ether_type == ETHER_ARP)
		key.kind = KIND_NEIGHBOUR;
	if (ip || key.ether_type == ETHER_ARP) {
		any_address(key.ether_type, key.source_ip);
		any_address(key.ether_type, key.destination_ip);
	}
	if (!ip)
		return key;

	key.kind = KIND_IP;
	if (key.ether_type == ETHER_IPV6 && any(3) == 0) {
		key.kind |= KIND_NEIGHBOUR;
		key.protocol = PROTOCOL_ICMPV6;
		return key;
	}
	key.protocol = protocols[any(4)];
	if (any(4) == 0) {
		key.kind |= KIND_FRAGMENT;
	} else if (key.protocol == PROTOCOL_TCP || key.protocol == PROTOCOL_UDP) {
		key.source_port = (uint16_t)any(3);
		key.destination_port = (uint16_t)any(3);
	}
	return key;
}

static struct match match_to_unset(void) {
	return model_len > 0 && any(8) > 0 ? model[any((unsigned)model_len)].spec.match
					   : any_match();
}

struct random_edit {
	struct rules_edit edit;
	struct match unset[EDIT_MAX];
	struct rule_spec set[EDIT_MAX];
};

static void make_edit(struct random_edit *random) {
	static uint64_t rate;

	random->edit = (struct rules_edit){
		.vm = VM,
		.clear = model_len > RULES_TO_KEEP || any(50) == 0,
		.unset = random->unset,
		.unset_len = any(EDIT_MAX),
		.set = random->set,
		.set_len = any(EDIT_MAX),
	};
	for (size_t i = 0; i < random->edit.unset_len; i++)
		random->unset[i] = match_to_unset();
	for (size_t i = 0; i < random->edit.set_len; i++) {
		random->set[i] = rule_of(&(struct match_fields){.family = 0}, (uint16_t)any(4),
					 ++rate);
		random->set[i].match = any(3) == 0 ? match_to_unset() : any_match();
	}
}

static void check_frames(void) {
	struct match_key keys[KEYS];
	const struct rule *found[KEYS];

	for (unsigned i = 0; i < KEYS; i++)
		keys[i] = any_frame();
	rules_match(rules_now()->by_vm[VM], keys, KEYS, found);
	for (unsigned i = 0; i < KEYS; i++)
		assert_int_equal(found[i] != NULL ? found[i]->rate_bps : 0,
				 model_rate_for(&keys[i]));
}

// A rule that was there before has the state that it had.
static void check_states(const struct modelled before[], size_t before_len) {
	for (size_t i = 0; i < model_len; i++) {
		const struct rule *rule = rules_find(VM, &model[i].spec.match);

		assert_non_null(rule);
		model[i].state = rule->state;
		for (size_t k = 0; k < before_len; k++)
			if (match_compare(&before[k].spec.match, &model[i].spec.match) == 0)
				assert_ptr_equal(rule->state, before[k].state);
	}
	assert_int_equal(rules_len_of(VM), model_len);
	assert_int_equal(rule_slab.used, model_len);
	assert_int_equal(state_slab.used, model_len);
}

static void the_table_says_what_a_list_would_say(void **state) {
	static struct modelled before[MODEL_MAX];
	static struct random_edit random;
	unsigned refused = 0;

	UNUSED_STATE;
	clear();
	for (unsigned i = 0; i < EDITS; i++) {
		const size_t before_len = model_len;
		char why[256] = "";

		memcpy(before, model, before_len * sizeof(model[0]));
		make_edit(&random);
		model_apply(&random.edit);

		const bool fits = model_masks() <= RULE_MASKS_MAX;
		struct rules_change *made = rules_prepare(&random.edit, 1, why, sizeof(why));

		assert_int_equal(made != NULL, fits);
		if (fits && any(4) > 0) {
			rules_publish(made);
		} else { // refused, or given up
			refused += !fits;
			if (fits)
				rules_cancel(made);
			memcpy(model, before, before_len * sizeof(model[0]));
			model_len = before_len;
		}
		model_find_ends();
		check_states(before, before_len);
		check_frames();
	}
	assert_true(refused > 0);
	clear();
	assert_int_equal(rule_slab.used + state_slab.used, 0);
}

// A data core that searches without a pause. All rules of a version have its number as their rate,
// in the tables of both VMs.
static atomic_bool stop;
static atomic_uint turns;
static const char *_Atomic fault;

enum { FLOWS = 64, VERSIONS = 10000 };

static struct match_key flow_key(unsigned flow) {
	const struct match_fields fields = FIVE_TUPLE(flow, 1);

	return match_of(&fields).key;
}

// What a turn finds in one set must be of one version, to the turn's end; flow 0 is in all.
static const char *look(const struct rule_set *set, const struct match_key keys[FLOWS]) {
	const struct rule *found[2][FLOWS];
	uint64_t version = 0;

	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; pass == 0 && i < 2 * FLOWS; i += RULES_BURST)
			rules_match(set->by_vm[VM + i / FLOWS], &keys[i % FLOWS], RULES_BURST,
				    &found[i / FLOWS][i % FLOWS]);
		for (unsigned vm = 0; vm < 2; vm++) {
			if (found[vm][0] == NULL)
				return "a rule of every version was not found";
			if (version == 0)
				version = found[vm][0]->rate_bps;
			for (unsigned i = 0; i < FLOWS; i++) {
				const struct rule *rule = found[vm][i];

				if (rule != NULL && rule->rate_bps != version)
					return "two versions in one set";
				if (rule != NULL && rule->key.source_port != i)
					return "a rule is for another flow";
				if (rule != NULL)
					rule->state->packets++;
			}
		}
	}
	return NULL;
}

static int search_on(void *unused) {
	struct match_key keys[FLOWS];

	(void)unused;
	for (unsigned i = 0; i < FLOWS; i++)
		keys[i] = flow_key(i);
	grace_join();
	while (!atomic_load(&stop) && fault == NULL) {
		fault = look(rules_now(), keys);
		grace_quiet();
		atomic_fetch_add(&turns, 1);
	}
	grace_leave();
	return 0;
}

static void publish_version(unsigned version) {
	struct rule_spec rules[FLOWS];
	const bool clear_all = version % 2 == 0;
	struct match gone[FLOWS];
	struct rules_edit edits[2];
	struct rules_change *made;
	size_t len = 0, gone_len = 0;
	char why[256] = "";

	for (unsigned i = 0; i < FLOWS; i++) {
		const struct match_fields fields = FIVE_TUPLE(i, 1);

		if (i == 0 || any(2) == 0)
			rules[len++] = rule_of(&fields, 0, version);
		else
			gone[gone_len++] = match_of(&fields);
	}
	for (unsigned i = 0; i < 2; i++)
		edits[i] = (struct rules_edit){.vm = (uint16_t)(VM + i),
					       .clear = clear_all,
					       .unset = gone,
					       .unset_len = gone_len,
					       .set = rules,
					       .set_len = len};
	made = rules_prepare(edits, 2, why, sizeof(why));
	assert_non_null(made);
	rules_publish(made);
}

static void a_data_core_sees_one_version_at_a_time(void **state) {
	const unsigned lcore = rte_get_next_lcore((unsigned)-1, 1, 0);
	unsigned version = 1;

	UNUSED_STATE;
	publish_version(version);
	assert_int_equal(rte_eal_remote_launch(search_on, NULL, lcore), 0);
	while (version < VERSIONS && fault == NULL)
		publish_version(++version);
	atomic_store(&stop, true);
	rte_eal_wait_lcore(lcore);
	if (fault != NULL)
		fail_msg("version %u, turn %u: %s", version, turns, fault);
	assert_true(turns > VERSIONS / 10);
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(the_table_says_what_a_list_would_say),
		cmocka_unit_test(a_data_core_sees_one_version_at_a_time),
	};

	begin();
	return cmocka_run_group_tests(whole, NULL, NULL);
}
