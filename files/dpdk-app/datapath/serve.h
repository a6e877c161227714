#pragma once

#include "datapath/worker.h"

// What a data core does in each turn. Each returns how many frames moved.

// Frames whose time has come leave their queues.
unsigned serve_queues(struct worker *worker);

// Frames for its VMs that other cores received.
unsigned serve_inbox(struct worker *worker);

// Frames of its share of the uplink's receive queues.
unsigned serve_uplink(struct worker *worker);

// Frames of one of its VMs.
unsigned serve_vm(struct worker *worker, struct port *port);
