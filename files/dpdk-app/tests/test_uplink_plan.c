#include "datapath/uplink_plan.h"

#include <string.h>

#include "core/tags.h"
#include "table.h"

enum { PROMISES_RSS = 1, PROMISES_VMDQ = 2 };

struct device {
	const char *driver;
	uint16_t receive_queues, send_queues;
	unsigned promises;
};

static struct rte_eth_dev_info describe(const struct device *device) {
	struct rte_eth_dev_info info = {
		.driver_name = device->driver,
		.max_rx_queues = device->receive_queues,
		.max_tx_queues = device->send_queues,
		.max_rx_pktlen = UINT32_MAX,
		.max_mtu = UINT16_MAX,
	};

	if (device->promises & PROMISES_RSS)
		info.flow_type_rss_offloads = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_PORT;
	if (device->promises & PROMISES_VMDQ) {
		info.max_vmdq_pools = 64;
		info.vmdq_queue_base = 64;
		info.vmdq_queue_num = 128;
		info.rx_offload_capa = RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	}
	return info;
}

// The first steering that can be planned is the one that is tried.
static bool plan_best(const struct device *device, uint16_t cores, struct uplink_plan *plan) {
	const struct rte_eth_dev_info info = describe(device);
	const struct uplink_terms terms = {.mtu = 1500, .cores = cores};

	for (unsigned steering = 0; steering < STEERINGS; steering++)
		if (uplink_plan(&info, &terms, steering, plan))
			return true;
	return false;
}

struct choice {
	const char *name;
	struct device device;
	uint16_t cores;
	const char *steering;
	uint16_t receive_queues;
	struct uplink_reading reading;
};

static const struct choice choices[] = {
	{"one core needs one queue", {"net_ixgbe", 128, 64, 3}, 1, "one_queue", 1, {0, 1, 1}},
	{"pools are better than a hash", {"net_ixgbe", 192, 64, 3}, 4, "vmdq", 192, {64, 2, 4}},
	{"pools that lack a queue", {"net_ixgbe", 191, 64, 3}, 4, "rss", 4, {0, 1, 4}},
	{"a hash for each core", {"net_ice", 8, 8, 1}, 4, "rss", 4, {0, 1, 4}},
	{"a hash with too few queues", {"net_ice", 3, 8, 1}, 4, "device", 3, {0, 1, 3}},
	{"one queue for all cores", {"net_pcap", 1, 8, 0}, 4, "one_queue", 1, {0, 1, 1}},
	{"no queue of af_packet stays unread",
	 {"net_af_packet", 4, 4, 0},
	 1,
	 "device",
	 4,
	 {0, 1, 4}},
	{"rings of a process", {"net_ring", 2, 2, 0}, 2, "device", 2, {0, 1, 2}},
	{"more queues than cores", {"net_null", 1024, 1024, 0}, 2, "device", 2, {0, 1, 2}},
};

static void check_choice(void **state) {
	const struct choice *row = *state;
	struct uplink_plan plan;

	assert_true(plan_best(&row->device, row->cores, &plan));
	assert_string_equal(plan.steering, row->steering);
	assert_int_equal(plan.receive_queues, row->receive_queues);
	assert_int_equal(plan.send_queues, row->cores);
	assert_memory_equal(&plan.reading, &row->reading, sizeof(plan.reading));
}

static void vmdq_sends_each_vm_to_its_core(void **state) {
	const struct device device = {"net_ixgbe", 192, 64, PROMISES_VMDQ};
	const struct rte_eth_vmdq_rx_conf *vmdq;
	struct uplink_plan plan;

	(void)state;
	assert_true(plan_best(&device, 3, &plan));
	vmdq = &plan.conf.rx_adv_conf.vmdq_rx_conf;
	assert_int_equal(plan.conf.rxmode.mq_mode, RTE_ETH_MQ_RX_VMDQ_ONLY);
	assert_int_equal(vmdq->nb_queue_pools, RTE_ETH_8_POOLS);
	assert_int_equal(vmdq->nb_pool_maps, VMDQ_VMS);
	assert_true(vmdq->enable_default_pool);
	for (unsigned vm = 0; vm < VMDQ_VMS; vm++) {
		assert_int_equal(vmdq->pool_map[vm].vlan_id, vm);
		assert_int_equal(vmdq->pool_map[vm].pools, 1 << vm % 3);
	}
}

