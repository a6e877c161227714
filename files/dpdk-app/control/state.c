#include "control/state.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "control/codec.h"

enum { FORMAT = 1 };

static bool write_item(FILE *file, json_t *item, bool first) {
	const bool good = item != NULL && fputs(first ? "\n" : ",\n", file) >= 0 &&
			  json_dumpf(item, file, JSON_COMPACT) == 0;

	json_decref(item);
	return good;
}

static bool write_config(FILE *file, const struct config *config) {
	bool good = fprintf(file, "{\"format\": %d, \"ports\": [", FORMAT) > 0;

	for (size_t i = 0; good && i < config->ports_len; i++)
		good = write_item(file, encode_port(&config->ports[i]), i == 0);
	good = good && fputs("], \"rules\": [", file) >= 0;
	for (size_t i = 0; good && i < config->rules_len; i++)
		good = write_item(file, encode_rule(&config->rules[i]), i == 0);
	return good && fputs("]}\n", file) >= 0;
}

static bool write_file(const char *path, const struct config *config) {
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (file == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}

	bool good = write_config(file, config) && fflush(file) == 0 && fsync(fd) == 0;
	const int cause = errno;

	if (fclose(file) != 0)
		return false;
	errno = cause;
	return good;
}

static bool sync_directory_of(const char *path) {
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return false;

	const bool good = fsync(fd) == 0;

	close(fd);
	return good;
}

bool state_save(const char *path, const struct config *config, char *why, size_t why_size) {
	char temporary[PATH_MAX];

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (write_file(temporary, config) && rename(temporary, path) == 0 &&
	    sync_directory_of(path))
		return true;

	snprintf(why, why_size, "%s cannot be written: %s; make room or correct its directory",
		 path, strerror(errno));
	unlink(temporary);
	return false;
}

// Items of a list, each decoded. Returns false with *error filled.
static bool read_ports(const json_t *list, struct config *config, struct rpc_error *error) {
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct port_spec port;
		struct config next;

		error->index = (int)i;
		if (!decode_port(json_array_get(list, i), &port, error))
			return false;
		if (config_find_port(config, port.vm) != NULL) {
			rpc_fail(error, RPC_CONFLICT, "VM %u is there twice", port.vm);
			return false;
		}
		if (!config_add_port(config, &port, &next)) {
			rpc_fail(error, RPC_NO_CAPACITY, "no memory left");
			return false;
		}
		config_free(config);
		*config = next;
	}
	return true;
}

static bool read_rules(const json_t *list, struct config *config, struct rpc_error *error) {
	const size_t len = json_array_size(list);
	struct rule_spec *rules = calloc(len + 1, sizeof(*rules));

	if (rules == NULL) {
		rpc_fail(error, RPC_NO_CAPACITY, "no memory left");
		return false;
	}
	free(config->rules);
	config->rules = rules;

	for (size_t i = 0; i < len; i++) {
		error->index = (int)i;
		if (!decode_rule(json_array_get(list, i), &rules[i], error))
			return false;
		if (config_find_port(config, rules[i].flow.vm) == NULL) {
			rpc_fail(error, RPC_NOT_FOUND, "VM %u has no port", rules[i].flow.vm);
			return false;
		}
		if (i > 0 && rule_spec_compare(&rules[i - 1], &rules[i]) >= 0) {
			rpc_fail(error, RPC_CONFLICT, "the rules are not in order");
			return false;
		}
		config->rules_len++;
	}
	return true;
}

static bool read_config(const json_t *root, struct config *config, struct rpc_error *error) {
	const json_t *ports = json_object_get(root, "ports");
	const json_t *rules = json_object_get(root, "rules");

	if (json_integer_value(json_object_get(root, "format")) != FORMAT ||
	    !json_is_array(ports) || !json_is_array(rules)) {
		rpc_fail(error, RPC_INVALID_PARAMS, "it is not of format %d", FORMAT);
		return false;
	}
	return read_ports(ports, config, error) && read_rules(rules, config, error);
}

enum state_found state_load(const char *path, struct config *config, char *why, size_t why_size) {
	struct rpc_error error = {.index = RPC_NO_INDEX};
	json_error_t cause;
	FILE *file = fopen(path, "re");

	*config = (struct config){0};
	if (file == NULL) {
		const bool absent = errno == ENOENT;

		snprintf(why, why_size, "%s", strerror(errno));
		return absent ? STATE_ABSENT : STATE_UNREADABLE;
	}

	json_t *root = json_loadf(file, JSON_REJECT_DUPLICATES, &cause);

	fclose(file);
	if (root == NULL) {
		snprintf(why, why_size, "%s in line %d", cause.text, cause.line);
		return STATE_CORRUPT;
	}

	const bool good = read_config(root, config, &error);

	json_decref(root);
	if (good)
		return STATE_LOADED;
	config_free(config);
	snprintf(why, why_size, "%s (item %d)", error.message, error.index);
	return STATE_CORRUPT;
}
