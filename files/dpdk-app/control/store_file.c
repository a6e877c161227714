#include "control/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/store_legacy.h"

// The database is the last one, so that what belongs to it is never left without it.
static const char *const suffixes[] = {"-wal", "-shm", "-journal", ""};

static const struct {
	int number;
	const char *way_out;
} ways_out[] = {
	{EACCES, "give its directory to the user of the switch"},
	{EPERM, "give it to the user of the switch"},
	{ENOENT, "make its directory"},
	{ELOOP, "it is a symbolic link; give the path of the file itself"},
	{EISDIR, "give the path of a file"},
	{EROFS, "give a path on a file system that can be written"},
	{ENOSPC, "make room there"},
};

static const char *way_out(int number) {
	for (size_t i = 0; i < sizeof(ways_out) / sizeof(ways_out[0]); i++)
		if (ways_out[i].number == number)
			return ways_out[i].way_out;
	return "correct its directory, or give another path";
}

bool store_file_resolve(const char *path, char resolved[STORE_PATH_MAX], char *why,
			size_t why_size) {
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	char copy[PATH_MAX], directory[PATH_MAX];

	if (strcmp(name, LEGACY_NAME) == 0) {
		snprintf(why, why_size,
			 "%s is the name of an older switch's file; give another one beside it, "
			 "like state.db, and it is taken over",
			 path);
		return false;
	}
	snprintf(copy, sizeof(copy), "%s", path);
	if (realpath(dirname(copy), directory) == NULL) {
		snprintf(why, why_size, "%s cannot be opened: %s; %s", path, strerror(errno),
			 way_out(errno));
		return false;
	}
	if (snprintf(resolved, STORE_PATH_MAX, "%s/%s", directory, name) < STORE_PATH_MAX)
		return true;
	snprintf(why, why_size, "%s is too long; give a shorter path", path);
	return false;
}

bool store_file_make(const char *path, bool *empty, char *why, size_t why_size) {
	const int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat found;
	// Not the mode of /dev/null.
	bool good = fd >= 0 && fstat(fd, &found) == 0 &&
		    (!S_ISREG(found.st_mode) || fchmod(fd, 0600) == 0);

	if (!good)
		snprintf(why, why_size, "%s cannot be opened: %s; %s", path, strerror(errno),
			 way_out(errno));
	else if (!S_ISREG(found.st_mode)) {
		snprintf(why, why_size, "%s is no file; give the path of a file", path);
		good = false;
	} else
		*empty = found.st_size == 0;

	if (fd >= 0)
		close(fd);
	return good;
}

bool store_file_has_journal(const char *path) {
	char journal[PATH_MAX];
	struct stat found;

	snprintf(journal, sizeof(journal), "%s-wal", path);
	return lstat(journal, &found) == 0 && found.st_size > 0;
}

bool store_file_set_aside(const char *path, char *why, size_t why_size) {
	char from[PATH_MAX], to[PATH_MAX];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(from, sizeof(from), "%s%s", path, suffixes[i]);
		snprintf(to, sizeof(to), "%s.corrupt%s", path, suffixes[i]);
		if (rename(from, to) == 0)
			continue;
		// The journal of an older one does not belong to this one.
		if (errno == ENOENT && (unlink(to) == 0 || errno == ENOENT))
			continue;
		snprintf(why, why_size, "%s cannot be renamed to %s: %s; move it away", from, to,
			 strerror(errno));
		return false;
	}
	return store_file_sync_directory(path);
}

bool store_file_sync_directory(const char *path) {
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return false;

	const bool good = fsync(fd) == 0;

	close(fd);
	return good;
}

void report_add(char *report, size_t size, const char *format, ...) {
	const size_t len = strlen(report);
	va_list arguments;

	if (len > 0)
		snprintf(report + len, size - len, "; ");
	va_start(arguments, format);
	vsnprintf(report + strlen(report), size - strlen(report), format, arguments);
	va_end(arguments);
}
