#include "control/codec.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const port_members[] = {"vm", "mac", "socket_server", NULL};

#define FLOW_MEMBERS                                                                               \
	"vm", "protocol", "source_ip", "destination_ip", "source_port", "destination_port"
static const char *const flow_members[] = {FLOW_MEMBERS, NULL};
static const char *const rule_members[] = {FLOW_MEMBERS, "tags", "rate_bps", "burst_bits", NULL};

static bool refuse(struct rpc_error *error, const char *name, const json_t *value,
		   const char *wanted) {
	char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	if (value == NULL)
		rpc_fail(error, RPC_INVALID_PARAMS, "%s is missing; give %s", name, wanted);
	else
		rpc_fail(error, RPC_INVALID_PARAMS, "%s is %.80s; give %s", name,
			 text != NULL ? text : "not printable", wanted);
	free(text);
	return false;
}

json_t *fail_action(struct rpc_error *error, const char *action) {
	char cause[sizeof(error->message)];

	memcpy(cause, error->message, sizeof(cause));
	return rpc_fail(error, error->code, "Cannot %s: %s", action, cause);
}

bool decode_only(json_t *object, const char *const known[], struct rpc_error *error) {
	const char *name;
	json_t *value;

	if (!json_is_object(object)) {
		rpc_fail(error, RPC_INVALID_PARAMS, "this is no object; give one");
		return false;
	}
	json_object_foreach(object, name, value) {
		const char *const *at = known;

		while (*at != NULL && strcmp(*at, name) != 0)
			at++;
		if (*at == NULL) {
			rpc_fail(error, RPC_INVALID_PARAMS, "%.60s is not known here; leave it out",
				 name);
			return false;
		}
	}
	return true;
}

static bool decode_int(const json_t *value, const char *name, int64_t min, int64_t max,
		       int64_t *out, struct rpc_error *error) {
	char wanted[80];

	*out = json_integer_value(value);
	if (json_is_integer(value) && *out >= min && *out <= max)
		return true;
	snprintf(wanted, sizeof(wanted), "an integer from %" PRId64 " to %" PRId64, min, max);
	return refuse(error, name, value, wanted);
}

static bool decode_uint16(const json_t *object, const char *name, uint16_t max, uint16_t *out,
			  struct rpc_error *error) {
	int64_t value;

	if (!decode_int(json_object_get(object, name), name, 0, max, &value, error))
		return false;
	*out = (uint16_t)value;
	return true;
}

bool decode_vm(const json_t *object, uint16_t *vm, struct rpc_error *error) {
	return decode_uint16(object, "vm", VM_MAX, vm, error);
}

static bool decode_mac(const json_t *object, uint8_t mac[MAC_LEN], struct rpc_error *error) {
	const json_t *value = json_object_get(object, "mac");
	const char *text = json_string_value(value);
	unsigned byte[MAC_LEN];
	char end;

	if (text != NULL && strlen(text) == 3 * MAC_LEN - 1 &&
	    strspn(text, "0123456789abcdefABCDEF:") == strlen(text) &&
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1], &byte[2], &byte[3],
		   &byte[4], &byte[5], &end) == MAC_LEN) {
		unsigned any = 0;

		for (unsigned i = 0; i < MAC_LEN; i++) {
			mac[i] = (uint8_t)byte[i];
			any |= byte[i];
		}
		if (any != 0 && (mac[0] & 1) == 0)
			return true;
	}
	return refuse(error, "mac", value, "a unicast address like \"02:aa:bb:cc:dd:01\"");
}

bool decode_port(json_t *object, struct port_spec *port, struct rpc_error *error) {
	*port = (struct port_spec){0};
	if (!decode_only(object, port_members, error) || !decode_vm(object, &port->vm, error) ||
	    !decode_mac(object, port->mac, error))
		return false;

	const json_t *server = json_object_get(object, "socket_server");
	const char *name = json_is_string(server) ? json_string_value(server) : "";

	port->qemu_serves = strcmp(name, "qemu") == 0;
	if (port->qemu_serves || strcmp(name, "switch") == 0)
		return true;
	return refuse(error, "socket_server", server, "\"switch\" or \"qemu\"");
}

