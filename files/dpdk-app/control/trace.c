#include "control/trace.h"

#include "control/codec.h"
#include "control/trace_shape.h"
#include "core/frame.h"
#include "core/lldp.h"
#include "core/tags.h"
#include "datapath/rules.h"
#include "datapath/worker.h"

// A frame on its way: each step writes its object into the open list, and may end the way.
struct trace {
	struct writer *result;
	const struct worker_terms *terms;
	uint8_t *frame;
	size_t len;
	enum drop drop;		 // KEEP as long as it goes on
	const struct rule *rule; // or NULL
	uint16_t rule_vm;
	uint64_t delay_ns;
};

static struct trace begin(struct writer *result, uint8_t *frame, size_t len) {
	put_object(result, NULL);
	put_list(result, "steps");
	return (struct trace){
		.result = result,
		.terms = workers_get(0)->terms,
		.frame = frame,
		.len = len,
		.drop = KEEP,
	};
}

static void begin_step(const struct trace *trace, const char *stage) {
	put_object(trace->result, NULL);
	put_string(trace->result, "stage", stage);
}

// Returns whether the frame goes on.
static bool end_step(struct trace *trace, enum drop drop) {
	if (drop != KEEP)
		put_string(trace->result, "drop", drop_info[drop].name);
	end_object(trace->result);
	trace->drop = drop;
	return drop == KEEP;
}

// What rules can tell frames apart by.
static void put_read(struct writer *result, const struct match_key *key) {
	const bool is_ipv6 = key->ether_type == ETHER_IPV6;
	const uint16_t family = is_ipv6 ? ETHER_IPV6 : ETHER_IPV4;

	put_mac(result, "destination_mac", key->destination_mac);
	put_integer(result, "ether_type", key->ether_type);
	if (key->kind & KIND_IP)
		put_integer(result, "protocol", key->protocol);
	if (key->kind & (KIND_IP | KIND_NEIGHBOUR)) {
		put_address(result, "source_ip", family, key->source_ip);
		put_address(result, "destination_ip", family, key->destination_ip);
		put_integer(result, "source_port", key->source_port);
		put_integer(result, "destination_port", key->destination_port);
	}
	put_boolean(result, "fragment", key->kind & KIND_FRAGMENT);
	put_boolean(result, "neighbour", key->kind & KIND_NEIGHBOUR);
}

static bool step_read(struct trace *trace, const struct port *port, struct match_key *key) {
	const enum drop drop = frame_from_vm(trace->frame, trace->len, port->mac, key);
	const bool refused = drop == KEEP && key->ether_type == ETHER_CONTROL &&
			     port->vm != CONTROL_VM;

	begin_step(trace, "read");
	if (drop == KEEP)
		put_read(trace->result, key);
	return end_step(trace, refused ? DROP_CONTROL_ROLE : drop);
}

static bool step_match(struct trace *trace, uint16_t vm, const struct match_key *key) {
	struct rule_spec spec;

	rules_match(rules_now()->by_vm[vm], key, 1, &trace->rule);
	begin_step(trace, "match");
	if (trace->rule == NULL)
		return end_step(trace, frame_unmatched(key));
	trace->rule_vm = vm;
	rule_read(vm, trace->rule, &spec);
	put_object(trace->result, "rule");
	put_rule(trace->result, &spec);
	end_object(trace->result);
	return end_step(trace, KEEP);
}

static enum drop too_long(const struct trace *trace) {
	const bool is_up = trace->rule->destination_vm == TO_UPLINK;
	const size_t most = is_up ? trace->terms->uplink->max_frame
				  : (size_t)trace->terms->mtu + ETHER_HEADER_LEN;

	if (is_up && !trace->terms->uplink->present)
		return DROP_NO_UPLINK;
	return trace->len + trace->rule->tags_len > most ? DROP_OVERSIZE : KEEP;
}

static bool step_shape(struct trace *trace, const struct port *port) {
	struct writer *result = trace->result;
	enum drop drop = too_long(trace);
	struct verdict verdict;

	begin_step(trace, "shape");
	if (drop == KEEP) {
		trace_shape(port, trace->rule, trace->len, &verdict);
		drop = verdict.drop;
		trace->delay_ns = verdict.delay_ns;
		put_integer(result, "bits", (int64_t)verdict.bits);
		if (trace->rule->mode != SHAPE_OFF)
			put_integer(result, "level_bits", (int64_t)verdict.level);
		else
			put_null(result, "level_bits");
		put_integer(result, "queue_packets", verdict.queue_packets);
		put_integer(result, "queue_bytes", verdict.queue_bytes);
		put_integer(result, "delay_ns", (int64_t)verdict.delay_ns);
	}
	return end_step(trace, drop);
}

