#pragma once

#include "control/control.h"
#include "control/rpc.h"

// The methods of the control socket. Their context is a struct control; docs/switch-api.json has
// their parameters and results.
extern const struct rpc_method methods[];

rpc_handler switch_info;
rpc_handler port_add, port_remove, port_list, port_features;
rpc_handler rule_set, rule_delete, rule_replace, rule_list;
rpc_handler stats_get, stats_reset;
rpc_handler trace_frame;
rpc_handler lldp_neighbors, lldp_announce;

// For a method without parameters: false, with *error filled, if there are some.
bool methods_no_params(json_t *params, struct rpc_error *error);

// Ends the result of a change of rules, which is an open object.
void methods_end_change(const struct control *control, struct writer *result);
