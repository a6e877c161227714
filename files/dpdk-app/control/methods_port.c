#include <string.h>

#include "control/change.h"
#include "control/codec.h"
#include "control/decode.h"
#include "control/methods.h"
#include "datapath/ports.h"
#include "datapath/vhost.h"

static struct port_spec spec_of(const struct port *port) {
	struct port_spec spec = {.vm = port->vm, .qemu_serves = port->qemu_serves};

	memcpy(spec.mac, port->mac, MAC_LEN);
	return spec;
}

static bool is_connected(const struct port *port) {
	return atomic_load(&port->device) != NOT_CONNECTED;
}

// The members of a port, into an open object.
static void put_whole_port(struct writer *result, const struct port *port) {
	const struct port_spec spec = spec_of(port);

	put_port(result, &spec);
	put_string(result, "socket", port->path);
	put_boolean(result, "connected", is_connected(port));
}

static bool has_terms(const struct port *port, const struct port_spec *wanted) {
	return port->qemu_serves == wanted->qemu_serves &&
	       memcmp(port->mac, wanted->mac, MAC_LEN) == 0;
}

// False, with *error filled, if a port has this VM or this MAC already.
static bool check_free(const struct port_spec *wanted, struct rpc_error *error) {
	const struct port *owner = ports_by_mac(ports_now(), wanted->mac);

	if (ports_now()->by_vm[wanted->vm] != NULL)
		return rpc_fail(error, RPC_CONFLICT,
				"VM %u has a port with another MAC or socket_server; remove it "
				"first",
				wanted->vm);
	if (owner != NULL)
		return rpc_fail(error, RPC_CONFLICT, "VM %u has this MAC; give VM %u another",
				owner->vm, wanted->vm);
	return true;
}

bool port_add(void *context, json_t *params, struct writer *result, struct rpc_error *error) {
	struct control *control = context;
	struct port_spec wanted;

	if (!decode_port(params, &wanted, error))
		return rpc_fail_action(error, "add a port");

	const struct port *present = ports_now()->by_vm[wanted.vm];

	if (present == NULL || !has_terms(present, &wanted))
		if (!check_free(&wanted, error) || !change_add_port(control, &wanted, error))
			return rpc_fail_action(error, "add a port");

	put_object(result, NULL);
	put_whole_port(result, ports_now()->by_vm[wanted.vm]);
	end_object(result);
	return true;
}

struct vm_params {
	int64_t vm;
};

static const struct member vm_members[] = {
	{"vm", decode_integer, offsetof(struct vm_params, vm), 0, VM_MAX, NULL, true},
};

static bool read_vm(json_t *params, uint16_t *vm, struct rpc_error *error) {
	struct vm_params given;

	if (!decode_object(params, vm_members, 1, &given, NULL, error))
		return false;
	*vm = (uint16_t)given.vm;
	return true;
}

bool port_remove(void *context, json_t *params, struct writer *result, struct rpc_error *error) {
	struct control *control = context;
	uint16_t vm;

	if (!read_vm(params, &vm, error))
		return rpc_fail_action(error, "remove a port");

	const bool present = ports_now()->by_vm[vm] != NULL;

	if (present && !change_remove_port(control, vm, error))
		return rpc_fail_action(error, "remove a port");
	put_object(result, NULL);
	put_boolean(result, "removed", present);
	end_object(result);
	return true;
}

bool port_list(void *context, json_t *params, struct writer *result, struct rpc_error *error) {
	(void)context;
	if (!methods_no_params(params, error))
		return rpc_fail_action(error, "list the ports");

	put_object(result, NULL);
	put_list(result, "ports");
	for (unsigned vm = 0; vm < VM_COUNT; vm++) {
		const struct port *port = ports_now()->by_vm[vm];

		if (port == NULL)
			continue;
		put_object(result, NULL);
		put_whole_port(result, port);
		end_object(result);
	}
	end_list(result);
	end_object(result);
	return true;
}

static void put_features(struct writer *result, const struct port_features *features) {
	char bits[sizeof("0x") + 2 * sizeof(features->bits)];

	snprintf(bits, sizeof(bits), "0x%016llx", (unsigned long long)features->bits);
	put_object(result, "features");
	put_string(result, "bits", bits);
	put_boolean(result, "packed_ring", features->packed_ring);
	put_boolean(result, "mergeable_buffers", features->mergeable_buffers);
	put_boolean(result, "indirect_descriptors", features->indirect_descriptors);
	put_boolean(result, "virtio_1", features->virtio_1);
	put_boolean(result, "offloads", features->offloads);
	put_integer(result, "ring_to_vm", features->ring_to_vm);
	put_integer(result, "ring_from_vm", features->ring_from_vm);
	put_integer(result, "mtu", features->mtu);
	end_object(result);
}

bool port_features(void *context, json_t *params, struct writer *result, struct rpc_error *error) {
	struct port_features features;
	uint16_t vm;

	(void)context;
	if (!read_vm(params, &vm, error))
		return rpc_fail_action(error, "tell a port's features");

	const struct port *port = ports_now()->by_vm[vm];

	if (port == NULL) {
		rpc_fail(error, RPC_NOT_FOUND, "VM %u has no port; add it first", vm);
		return rpc_fail_action(error, "tell a port's features");
	}
	put_object(result, NULL);
	put_integer(result, "vm", vm);
	put_boolean(result, "connected", is_connected(port));
	if (vhost_features(port, &features))
		put_features(result, &features);
	else
		put_null(result, "features");
	end_object(result);
	return true;
}
