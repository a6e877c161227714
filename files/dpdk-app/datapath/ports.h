#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_config.h>

#include "core/drop.h"
#include "core/spec.h"
#include "datapath/counter.h"

enum {
	PORT_PATH_LEN = 108, // of a UNIX socket's address
	NOT_CONNECTED = -1,
	WORKERS_MAX = RTE_MAX_LCORE,
	MAC_TABLE_LEN = 2 * 4096, // a power of 2, above VM_COUNT
};

// The switch's end of one VM's vhost-user connection.
struct port {
	// Which device of the vhost library, or NOT_CONNECTED. Written by its callbacks.
	_Atomic int device;
	uint16_t vm;
	uint16_t worker; // number of the data core that owns the VM
	uint8_t mac[MAC_LEN];
	bool qemu_serves;
	char path[PORT_PATH_LEN];
	struct port *next; // of control, once removed

	// Written by the data core.
	struct traffic from_vm __rte_cache_aligned; // everything taken from the VM, dropped or not
	struct traffic to_vm;			    // delivered
	_Atomic uint32_t waiting;		    // frames of the VM in queues
	struct counter drops[DROP_COUNT];	    // only those with DROP_AT_VM
} __rte_cache_aligned;

// The ports that data cores see. Immutable while published.
struct port_set {
	struct port *by_vm[VM_COUNT];
	struct port *list[VM_COUNT];	 // the same, those of one data core in a row
	unsigned first[WORKERS_MAX + 1]; // where those of data core n begin in the list
	unsigned len;
	struct port *by_mac[MAC_TABLE_LEN]; // open addressing, see ports_by_mac()
};

// The set as of now; a data core may use it until its next grace_quiet().
const struct port_set *ports_now(void);

// The port with this MAC, or NULL.
struct port *ports_by_mac(const struct port_set *ports, const uint8_t mac[MAC_LEN]);

// Opens a VM's socket in the directory and shows the port to the data cores, of which the one with
// the fewest ports gets it.
//
// False: nothing has changed, and why says the cause and the way out.
bool ports_add(const struct port_spec *spec, const char *vhost_dir, char *why, size_t why_size);

// Closes a VM's socket and takes the port away. No other port notices. What frames of the VM are
// still in queues of its rules, which have been removed already, needs the port a little longer.
void ports_remove(uint16_t vm);

// Frees removed ports that no frame needs any more; for control, now and then.
void ports_reclaim(void);

// The path of a VM's socket in this directory. False: too long for a UNIX socket.
bool port_path(char path[PORT_PATH_LEN], const char *vhost_dir, uint16_t vm);
