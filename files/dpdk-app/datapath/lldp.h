#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/worker.h"

// LLDP frames between the uplink and control: data cores hand on what comes in, as much as control
// has time for, and send what it gives them.
//
// Frames of neighbours that control knows are always handed on, while a core hands on few of
// strangers. So a flood of made-up neighbours costs control next to nothing, and those it knows do
// not time out meanwhile.

// For a data core: takes a frame from the uplink that is LLDP's.
void lldp_take(struct worker *worker, struct rte_mbuf *frame);

// For a data core: sends a frame of control's.
void lldp_leave(struct worker *worker, struct rte_mbuf *frame);

// For control: copies the next frame that a data core has taken, one that lldp_read() reads.
// Returns its length, at most LLDP_FRAME_MAX; 0: there is none.
size_t lldp_next(unsigned worker, uint8_t *data);

// For control: has a frame sent by the uplink, which is there. False: no room; nothing is sent.
bool lldp_send(const uint8_t *data, size_t len);

// For control: the hash of the neighbour in a place of its table; 0: there is none.
void lldp_know(unsigned place, uint64_t hash);
