#include "tests/table.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/state.h"

static char directory[] = "/tmp/state-test-XXXXXX";
static char path[64];
static char why[300];

static int make_directory(void **state) {
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/state.json", directory);
	return 0;
}

static int remove_directory(void **state) {
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static void write_text(const char *text) {
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

#define PORT1 "{\"vm\":1,\"mac\":\"02:00:00:00:00:01\",\"socket_server\":\"switch\"}"
#define RULE(vm, port)                                                                             \
	"{\"vm\":" vm ",\"protocol\":17,\"source_ip\":\"10.0.0.1\",\"destination_ip\":"            \
	"\"10.0.0.2\",\"source_port\":" port                                                       \
	",\"destination_port\":1,\"tags\":[1],\"rate_bps\":1,"                                     \
	"\"burst_bits\":1}"
#define STATE(ports, rules) "{\"format\":1,\"ports\":[" ports "],\"rules\":[" rules "]}"

struct load_row {
	const char *name;
	const char *text;
	enum state_found found;
};

static const struct load_row loads[] = {
	{"ports and rules are loaded", STATE(PORT1, RULE("1", "1") "," RULE("1", "2")),
	 STATE_LOADED},
	{"an empty configuration is loaded", STATE("", ""), STATE_LOADED},
	{"an empty file is corrupt", "", STATE_CORRUPT},
	{"half a file is corrupt", "{\"format\":1,\"ports\":[", STATE_CORRUPT},
	{"another format is corrupt", "{\"format\":2,\"ports\":[],\"rules\":[]}", STATE_CORRUPT},
	{"no list is corrupt", "{\"format\":1,\"ports\":{},\"rules\":[]}", STATE_CORRUPT},
	{"a port twice is corrupt", STATE(PORT1 "," PORT1, ""), STATE_CORRUPT},
	{"a rule without its port is corrupt", STATE(PORT1, RULE("2", "1")), STATE_CORRUPT},
	{"a rule twice is corrupt", STATE(PORT1, RULE("1", "1") "," RULE("1", "1")), STATE_CORRUPT},
	{"a wrong value is corrupt", STATE(PORT1, RULE("1", "\"x\"")), STATE_CORRUPT},
};

static void check_load(void **state) {
	const struct load_row *row = *state;
	struct config config;

	write_text(row->text);
	assert_int_equal(state_load(path, &config, why, sizeof(why)), row->found);
	if (row->found == STATE_CORRUPT)
		assert_int_equal(config.ports_len + config.rules_len, 0);
	config_free(&config);
}

static void what_was_saved_is_loaded(void **state) {
	struct port_spec ports[] = {{1, {2, 0, 0, 0, 0, 1}, true}, {2, {2, 0, 0, 0, 0, 2}, false}};
	struct rule_spec rules[] = {
		{{1, 0, 17, 0x0a000001, 0x0a000002, 5, 6}, {2, {21, 7}}, INT64_MAX, 1},
		{{2, 0, 1, 0x0a000001, 0x0a000002, 0, 0}, {1, {7}}, 1, INT64_MAX},
	};
	const struct config saved = {2, ports, 2, rules};
	struct config loaded;
	struct stat found;

	(void)state;
	assert_true(state_save(path, &saved, why, sizeof(why)));
	assert_int_equal(state_load(path, &loaded, why, sizeof(why)), STATE_LOADED);
	assert_int_equal(loaded.ports_len, 2);
	assert_memory_equal(loaded.ports[0].mac, ports[0].mac, MAC_LEN);
	assert_true(loaded.ports[0].qemu_serves);
	assert_false(loaded.ports[1].qemu_serves);
	assert_int_equal(loaded.rules_len, 2);
	assert_true(rule_spec_equal(&loaded.rules[0], &rules[0]));
	assert_true(rule_spec_equal(&loaded.rules[1], &rules[1]));
	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_mode & 0777, 0600);
	config_free(&loaded);
}

static void no_file_is_an_empty_configuration(void **state) {
	struct config config;

	(void)state;
	unlink(path);
	assert_int_equal(state_load(path, &config, why, sizeof(why)), STATE_ABSENT);
	assert_int_equal(config.ports_len, 0);
}

static void a_failed_save_keeps_the_file(void **state) {
	const struct config empty = {0};
	char blocked[80];
	struct config config;

	(void)state;
	write_text(STATE(PORT1, ""));
	snprintf(blocked, sizeof(blocked), "%s.new", path);
	assert_int_equal(mkdir(blocked, 0700), 0);
	assert_false(state_save(path, &empty, why, sizeof(why)));
	assert_non_null(strstr(why, path));
	assert_int_equal(rmdir(blocked), 0);
	assert_int_equal(state_load(path, &config, why, sizeof(why)), STATE_LOADED);
	assert_int_equal(config.ports_len, 1);
	config_free(&config);
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(what_was_saved_is_loaded),
		cmocka_unit_test(no_file_is_an_empty_configuration),
		cmocka_unit_test(a_failed_save_keeps_the_file),
	};

	if (make_directory(NULL) != 0)
		return EXIT_FAILURE;
	return RUN_TABLE(loads, check_load) + cmocka_run_group_tests(whole, NULL, NULL) +
	       remove_directory(NULL);
}
