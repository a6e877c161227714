// What a store cannot open or write, and what it takes over from version 1.0.

#include "tests/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { NOBODY = 65534 };

static char *read_text(const char *file) {
	static char text[1 << 17];
	FILE *from = fopen(file, "r");
	size_t len;

	if (from == NULL)
		return NULL;
	len = fread(text, 1, sizeof(text) - 1, from);
	text[len] = '\0';
	fclose(from);
	return text;
}

static void write_text(const char *file, const char *text) {
	FILE *to = fopen(file, "w");

	assert_non_null(to);
	fputs(text, to);
	fclose(to);
}

static const char *beside(const char *name) {
	static char file[80];

	snprintf(file, sizeof(file), "%s/%s", directory, name);
	return file;
}

static void expect_refusal(const char *where, const char *cause, const char *way_out) {
	struct store *store;

	assert_int_equal(store_open(where, &store, report, sizeof(report), why, sizeof(why)),
			 STORE_UNUSABLE);
	assert_null(store);
	assert_string_equal(report, "");
	if (strstr(why, cause) == NULL || strstr(why, way_out) == NULL)
		fail_msg("%s", why);
}

static void add_port_and_rules(struct store *store, uint32_t len) {
	begin(store);
	set_port(store, 1);
	for (uint32_t i = 0; i < len; i++) {
		const struct rule_spec rule = plain_rule(1, i);

		set_rule(store, &rule);
	}
	commit(store);
}

// Refused, and left as it is.

static void a_newer_schema_is_refused_and_left_alone(void **state) {
	struct store *store = open_store();
	sqlite3 *db;
	struct stat before, after;

	(void)state;
	add_port_and_rules(store, 1);
	store_close(store);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "ALTER TABLE rule ADD COLUMN colour TEXT;"
				      "PRAGMA user_version = 2; PRAGMA application_id = 0x64740002",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(stat(path, &before), 0);

	expect_refusal(path, "written by a newer switch (schema 2, this one knows 1)",
		       "start that one, or move the file away");
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "SELECT colour FROM rule", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_symbolic_link_is_not_followed(void **state) {
	char target[80];

	(void)state;
	snprintf(target, sizeof(target), "%s/target", directory);
	assert_int_equal(symlink(target, path), 0);
	expect_refusal(path, "cannot be opened", "symbolic link; give the path of the file itself");
	assert_int_equal(access(target, F_OK), -1);
}

static void the_journals_link_is_not_followed(void **state) {
	struct store *store = open_store();
	char journal[80];

	(void)state;
	add_port_and_rules(store, 1);
	store_close(store);
	snprintf(journal, sizeof(journal), "%s-wal", path);
	write_text(beside("target"), "theirs");
	assert_int_equal(symlink(beside("target"), journal), 0);
	expect_refusal(path, "cannot be opened", "");
	assert_string_equal(read_text(beside("target")), "theirs");
	unlink(beside("target"));
}

static void the_directory_may_be_a_link(void **state) {
	struct store *store;
	char link[80], where[100];

	(void)state;
	snprintf(link, sizeof(link), "%s-link", directory);
	snprintf(where, sizeof(where), "%s/state.db", link);
	assert_int_equal(symlink(directory, link), 0);
	assert_int_equal(store_open(where, &store, report, sizeof(report), why, sizeof(why)),
			 STORE_OPENED);
	store_close(store);
	assert_int_equal(access(path, F_OK), 0);
	unlink(link);
}

static void what_is_no_file_is_refused(void **state) {
	(void)state;
	expect_refusal("/nowhere/state.db", "No such file or directory", "make its directory");
	expect_refusal("/dev", "/dev", "give the path of a file");
	expect_refusal("/dev/null", "/dev/null is no file", "give the path of a file");
	expect_refusal("/proc/state.db", "/proc/state.db cannot be opened", "directory");
	expect_refusal(beside("state.json"), "is the name of an older switch's file",
		       "like state.db");
}

// Runs the check in a process of its own, which may change what it is allowed to do.
static void in_a_child(void (*check)(void **state)) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(check)};
	int status;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(cmocka_run_group_tests(tests, NULL, NULL));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_SUCCESS);
}

