#include "datapath/vhost.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_net.h>
#include <rte_vhost.h>

#include "datapath/grace.h"
#include "datapath/vhost_messages.h"

// Without these a guest can send only plain, finished frames: no checksum left to do, no segment
// left to cut, and one pair of queues.
static const uint64_t offloads = 1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM |
				 1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6 |
				 1ULL << VIRTIO_NET_F_GUEST_ECN | 1ULL << VIRTIO_NET_F_GUEST_UFO |
				 1ULL << VIRTIO_NET_F_HOST_TSO4 | 1ULL << VIRTIO_NET_F_HOST_TSO6 |
				 1ULL << VIRTIO_NET_F_HOST_ECN | 1ULL << VIRTIO_NET_F_HOST_UFO;
static const uint64_t several_queues = 1ULL << VIRTIO_NET_F_MQ;

// Open ports by VM: the callbacks of the library's thread find theirs here.
static struct port *open_ports[VM_COUNT];
static pthread_mutex_t open_ports_lock = PTHREAD_MUTEX_INITIALIZER;

static struct port *find_locked(int device) {
	char path[PORT_PATH_LEN];

	if (rte_vhost_get_ifname(device, path, sizeof(path)) != 0)
		return NULL;
	for (unsigned vm = 0; vm < VM_COUNT; vm++)
		if (open_ports[vm] != NULL && strcmp(open_ports[vm]->path, path) == 0)
			return open_ports[vm];
	return NULL;
}

// The newest connection of a socket has the port: a guest that was killed and started again does
// not wait until its predecessor's end is noticed.
static int on_connect(int device) {
	pthread_mutex_lock(&open_ports_lock);
	struct port *port = find_locked(device);

	if (port != NULL) {
		// Data cores poll: kicks from the guest would only cost it time.
		rte_vhost_enable_guest_notification(device, 0, 0);
		rte_vhost_enable_guest_notification(device, 1, 0);
		atomic_store_explicit(&port->device, device, memory_order_release);
	}
	pthread_mutex_unlock(&open_ports_lock);
	return port != NULL ? 0 : -1;
}

static void on_disconnect(int device) {
	pthread_mutex_lock(&open_ports_lock);
	struct port *port = find_locked(device);
	int expected = device;

	if (port != NULL)
		atomic_compare_exchange_strong(&port->device, &expected, NOT_CONNECTED);
	pthread_mutex_unlock(&open_ports_lock);

	// The library takes the guest's memory away as soon as this returns.
	grace_wait();
}

static const struct rte_vhost_device_ops callbacks = {
	.new_connection = vhost_messages_guard,
	.new_device = on_connect,
	.destroy_device = on_disconnect,
};

// A switch that was killed leaves its sockets behind.
static bool remove_stale_socket(const char *path, char *why, size_t why_size) {
	struct stat found;

	if (lstat(path, &found) != 0)
		return true; // nothing there; any other cause shows when the socket is made
	if (!S_ISSOCK(found.st_mode)) {
		snprintf(why, why_size, "%s is not a socket; move it away", path);
		return false;
	}
	if (unlink(path) != 0) {
		snprintf(why, why_size,
			 "cannot remove the stale socket %s: %s; "
			 "give its directory to the user of the switch",
			 path, strerror(errno));
		return false;
	}
	return true;
}

static void set_open(uint16_t vm, struct port *port) {
	pthread_mutex_lock(&open_ports_lock);
	open_ports[vm] = port;
	pthread_mutex_unlock(&open_ports_lock);
}

bool vhost_open(struct port *port, char *why, size_t why_size) {
	const uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS |
			       (port->qemu_serves ? RTE_VHOST_USER_CLIENT : 0);

	if (!port->qemu_serves && !remove_stale_socket(port->path, why, why_size))
		return false;

	if (rte_vhost_driver_register(port->path, flags) != 0) {
		snprintf(why, why_size, "the vhost library has no room for %s; remove a port",
			 port->path);
		return false;
	}

	set_open(port->vm, port);
	if (rte_vhost_driver_disable_features(port->path, offloads | several_queues) == 0 &&
	    vhost_messages_limit(port->path) &&
	    rte_vhost_driver_callback_register(port->path, &callbacks) == 0 &&
	    rte_vhost_driver_start(port->path) == 0)
		return true;

	snprintf(why, why_size, "cannot serve %s: %s; check its directory's owner and free space",
		 port->path, strerror(errno));
	vhost_close(port);
	return false;
}

void vhost_close(struct port *port) {
	rte_vhost_driver_unregister(port->path);
	set_open(port->vm, NULL);
}

static bool has(uint64_t bits, unsigned feature) {
	return (bits >> feature & 1) != 0;
}

static bool read_features(int device, struct port_features *features) {
	struct rte_vhost_vring to_vm, from_vm;

	*features = (struct port_features){0};
	if (rte_vhost_get_negotiated_features(device, &features->bits) != 0 ||
	    rte_vhost_get_vhost_vring(device, QUEUE_TO_VM, &to_vm) != 0 ||
	    rte_vhost_get_vhost_vring(device, QUEUE_FROM_VM, &from_vm) != 0)
		return false;

	features->ring_to_vm = to_vm.size;
	features->ring_from_vm = from_vm.size;
	features->packed_ring = has(features->bits, VIRTIO_F_RING_PACKED);
	features->mergeable_buffers = has(features->bits, VIRTIO_NET_F_MRG_RXBUF);
	features->indirect_descriptors = has(features->bits, VIRTIO_RING_F_INDIRECT_DESC);
	features->virtio_1 = has(features->bits, VIRTIO_F_VERSION_1);
	features->offloads = (features->bits & offloads) != 0;
	rte_vhost_get_mtu(device, &features->mtu);
	return true;
}

bool vhost_features(const struct port *port, struct port_features *features) {
	// on_disconnect() waits for this lock, and the library for on_disconnect().
	pthread_mutex_lock(&open_ports_lock);
	const int device = atomic_load(&port->device);
	const bool known = device != NOT_CONNECTED && read_features(device, features);

	pthread_mutex_unlock(&open_ports_lock);
	return known;
}
