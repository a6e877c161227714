#include "control/counters.h"

#include "datapath/workers_control.h"

void put_traffic(struct writer *writer, const char *key, uint64_t packets, uint64_t bytes) {
	put_object(writer, key);
	put_integer(writer, "packets", (int64_t)packets);
	put_integer(writer, "bytes", (int64_t)bytes);
	end_object(writer);
}

static void put_counted(struct writer *writer, const char *key, const struct traffic *traffic) {
	put_traffic(writer, key, counter_read(&traffic->packets), counter_read(&traffic->bytes));
}

// Those reasons that are counted there, DROP_AT_....
static void put_drops(struct writer *writer, const uint64_t drops[DROP_COUNT], unsigned where) {
	put_object(writer, "drops");
	for (unsigned i = 0; i < DROP_COUNT; i++)
		if (drop_info[i].where & where)
			put_integer(writer, drop_info[i].name, (int64_t)drops[i]);
	end_object(writer);
}

void put_port_counters(struct writer *writer, const struct port *port) {
	uint64_t drops[DROP_COUNT];

	for (unsigned i = 0; i < DROP_COUNT; i++)
		drops[i] = counter_read(&port->drops[i]);
	put_integer(writer, "vm", port->vm);
	put_integer(writer, "core", workers_get(port->worker)->lcore);
	put_counted(writer, "from_vm", &port->from_vm);
	put_counted(writer, "to_vm", &port->to_vm);
	put_drops(writer, drops, DROP_AT_VM);
	put_integer(writer, "buffers", atomic_load(&port->waiting));
}

void put_uplink_counters(struct writer *writer) {
	struct uplink_counters counters;

	uplink_counters_read(&counters);
	put_traffic(writer, "received", counters.received_packets, counters.received_bytes);
	put_traffic(writer, "sent", counters.sent_packets, counters.sent_bytes);
	put_object(writer, "lldp");
	put_integer(writer, "received", (int64_t)counters.lldp_received);
	put_integer(writer, "sent", (int64_t)counters.lldp_sent);
	end_object(writer);
	put_drops(writer, counters.drops, DROP_AT_UPLINK);
}

void put_worker_counters(struct writer *writer, const struct worker *worker) {
	const uint64_t packets = counter_read(&worker->packets);
	uint64_t busy = 0;

	put_integer(writer, "core", worker->lcore);
	put_integer(writer, "polls", (int64_t)counter_read(&worker->polls));
	put_integer(writer, "busy_polls", (int64_t)counter_read(&worker->busy_polls));
	put_integer(writer, "packets", (int64_t)packets);
	put_object(writer, "cycles");
	for (unsigned i = 0; i < STAGE_COUNT; i++) {
		const uint64_t cycles = counter_read(&worker->cycles[i]);

		put_integer(writer, stage_names[i], (int64_t)cycles);
		busy += i != STAGE_IDLE ? cycles : 0;
	}
	end_object(writer);
	if (packets > 0)
		put_integer(writer, "cycles_per_packet", (int64_t)(busy / packets));
	else
		put_null(writer, "cycles_per_packet");
}

static void put_delay(struct writer *writer, const struct rule_counters *counters) {
	uint64_t count = 0;

	for (unsigned i = 0; i < DELAY_BUCKETS; i++)
		count += counters->delays[i];
	put_object(writer, "delay");
	put_integer(writer, "count", (int64_t)count);
	put_integer(writer, "max_ns", (int64_t)counters->delay_max_ns);
	put_list(writer, "buckets");
	for (unsigned i = 0; i < DELAY_BUCKETS; i++) {
		if (counters->delays[i] == 0)
			continue;
		put_object(writer, NULL);
		if (delay_bucket_ns[i] != UINT64_MAX)
			put_integer(writer, "le_ns", (int64_t)delay_bucket_ns[i]);
		else
			put_null(writer, "le_ns");
		put_integer(writer, "count", (int64_t)counters->delays[i]);
		end_object(writer);
	}
	end_list(writer);
	end_object(writer);
}

void put_rule_counters(struct writer *writer, const struct rule_state *state) {
	struct rule_counters counters;

	rule_counters_read(state, &counters);
	put_integer(writer, "packets", (int64_t)counters.packets);
	put_integer(writer, "bytes", (int64_t)counters.bytes);
	put_drops(writer, counters.drops, DROP_AT_RULE);
	put_traffic(writer, "queue", counters.queue_packets, counters.queue_bytes);
	put_delay(writer, &counters);
}
