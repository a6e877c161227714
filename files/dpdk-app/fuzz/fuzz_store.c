// Any bytes in place of what the switch keeps. The first byte says what they stand for. Whatever
// they are, the switch has a store that works, and the next start has nothing to repair.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/store.h"
#include "fuzz/target.h"

enum {
	FILE_MAX = 256 * 1024,
	CHANGE_LEN = 4, // of a changed byte: where (3), and what
	RULES = 12,
};

// What an input stands for.
enum { DATABASE, STATE_JSON, DAMAGE, DAMAGED_LOG, LOG, JOURNAL };

static const char *const names[] = {
	"state.db",
	"state.db-wal",
	"state.db-shm",
	"state.db-journal",
	"state.db.corrupt",
	"state.db.corrupt-wal",
	"state.db.corrupt-shm",
	"state.db.corrupt-journal",
	"state.json",
	"state.json.corrupt",
	"state.json.migrated",
};

static char directory[] = "/dev/shm/fuzz-store-XXXXXX"; // in memory
static char path[64];
static char report[1000], why[600];

// A database as the switch leaves it, and what is written ahead of it while the switch runs.
static uint8_t whole[FILE_MAX], ahead[FILE_MAX];
static size_t whole_len, ahead_len;

static const char *place(const char *name) {
	static char file[sizeof(directory) + 32];

	snprintf(file, sizeof(file), "%s/%s", directory, name);
	return file;
}

static void remove_files(void) {
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(place(names[i]));
}

static void remove_directory(void) {
	remove_files();
	rmdir(directory);
}

static void write_file(const char *name, const uint8_t *data, size_t len) {
	FILE *file = fopen(place(name), "w");

	assert(file != NULL && fwrite(data, 1, len, file) == len && fclose(file) == 0);
}

static size_t read_file(const char *name, uint8_t data[FILE_MAX]) {
	FILE *file = fopen(place(name), "r");

	assert(file != NULL);

	const size_t len = fread(data, 1, FILE_MAX, file);

	assert(len < FILE_MAX && fclose(file) == 0);
	return len;
}

static struct store *open_store(void) {
	struct store *store = NULL;
	const enum store_found found = store_open(path, &store, report, sizeof(report), why,
						  sizeof(why));

	assert((found == STORE_OPENED) == (store != NULL));
	return store;
}

struct seen {
	bool has_port[VM_COUNT];
	unsigned ports, rules;
};

static bool see_port(const struct port_spec *port, void *of) {
	struct seen *seen = of;

	assert(port->vm <= VM_MAX && !seen->has_port[port->vm]);
	seen->has_port[port->vm] = true;
	seen->ports++;
	return true;
}

static bool see_rule(const struct rule_spec *rule, void *of) {
	struct seen *seen = of;
	struct match_fields fields;
	struct match same;

	assert(rule->vm <= VM_MAX && seen->has_port[rule->vm]);
	assert(rule->tags.len <= TAGS_MAX && rule->shaper.mode <= SHAPE_POLICE);
	assert(rule->destination_vm <= VM_MAX || rule->destination_vm == TO_UPLINK);
	for (unsigned i = 0; i < rule->tags.len; i++)
		assert(rule->tags.vid[i] >= TAG_VID_MIN && rule->tags.vid[i] <= TAG_VID_MAX);
	if (rule->shaper.mode != SHAPE_OFF) {
		assert(rule->shaper.rate_bps >= 1 && rule->shaper.rate_bps <= RATE_BPS_MAX);
		assert(rule->shaper.burst_bits >= 1 && rule->shaper.burst_bits <= INT64_MAX);
	}
	match_read(&rule->match, &fields);
	assert(match_make(&fields, &same) == NULL && match_compare(&rule->match, &same) == 0);
	seen->rules++;
	return true;
}

static struct seen see(struct store *store) {
	struct seen seen = {{false}, 0, 0};

	assert(store_ports(store, see_port, &seen) && store_rules(store, see_rule, &seen));
	return seen;
}

