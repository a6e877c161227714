#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/spec.h"

// What control wants of the switch: a value. A change makes the next one, which is saved and
// published, or thrown away.
struct config {
	size_t ports_len;
	struct port_spec *ports; // by VM
	size_t rules_len;
	struct rule_spec *rules; // by flow
};

void config_free(struct config *config);

// Each makes *next of *now, which stays as it is. False: no memory, and *next is empty.
bool config_add_port(const struct config *now, const struct port_spec *port, struct config *next);
bool config_remove_port(const struct config *now, uint16_t vm,
			struct config *next); // and its rules
bool config_set_rules(const struct config *now, const struct rule_spec *rules, size_t len,
		      struct config *next); // rules in order, each flow once
bool config_delete_rules(const struct config *now, const struct rule_spec *rules, size_t len,
			 struct config *next); // rules in order, all of them there

// NULL: none.
const struct port_spec *config_find_port(const struct config *config, uint16_t vm);
const struct rule_spec *config_find_rule(const struct config *config, const struct flow_key *flow);

// The rules of one VM are neighbours: returns how many, from *first on.
size_t config_rules_of(const struct config *config, uint16_t vm, const struct rule_spec **first);

bool rule_spec_equal(const struct rule_spec *a, const struct rule_spec *b);

// For qsort and bsearch over rule_spec.
int rule_spec_compare(const void *a, const void *b);
