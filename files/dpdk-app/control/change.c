#include "control/change.h"

#include "datapath/ports.h"

enum { WHY_LEN = 320 };

struct edit_list {
	const struct rules_edit *edits;
	size_t len;
};

typedef bool filler(struct store *store, const void *of, char *why, size_t why_size);

// Saves as one change what fill gives to the store.
static bool save(struct control *control, filler *fill, const void *of, struct rpc_error *error) {
	char why[WHY_LEN];

	if (store_begin(control->store, why, sizeof(why)) &&
	    fill(control->store, of, why, sizeof(why)) &&
	    store_commit(control->store, why, sizeof(why)))
		return true;
	return rpc_fail(error, RPC_STORAGE, "%s; nothing has changed", why);
}

static bool save_edit(struct store *store, const struct rules_edit *edit, char *why,
		      size_t why_size) {
	if (edit->clear && !store_clear_rules(store, edit->vm, why, why_size))
		return false;
	for (size_t i = 0; i < edit->unset_len; i++)
		if (!store_unset_rule(store, edit->vm, &edit->unset[i], why, why_size))
			return false;
	for (size_t i = 0; i < edit->set_len; i++)
		if (!store_set_rule(store, &edit->set[i], why, why_size))
			return false;
	return true;
}

static bool save_edits(struct store *store, const void *of, char *why, size_t why_size) {
	const struct edit_list *list = of;

	for (size_t i = 0; i < list->len; i++)
		if (!save_edit(store, &list->edits[i], why, why_size))
			return false;
	return true;
}

static bool save_port(struct store *store, const void *of, char *why, size_t why_size) {
	return store_set_port(store, of, why, why_size);
}

static bool save_no_port(struct store *store, const void *of, char *why, size_t why_size) {
	return store_remove_port(store, *(const uint16_t *)of, why, why_size);
}

static bool change(struct control *control, const struct edit_list *list, filler *fill,
		   const void *of, struct rpc_error *error) {
	char why[WHY_LEN];
	struct rules_change *prepared = rules_prepare(list->edits, list->len, why, sizeof(why));

	if (prepared == NULL)
		return rpc_fail(error, RPC_NO_CAPACITY, "%s", why);
	if (!save(control, fill, of, error)) {
		rules_cancel(prepared);
		return false;
	}
	rules_publish(prepared);
	return true;
}

bool change_rules(struct control *control, const struct rules_edit edits[], size_t len,
		  struct rpc_error *error) {
	const struct edit_list list = {edits, len};

	return change(control, &list, save_edits, &list, error);
}

bool change_add_port(struct control *control, const struct port_spec *port,
		     struct rpc_error *error) {
	char why[WHY_LEN];

	if (!ports_add(port, control->options->vhost_dir, why, sizeof(why)))
		return rpc_fail(error, RPC_INTERNAL_ERROR, "%s", why);
	if (!save(control, save_port, port, error)) {
		ports_remove(port->vm);
		return false;
	}
	return true;
}

bool change_remove_port(struct control *control, uint16_t vm, struct rpc_error *error) {
	const struct rules_edit nothing = {.vm = vm, .clear = true};
	const struct edit_list list = {&nothing, 1};

	if (!change(control, &list, save_no_port, &vm, error))
		return false;
	ports_remove(vm);
	return true;
}
