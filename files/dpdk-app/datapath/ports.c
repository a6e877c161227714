#include "datapath/ports.h"

#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>

#include "datapath/grace.h"
#include "datapath/vhost.h"

// One is published, the other is where control makes the next.
static struct port_set sets[2];
static _Atomic(struct port_set *) published = &sets[0];

const struct port_set *ports_now(void) {
	return atomic_load_explicit(&published, memory_order_acquire);
}

// Publishes the ports of now without those of this VM, and with this one if there is one.
static void publish(uint16_t vm, struct port *added) {
	struct port_set *now = atomic_load(&published);
	struct port_set *next = now == &sets[0] ? &sets[1] : &sets[0];

	memset(next, 0, sizeof(*next));
	for (unsigned i = 0; i < now->len; i++) {
		if (now->list[i]->vm != vm) {
			next->list[next->len++] = now->list[i];
			next->by_vm[now->list[i]->vm] = now->list[i];
		}
	}
	if (added != NULL) {
		next->list[next->len++] = added;
		next->by_vm[vm] = added;
	}

	atomic_store(&published, next);
	grace_wait();
}

bool port_path(char path[PORT_PATH_LEN], const char *vhost_dir, uint16_t vm) {
	return snprintf(path, PORT_PATH_LEN, "%s/vm-%02u.sock", vhost_dir, vm) < PORT_PATH_LEN;
}

bool ports_add(const struct port_spec *spec, const char *vhost_dir, char *why, size_t why_size) {
	struct port *port = rte_zmalloc("port", sizeof(*port), RTE_CACHE_LINE_SIZE);

	if (port == NULL) {
		snprintf(why, why_size, "no memory left; reserve more hugepages");
		return false;
	}

	atomic_init(&port->device, NOT_CONNECTED);
	port->vm = spec->vm;
	port->qemu_serves = spec->qemu_serves;
	memcpy(port->mac, spec->mac, MAC_LEN);
	if (!port_path(port->path, vhost_dir, spec->vm)) {
		snprintf(why, why_size, "%s is too long a name; choose another --vhost-dir",
			 vhost_dir);
		rte_free(port);
		return false;
	}
	if (!vhost_open(port, why, why_size)) {
		rte_free(port);
		return false;
	}

	publish(port->vm, port);
	return true;
}

void ports_remove(uint16_t vm) {
	struct port *port = ports_now()->by_vm[vm];

	vhost_close(port);
	publish(vm, NULL);
	rte_free(port);
}
