#pragma once

#include "control/writer.h"
#include "datapath/counter.h"
#include "datapath/ports.h"
#include "datapath/rules.h"
#include "datapath/worker.h"

// Counters as JSON: each writes members into an object that is open.

void put_traffic(struct writer *writer, const char *key, uint64_t packets, uint64_t bytes);
void put_port_counters(struct writer *writer, const struct port *port);
void put_uplink_counters(struct writer *writer);
void put_worker_counters(struct writer *writer, const struct worker *worker);
void put_rule_counters(struct writer *writer, const struct rule_state *state);
