#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The switch's own arguments: those behind the EAL's and "--".
struct options {
	const char *name;
	const char *control_socket;
	const char *vhost_dir;
	const char *state_path;
	unsigned idle_sleep_us; // 0: never sleep
	int uplink_port;	// of DPDK, or UPLINK_NONE
	unsigned mtu;		// of the guests
	unsigned buffers;	// frames; 0: BUFFERS_PER_CORE for each data core
	unsigned vm_buffers;	// frames of one VM that may wait; 0: as many as is fair
	bool accept_untagged;
	unsigned lldp_interval_s; // 0: no frames are sent
	unsigned lldp_ttl_s;	  // for which neighbours remember the switch
	const char *lldp_system_name;
};

enum {
	UPLINK_NONE = -1,
	MTU_DEFAULT = 1500,
	BUFFERS_PER_CORE = 16383,
	LLDP_INTERVAL_S_DEFAULT = 30,
	LLDP_TTL_S_DEFAULT = 120,
};

extern const char options_usage[];

enum options_found {
	OPTIONS_GOOD,
	OPTIONS_HELP,
	OPTIONS_BAD, // why says argument, value, cause and way out
};

// argv[0] is passed over. Paths are checked: their directories exist and can be written.
enum options_found options_read(int argc, char *argv[], struct options *options, char *why,
				size_t why_size);
