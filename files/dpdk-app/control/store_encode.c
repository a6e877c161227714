#include "control/store_row.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

const char *const row_modes[ROW_MODES] = {
	[SHAPE_OFF] = "off",
	[SHAPE_DELAY] = "shape",
	[SHAPE_POLICE] = "police",
};

static struct cell integer(int64_t value) {
	return (struct cell){.type = SQLITE_INTEGER, .integer = value};
}

static struct cell integer_if(bool given, int64_t value) {
	return given ? integer(value) : (struct cell){.type = SQLITE_NULL};
}

static struct cell text(const char *value) {
	return (struct cell){.type = SQLITE_TEXT, .text = value, .len = (int)strlen(value)};
}

static struct cell mac_cell(const uint8_t m[MAC_LEN], char buffer[MAC_TEXT]) {
	snprintf(buffer, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	return text(buffer);
}

static struct cell address_cell(uint16_t family, const uint8_t ip[IP_LEN], unsigned bits,
				char buffer[ADDRESS_TEXT]) {
	const bool is_ipv4 = family == ETHER_IPV4;

	if (bits == 0)
		return (struct cell){.type = SQLITE_NULL};
	inet_ntop(is_ipv4 ? AF_INET : AF_INET6, ip, buffer, ADDRESS_TEXT);
	if (bits < (is_ipv4 ? IPV4_BITS : IPV6_BITS)) {
		const size_t len = strlen(buffer);

		snprintf(buffer + len, ADDRESS_TEXT - len, "/%u", bits);
	}
	return text(buffer);
}

static struct cell tags_cell(const struct tag_stack *tags, char buffer[TAGS_TEXT]) {
	char *at = buffer;

	*at = '\0';
	for (unsigned i = 0; i < tags->len; i++)
		at += snprintf(at, (size_t)(buffer + TAGS_TEXT - at), i > 0 ? ",%u" : "%u",
			       tags->vid[i]);
	return text(buffer);
}

void row_of_generation(uint64_t generation, struct row *row) {
	row->width = GENERATION_WIDTH;
	row->cells[0] = integer((int64_t)generation);
}

void row_of_port(const struct port_spec *port, struct row *row) {
	row->width = PORT_WIDTH;
	row->cells[PORT_VM] = integer(port->vm);
	row->cells[PORT_MAC] = mac_cell(port->mac, row->mac);
	row->cells[PORT_SERVER] = text(port->qemu_serves ? "qemu" : "switch");
}

void row_of_match(uint16_t vm, const struct match *match, struct row *row) {
	struct cell *cells = row->cells;
	struct match_fields f;

	match_read(match, &f);
	row->width = MATCH_WIDTH;
	cells[RULE_VM] = integer(vm);
	cells[RULE_MAC] = f.has_destination_mac ? mac_cell(f.destination_mac, row->mac)
						: (struct cell){.type = SQLITE_NULL};
	cells[RULE_ETHER_TYPE] = integer_if(f.has_ether_type, f.ether_type);
	cells[RULE_PROTOCOL] = integer_if(f.has_protocol, f.protocol);
	cells[RULE_SOURCE_IP] = address_cell(f.family, f.source_ip, f.source_bits, row->source_ip);
	cells[RULE_DESTINATION_IP] = address_cell(f.family, f.destination_ip, f.destination_bits,
						  row->destination_ip);
	cells[RULE_SOURCE_PORT] = integer_if(f.has_source_port, f.source_port);
	cells[RULE_DESTINATION_PORT] = integer_if(f.has_destination_port, f.destination_port);
}

void row_of_rule(const struct rule_spec *rule, struct row *row) {
	const struct shaper_terms *shaper = &rule->shaper;
	const bool limited = shaper->mode != SHAPE_OFF, queued = shaper->mode == SHAPE_DELAY;
	struct cell *cells = row->cells;

	row_of_match(rule->vm, &rule->match, row);
	row->width = RULE_WIDTH;
	cells[RULE_PRIORITY] = integer(rule->priority);
	cells[RULE_TAGS] = tags_cell(&rule->tags, row->tags);
	cells[RULE_TPID] = text(rule->tags.tpid == TPID_8021AD ? "802.1ad" : "802.1Q");
	cells[RULE_DESTINATION_VM] = integer_if(rule->destination_vm != TO_UPLINK,
						rule->destination_vm);
	cells[RULE_MODE] = text(row_modes[shaper->mode]);
	cells[RULE_RATE] = integer_if(limited, (int64_t)shaper->rate_bps);
	cells[RULE_BURST] = integer_if(limited, (int64_t)shaper->burst_bits);
	cells[RULE_QUEUE_PACKETS] = integer_if(queued, shaper->queue_packets);
	cells[RULE_QUEUE_BYTES] = integer_if(queued, shaper->queue_bytes);
	cells[RULE_SLOT] = integer_if(rule->slot != NO_SLOT, rule->slot);
}
