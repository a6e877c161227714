#include "tests/table.h"

#include <string.h>

#include "core/flow.h"

static const struct flow_key base = {
	.vm = 3,
	.protocol = 17,
	.source_ip = 0x0a140002,
	.destination_ip = 0x0a140003,
	.source_port = 5000,
	.destination_port = 5001,
};

struct order_row {
	const char *name;
	struct flow_key other;
	int sign; // of base against the other
};

static const struct order_row orders[] = {
	{"a flow equals itself", {3, 0, 17, 0x0a140002, 0x0a140003, 5000, 5001}, 0},
	{"the VM comes first", {2, 0, 99, 0xffffffff, 0xffffffff, 9999, 9999}, 1},
	{"the protocol comes second", {3, 0, 6, 0xffffffff, 0xffffffff, 9999, 9999}, 1},
	{"then the source address, as a number", {3, 0, 17, 0x80000000, 0, 0, 0}, -1},
	{"then the destination address", {3, 0, 17, 0x0a140002, 0x0a140004, 0, 0}, -1},
	{"then the source port", {3, 0, 17, 0x0a140002, 0x0a140003, 4999, 9999}, 1},
	{"the destination port comes last", {3, 0, 17, 0x0a140002, 0x0a140003, 5000, 5002}, -1},
	{"ARP is another flow", {3, 1, 17, 0x0a140002, 0x0a140003, 5000, 5001}, -1},
};

static void check_order(void **state) {
	const struct order_row *row = *state;

	assert_int_equal(flow_compare(&base, &row->other), row->sign);
	assert_int_equal(flow_compare(&row->other, &base), -row->sign);
}

static void a_frame_gives_every_part_of_its_key(void **state) {
	const struct frame frame = {ETHER_IPV4, 17, 0x0a140002, 0x0a140003, 5000, 5001};
	const struct flow_key flow = flow_of_frame(3, &frame);

	(void)state;
	assert_memory_equal(&flow, &base, sizeof(base));
}

static void arp_between_the_ends_of_a_flow_has_the_key_of_its_ends(void **state) {
	const struct frame arp = {
		.ether_type = ETHER_ARP, .source_ip = 0x0a140002, .destination_ip = 0x0a140003};
	const struct flow_key asked = flow_of_frame(3, &arp);
	const struct flow_key ends = flow_ends(&base);

	(void)state;
	assert_memory_equal(&asked, &ends, sizeof(ends));
}

int main(void) {
	const struct CMUnitTest keys[] = {
		cmocka_unit_test(a_frame_gives_every_part_of_its_key),
		cmocka_unit_test(arp_between_the_ends_of_a_flow_has_the_key_of_its_ends),
	};

	return RUN_TABLE(orders, check_order) + cmocka_run_group_tests(keys, NULL, NULL);
}
