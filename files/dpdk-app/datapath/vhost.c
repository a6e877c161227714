#include "datapath/vhost.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_vhost.h>

#include "datapath/grace.h"

// Without these a guest can send only plain, finished frames: no checksum left to do, no segment
// left to cut, and one pair of queues.
static const uint64_t not_offered = 1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM |
				    1ULL << VIRTIO_NET_F_GUEST_TSO4 |
				    1ULL << VIRTIO_NET_F_GUEST_TSO6 |
				    1ULL << VIRTIO_NET_F_GUEST_ECN |
				    1ULL << VIRTIO_NET_F_GUEST_UFO |
				    1ULL << VIRTIO_NET_F_HOST_TSO4 |
				    1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_ECN |
				    1ULL << VIRTIO_NET_F_HOST_UFO | 1ULL << VIRTIO_NET_F_MQ;

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
	if (rte_vhost_driver_disable_features(port->path, not_offered) == 0 &&
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
