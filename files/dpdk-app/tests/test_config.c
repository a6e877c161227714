#include "tests/table.h"

#include <string.h>

#include "control/config.h"

// Rules are told apart by VM and source port alone here, and their contents by the rate.
struct brief {
	uint16_t vm, port;
	uint64_t rate;
};

struct merge_row {
	const char *name;
	struct brief now[5], change[5], set[6], deleted[6]; // end with a rate of 0
};

static const struct merge_row merges[] = {
	{"into nothing", {{0}}, {{1, 5, 9}}, {{1, 5, 9}}, {{0}}},
	{"nothing", {{1, 5, 9}}, {{0}}, {{1, 5, 9}}, {{1, 5, 9}}},
	{"in front", {{2, 5, 9}}, {{1, 5, 8}}, {{1, 5, 8}, {2, 5, 9}}, {{2, 5, 9}}},
	{"behind", {{1, 5, 9}}, {{2, 5, 8}}, {{1, 5, 9}, {2, 5, 8}}, {{1, 5, 9}}},
	{"between",
	 {{1, 5, 9}, {3, 5, 9}},
	 {{2, 5, 8}},
	 {{1, 5, 9}, {2, 5, 8}, {3, 5, 9}},
	 {{1, 5, 9}, {3, 5, 9}}},
	{"in place of", {{1, 5, 9}, {1, 6, 9}}, {{1, 5, 8}}, {{1, 5, 8}, {1, 6, 9}}, {{1, 6, 9}}},
	{"all at once",
	 {{1, 5, 9}, {1, 6, 9}, {2, 1, 9}},
	 {{1, 6, 8}, {2, 1, 8}},
	 {{1, 5, 9}, {1, 6, 8}, {2, 1, 8}},
	 {{1, 5, 9}}},
};

static size_t expand(const struct brief briefs[], struct rule_spec rules[]) {
	size_t len = 0;

	for (; briefs[len].rate != 0; len++)
		rules[len] = (struct rule_spec){
			.flow = {.vm = briefs[len].vm, .source_port = briefs[len].port},
			.rate_bps = briefs[len].rate,
		};
	return len;
}

static void assert_rules(const struct config *config, const struct brief briefs[]) {
	struct rule_spec wanted[6];
	const size_t len = expand(briefs, wanted);

	assert_int_equal(config->rules_len, len);
	for (size_t i = 0; i < len; i++)
		assert_true(rule_spec_equal(&config->rules[i], &wanted[i]));
}

static void check_merge(void **state) {
	const struct merge_row *row = *state;
	struct rule_spec now_rules[5], change[5];
	const struct config now = {.rules = now_rules, .rules_len = expand(row->now, now_rules)};
	const size_t len = expand(row->change, change);
	struct config next;

	assert_true(config_set_rules(&now, change, len, &next));
	assert_rules(&next, row->set);
	config_free(&next);
	assert_true(config_delete_rules(&now, change, len, &next));
	assert_rules(&next, row->deleted);
	config_free(&next);
}

static void ports_stand_in_order_of_their_vms(void **state) {
	static const uint16_t vms[] = {5, 0, 4094, 7};
	static const uint16_t sorted[] = {0, 5, 7, 4094};
	struct config config = {0};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const struct port_spec port = {.vm = vms[i]};
		struct config next;

		assert_true(config_add_port(&config, &port, &next));
		config_free(&config);
		config = next;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(config.ports[i].vm, sorted[i]);
	assert_non_null(config_find_port(&config, 7));
	assert_null(config_find_port(&config, 6));
	config_free(&config);
}

static void a_port_takes_its_rules_with_it_and_no_others(void **state) {
	static const struct brief before[] = {{1, 5, 9}, {2, 5, 9}, {2, 6, 9}, {3, 5, 9}, {0}};
	static const struct brief after[] = {{1, 5, 9}, {3, 5, 9}, {0}};
	struct port_spec ports[] = {{.vm = 1}, {.vm = 2}, {.vm = 3}};
	struct rule_spec rules[5];
	const struct config config = {
		.ports = ports, .ports_len = 3, .rules = rules, .rules_len = expand(before, rules)};
	const struct rule_spec *first;
	struct config next;

	(void)state;
	assert_int_equal(config_rules_of(&config, 2, &first), 2);
	assert_ptr_equal(first, &rules[1]);
	assert_true(config_remove_port(&config, 2, &next));
	assert_int_equal(next.ports_len, 2);
	assert_rules(&next, after);
	config_free(&next);
}

static void a_rule_is_found_by_its_flow(void **state) {
	static const struct brief briefs[] = {{1, 5, 9}, {2, 5, 8}, {0}};
	const struct flow_key there = {.vm = 2, .source_port = 5}, absent = {.vm = 2};
	struct rule_spec rules[5];
	const struct config config = {.rules = rules, .rules_len = expand(briefs, rules)};
	const struct config empty = {0};

	(void)state;
	assert_ptr_equal(config_find_rule(&config, &there), &rules[1]);
	assert_null(config_find_rule(&config, &absent));
	assert_null(config_find_rule(&empty, &there));
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(ports_stand_in_order_of_their_vms),
		cmocka_unit_test(a_port_takes_its_rules_with_it_and_no_others),
		cmocka_unit_test(a_rule_is_found_by_its_flow),
	};

	return RUN_TABLE(merges, check_merge) + cmocka_run_group_tests(whole, NULL, NULL);
}
