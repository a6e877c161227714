#pragma once

#include <stddef.h>
#include <stdint.h>

#include "control/writer.h"
#include "datapath/ports.h"

// Says step by step what the data path would do with a frame now, by the same functions. Nothing is
// sent, charged or counted. Each writes a result as docs/switch-api.json has it; the frame has
// TAGS_SIZE bytes of headroom.
void trace_from_vm(struct writer *result, const struct port *port, uint8_t *frame, size_t len);
void trace_from_uplink(struct writer *result, uint8_t *frame, size_t len);
