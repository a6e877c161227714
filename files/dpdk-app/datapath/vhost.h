#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/ports.h"

// As the guest sees them: its receive and its transmit queue.
enum { QUEUE_TO_VM, QUEUE_FROM_VM };

// The most frames that one call of DPDK's library moves.
enum { VHOST_BURST = 32 };

// Starts to serve (or to connect to) the socket of a port; port->device follows the guest's coming
// and going. The port has to stay until vhost_close(). False: why says the cause and the way out.
bool vhost_open(struct port *port, char *why, size_t why_size);

// Ends the connection. On return no data core uses the port's device any more.
void vhost_close(struct port *port);

// What switch and guest agreed on.
struct port_features {
	uint64_t bits;		// as negotiated, virtio 1.1, clause 5.1.3 and 6
	bool packed_ring;	// else split
	bool mergeable_buffers; // a frame may take several of the guest's buffers
	bool indirect_descriptors;
	bool virtio_1;	     // else legacy
	bool offloads;	     // checksum or segmentation, either way: never true
	uint16_t ring_to_vm; // descriptors
	uint16_t ring_from_vm;
	uint16_t mtu; // that QEMU told the guest, or 0
};

// False: no guest is connected.
bool vhost_features(const struct port *port, struct port_features *features);