static void open_as_nobody(void **state) {
	(void)state;
	assert_int_equal(setuid(NOBODY), 0);
	expect_refusal(path, "cannot be opened", "directory to the user of the switch");
}

// Skips the test, and says why, where this process may not do what it takes.
static void need(int capability, const char *name) {
	if (getuid() == 0 && prctl(PR_CAPBSET_READ, capability) == 1)
		return;
	print_message("skipped: it takes root with %s\n", name);
	skip();
}

static void a_directory_of_another_user_is_refused(void **state) {
	(void)state;
	need(CAP_SETUID, "CAP_SETUID");
	in_a_child(open_as_nobody);
	assert_int_equal(chmod(directory, 0755), 0);
	in_a_child(open_as_nobody);
	write_text(path, "");
	assert_int_equal(chown(path, NOBODY, NOBODY), 0);
	in_a_child(open_as_nobody); // the journal cannot be made
}

// The disk.

static void mount_little(const char *size) {
	char options[40];

	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	snprintf(options, sizeof(options), "size=%s", size);
	assert_int_equal(mount("none", directory, "tmpfs", 0, options), 0);
}

static void open_without_room(void **state) {
	(void)state;
	mount_little("8k");
	expect_refusal(path, "cannot be opened", "make room");
}

static void fill_the_disk(void **state) {
	struct store *store;
	uint32_t kept = 0, len;
	bool full = false;

	(void)state;
	mount_little("1m");
	store = open_store();
	add_port_and_rules(store, 0);
	while (!full) {
		begin(store);
		for (len = 0; len < 500 && !full; len++) {
			const struct rule_spec rule = plain_rule(1, kept + len);

			full = !store_set_rule(store, &rule, why, sizeof(why));
		}
		full = full || !store_commit(store, why, sizeof(why));
		kept += full ? 0 : len;
	}
	assert_non_null(strstr(why, path));
	assert_non_null(strstr(why, "make room"));
	for (int turn = 0; turn < 2; turn++) {
		assert_true(kept > 0);
		assert_int_equal(list(store)->rules_len, kept);
		assert_int_equal(store_generation(store), 1 + kept / 500);
		store_close(store);
		store = open_store();
		assert_string_equal(report, "");
	}
	const struct rule_spec first = plain_rule(1, 0);

	begin(store);
	ACCEPT(store_unset_rule(store, 1, &first.match, why, sizeof(why)));
	commit(store);
	assert_int_equal(list(store)->rules_len, kept - 1);
	store_close(store);
}

static void a_full_disk_keeps_what_was_committed(void **state) {
	(void)state;
	need(CAP_SYS_ADMIN, "CAP_SYS_ADMIN");
	in_a_child(open_without_room);
	in_a_child(fill_the_disk);
}

// SQLite's own way to files, except that from some write or sync on they fail.
static struct {
	const sqlite3_vfs *real;
	const sqlite3_io_methods *methods;
	int good; // what is left until they fail
	bool unsynced;
} faulty;

static int fault_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at) {
	if (faulty.good-- <= 0)
		return SQLITE_IOERR_WRITE;
	faulty.unsynced = true;
	return faulty.methods->xWrite(file, bytes, len, at);
}

static int fault_sync(sqlite3_file *file, int flags) {
	if (faulty.good-- <= 0)
		return SQLITE_IOERR_FSYNC;
	faulty.unsynced = false;
	return faulty.methods->xSync(file, flags);
}

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		      int *flags_out) {
	static sqlite3_io_methods of_databases, of_journals;
	sqlite3_io_methods *methods = flags & SQLITE_OPEN_MAIN_DB ? &of_databases : &of_journals;
	const int result = faulty.real->xOpen((sqlite3_vfs *)vfs->pAppData, name, file, flags,
					      flags_out);

	if (result == SQLITE_OK) {
		faulty.methods = file->pMethods;
		*methods = *file->pMethods;
		methods->xWrite = fault_write;
		methods->xSync = fault_sync;
		file->pMethods = methods;
	}
	return result;
}

