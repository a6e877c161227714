#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "control/decode.h"
#include "control/methods.h"
#include "control/packet.h"
#include "control/trace.h"
#include "core/tags.h"
#include "datapath/ports.h"

enum { HAS_VM, HAS_UPLINK, HAS_FRAME, HAS_PACKET, MEMBERS };

struct params {
	uint32_t given;
	int64_t vm;
	bool uplink;
	const char *frame;
	json_t *packet;
};

static bool read_packet(json_t *value, const struct member *member, void *into,
			struct rpc_error *error) {
	struct params *params = into;

	if (!json_is_object(value))
		return decode_refuse_member(value, member, error);
	params->packet = value;
	return true;
}

static const struct member members[MEMBERS] = {
	[HAS_VM] = {"vm", decode_integer, offsetof(struct params, vm), 0, VM_MAX, NULL, false},
	[HAS_UPLINK] = {"uplink", decode_boolean, offsetof(struct params, uplink), 0, 0,
			"true, for a frame from the uplink", false},
	[HAS_FRAME] = {"frame", decode_string, offsetof(struct params, frame), 0, 0,
		       "the frame's bytes in hexadecimal, without FCS", false},
	[HAS_PACKET] = {"packet", read_packet, 0, 0, 0, "an object with the packet's fields",
			false},
};

// Returns the length; 0: *error is filled.
static size_t read_hex(const char *text, uint8_t frame[PACKET_MAX], struct rpc_error *error) {
	const size_t digits = strlen(text);
	const size_t len = digits / 2;

	if (digits == 0 || digits % 2 != 0 || len > PACKET_MAX) {
		rpc_fail(error, RPC_INVALID_PARAMS,
			 "frame has %zu digits; give an even number, from 2 to %d", digits,
			 2 * PACKET_MAX);
		return 0;
	}
	for (size_t i = 0; i < digits; i++) {
		const char digit = text[i];

		if (!isxdigit((unsigned char)digit)) {
			rpc_fail(error, RPC_INVALID_PARAMS,
				 "frame has no hexadecimal digit at place %zu; give 0-9 and a-f",
				 i);
			return 0;
		}
		const unsigned value = (unsigned)(isdigit((unsigned char)digit)
							  ? digit - '0'
							  : tolower(digit) - 'a' + 10);

		frame[i / 2] = (uint8_t)(frame[i / 2] << 4 | value);
	}
	return len;
}

static bool has(const struct params *params, unsigned member) {
	return params->given >> member & 1;
}

static bool read_params(json_t *json, struct params *params, const struct port **port,
			struct rpc_error *error) {
	*params = (struct params){0};
	if (!decode_object(json, members, MEMBERS, params, &params->given, error))
		return false;
	if (has(params, HAS_VM) == params->uplink)
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"a frame comes from one place; give vm, or uplink: true");
	if (has(params, HAS_FRAME) == has(params, HAS_PACKET))
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"there has to be one frame; give frame, or packet");
	if (params->uplink && has(params, HAS_PACKET))
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"a packet is what a VM sends; give frame, with its tag");
	*port = params->uplink ? NULL : ports_now()->by_vm[params->vm];
	if (params->uplink || *port != NULL)
		return true;
	return rpc_fail(error, RPC_NOT_FOUND, "VM %" PRId64 " has no port; add it first",
			params->vm);
}

// The frame that is asked about; 0: *error is filled.
static size_t read_frame(const struct params *params, const struct port *port,
			 uint8_t frame[PACKET_MAX], struct rpc_error *error) {
	struct packet packet;

	if (has(params, HAS_FRAME))
		return read_hex(params->frame, frame, error);
	return packet_decode(params->packet, &packet, error)
		       ? packet_build(&packet, port->mac, frame, error)
		       : 0;
}

bool trace_frame(void *context, json_t *json, struct writer *result, struct rpc_error *error) {
	uint8_t buffer[TAGS_SIZE + PACKET_MAX];
	uint8_t *const frame = buffer + TAGS_SIZE;
	const struct port *port;
	struct params params;

	(void)context;
	if (!read_params(json, &params, &port, error))
		return rpc_fail_action(error, "trace a frame");

	const size_t len = read_frame(&params, port, frame, error);

	if (len == 0)
		return rpc_fail_action(error, "trace a frame");
	if (port != NULL)
		trace_from_vm(result, port, frame, len);
	else
		trace_from_uplink(result, frame, len);
	return true;
}
