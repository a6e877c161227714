#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "control/rpc.h"
#include "core/spec.h"

// JSON from and to the specs, the same in requests and in the state file. Reading refuses an
// unknown or missing member and a wrong type or range: false, with *error filled.

bool decode_vm(const json_t *object, uint16_t *vm, struct rpc_error *error);
bool decode_port(json_t *object, struct port_spec *port, struct rpc_error *error);
bool decode_flow(json_t *object, struct flow_key *flow, struct rpc_error *error);
bool decode_rule(json_t *object, struct rule_spec *rule, struct rpc_error *error);

// False, with *error filled, if the object has a member that is not in the list (NULL at its end).
bool decode_only(json_t *object, const char *const known[], struct rpc_error *error);

json_t *encode_port(const struct port_spec *port);
json_t *encode_flow(const struct flow_key *flow);
json_t *encode_rule(const struct rule_spec *rule);

// What went wrong, as a request's answer says it: "Cannot ACTION: CAUSE".
json_t *fail_action(struct rpc_error *error, const char *action);