static struct rule_spec some_rule(uint8_t number) {
	struct rule_spec rule = {
		.vm = number % 2,
		.destination_vm = TO_UPLINK,
		.slot = number % 2 == 0 ? number : NO_SLOT,
		.tags = {TPID_8021Q, number % (TAGS_MAX + 1), {21, 7, 3, 4, 5, 6, 7, 8, 9, 4094}},
		.shaper = {1000000, 12208, QUEUE_BYTES_DEFAULT, QUEUE_PACKETS_DEFAULT, SHAPE_DELAY},
	};
	const struct match_fields fields = {
		.has_protocol = true,
		.protocol = number,
		.family = number % 3 == 0 ? ETHER_IPV6 : ETHER_IPV4,
		.source_bits = IPV4_BITS,
		.destination_bits = 8,
		.source_ip = {10, 0, 0, number},
		.destination_ip = {10},
	};

	assert(match_make(&fields, &rule.match) == NULL);
	return rule;
}

static void change(struct store *store) {
	const struct port_spec port = {.vm = 1, .mac = {2, 0, 0, 0, 0, 1}};
	const struct rule_spec rule = some_rule(1);

	assert(store_begin(store, why, sizeof(why)));
	assert(store_set_port(store, &port, why, sizeof(why)));
	assert(store_set_rule(store, &rule, why, sizeof(why)));
	assert(store_commit(store, why, sizeof(why)));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	const struct port_spec port = {.vm = 0, .mac = {2}};

	(void)argc;
	(void)argv;
	assert(mkdtemp(directory) != NULL && atexit(remove_directory) == 0);
	snprintf(path, sizeof(path), "%s", place("state.db"));

	struct store *store = open_store();

	assert(store != NULL);
	change(store);
	assert(store_begin(store, why, sizeof(why)));
	assert(store_set_port(store, &port, why, sizeof(why)));
	for (uint8_t i = 0; i < RULES; i++) {
		const struct rule_spec rule = some_rule(i);

		assert(store_set_rule(store, &rule, why, sizeof(why)));
	}
	assert(store_commit(store, why, sizeof(why)));
	ahead_len = read_file("state.db-wal", ahead);
	store_close(store);
	whole_len = read_file("state.db", whole);
	return 0;
}

// What was written, with some bytes changed: data is a list of these.
static void write_changed(const char *name, const uint8_t *good, size_t good_len,
			  const uint8_t *data, size_t size) {
	uint8_t *changed = malloc(good_len);

	assert(changed != NULL);
	memcpy(changed, good, good_len);
	for (; size >= CHANGE_LEN; data += CHANGE_LEN, size -= CHANGE_LEN)
		changed[(data[0] | data[1] << 8 | data[2] << 16) % good_len] = data[3];
	write_file(name, changed, good_len);
	free(changed);
}

static void plant(uint8_t kind, const uint8_t *data, size_t size) {
	switch (kind) {
	case DATABASE:
		write_file("state.db", data, size);
		break;
	case STATE_JSON:
		write_file("state.json", data, size);
		break;
	case DAMAGE: // beside a part of a log, if the first byte is not 0
		if (size > 0 && data[0] > 0)
			write_file("state.db-wal", ahead, ahead_len * data[0] / UINT8_MAX);
		write_changed("state.db", whole, whole_len, data + 1, size > 0 ? size - 1 : 0);
		break;
	case DAMAGED_LOG:
		write_file("state.db", whole, whole_len);
		write_changed("state.db-wal", ahead, ahead_len, data, size);
		break;
	case LOG:
		write_file("state.db", whole, whole_len);
		write_file("state.db-wal", data, size);
		break;
	case JOURNAL:
		write_file("state.db", whole, whole_len);
		write_file("state.db-journal", data, size);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	remove_files();
	if (size > 0)
		plant(data[0] % (JOURNAL + 1), data + 1, size - 1);

	struct store *store = open_store();

	if (store == NULL) { // the only file that is left alone
		assert(strstr(why, "was written by a newer switch") != NULL);
		return 0;
	}

	const struct seen before = see(store);
	const uint64_t generation = store_generation(store);

	store_close(store);
	store = open_store();
	assert(store != NULL && *report == '\0' && store_generation(store) == generation);

	const struct seen after = see(store);

	assert(after.ports == before.ports && after.rules == before.rules);
	change(store);
	assert(store_generation(store) == generation + 1);
	store_close(store);
	return 0;
}