static void step_tag(struct trace *trace) {
	const struct rule *rule = trace->rule;

	trace->frame = tags_push(trace->frame, rule->tags, rule->tags_len);
	trace->len += rule->tags_len;
	begin_step(trace, "tag");
	put_integer(trace->result, "tags", rule->tags_len / TAG_LEN);
	put_integer(trace->result, "bytes", (int64_t)trace->len);
	end_step(trace, KEEP);
}

static void put_output(struct writer *result, uint16_t vm) {
	if (vm == TO_UPLINK) {
		put_string(result, "output", "uplink");
		return;
	}
	put_object(result, "output");
	put_integer(result, "vm", vm);
	end_object(result);
}

static bool step_deliver(struct trace *trace, uint16_t vm) {
	const struct port *port = vm <= VM_MAX ? ports_now()->by_vm[vm] : NULL;
	enum drop drop = KEEP;

	if (vm != TO_UPLINK && port == NULL)
		drop = DROP_UNKNOWN_VM;
	else if (port != NULL && !frame_is_for(trace->frame, port->mac))
		drop = DROP_DESTINATION_MAC;
	else if (port != NULL && atomic_load(&port->device) == NOT_CONNECTED)
		drop = DROP_NOT_CONNECTED;
	begin_step(trace, "deliver");
	put_output(trace->result, vm);
	return end_step(trace, drop);
}

static void put_rule_identity(const struct trace *trace) {
	struct rule_spec spec;

	rule_read(trace->rule_vm, trace->rule, &spec);
	put_object(trace->result, "rule");
	put_identity(trace->result, spec.vm, &spec.match);
	end_object(trace->result);
}

// Closes the list of steps, and says what came of them.
static void conclude(const struct trace *trace) {
	struct writer *result = trace->result;

	end_list(result);
	put_string(result, "verdict",
		   trace->drop != KEEP	 ? "dropped"
		   : trace->delay_ns > 0 ? "delayed"
					 : "sent");
	if (trace->drop != KEEP)
		put_string(result, "drop", drop_info[trace->drop].name);
	if (trace->rule != NULL)
		put_rule_identity(trace);
	if (trace->drop == KEEP) {
		put_integer(result, "delay_ns", (int64_t)trace->delay_ns);
		put_hex(result, "frame", trace->frame, trace->len);
	}
}

void trace_from_vm(struct writer *result, const struct port *port, uint8_t *frame, size_t len) {
	struct trace trace = begin(result, frame, len);
	struct match_key key;
	uint16_t output = TO_UPLINK;
	bool is_control = false;

	if (step_read(&trace, port, &key)) {
		is_control = key.ether_type == ETHER_CONTROL;
		if (!is_control && step_match(&trace, port->vm, &key) && step_shape(&trace, port)) {
			output = trace.rule->destination_vm;
			step_tag(&trace);
			step_deliver(&trace, output);
		}
	}
	conclude(&trace);
	if (trace.drop == KEEP && is_control)
		put_string(result, "output", "control");
	else if (trace.drop == KEEP)
		put_output(result, output);
	end_object(result);
}

static bool step_read_arrival(struct trace *trace, uint16_t *vm, bool *is_lldp) {
	struct arrival arrival;
	struct lldp_heard heard;
	enum drop drop = frame_from_uplink(trace->frame, trace->len, &arrival);
	const struct port *port = NULL;

	*is_lldp = drop == KEEP && arrival.lldp;
	if (*is_lldp) {
		if (!lldp_read(trace->frame, trace->len, &heard))
			drop = DROP_MALFORMED;
	} else if (drop == KEEP && !arrival.tagged) {
		if (trace->terms->accept_untagged)
			port = ports_by_mac(ports_now(), arrival.destination_mac);
		drop = port != NULL ? KEEP : DROP_UNTAGGED;
	}
	begin_step(trace, "read");
	if (drop == KEEP) {
		*vm = port != NULL ? port->vm : arrival.vm;
		put_boolean(trace->result, "tagged", arrival.tagged);
		if (!*is_lldp)
			put_integer(trace->result, "vm", *vm);
	}
	if (drop == KEEP && arrival.tagged) {
		trace->frame = tags_strip(trace->frame);
		trace->len -= TAG_LEN;
	}
	return end_step(trace, drop);
}

void trace_from_uplink(struct writer *result, uint8_t *frame, size_t len) {
	struct trace trace = begin(result, frame, len);
	uint16_t vm = 0;
	bool is_lldp;

	if (step_read_arrival(&trace, &vm, &is_lldp) && !is_lldp)
		step_deliver(&trace, vm);
	conclude(&trace);
	if (trace.drop == KEEP && is_lldp)
		put_string(result, "output", "control");
	else if (trace.drop == KEEP)
		put_output(result, vm);
	end_object(result);
}
