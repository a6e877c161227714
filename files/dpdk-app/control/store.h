#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/spec.h"

// What the switch keeps over a restart: ports, rules and the generation, in an SQLite database
// (WAL, synchronous=FULL). A commit that was answered survives kill -9 and loss of power. One
// process has it open at a time, and one thread uses it at a time.

struct store;

enum store_found {
	STORE_OPENED,
	STORE_UNUSABLE, // why says the cause and the way out
};

// Opens or makes the database. A corrupt one (and what belongs to it) is set aside as
// PATH.corrupt, in place of an older one, and a new one made; a state.json of version 1.0 beside it
// is taken over once. What was done is said in report (empty: nothing).
enum store_found store_open(const char *path, struct store **store, char *report,
			    size_t report_size, char *why, size_t why_size);
void store_close(struct store *store);

// One change, made of the calls between begin and commit. Each false: why says the cause, the
// change is undone, and the store is as before.
bool store_begin(struct store *store, char *why, size_t why_size);
bool store_set_port(struct store *store, const struct port_spec *port, char *why, size_t why_size);
bool store_remove_port(struct store *store, uint16_t vm, char *why, size_t why_size); // and rules
// Replaces the rule of the same VM and match, in its place in the order. A slot that another rule
// of the VM has is taken from it.
bool store_set_rule(struct store *store, const struct rule_spec *rule, char *why, size_t why_size);
bool store_unset_rule(struct store *store, uint16_t vm, const struct match *match, char *why,
		      size_t why_size);
bool store_clear_rules(struct store *store, uint16_t vm, char *why, size_t why_size);
bool store_commit(struct store *store, char *why, size_t why_size); // also counts the generation
void store_undo(struct store *store);

// Number of changes since the store was made.
uint64_t store_generation(const struct store *store);

// Calls visit for each, ports by VM, rules in the order in which they were first set. visit
// returns false to stop. False: unreadable, or stopped.
bool store_ports(struct store *store, bool (*visit)(const struct port_spec *, void *), void *of);
bool store_rules(struct store *store, bool (*visit)(const struct rule_spec *, void *), void *of);

// The match that a VM's slot has. False: none.
bool store_slot(struct store *store, uint16_t vm, int16_t slot, struct match *match);
