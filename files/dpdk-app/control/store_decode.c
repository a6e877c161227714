#include "control/store_row.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct column {
	const char *name;
	int type;
	bool optional;	  // it may be NULL
	int64_t min, max; // of an integer
};

static const struct column port_columns[PORT_WIDTH] = {
	[PORT_VM] = {"vm", SQLITE_INTEGER, false, 0, VM_MAX},
	[PORT_MAC] = {"mac", SQLITE_TEXT, false, 0, 0},
	[PORT_SERVER] = {"socket_server", SQLITE_TEXT, false, 0, 0},
};

static const struct column rule_columns[RULE_WIDTH] = {
	[RULE_VM] = {"vm", SQLITE_INTEGER, false, 0, VM_MAX},
	[RULE_MAC] = {"destination_mac", SQLITE_TEXT, true, 0, 0},
	[RULE_ETHER_TYPE] = {"ether_type", SQLITE_INTEGER, true, 0, UINT16_MAX},
	[RULE_PROTOCOL] = {"protocol", SQLITE_INTEGER, true, 0, UINT8_MAX},
	[RULE_SOURCE_IP] = {"source_ip", SQLITE_TEXT, true, 0, 0},
	[RULE_DESTINATION_IP] = {"destination_ip", SQLITE_TEXT, true, 0, 0},
	[RULE_SOURCE_PORT] = {"source_port", SQLITE_INTEGER, true, 0, UINT16_MAX},
	[RULE_DESTINATION_PORT] = {"destination_port", SQLITE_INTEGER, true, 0, UINT16_MAX},
	[RULE_PRIORITY] = {"priority", SQLITE_INTEGER, false, 0, UINT16_MAX},
	[RULE_TAGS] = {"tags", SQLITE_TEXT, false, 0, 0},
	[RULE_TPID] = {"tpid", SQLITE_TEXT, false, 0, 0},
	[RULE_DESTINATION_VM] = {"destination_vm", SQLITE_INTEGER, true, 0, VM_MAX},
	[RULE_MODE] = {"mode", SQLITE_TEXT, false, 0, 0},
	[RULE_RATE] = {"rate_bps", SQLITE_INTEGER, true, 1, RATE_BPS_MAX},
	[RULE_BURST] = {"burst_bits", SQLITE_INTEGER, true, 1, INT64_MAX},
	[RULE_QUEUE_PACKETS] = {"queue_packets", SQLITE_INTEGER, true, 1, UINT16_MAX},
	[RULE_QUEUE_BYTES] = {"queue_bytes", SQLITE_INTEGER, true, 1, UINT32_MAX},
	[RULE_SLOT] = {"slot", SQLITE_INTEGER, true, 0, UINT8_MAX},
};

static const char *wrong_cell(const struct row *row, const struct column columns[]) {
	for (unsigned i = 0; i < row->width; i++) {
		const struct cell *cell = &row->cells[i];
		const struct column *column = &columns[i];

		if (cell->type == SQLITE_NULL && column->optional)
			continue;
		if (cell->type != column->type ||
		    (cell->type == SQLITE_INTEGER &&
		     (cell->integer < column->min || cell->integer > column->max)))
			return column->name;
	}
	return NULL;
}

static bool given(const struct cell *cell) {
	return cell->type != SQLITE_NULL;
}

static bool is(const struct cell *cell, const char *name) {
	return strcmp(cell->text, name) == 0;
}

static bool read_mac(const struct cell *cell, uint8_t mac[MAC_LEN]) {
	unsigned byte[MAC_LEN];

	if (cell->len != MAC_TEXT - 1 ||
	    sscanf(cell->text, "%2x:%2x:%2x:%2x:%2x:%2x", &byte[0], &byte[1], &byte[2], &byte[3],
		   &byte[4], &byte[5]) != MAC_LEN)
		return false;
	for (unsigned i = 0; i < MAC_LEN; i++)
		mac[i] = (uint8_t)byte[i];
	return true;
}

// A number that ends at *end, which is set behind it.
static bool read_number(const char **at, char end, unsigned max, unsigned *value) {
	const char *digit = *at;

	for (*value = 0; *digit >= '0' && *digit <= '9' && *value <= max; digit++)
		*value = *value * 10 + (unsigned)(*digit - '0');
	if (digit == *at || *value > max || (*digit != end && *digit != '\0'))
		return false;
	*at = *digit == '\0' ? digit : digit + 1;
	return true;
}

// Both addresses of a rule are of one family.
static bool read_address(const struct cell *cell, uint16_t *family, uint8_t ip[IP_LEN],
			 uint8_t *bits) {
	if (!given(cell))
		return true;

	const bool is_ipv4 = strchr(cell->text, ':') == NULL;
	const uint16_t own = is_ipv4 ? ETHER_IPV4 : ETHER_IPV6;
	const char *slash = strchr(cell->text, '/');
	unsigned prefix = is_ipv4 ? IPV4_BITS : IPV6_BITS;
	char address[ADDRESS_TEXT];

	if (cell->len >= ADDRESS_TEXT || (*family != 0 && *family != own))
		return false;
	memcpy(address, cell->text, (size_t)cell->len + 1);
	if (slash != NULL) {
		address[slash++ - cell->text] = '\0';
		if (!read_number(&slash, '\0', prefix, &prefix))
			return false;
	}
	*family = own;
	*bits = (uint8_t)prefix;
	return prefix > 0 && inet_pton(is_ipv4 ? AF_INET : AF_INET6, address, ip) == 1;
}

