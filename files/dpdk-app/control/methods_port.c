#include <stdio.h>
#include <string.h>

#include "control/codec.h"
#include "control/methods.h"
#include "datapath/ports.h"
#include "datapath/rules.h"

static json_t *describe(const struct port_spec *spec) {
	const struct port *port = ports_now()->by_vm[spec->vm];
	json_t *object = encode_port(spec);

	json_object_set_new(object, "socket", json_string(port->path));
	json_object_set_new(object, "connected",
			    json_boolean(atomic_load(&port->device) != NOT_CONNECTED));
	return object;
}

static bool same_port(const struct port_spec *a, const struct port_spec *b) {
	return a->vm == b->vm && a->qemu_serves == b->qemu_serves &&
	       memcmp(a->mac, b->mac, MAC_LEN) == 0;
}

// False, with *error filled, if a port has this VM or this MAC already.
static bool check_free(const struct config *config, const struct port_spec *wanted,
		       struct rpc_error *error) {
	for (size_t i = 0; i < config->ports_len; i++) {
		const struct port_spec *port = &config->ports[i];

		if (port->vm == wanted->vm) {
			rpc_fail(error, RPC_CONFLICT,
				 "VM %u has a port with another MAC or socket_server; remove it "
				 "first",
				 port->vm);
			return false;
		}
		if (memcmp(port->mac, wanted->mac, MAC_LEN) == 0) {
			rpc_fail(error, RPC_CONFLICT, "VM %u has this MAC; give VM %u another",
				 port->vm, wanted->vm);
			return false;
		}
	}
	return true;
}

static bool open_port(struct control *control, const struct port_spec *wanted,
		      struct rpc_error *error) {
	struct config next;
	char why[300];

	if (!config_add_port(&control->config, wanted, &next)) {
		rpc_fail(error, RPC_NO_CAPACITY, "no memory left; stop something else");
		return false;
	}
	if (!ports_add(wanted, control->options->vhost_dir, why, sizeof(why))) {
		config_free(&next);
		rpc_fail(error, RPC_INTERNAL_ERROR, "%s", why);
		return false;
	}
	if (!control_commit(control, &next, error)) {
		ports_remove(wanted->vm);
		return false;
	}
	return true;
}

json_t *port_add(void *context, json_t *params, struct rpc_error *error) {
	struct control *control = context;
	struct port_spec wanted;

	if (!decode_port(params, &wanted, error))
		return fail_action(error, "add a port");

	const struct port_spec *present = config_find_port(&control->config, wanted.vm);

	if (present != NULL && same_port(present, &wanted))
		return describe(present);
	if (!check_free(&control->config, &wanted, error) || !open_port(control, &wanted, error))
		return fail_action(error, "add a port");
	return describe(&wanted);
}

json_t *port_remove(void *context, json_t *params, struct rpc_error *error) {
	static const char *const members[] = {"vm", NULL};
	struct control *control = context;
	uint16_t vm;

	if (!decode_only(params, members, error) || !decode_vm(params, &vm, error))
		return fail_action(error, "remove a port");
	if (config_find_port(&control->config, vm) == NULL)
		return json_pack("{s:b}", "removed", false);

	struct config previous = {0}, next;

	if (!config_remove_port(&control->config, vm, &next) ||
	    !config_set_rules(&control->config, NULL, 0, &previous)) {
		config_free(&next);
		rpc_fail(error, RPC_NO_CAPACITY, "no memory left; stop something else");
		return fail_action(error, "remove a port");
	}
	if (!control_commit(control, &next, error)) {
		config_free(&previous);
		return fail_action(error, "remove a port");
	}

	const struct rule_spec *first;
	const size_t len = config_rules_of(&previous, vm, &first);

	rules_delete(first, len);
	ports_remove(vm);
	config_free(&previous);
	return json_pack("{s:b}", "removed", true);
}

json_t *port_list(void *context, json_t *params, struct rpc_error *error) {
	static const char *const members[] = {NULL};
	const struct control *control = context;

	if (!decode_only(params, members, error))
		return fail_action(error, "list the ports");

	json_t *list = json_array();

	for (size_t i = 0; i < control->config.ports_len; i++)
		json_array_append_new(list, describe(&control->config.ports[i]));
	return json_pack("{s:o}", "ports", list);
}
