#include "control/config.h"

#include <stdlib.h>
#include <string.h>

void config_free(struct config *config) {
	free(config->ports);
	free(config->rules);
	*config = (struct config){0};
}

// Room for the present content and as much more.
static bool reserve(const struct config *now, size_t ports, size_t rules, struct config *next) {
	*next = (struct config){
		.ports = calloc(now->ports_len + ports + 1, sizeof(next->ports[0])),
		.rules = calloc(now->rules_len + rules + 1, sizeof(next->rules[0])),
	};
	if (next->ports != NULL && next->rules != NULL)
		return true;
	config_free(next);
	return false;
}

static void append_ports(struct config *next, const struct port_spec *from,
			 const struct port_spec *end) {
	for (; from < end; from++)
		next->ports[next->ports_len++] = *from;
}

static void append_rules(struct config *next, const struct rule_spec *from,
			 const struct rule_spec *end) {
	for (; from < end; from++)
		next->rules[next->rules_len++] = *from;
}

bool config_add_port(const struct config *now, const struct port_spec *port, struct config *next) {
	const struct port_spec *at = now->ports, *const end = now->ports + now->ports_len;

	if (!reserve(now, 1, 0, next))
		return false;
	while (at < end && at->vm < port->vm)
		at++;
	append_ports(next, now->ports, at);
	append_ports(next, port, port + 1);
	append_ports(next, at, end);
	append_rules(next, now->rules, now->rules + now->rules_len);
	return true;
}

bool config_remove_port(const struct config *now, uint16_t vm, struct config *next) {
	const struct rule_spec *first;
	const size_t gone = config_rules_of(now, vm, &first);

	if (!reserve(now, 0, 0, next))
		return false;
	for (size_t i = 0; i < now->ports_len; i++)
		if (now->ports[i].vm != vm)
			append_ports(next, &now->ports[i], &now->ports[i] + 1);
	append_rules(next, now->rules, first);
	append_rules(next, first + gone, now->rules + now->rules_len);
	return true;
}

bool config_set_rules(const struct config *now, const struct rule_spec *rules, size_t len,
		      struct config *next) {
	const struct rule_spec *at = now->rules, *const end = now->rules + now->rules_len;

	if (!reserve(now, 0, len, next))
		return false;
	append_ports(next, now->ports, now->ports + now->ports_len);
	for (size_t i = 0; i < len; i++) {
		for (; at < end && rule_spec_compare(at, &rules[i]) < 0; at++)
			append_rules(next, at, at + 1);
		if (at < end && rule_spec_compare(at, &rules[i]) == 0)
			at++;
		append_rules(next, &rules[i], &rules[i] + 1);
	}
	append_rules(next, at, end);
	return true;
}

bool config_delete_rules(const struct config *now, const struct rule_spec *rules, size_t len,
			 struct config *next) {
	size_t gone = 0;

	if (!reserve(now, 0, 0, next))
		return false;
	append_ports(next, now->ports, now->ports + now->ports_len);
	for (size_t i = 0; i < now->rules_len; i++) {
		if (gone < len && rule_spec_compare(&now->rules[i], &rules[gone]) == 0)
			gone++;
		else
			append_rules(next, &now->rules[i], &now->rules[i] + 1);
	}
	return true;
}

const struct port_spec *config_find_port(const struct config *config, uint16_t vm) {
	for (size_t i = 0; i < config->ports_len; i++)
		if (config->ports[i].vm == vm)
			return &config->ports[i];
	return NULL;
}

const struct rule_spec *config_find_rule(const struct config *config, const struct flow_key *flow) {
	const struct rule_spec wanted = {.flow = *flow};

	if (config->rules_len == 0)
		return NULL;
	return bsearch(&wanted, config->rules, config->rules_len, sizeof(wanted),
		       rule_spec_compare);
}

// The first rule that belongs to this VM or to a higher one.
static const struct rule_spec *lower_bound(const struct config *config, unsigned vm) {
	size_t low = 0, high = config->rules_len;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (config->rules[middle].flow.vm < vm)
			low = middle + 1;
		else
			high = middle;
	}
	return config->rules + low;
}

size_t config_rules_of(const struct config *config, uint16_t vm, const struct rule_spec **first) {
	*first = lower_bound(config, vm);
	return (size_t)(lower_bound(config, vm + 1U) - *first);
}

bool rule_spec_equal(const struct rule_spec *a, const struct rule_spec *b) {
	return flow_compare(&a->flow, &b->flow) == 0 && a->rate_bps == b->rate_bps &&
	       a->burst_bits == b->burst_bits && a->tags.len == b->tags.len &&
	       memcmp(a->tags.vid, b->tags.vid, a->tags.len * sizeof(a->tags.vid[0])) == 0;
}

int rule_spec_compare(const void *a, const void *b) {
	const struct rule_spec *first = a, *second = b;

	return flow_compare(&first->flow, &second->flow);
}