static const char *read_match(const struct cell cells[], struct match *match) {
	struct match_fields f = {
		.has_destination_mac = given(&cells[RULE_MAC]),
		.has_ether_type = given(&cells[RULE_ETHER_TYPE]),
		.has_protocol = given(&cells[RULE_PROTOCOL]),
		.has_source_port = given(&cells[RULE_SOURCE_PORT]),
		.has_destination_port = given(&cells[RULE_DESTINATION_PORT]),
		.ether_type = (uint16_t)cells[RULE_ETHER_TYPE].integer,
		.protocol = (uint8_t)cells[RULE_PROTOCOL].integer,
		.source_port = (uint16_t)cells[RULE_SOURCE_PORT].integer,
		.destination_port = (uint16_t)cells[RULE_DESTINATION_PORT].integer,
	};

	if (f.has_destination_mac && !read_mac(&cells[RULE_MAC], f.destination_mac))
		return rule_columns[RULE_MAC].name;
	if (!read_address(&cells[RULE_SOURCE_IP], &f.family, f.source_ip, &f.source_bits))
		return rule_columns[RULE_SOURCE_IP].name;
	if (!read_address(&cells[RULE_DESTINATION_IP], &f.family, f.destination_ip,
			  &f.destination_bits))
		return rule_columns[RULE_DESTINATION_IP].name;
	return match_make(&f, match);
}

static bool read_tags(const struct cell *cell, struct tag_stack *tags) {
	const char *at = cell->text;

	for (tags->len = 0; *at != '\0'; tags->len++) {
		unsigned vid;

		if (tags->len == TAGS_MAX || !read_number(&at, ',', TAG_VID_MAX, &vid) ||
		    vid < TAG_VID_MIN)
			return false;
		tags->vid[tags->len] = (uint16_t)vid;
	}
	return true;
}

static bool read_tpid(const struct cell *cell, uint16_t *tpid) {
	*tpid = is(cell, "802.1ad") ? TPID_8021AD : TPID_8021Q;
	return *tpid == TPID_8021AD || is(cell, "802.1Q");
}

// Each mode has its own columns, and no others.
static bool read_shaper(const struct cell cells[], struct shaper_terms *shaper) {
	uint8_t mode = 0;

	while (!is(&cells[RULE_MODE], row_modes[mode]))
		if (++mode == ROW_MODES)
			return false;

	*shaper = (struct shaper_terms){
		.rate_bps = (uint64_t)cells[RULE_RATE].integer,
		.burst_bits = (uint64_t)cells[RULE_BURST].integer,
		.queue_bytes = (uint32_t)cells[RULE_QUEUE_BYTES].integer,
		.queue_packets = (uint16_t)cells[RULE_QUEUE_PACKETS].integer,
		.mode = mode,
	};
	const bool limited = mode != SHAPE_OFF, queued = mode == SHAPE_DELAY;

	return given(&cells[RULE_RATE]) == limited && given(&cells[RULE_BURST]) == limited &&
	       given(&cells[RULE_QUEUE_PACKETS]) == queued &&
	       given(&cells[RULE_QUEUE_BYTES]) == queued;
}

bool row_to_generation(const struct row *row, uint64_t *generation) {
	*generation = (uint64_t)row->cells[0].integer;
	return row->cells[0].type == SQLITE_INTEGER && row->cells[0].integer >= 0;
}

const char *row_to_port(const struct row *row, struct port_spec *port) {
	const char *wrong = wrong_cell(row, port_columns);

	if (wrong != NULL)
		return wrong;

	const struct cell *server = &row->cells[PORT_SERVER];

	*port = (struct port_spec){
		.vm = (uint16_t)row->cells[PORT_VM].integer,
		.qemu_serves = is(server, "qemu"),
	};
	if (!port->qemu_serves && !is(server, "switch"))
		return port_columns[PORT_SERVER].name;
	return read_mac(&row->cells[PORT_MAC], port->mac) ? NULL : port_columns[PORT_MAC].name;
}

const char *row_to_rule(const struct row *row, struct rule_spec *rule) {
	const struct cell *cells = row->cells;
	const char *wrong = wrong_cell(row, rule_columns);

	if (wrong != NULL)
		return wrong;

	*rule = (struct rule_spec){
		.vm = (uint16_t)cells[RULE_VM].integer,
		.priority = (uint16_t)cells[RULE_PRIORITY].integer,
		.destination_vm = given(&cells[RULE_DESTINATION_VM])
					  ? (uint16_t)cells[RULE_DESTINATION_VM].integer
					  : TO_UPLINK,
		.slot = given(&cells[RULE_SLOT]) ? (int16_t)cells[RULE_SLOT].integer : NO_SLOT,
	};
	if (!read_tags(&cells[RULE_TAGS], &rule->tags) ||
	    (rule->tags.len > 0 && rule->destination_vm != TO_UPLINK))
		return rule_columns[RULE_TAGS].name;
	if (!read_tpid(&cells[RULE_TPID], &rule->tags.tpid))
		return rule_columns[RULE_TPID].name;
	if (!read_shaper(cells, &rule->shaper))
		return rule_columns[RULE_MODE].name;
	return read_match(cells, &rule->match);
}
