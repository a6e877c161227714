#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/lldp.h"

enum {
	IDLE_SLEEP_MAX_US = 1000000,
	UPLINK_PORT_MAX = 31,
	MTU_MIN = 1280, // that IPv6 needs, RFC 8200
	MTU_MAX = 9000,
	BUFFERS_MIN = 4095,
	BUFFERS_MAX = 4194303,
	LLDP_INTERVAL_S_MAX = 3600, // IEEE 802.1AB-2016, 9.2.5.7
	LLDP_TTL_S_MAX = 65535,
};

const char options_usage[] =
	"usage: dpdk-tagging EAL-ARGUMENTS -- --name NAME --control-socket PATH --vhost-dir DIR\n"
	"                    --state PATH [--idle-sleep-us N] [--uplink-port N|none]\n"
	"                    [--mtu N] [--buffers N] [--vm-buffers N] [--accept-untagged]\n"
	"                    [--lldp-interval SECONDS] [--lldp-ttl SECONDS]\n"
	"                    [--lldp-system-name NAME]\n"
	"\n"
	"  --name            of the end host, for messages\n"
	"  --control-socket  where to answer JSON-RPC requests\n"
	"  --vhost-dir       where the sockets of the VMs are: vm-00.sock, vm-01.sock, ...\n"
	"  --state           database with the ports and rules, kept over a restart\n"
	"  --idle-sleep-us   pause of an idle data core, 0..1000000; default 0: it polls\n"
	"  --uplink-port     DPDK's number of the port to the network; default 0\n"
	"  --mtu             of the guests, 1280..9000; default 1500\n"
	"  --buffers         for frames, 4095..4194303; default 16383 for each data core\n"
	"  --vm-buffers      most that frames of one VM that wait may take; default and limit: "
	"half\n"
	"                    of what is free for waiting frames, which is half of all\n"
	"  --accept-untagged gives untagged frames to the VM that has their destination MAC\n"
	"  --lldp-interval   pause between LLDP frames of the switch, 0..3600; default 30; 0: it "
	"sends none\n"
	"  --lldp-ttl        how long neighbours remember one, 1..65535; default 120\n"
	"  --lldp-system-name  by which they know the switch; default: --name\n";

