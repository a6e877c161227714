#include "control/control_frames.h"

#include <string.h>

#include "control/change.h"
#include "control/rule_equal.h"
#include "core/control_frame.h"
#include "datapath/ports.h"
#include "datapath/rules.h"
#include "datapath/worker.h"
#include "datapath/workers_control.h"

// The status of an acknowledgement.
enum {
	STATUS_DONE = 0,
	STATUS_MALFORMED = 1,
	STATUS_REFUSED = 2,
};

enum {
	FRAMES_PER_TICK = 16, // the next ones wait in the ring
	FRAME_MAX_LEN = 2048, // longer ones are cut: what counts is in their first 106 bytes
};

// Takes away the rule in the slot, and puts the wanted one there if there is one.
static bool change_slot(struct control *control, const struct rule_spec *slot_owner,
			const struct rule_spec *wanted, struct rpc_error *error) {
	struct match old = {0};
	const bool had = store_slot(control->store, slot_owner->vm, slot_owner->slot, &old);
	const bool moves = had && (wanted == NULL || match_compare(&old, &wanted->match) != 0);
	const struct rules_edit edit = {
		.vm = slot_owner->vm,
		.unset_len = moves ? 1 : 0,
		.unset = &old,
		.set_len = wanted != NULL ? 1 : 0,
		.set = wanted,
	};

	return (edit.unset_len == 0 && edit.set_len == 0) || change_rules(control, &edit, 1, error);
}

static bool is_there(const struct rule_spec *wanted) {
	const struct rule *rule = rules_find(wanted->vm, &wanted->match);
	struct rule_spec present;

	if (rule == NULL)
		return false;
	rule_read(wanted->vm, rule, &present);
	return rule_equal(wanted, &present);
}

static bool serve(struct control *control, const struct control_frame *frame,
		  struct rpc_error *error) {
	if (ports_now()->by_vm[frame->rule.vm] == NULL)
		return rpc_fail(error, RPC_NOT_FOUND, "VM %u has no port", frame->rule.vm);
	if (frame->clears)
		return change_slot(control, &frame->rule, NULL, error);
	return is_there(&frame->rule) || change_slot(control, &frame->rule, &frame->rule, error);
}

static void answer(struct control *control, const uint8_t *data, size_t len) {
	const struct port *port = ports_now()->by_vm[CONTROL_VM];
	struct rpc_error error = {.index = RPC_NO_INDEX};
	uint8_t status = STATUS_MALFORMED;
	uint8_t ack[CONTROL_ACK_LEN];
	struct control_frame frame;
	const char *reason = control_frame_read(data, len, &frame);

	if (reason == NULL) {
		const bool good = serve(control, &frame, &error);

		status = good ? STATUS_DONE : STATUS_REFUSED;
		reason = good ? "" : error.message;
	}
	if (port == NULL)
		return;
	control_frame_ack(&frame, port->mac, status, reason, ack);
	control_frame_send(CONTROL_VM, ack,
			   sizeof(ack)); // a guest that does not listen is no fault
}

void control_frames_serve(struct control *control) {
	uint8_t data[FRAME_MAX_LEN];

	for (unsigned i = 0; i < FRAMES_PER_TICK; i++) {
		const size_t len = control_frame_next(data, sizeof(data));

		if (len == 0)
			return;
		answer(control, data, len);
	}
}
