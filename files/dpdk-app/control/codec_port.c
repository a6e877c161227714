#include <stdio.h>
#include <string.h>

#include "control/codec.h"
#include "control/decode.h"

struct draft {
	int64_t vm;
	uint8_t mac[MAC_LEN];
	bool qemu_serves;
};

static bool read_unicast_mac(json_t *value, const struct member *member, void *into,
			     struct rpc_error *error) {
	static const uint8_t none[MAC_LEN];
	const struct draft *draft = into;

	if (!decode_mac(value, member, into, error))
		return false;
	if (draft->mac[0] & 1 || memcmp(draft->mac, none, MAC_LEN) == 0)
		return decode_refuse_member(value, member, error);
	return true;
}

static bool read_server(json_t *value, const struct member *member, void *into,
			struct rpc_error *error) {
	const char *name = json_is_string(value) ? json_string_value(value) : "";
	struct draft *draft = into;

	draft->qemu_serves = strcmp(name, "qemu") == 0;
	if (draft->qemu_serves || strcmp(name, "switch") == 0)
		return true;
	return decode_refuse_member(value, member, error);
}

static const struct member members[] = {
	{"vm", decode_integer, offsetof(struct draft, vm), 0, VM_MAX, NULL, true},
	{"mac", read_unicast_mac, offsetof(struct draft, mac), 0, 0,
	 "a unicast address " MEMBER_MAC_TEXT, true},
	{"socket_server", read_server, 0, 0, 0, "\"switch\" or \"qemu\"", true},
};

bool decode_port(json_t *object, struct port_spec *port, struct rpc_error *error) {
	struct draft draft = {0};

	if (!decode_object(object, members, sizeof(members) / sizeof(members[0]), &draft, NULL,
			   error))
		return false;
	*port = (struct port_spec){.vm = (uint16_t)draft.vm, .qemu_serves = draft.qemu_serves};
	memcpy(port->mac, draft.mac, MAC_LEN);
	return true;
}

void put_mac(struct writer *writer, const char *key, const uint8_t mac[MAC_LEN]) {
	char text[3 * MAC_LEN];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	put_string(writer, key, text);
}

void put_port(struct writer *writer, const struct port_spec *port) {
	put_integer(writer, "vm", port->vm);
	put_mac(writer, "mac", port->mac);
	put_string(writer, "socket_server", port->qemu_serves ? "qemu" : "switch");
}