// Commits until one fails. Returns the generation that was answered.
static uint64_t commit_until_failure(void) {
	struct store *store;
	uint64_t answered;

	if (store_open(path, &store, report, sizeof(report), why, sizeof(why)) != STORE_OPENED)
		return 0;
	for (uint32_t i = 0;; i++) {
		const struct port_spec port = {1, {2, 0, 0, 0, 0, 1}, true};
		const struct rule_spec rule = plain_rule(1, i);

		if (!store_begin(store, why, sizeof(why)) ||
		    !store_set_port(store, &port, why, sizeof(why)) ||
		    !store_set_rule(store, &rule, why, sizeof(why)) ||
		    !store_commit(store, why, sizeof(why)))
			break;
	}
	assert_non_null(strstr(why, "cannot be written"));
	answered = store_generation(store);
	assert_int_equal(list(store)->rules_len, answered); // the last one is undone
	store_close(store);
	return answered;
}

static sqlite3_vfs *use_faulty(sqlite3_vfs *vfs) {
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	*vfs = *real;
	vfs->zName = "faulty";
	vfs->pAppData = real;
	vfs->xOpen = fault_open;
	faulty.real = real;
	sqlite3_vfs_register(vfs, 1);
	return real;
}

static void use_real(sqlite3_vfs *vfs, sqlite3_vfs *real) {
	sqlite3_vfs_unregister(vfs);
	sqlite3_vfs_register(real, 1);
}

static void a_failing_disk_keeps_what_was_committed(void **state) {
	uint64_t most = 0;

	(void)state;
	for (int good = 0; good < 120; good++) {
		sqlite3_vfs vfs, *real = use_faulty(&vfs);
		struct store *store;

		remove_files();
		faulty.good = good;
		const uint64_t answered = commit_until_failure();

		use_real(&vfs, real);
		store = open_store();
		assert_string_equal(report, "");
		assert_in_range(store_generation(store), answered, answered + 1);
		assert_int_equal(list(store)->rules_len, store_generation(store));
		store_close(store);
		most = answered > most ? answered : most;
	}
	assert_true(most > 5);
}

static void a_commit_is_on_the_disk_before_it_is_answered(void **state) {
	sqlite3_vfs vfs, *real = use_faulty(&vfs);
	struct store *store = NULL;

	(void)state;
	faulty.good = INT32_MAX;
	store = open_store();
	for (uint32_t i = 0; i < 20; i++) {
		faulty.unsynced = true;
		add_port_and_rules(store, i);
		assert_false(faulty.unsynced);
	}
	store_close(store);
	use_real(&vfs, real);
}

// Version 1.0.

#define PORT1 "{\"vm\":1,\"mac\":\"02:00:00:00:00:01\",\"socket_server\":\"qemu\"}"
#define RULE(vm, port, rate)                                                                       \
	"{\"vm\":" vm ",\"protocol\":17,\"source_ip\":\"10.0.0.1\",\"destination_ip\":"            \
	"\"10.0.0.2\",\"source_port\":" port ",\"destination_port\":1,\"tags\":[21,7],"            \
	"\"rate_bps\":" rate ",\"burst_bits\":9}"
#define STATE(ports, rules) "{\"format\":1,\"ports\":[" ports "],\"rules\":[" rules "]}\n"

static void the_state_of_version_1_is_taken_over_once(void **state) {
	struct store *store;
	const struct rule_spec *rule;

	(void)state;
	write_text(beside("state.json"),
		   STATE(PORT1, RULE("1", "1", "5") ",\n" RULE("1", "2", "9223372036854775807")));
	store = open_store();
	assert_non_null(strstr(report, "state.json was taken over"));
	assert_non_null(strstr(report, "1 rates in it are lowered to 400 Gbit/s"));
	assert_int_equal(access(beside("state.json"), F_OK), -1);
	assert_int_equal(access(beside("state.json.migrated"), F_OK), 0);
	store_close(store);

	store = open_store();
	assert_string_equal(report, "");
	assert_int_equal(store_generation(store), 1);
	assert_int_equal(list(store)->ports_len, 1);
	assert_true(list(store)->ports[0].qemu_serves);
	assert_int_equal(list(store)->rules_len, 2);
	rule = list(store)->rules;
	assert_int_equal(rule[0].match.key.source_port, 1);
	assert_true(match_is_exact(&rule[0].match));
	assert_int_equal(rule[0].tags.tpid, TPID_8021Q);
	assert_int_equal(rule[0].tags.len, 2);
	assert_int_equal(rule[0].destination_vm, TO_UPLINK);
	assert_int_equal(rule[0].slot, NO_SLOT);
	assert_int_equal(rule[0].shaper.mode, SHAPE_DELAY);
	assert_int_equal(rule[0].shaper.rate_bps, 5);
	assert_int_equal(rule[0].shaper.queue_packets, QUEUE_PACKETS_DEFAULT);
	assert_int_equal(rule[0].shaper.queue_bytes, QUEUE_BYTES_DEFAULT);
	assert_int_equal(rule[1].shaper.rate_bps, RATE_BPS_MAX);
	store_close(store);
}