static void rss_asks_for_no_more_than_there_is(void **state) {
	const struct device device = {"net_ice", 8, 8, PROMISES_RSS};
	struct uplink_plan plan;

	(void)state;
	assert_true(plan_best(&device, 2, &plan));
	assert_int_equal(plan.conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
	assert_int_equal(plan.conf.rx_adv_conf.rss_conf.rss_hf, RTE_ETH_RSS_IPV4);
}

struct frame_size {
	const char *name;
	uint32_t max_rx_pktlen;
	uint16_t max_mtu, mtu, planned;
};

static const struct frame_size frame_sizes[] = {
	{"room for ten tags", 9728, 9710, 1500, 1540},
	{"jumbo frames and their tags", 9728, 9710, 9000, 9040},
	{"no more than the device's MTU", 9728, 1500, 1500, 1500},
	{"no more than the device's frame", 1518, UINT16_MAX, 1500, 1500},
};

static void check_frame_size(void **state) {
	const struct frame_size *row = *state;
	const struct device device = {"net_ice", 1, 1, 0};
	const struct uplink_terms terms = {.mtu = row->mtu, .cores = 1};
	struct rte_eth_dev_info info = describe(&device);
	struct uplink_plan plan;

	info.max_rx_pktlen = row->max_rx_pktlen;
	info.max_mtu = row->max_mtu;
	assert_true(uplink_plan(&info, &terms, STEER_ONE, &plan));
	assert_int_equal(plan.conf.rxmode.mtu, row->planned);
}

struct refusal {
	const char *name;
	struct device device;
	const char *arguments;
	uint16_t cores, mtu;
	const char *says; // NULL: nothing to say against it
};

static const struct refusal refusals[] = {
	{"a queue for each core", {"net_ice", 8, 2, 0}, NULL, 2, 1500, NULL},
	{"a core without a queue", {"net_af_packet", 1, 1, 0}, NULL, 2, 1500, "qpairs=2"},
	{"af_packet as it is", {"net_af_packet", 1, 1, 0}, "iface=up", 1, 1500, NULL},
	{"jumbo in short frames",
	 {"net_af_packet", 1, 1, 0},
	 "iface=up",
	 1,
	 9000,
	 "framesz=9216,blocksz=36864"},
	{"jumbo in long frames",
	 {"net_af_packet", 1, 1, 0},
	 "iface=up,framesz=9216,blocksz=36864",
	 1,
	 9000,
	 NULL},
	{"frames that are one step too short",
	 {"net_af_packet", 1, 1, 0},
	 "framesz=9104",
	 1,
	 9000,
	 "9054 bytes"},
};

static void check_refusal(void **state) {
	const struct refusal *row = *state;
	const struct uplink_terms terms = {.mtu = row->mtu, .cores = row->cores};
	const struct rte_eth_dev_info info = describe(&row->device);
	char text[300];
	const char *why = uplink_cannot(&info, row->arguments, &terms, text, sizeof(text));

	if (row->says == NULL)
		assert_null(why);
	else
		assert_non_null(strstr(why, row->says));
}

// What is refused names a way out that is not refused, and whose frames the buffers can take.
static void advice_is_good(void **state) {
	(void)state;
	for (unsigned mtu = 1280; mtu <= 9000; mtu++) {
		const unsigned room = frame_room((uint16_t)mtu);

		assert_true(room >= mtu + 18 + TAGS_SIZE);
		assert_true(room >= mtu + 14 + TAGS_SIZE + AF_PACKET_OVERHEAD);
		assert_int_equal(room % FRAME_ROOM_STEP, 0);
	}
	assert_int_equal(frame_room(1500), 2048);
	assert_int_equal(frame_room(9000), 9216);
}

int main(void) {
	const struct CMUnitTest plans[] = {
		cmocka_unit_test(vmdq_sends_each_vm_to_its_core),
		cmocka_unit_test(rss_asks_for_no_more_than_there_is),
		cmocka_unit_test(advice_is_good),
	};

	return RUN_TABLE(choices, check_choice) + RUN_TABLE(frame_sizes, check_frame_size) +
	       RUN_TABLE(refusals, check_refusal) + cmocka_run_group_tests(plans, NULL, NULL);
}
