#include "datapath/ports.h"

#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>

#include "datapath/grace.h"
#include "datapath/vhost.h"
#include "datapath/worker.h"

// One is published, the other is where control makes the next.
static struct port_set sets[2];
static _Atomic(struct port_set *) published = &sets[0];

// Removed ports some of whose frames are still in queues.
static struct port *leaving;

const struct port_set *ports_now(void) {
	return atomic_load_explicit(&published, memory_order_acquire);
}

static unsigned mac_slot(const uint8_t mac[MAC_LEN]) {
	uint64_t bits = 0;

	memcpy(&bits, mac, MAC_LEN);
	return (unsigned)(bits * 0x9e3779b97f4a7c15 >> 32) % MAC_TABLE_LEN;
}

struct port *ports_by_mac(const struct port_set *ports, const uint8_t mac[MAC_LEN]) {
	unsigned slot = mac_slot(mac);

	while (ports->by_mac[slot] != NULL && memcmp(ports->by_mac[slot]->mac, mac, MAC_LEN) != 0)
		slot = (slot + 1) % MAC_TABLE_LEN;
	return ports->by_mac[slot];
}

static void index_mac(struct port_set *set, struct port *port) {
	unsigned slot = mac_slot(port->mac);

	while (set->by_mac[slot] != NULL)
		slot = (slot + 1) % MAC_TABLE_LEN;
	set->by_mac[slot] = port;
}

// Fills the set, whose by_vm is made, with the other views of it.
static void index_ports(struct port_set *set) {
	set->len = 0;
	memset(set->by_mac, 0, sizeof(set->by_mac));
	for (unsigned worker = 0; worker < workers_len(); worker++) {
		set->first[worker] = set->len;
		for (unsigned vm = 0; vm < VM_COUNT; vm++) {
			struct port *port = set->by_vm[vm];

			if (port == NULL || port->worker != worker)
				continue;
			set->list[set->len++] = port;
			index_mac(set, port);
		}
	}
	set->first[workers_len()] = set->len;
}

// Publishes the ports of now with this one, or none, as the VM's.
static void publish(uint16_t vm, struct port *port) {
	struct port_set *now = atomic_load(&published);
	struct port_set *next = now == &sets[0] ? &sets[1] : &sets[0];

	memcpy(next->by_vm, now->by_vm, sizeof(next->by_vm));
	next->by_vm[vm] = port;
	index_ports(next);
	atomic_store(&published, next);
	grace_wait();
}

// The data core where the uplink's frames for the VM arrive, else the one with the fewest ports.
static uint16_t choose_worker(uint16_t vm) {
	const struct port_set *ports = ports_now();
	unsigned best = 0;

	if (vm < workers_get(0)->terms->uplink->steered_vms)
		return (uint16_t)(vm % workers_len());
	for (unsigned i = 1; i < workers_len(); i++)
		if (ports->first[i + 1] - ports->first[i] <
		    ports->first[best + 1] - ports->first[best])
			best = i;
	return (uint16_t)best;
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
	port->worker = choose_worker(spec->vm);
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

void ports_reclaim(void) {
	for (struct port **at = &leaving; *at != NULL;) {
		struct port *port = *at;

		if (atomic_load(&port->waiting) > 0) {
			at = &port->next;
			continue;
		}
		*at = port->next;
		grace_wait();
		rte_free(port);
	}
}

void ports_remove(uint16_t vm) {
	struct port *port = ports_now()->by_vm[vm];

	vhost_close(port);
	publish(vm, NULL);
	port->next = leaving;
	leaving = port;
	ports_reclaim();
}