static const struct option known[] = {
	{"name", required_argument, NULL, 'n'},
	{"control-socket", required_argument, NULL, 'c'},
	{"vhost-dir", required_argument, NULL, 'v'},
	{"state", required_argument, NULL, 's'},
	{"idle-sleep-us", required_argument, NULL, 'i'},
	{"uplink-port", required_argument, NULL, 'u'},
	{"mtu", required_argument, NULL, 'm'},
	{"buffers", required_argument, NULL, 'b'},
	{"vm-buffers", required_argument, NULL, 'q'},
	{"accept-untagged", no_argument, NULL, 'a'},
	{"lldp-interval", required_argument, NULL, 'l'},
	{"lldp-ttl", required_argument, NULL, 't'},
	{"lldp-system-name", required_argument, NULL, 'N'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool read_number(const char *text, unsigned min, unsigned max, unsigned *number) {
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < min ||
	    value > max)
		return false;
	*number = (unsigned)value;
	return true;
}

static bool check_directory(const char *argument, const char *path, char *why, size_t why_size) {
	struct stat found;
	const char *cause = NULL;

	if (stat(path, &found) != 0)
		cause = strerror(errno);
	else if (!S_ISDIR(found.st_mode))
		cause = "it is no directory";
	else if (access(path, W_OK | X_OK) != 0)
		cause = strerror(errno);
	if (cause == NULL)
		return true;
	snprintf(why, why_size,
		 "%s needs the directory %s: %s; make it writable for the user of the switch",
		 argument, path, cause);
	return false;
}

static bool check_file(const char *argument, const char *path, size_t path_size, char *why,
		       size_t why_size) {
	char copy[PATH_MAX];

	if (path[0] == '\0' || strlen(path) >= path_size) {
		snprintf(why, why_size, "%s %s has %zu bytes; give 1 to %zu", argument, path,
			 strlen(path), path_size - 1);
		return false;
	}
	snprintf(copy, sizeof(copy), "%s", path);
	return check_directory(argument, dirname(copy), why, why_size);
}

static bool check_lldp(const struct options *options, char *why, size_t why_size) {
	const size_t name_len = strlen(options->lldp_system_name);

	if (name_len < 1 || name_len > LLDP_NAME_MAX) {
		snprintf(why, why_size,
			 "--lldp-system-name, or else --name, has %zu bytes; give 1 to %d",
			 name_len, LLDP_NAME_MAX);
		return false;
	}
	if (options->lldp_interval_s >= options->lldp_ttl_s) {
		snprintf(
			why, why_size,
			"--lldp-ttl %u is not above --lldp-interval %u, so neighbours would forget "
			"the switch again and again; give four times the interval",
			options->lldp_ttl_s, options->lldp_interval_s);
		return false;
	}
	return true;
}

static bool check(const struct options *options, char *why, size_t why_size) {
	const size_t socket_size = sizeof(((struct sockaddr_un *)NULL)->sun_path);
	const char *missing = options->name == NULL		? "--name"
			      : options->control_socket == NULL ? "--control-socket"
			      : options->vhost_dir == NULL	? "--vhost-dir"
			      : options->state_path == NULL	? "--state"
								: NULL;

	if (missing != NULL) {
		snprintf(why, why_size, "%s is missing; give it", missing);
		return false;
	}
	if (options->name[0] == '\0') {
		snprintf(why, why_size, "--name is empty; give the end host's");
		return false;
	}
	if (!check_lldp(options, why, why_size))
		return false;
	if (strlen(options->vhost_dir) + sizeof("/vm-4094.sock") > socket_size) {
		snprintf(why, why_size,
			 "--vhost-dir %s is too long for a socket's path; give "
			 "another",
			 options->vhost_dir);
		return false;
	}
	return check_file("--control-socket", options->control_socket, socket_size, why,
			  why_size) &&
	       check_directory("--vhost-dir", options->vhost_dir, why, why_size) &&
	       check_file("--state", options->state_path, PATH_MAX - sizeof(".corrupt"), why,
			  why_size);
}

// An argument that is a number.
struct numeric {
	int option;
	const char *argument;
	unsigned min, max;
	size_t offset; // of the unsigned in struct options
};

static const struct numeric numerics[] = {
	{'i', "--idle-sleep-us", 0, IDLE_SLEEP_MAX_US, offsetof(struct options, idle_sleep_us)},
	{'m', "--mtu", MTU_MIN, MTU_MAX, offsetof(struct options, mtu)},
	{'b', "--buffers", BUFFERS_MIN, BUFFERS_MAX, offsetof(struct options, buffers)},
	{'l', "--lldp-interval", 0, LLDP_INTERVAL_S_MAX, offsetof(struct options, lldp_interval_s)},
	{'t', "--lldp-ttl", 1, LLDP_TTL_S_MAX, offsetof(struct options, lldp_ttl_s)},
	{'q', "--vm-buffers", 1, BUFFERS_MAX, offsetof(struct options, vm_buffers)},
};

static bool take_number(int option, const char *value, struct options *options, char *why,
			size_t why_size) {
	const struct numeric *numeric = numerics;

	while (numeric->option != option)
		numeric++;
	if (read_number(value, numeric->min, numeric->max,
			(unsigned *)((char *)options + numeric->offset)))
		return true;
	snprintf(why, why_size, "%s is %s; give %u to %u", numeric->argument, value, numeric->min,
		 numeric->max);
	return false;
}

static bool take_uplink_port(const char *value, struct options *options, char *why,
			     size_t why_size) {
	unsigned number;

	if (strcmp(value, "none") == 0) {
		options->uplink_port = UPLINK_NONE;
		return true;
	}
	if (read_number(value, 0, UPLINK_PORT_MAX, &number)) {
		options->uplink_port = (int)number;
		return true;
	}
	snprintf(why, why_size, "--uplink-port is %s; give 0 to %d, or none", value,
		 UPLINK_PORT_MAX);
	return false;
}

static bool take(int option, const char *value, struct options *options, char *why,
		 size_t why_size) {
	switch (option) {
	case 'n':
		options->name = value;
		return true;
	case 'c':
		options->control_socket = value;
		return true;
	case 'v':
		options->vhost_dir = value;
		return true;
	case 's':
		options->state_path = value;
		return true;
	case 'N':
		options->lldp_system_name = value;
		return true;
	case 'a':
		options->accept_untagged = true;
		return true;
	case 'u':
		return take_uplink_port(value, options, why, why_size);
	default:
		return take_number(option, value, options, why, why_size);
	}
}

enum options_found options_read(int argc, char *argv[], struct options *options, char *why,
				size_t why_size) {
	int option;

	*options = (struct options){
		.mtu = MTU_DEFAULT,
		.lldp_interval_s = LLDP_INTERVAL_S_DEFAULT,
		.lldp_ttl_s = LLDP_TTL_S_DEFAULT,
	};
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option == 'h')
			return OPTIONS_HELP;
		if (option == '?' || option == ':') {
			snprintf(why, why_size, "%s %s", argv[optind - 1],
				 option == ':' ? "needs a value" : "is not known; see --help");
			return OPTIONS_BAD;
		}
		if (!take(option, optarg, options, why, why_size))
			return OPTIONS_BAD;
	}
	if (optind < argc) {
		snprintf(why, why_size, "%s is not known; see --help", argv[optind]);
		return OPTIONS_BAD;
	}
	if (options->lldp_system_name == NULL)
		options->lldp_system_name = options->name;
	return check(options, why, why_size) ? OPTIONS_GOOD : OPTIONS_BAD;
}
