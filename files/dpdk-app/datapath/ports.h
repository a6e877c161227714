#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>

#include "core/drop.h"
#include "core/spec.h"
#include "datapath/counter.h"

enum {
	PORT_PATH_LEN = 108, // of a UNIX socket's address
	NOT_CONNECTED = -1,
};

// The switch's end of one VM's vhost-user connection.
struct port {
	// Which device of the vhost library, or NOT_CONNECTED. Written by its callbacks.
	_Atomic int device;
	uint16_t vm;
	uint8_t mac[MAC_LEN];
	bool qemu_serves;
	char path[PORT_PATH_LEN];

	struct traffic from_vm; // everything taken from the VM, dropped or not
	struct traffic to_vm;	// delivered
	struct counter drops[DROP_COUNT];
} __rte_cache_aligned;

// The ports that data cores see. Immutable while published.
struct port_set {
	struct port *by_vm[VM_COUNT];
	unsigned len;
	struct port *list[VM_COUNT]; // the same, dense
};

// The set as of now; a data core may use it until its next grace_quiet().
const struct port_set *ports_now(void);

// Opens a VM's socket in the directory and shows the port to the data cores.
//
// False: nothing has changed, and why says the cause and the way out.
bool ports_add(const struct port_spec *spec, const char *vhost_dir, char *why, size_t why_size);

// Closes a VM's socket and frees the port. No other port notices.
void ports_remove(uint16_t vm);

// The path of a VM's socket in this directory. False: too long for a UNIX socket.
bool port_path(char path[PORT_PATH_LEN], const char *vhost_dir, uint16_t vm);