static void the_state_of_version_1_does_not_replace_what_there_is(void **state) {
	struct store *store = open_store();

	(void)state;
	add_port_and_rules(store, 3);
	store_close(store);
	write_text(beside("state.json"), STATE(PORT1, ""));
	store = open_store();
	assert_non_null(strstr(report, "is not taken over"));
	assert_int_equal(access(beside("state.json"), F_OK), 0);
	assert_int_equal(list(store)->rules_len, 3);
	store_close(store);
}

static void a_link_in_its_place_is_refused(void **state) {
	(void)state;
	assert_int_equal(symlink("/etc/hostname", beside("state.json")), 0);
	expect_refusal(path, "state.json cannot be read", "move it away");
}

struct legacy_row {
	const char *name;
	const char *text;
	const char *said; // NULL: it is good
};

static const struct legacy_row legacy_rows[] = {
	{"no ports and no rules are taken over", STATE("", ""), NULL},
	{"an empty file is corrupt", "", "in line"},
	{"half a file is corrupt", "{\"format\":1,\"ports\":[", "in line"},
	{"another format is corrupt", "{\"format\":2,\"ports\":[],\"rules\":[]}",
	 "it is not of format 1"},
	{"no list is corrupt", "{\"format\":1,\"ports\":{},\"rules\":[]}",
	 "it has no list of ports"},
	{"a rule without its port is corrupt", STATE(PORT1, RULE("2", "1", "1")),
	 "rules[0]: VM 2 has no port"},
	{"a wrong value is corrupt", STATE(PORT1, RULE("1", "1", "1") "," RULE("1", "-1", "1")),
	 "rules[1]: source_port is -1"},
	{"what is no object is corrupt", STATE("7", ""), "ports[0]: "},
};

static void check_legacy(void **state) {
	const struct legacy_row *row = *state;
	const bool good = row->said == NULL;
	struct store *store;

	remove_files();
	write_text(beside("state.json"), row->text);
	store = open_store();
	if (strstr(report, good ? "was taken over" : row->said) == NULL)
		fail_msg("%s", report);
	assert_int_equal(list(store)->ports_len + list(store)->rules_len, 0);
	assert_int_equal(store_generation(store), good);
	store_close(store);
	assert_string_equal(read_text(beside(good ? "state.json.migrated" : "state.json.corrupt")),
			    row->text);
	assert_int_equal(access(beside("state.json"), F_OK), -1);
}

int main(void) {
#define FRESH(test) cmocka_unit_test_setup(test, start_empty)
	const struct CMUnitTest tests[] = {
		FRESH(a_newer_schema_is_refused_and_left_alone),
		FRESH(a_symbolic_link_is_not_followed),
		FRESH(the_journals_link_is_not_followed),
		FRESH(the_directory_may_be_a_link),
		FRESH(what_is_no_file_is_refused),
		FRESH(a_directory_of_another_user_is_refused),
		FRESH(a_full_disk_keeps_what_was_committed),
		FRESH(a_failing_disk_keeps_what_was_committed),
		FRESH(a_commit_is_on_the_disk_before_it_is_answered),
		FRESH(the_state_of_version_1_is_taken_over_once),
		FRESH(the_state_of_version_1_does_not_replace_what_there_is),
		FRESH(a_link_in_its_place_is_refused),
	};

	if (make_directory(NULL) != 0)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL) + RUN_TABLE(legacy_rows, check_legacy) +
	       remove_directory(NULL);
}
