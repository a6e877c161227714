#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "control/telemetry_data.h"
#include "datapath/rules.h"
#include "datapath/workers_control.h"

enum {
	RULES_PER_PAGE = 32, // an answer of the library has 16 KiB
	ANY = -1,
	TEXT_LEN = INET6_ADDRSTRLEN + 4,
};

#define COLUMNS(X)                                                                                 \
	X(DESTINATION_MAC, "destination_mac", RTE_TEL_STRING_VAL)                                  \
	X(ETHER_TYPE, "ether_type", RTE_TEL_INT_VAL)                                               \
	X(PROTOCOL, "protocol", RTE_TEL_INT_VAL)                                                   \
	X(SOURCE_IP, "source_ip", RTE_TEL_STRING_VAL)                                              \
	X(DESTINATION_IP, "destination_ip", RTE_TEL_STRING_VAL)                                    \
	X(SOURCE_PORT, "source_port", RTE_TEL_INT_VAL)                                             \
	X(DESTINATION_PORT, "destination_port", RTE_TEL_INT_VAL)                                   \
	X(PACKETS, "packets", RTE_TEL_UINT_VAL)                                                    \
	X(BYTES, "bytes", RTE_TEL_UINT_VAL)                                                        \
	X(DROPPED, "dropped", RTE_TEL_UINT_VAL)                                                    \
	X(WAITING, "waiting", RTE_TEL_UINT_VAL)

#define COLUMN_ENUM(id, name, type) COLUMN_##id,
enum column { COLUMNS(COLUMN_ENUM) COLUMN_COUNT };
#undef COLUMN_ENUM

#define COLUMN_ROW(id, name, type) {name, type},
static const struct {
	const char *name;
	enum rte_tel_value_type type;
} column_info[COLUMN_COUNT] = {COLUMNS(COLUMN_ROW)};
#undef COLUMN_ROW

struct page {
	uint16_t vm;
	unsigned long first, seen, listed;
	struct rte_tel_data *columns[COLUMN_COUNT];
};

static void add_mac(struct page *page, bool given, const uint8_t mac[MAC_LEN]) {
	char text[TEXT_LEN] = "any";

	if (given)
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
			 mac[2], mac[3], mac[4], mac[5]);
	rte_tel_data_add_array_string(page->columns[COLUMN_DESTINATION_MAC], text);
}

static void add_address(struct page *page, enum column column, uint16_t family, unsigned bits,
			const uint8_t address[IP_LEN]) {
	char text[TEXT_LEN] = "any";

	if (bits > 0) {
		inet_ntop(family == ETHER_IPV4 ? AF_INET : AF_INET6, address, text, sizeof(text));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "/%u", bits);
	}
	rte_tel_data_add_array_string(page->columns[column], text);
}

static void add_number(struct page *page, enum column column, bool given, int number) {
	rte_tel_data_add_array_int(page->columns[column], given ? number : ANY);
}

static void add_match(struct page *page, const struct match *match) {
	struct match_fields fields;

	match_read(match, &fields);
	add_mac(page, fields.has_destination_mac, fields.destination_mac);
	add_number(page, COLUMN_ETHER_TYPE, match->mask.ether_type != 0, match->key.ether_type);
	add_number(page, COLUMN_PROTOCOL, fields.has_protocol, fields.protocol);
	add_address(page, COLUMN_SOURCE_IP, fields.family, fields.source_bits, fields.source_ip);
	add_address(page, COLUMN_DESTINATION_IP, fields.family, fields.destination_bits,
		    fields.destination_ip);
	add_number(page, COLUMN_SOURCE_PORT, fields.has_source_port, fields.source_port);
	add_number(page, COLUMN_DESTINATION_PORT, fields.has_destination_port,
		   fields.destination_port);
}

static void add_counters(struct page *page, const struct rule_state *state) {
	struct rule_counters counters;
	uint64_t dropped = 0;

	rule_counters_read(state, &counters);
	for (unsigned i = 0; i < DROP_COUNT; i++)
		dropped += counters.drops[i];
	rte_tel_data_add_array_uint(page->columns[COLUMN_PACKETS], counters.packets);
	rte_tel_data_add_array_uint(page->columns[COLUMN_BYTES], counters.bytes);
	rte_tel_data_add_array_uint(page->columns[COLUMN_DROPPED], dropped);
	rte_tel_data_add_array_uint(page->columns[COLUMN_WAITING], counters.queue_packets);
}

static void list_rule(const struct rule *rule, void *of) {
	struct page *page = of;
	struct rule_spec spec;

	if (page->seen++ < page->first || page->listed == RULES_PER_PAGE)
		return;
	rule_read(page->vm, rule, &spec);
	add_match(page, &spec.match);
	add_counters(page, rule->state);
	page->listed++;
}

static bool open_columns(struct page *page) {
	bool good = true;

	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		page->columns[i] = rte_tel_data_alloc();
		good = good && page->columns[i] != NULL;
		if (page->columns[i] != NULL)
			rte_tel_data_start_array(page->columns[i], column_info[i].type);
	}
	return good;
}

int telemetry_list_rules(uint16_t vm, unsigned long first, struct rte_tel_data *data) {
	struct page page = {.vm = vm, .first = first};

	if (!open_columns(&page)) {
		for (unsigned i = 0; i < COLUMN_COUNT; i++)
			rte_tel_data_free(page.columns[i]);
		return -ENOMEM;
	}
	rules_visit(vm, list_rule, &page);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_uint(data, "vm", vm);
	rte_tel_data_add_dict_uint(data, "rules", rules_len_of(vm));
	rte_tel_data_add_dict_uint(data, "first", first);
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		rte_tel_data_add_dict_container(data, column_info[i].name, page.columns[i], 0);
	return 0;
}
