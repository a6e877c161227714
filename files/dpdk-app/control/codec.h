#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "control/rpc.h"
#include "control/writer.h"
#include "core/spec.h"

// JSON from and to the specs. Reading refuses an unknown or missing member, a wrong type or range,
// and members that contradict each other: false, with *error filled.

bool decode_port(json_t *object, struct port_spec *port, struct rpc_error *error);

// A rule of version 1.0 is one, too. Its slot is NO_SLOT.
bool decode_rule(json_t *object, struct rule_spec *rule, struct rpc_error *error);

// What identifies a rule alone: its VM and its match; the rest of *rule is 0.
bool decode_identity(json_t *object, struct rule_spec *rule, struct rpc_error *error);

// The members of a port, of a rule, and of what identifies one, into an object that is open.
void put_port(struct writer *writer, const struct port_spec *port);
void put_rule(struct writer *writer, const struct rule_spec *rule);
void put_identity(struct writer *writer, uint16_t vm, const struct match *match);
void put_match(struct writer *writer, const struct match *match);

// An address of this family, ETHER_IPV4 or ETHER_IPV6.
void put_address(struct writer *writer, const char *key, uint16_t family,
		 const uint8_t address[IP_LEN]);
void put_mac(struct writer *writer, const char *key, const uint8_t mac[MAC_LEN]);
