#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "control/codec.h"
#include "control/codec_draft.h"

enum { PREFIX_TEXT_LEN = INET6_ADDRSTRLEN + sizeof("/128") };

static unsigned family_bits(uint16_t family) {
	return family == ETHER_IPV4 ? IPV4_BITS : IPV6_BITS;
}

static void print_prefix(const struct prefix *prefix, char text[PREFIX_TEXT_LEN]) {
	const int family = prefix->family == ETHER_IPV4 ? AF_INET : AF_INET6;

	inet_ntop(family, prefix->address, text, INET6_ADDRSTRLEN);
	if (prefix->bits != family_bits(prefix->family))
		sprintf(text + strlen(text), "/%u", prefix->bits);
}

// Reads what stands behind the slash: 1 to 3 digits.
static bool read_bits(const char *text, unsigned most, uint8_t *bits) {
	const size_t len = strlen(text);
	unsigned value = 0;

	if (len < 1 || len > 3 || strspn(text, "0123456789") != len)
		return false;
	while (*text != '\0')
		value = 10 * value + (unsigned)(*text++ - '0');
	*bits = (uint8_t)value;
	return value <= most;
}

static bool parse_prefix(const char *text, struct prefix *prefix) {
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchrnul(text, '/');
	const size_t len = (size_t)(slash - text);
	const bool is_ipv6 = strchr(text, ':') != NULL;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	*prefix = (struct prefix){.family = is_ipv6 ? ETHER_IPV6 : ETHER_IPV4};
	if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, address, prefix->address) != 1)
		return false;
	prefix->bits = (uint8_t)family_bits(prefix->family);
	return *slash == '\0' || read_bits(slash + 1, prefix->bits, &prefix->bits);
}

// Clears what is behind the prefix. False: there was nothing.
static bool clear_rest(struct prefix *prefix) {
	bool any = false;

	for (unsigned i = prefix->bits / 8; i < IP_LEN; i++) {
		const unsigned kept = i == prefix->bits / 8 ? prefix->bits % 8 : 0;
		const uint8_t rest = (uint8_t)(0xff >> kept);

		any |= (prefix->address[i] & rest) != 0;
		prefix->address[i] &= (uint8_t)~rest;
	}
	return any;
}

bool decode_prefix(json_t *value, const struct member *member, void *into,
		   struct rpc_error *error) {
	struct prefix *prefix = (void *)((char *)into + member->at);
	const char *text = json_string_value(value);
	char quoted[PREFIX_TEXT_LEN];

	if (text == NULL || !parse_prefix(text, prefix))
		return decode_refuse_member(value, member, error);
	if (!clear_rest(prefix))
		return true;
	print_prefix(prefix, quoted);
	return rpc_fail(error, RPC_INVALID_PARAMS,
			"%s is \"%s\", which has bits behind its prefix; give \"%s\"", member->name,
			text, quoted);
}

bool draft_match(const struct rule_draft *draft, struct match *match, struct rpc_error *error) {
	const uint16_t source = draft->source.family, destination = draft->destination.family;
	struct match_fields fields = {
		.has_destination_mac = draft_has(draft, RULE_DESTINATION_MAC),
		.has_ether_type = draft_has(draft, RULE_ETHER_TYPE),
		.has_protocol = draft_has(draft, RULE_PROTOCOL),
		.has_source_port = draft_has(draft, RULE_SOURCE_PORT),
		.has_destination_port = draft_has(draft, RULE_DESTINATION_PORT),
		.ether_type = (uint16_t)draft->ether_type,
		.protocol = (uint8_t)draft->protocol,
		.source_port = (uint16_t)draft->source_port,
		.destination_port = (uint16_t)draft->destination_port,
		.family = source != 0 ? source : destination,
		.source_bits = draft->source.bits,
		.destination_bits = draft->destination.bits,
	};

	if (source != 0 && destination != 0 && source != destination)
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"source_ip and destination_ip are of two families; give both as "
				"IPv4 or both as IPv6");
	memcpy(fields.destination_mac, draft->destination_mac, MAC_LEN);
	memcpy(fields.source_ip, draft->source.address, IP_LEN);
	memcpy(fields.destination_ip, draft->destination.address, IP_LEN);

	const char *wrong = match_make(&fields, match);

	return wrong == NULL || rpc_fail(error, RPC_INVALID_PARAMS, "%s", wrong);
}

static void put_prefix(struct writer *writer, const char *key, uint16_t family, uint8_t bits,
		       const uint8_t address[IP_LEN]) {
	struct prefix prefix = {.family = family, .bits = bits};
	char text[PREFIX_TEXT_LEN];

	if (bits == 0)
		return;
	memcpy(prefix.address, address, IP_LEN);
	print_prefix(&prefix, text);
	put_string(writer, key, text);
}

void put_address(struct writer *writer, const char *key, uint16_t family,
		 const uint8_t address[IP_LEN]) {
	put_prefix(writer, key, family, (uint8_t)family_bits(family), address);
}

static void put_if(struct writer *writer, const char *key, bool given, int64_t value) {
	if (given)
		put_integer(writer, key, value);
}

void put_match(struct writer *writer, const struct match *match) {
	struct match_fields fields;

	match_read(match, &fields);
	if (fields.has_destination_mac)
		put_mac(writer, "destination_mac", fields.destination_mac);
	put_if(writer, "ether_type", fields.has_ether_type, fields.ether_type);
	put_if(writer, "protocol", fields.has_protocol, fields.protocol);
	put_prefix(writer, "source_ip", fields.family, fields.source_bits, fields.source_ip);
	put_prefix(writer, "destination_ip", fields.family, fields.destination_bits,
		   fields.destination_ip);
	put_if(writer, "source_port", fields.has_source_port, fields.source_port);
	put_if(writer, "destination_port", fields.has_destination_port, fields.destination_port);
}

void put_identity(struct writer *writer, uint16_t vm, const struct match *match) {
	put_integer(writer, "vm", vm);
	put_match(writer, match);
}
