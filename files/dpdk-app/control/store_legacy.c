#include "control/store_legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "control/codec.h"
#include "control/store_file.h"

enum { FORMAT = 1 };

// A file of version 1.0 on its way into the store.
struct legacy {
	struct store *store;
	json_t *root;
	bool has_port[VM_COUNT];
	unsigned lowered; // rates that were above what there is now
	char wrong[600];  // with the file
	char *why;	  // with the store
	size_t why_size;
};

static bool take_port(struct legacy *legacy, json_t *item, struct rpc_error *error) {
	struct port_spec port;

	if (!decode_port(item, &port, error))
		return false;
	legacy->has_port[port.vm] = true;
	return store_set_port(legacy->store, &port, legacy->why, legacy->why_size);
}

// Version 1.0 took any rate.
static void lower_rate(struct legacy *legacy, const json_t *item) {
	json_t *rate = json_object_get(item, "rate_bps");

	if (json_integer_value(rate) <= RATE_BPS_MAX)
		return;
	json_integer_set(rate, RATE_BPS_MAX);
	legacy->lowered++;
}

static bool take_rule(struct legacy *legacy, json_t *item, struct rpc_error *error) {
	struct rule_spec rule;

	lower_rate(legacy, item);
	if (!decode_rule(item, &rule, error))
		return false;
	if (!legacy->has_port[rule.vm])
		return rpc_fail(error, RPC_NOT_FOUND, "VM %u has no port", rule.vm);
	return store_set_rule(legacy->store, &rule, legacy->why, legacy->why_size);
}

static bool take_list(struct legacy *legacy, const char *name,
		      bool (*take)(struct legacy *, json_t *, struct rpc_error *)) {
	json_t *list = json_object_get(legacy->root, name), *item;
	struct rpc_error error = {.index = RPC_NO_INDEX};
	size_t i;

	if (!json_is_array(list)) {
		snprintf(legacy->wrong, sizeof(legacy->wrong), "it has no list of %s", name);
		return false;
	}
	json_array_foreach(list, i, item) {
		if (take(legacy, item, &error))
			continue;
		snprintf(legacy->wrong, sizeof(legacy->wrong), "%s[%zu]: %s", name, i,
			 error.message);
		return false;
	}
	return true;
}

static bool take_all(struct legacy *legacy) {
	if (json_integer_value(json_object_get(legacy->root, "format")) != FORMAT) {
		snprintf(legacy->wrong, sizeof(legacy->wrong), "it is not of format %d", FORMAT);
		return false;
	}
	if (store_begin(legacy->store, legacy->why, legacy->why_size) &&
	    take_list(legacy, "ports", take_port) && take_list(legacy, "rules", take_rule) &&
	    store_commit(legacy->store, legacy->why, legacy->why_size))
		return true;
	store_undo(legacy->store);
	return false;
}

static bool take_file(struct legacy *legacy, FILE *file) {
	json_error_t cause;

	legacy->root = json_loadf(file, JSON_REJECT_DUPLICATES, &cause);
	if (legacy->root == NULL) {
		snprintf(legacy->wrong, sizeof(legacy->wrong), "%s in line %d", cause.text,
			 cause.line);
		return false;
	}

	const bool taken = take_all(legacy);

	json_decref(legacy->root);
	return taken;
}

static bool rename_to(const char *from, const char *suffix, char *why, size_t why_size) {
	char to[PATH_MAX];

	snprintf(to, sizeof(to), "%.*s.%s", STORE_PATH_MAX, from, suffix);
	if (rename(from, to) == 0)
		return true;
	snprintf(why, why_size, "%s cannot be renamed to %s: %s; rename it", from, to,
		 strerror(errno));
	return false;
}

static bool finish(const char *file, const struct legacy *legacy, bool taken, char *report,
		   size_t report_size) {
	if (!taken && *legacy->why != '\0')
		return false;
	if (!rename_to(file, taken ? "migrated" : "corrupt", legacy->why, legacy->why_size))
		return false;

	if (taken)
		report_add(report, report_size, "%s was taken over; it is now %s.migrated", file,
			   file);
	else
		report_add(report, report_size,
			   "%s is corrupt: %s; it is now %s.corrupt, and nothing is taken over",
			   file, legacy->wrong, file);
	if (legacy->lowered > 0)
		report_add(report, report_size, "%u rates in it are lowered to 400 Gbit/s",
			   legacy->lowered);
	return true;
}

static bool take_open(struct store *store, const char *path, FILE *file, char *report,
		      size_t report_size, char *why, size_t why_size) {
	struct legacy legacy = {.store = store, .why = why, .why_size = why_size};

	*why = '\0';
	return finish(path, &legacy, take_file(&legacy, file), report, report_size);
}

bool legacy_take(struct store *store, const char *path, char *report, size_t report_size, char *why,
		 size_t why_size) {
	char copy[PATH_MAX], legacy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(legacy, sizeof(legacy), "%.*s/" LEGACY_NAME, STORE_PATH_MAX, dirname(copy));
	const int fd = open(legacy, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return true;
	if (fd < 0) {
		snprintf(why, why_size, "%s cannot be read: %s; move it away", legacy,
			 strerror(errno));
		return false;
	}
	if (store_generation(store) > 0) {
		close(fd);
		report_add(report, report_size,
			   "%s is not taken over, because %s is in use; move it away", legacy,
			   path);
		return true;
	}

	FILE *file = fdopen(fd, "r");
	const bool good = file != NULL &&
			  take_open(store, legacy, file, report, report_size, why, why_size);

	if (file != NULL)
		fclose(file);
	else
		close(fd);
	return good;
}