static bool decode_ip(const json_t *object, const char *name, uint32_t *ip,
		      struct rpc_error *error) {
	const json_t *value = json_object_get(object, name);
	struct in_addr address;

	if (!json_is_string(value) || inet_pton(AF_INET, json_string_value(value), &address) != 1)
		return refuse(error, name, value, "an IPv4 address like \"10.20.0.11\"");
	*ip = ntohl(address.s_addr);
	return true;
}

static bool decode_flow_members(json_t *object, struct flow_key *flow, struct rpc_error *error) {
	uint16_t protocol;

	*flow = (struct flow_key){0};
	if (!decode_vm(object, &flow->vm, error) ||
	    !decode_uint16(object, "protocol", UINT8_MAX, &protocol, error))
		return false;

	const bool has_ports = protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP;
	const uint16_t port_max = has_ports ? UINT16_MAX : 0;

	flow->protocol = (uint8_t)protocol;
	return decode_ip(object, "source_ip", &flow->source_ip, error) &&
	       decode_ip(object, "destination_ip", &flow->destination_ip, error) &&
	       decode_uint16(object, "source_port", port_max, &flow->source_port, error) &&
	       decode_uint16(object, "destination_port", port_max, &flow->destination_port, error);
}

bool decode_flow(json_t *object, struct flow_key *flow, struct rpc_error *error) {
	return decode_only(object, flow_members, error) && decode_flow_members(object, flow, error);
}

static bool decode_tags(const json_t *object, struct tag_stack *tags, struct rpc_error *error) {
	const json_t *value = json_object_get(object, "tags");
	const size_t len = json_array_size(value);

	if (!json_is_array(value) || len < 1 || len > TAGS_MAX)
		return refuse(error, "tags", value, "1 to 10 VLAN ids, the destination VM's last");

	tags->len = (uint16_t)len;
	for (size_t i = 0; i < len; i++) {
		char name[16];
		int64_t vid;

		snprintf(name, sizeof(name), "tags[%zu]", i);
		if (!decode_int(json_array_get(value, i), name, TAG_VID_MIN, TAG_VID_MAX, &vid,
				error))
			return false;
		tags->vid[i] = (uint16_t)vid;
	}
	return true;
}

bool decode_rule(json_t *object, struct rule_spec *rule, struct rpc_error *error) {
	int64_t rate, burst;

	*rule = (struct rule_spec){0};
	if (!decode_only(object, rule_members, error) ||
	    !decode_flow_members(object, &rule->flow, error) ||
	    !decode_tags(object, &rule->tags, error) ||
	    !decode_int(json_object_get(object, "rate_bps"), "rate_bps", 1, INT64_MAX, &rate,
			error) ||
	    !decode_int(json_object_get(object, "burst_bits"), "burst_bits", 1, INT64_MAX, &burst,
			error))
		return false;

	rule->rate_bps = (uint64_t)rate;
	rule->burst_bits = (uint64_t)burst;
	return true;
}

json_t *encode_port(const struct port_spec *port) {
	const uint8_t *m = port->mac;
	char mac[3 * MAC_LEN];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	return json_pack("{s:i, s:s, s:s}", "vm", port->vm, "mac", mac, "socket_server",
			 port->qemu_serves ? "qemu" : "switch");
}

static json_t *encode_ip(uint32_t ip) {
	const struct in_addr address = {htonl(ip)};
	char text[INET_ADDRSTRLEN];

	return json_string(inet_ntop(AF_INET, &address, text, sizeof(text)));
}

json_t *encode_flow(const struct flow_key *flow) {
	return json_pack("{s:i, s:i, s:o, s:o, s:i, s:i}", "vm", flow->vm, "protocol",
			 flow->protocol, "source_ip", encode_ip(flow->source_ip), "destination_ip",
			 encode_ip(flow->destination_ip), "source_port", flow->source_port,
			 "destination_port", flow->destination_port);
}

json_t *encode_rule(const struct rule_spec *rule) {
	json_t *object = encode_flow(&rule->flow);
	json_t *tags = json_array();

	for (unsigned i = 0; i < rule->tags.len; i++)
		json_array_append_new(tags, json_integer(rule->tags.vid[i]));
	json_object_set_new(object, "tags", tags);
	json_object_set_new(object, "rate_bps", json_integer((json_int_t)rule->rate_bps));
	json_object_set_new(object, "burst_bits", json_integer((json_int_t)rule->burst_bits));
	return object;
}
