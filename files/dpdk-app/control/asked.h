#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "control/rpc.h"
#include "core/spec.h"

// The rules that a request names, in its order, and sorted so that one is found quickly.
struct asked {
	size_t len;
	struct rule_spec *rules;
	struct place *sorted;
};

#define ASKED_NONE UINT32_MAX

struct place {
	uint64_t key; // the VM, then a hash of the match
	uint32_t index;
};

typedef bool rule_decoder(json_t *object, struct rule_spec *rule, struct rpc_error *error);

// Decodes each item of a list. False: *error is filled, nothing is to be freed.
bool asked_read(const json_t *list, rule_decoder *decode, struct asked *asked,
		struct rpc_error *error);
void asked_free(struct asked *asked);

// False, with *error filled, if two rules have the same VM and match.
bool asked_is_distinct(const struct asked *asked, struct rpc_error *error);

// The index of the first rule with this VM and match, or ASKED_NONE.
uint32_t asked_find(const struct asked *asked, uint16_t vm, const struct match *match);
