#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "control/control.h"
#include "control/rpc.h"
#include "core/spec.h"
#include "datapath/rules.h"

// What changes the switch. Each is prepared, saved, and then published, which cannot fail; or it
// returns false with *error filled, and nothing has changed.

bool change_rules(struct control *control, const struct rules_edit edits[], size_t len,
		  struct rpc_error *error);
bool change_add_port(struct control *control, const struct port_spec *port,
		     struct rpc_error *error);
bool change_remove_port(struct control *control, uint16_t vm, struct rpc_error *error);
