#include "control/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "control/codec.h"
#include "control/counters.h"
#include "control/log.h"
#include "datapath/ports.h"
#include "datapath/rules.h"
#include "datapath/workers_control.h"

enum { TAGS_TEXT_LEN = TAGS_MAX * sizeof("4094,") };

static uint64_t sum_of_drops(const struct counter drops[]) {
	uint64_t sum = 0;

	for (unsigned i = 0; i < DROP_COUNT; i++)
		sum += counter_read(&drops[i]);
	return sum;
}

static void print_ports(FILE *log) {
	fprintf(log, "%4s %-9s %15s %15s %15s %8s\n", "VM", "guest", "packets from", "packets to",
		"dropped", "waiting");
	for (unsigned vm = 0; vm < VM_COUNT; vm++) {
		const struct port *port = ports_now()->by_vm[vm];

		if (port == NULL)
			continue;
		fprintf(log, "%4u %-9s %15" PRIu64 " %15" PRIu64 " %15" PRIu64 " %8" PRIu32 "\n",
			vm, atomic_load(&port->device) == NOT_CONNECTED ? "absent" : "connected",
			counter_read(&port->from_vm.packets), counter_read(&port->to_vm.packets),
			sum_of_drops(port->drops), atomic_load(&port->waiting));
	}
}

static void print_tags(const struct rule_spec *spec, char text[TAGS_TEXT_LEN]) {
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < spec->tags.len; i++)
		len += (size_t)snprintf(text + len, TAGS_TEXT_LEN - len, i > 0 ? ",%u" : "%u",
					spec->tags.vid[i]);
}

// The match is written as in requests.
static void print_rule(const struct rule_spec *spec, const struct rule_counters *counters,
		       FILE *log) {
	struct writer match = {0};
	char tags[TAGS_TEXT_LEN];
	uint64_t drops = 0;

	for (unsigned i = 0; i < DROP_COUNT; i++)
		drops += counters->drops[i];
	print_tags(spec, tags);
	put_object(&match, NULL);
	put_match(&match, &spec->match);
	end_object(&match);
	fprintf(log,
		"%4u %15" PRIu64 " %15" PRIu64 " %8" PRIu32 " %12" PRIu64 " %15" PRIu64
		" %-12s %.*s\n",
		spec->vm, counters->packets, drops, counters->queue_packets, spec->shaper.rate_bps,
		spec->shaper.burst_bits, tags, match.failed ? 0 : (int)match.len, match.text);
	writer_free(&match);
}

static bool print_known_rule(const struct rule_spec *spec, void *of) {
	const struct rule *rule = rules_find(spec->vm, &spec->match);
	struct rule_counters counters;

	if (rule != NULL) {
		rule_counters_read(rule->state, &counters);
		print_rule(spec, &counters, of);
	}
	return true;
}

static void print_rules(const struct control *control, FILE *log) {
	fprintf(log, "%4s %15s %15s %8s %12s %15s %-12s %s\n", "VM", "packets", "dropped",
		"waiting", "bit/s", "burst in bit", "tags", "match");
	store_rules(control->store, print_known_rule, log);
}

static void write_line(struct writer *line, FILE *log) {
	end_object(line);
	end_object(line);
	put_newline(line);
	if (!line->failed)
		fwrite(line->text, 1, line->len, log);
	writer_free(line);
}

static void write_ports(FILE *log) {
	for (unsigned vm = 0; vm < VM_COUNT; vm++) {
		const struct port *port = ports_now()->by_vm[vm];
		struct writer line = {0};

		if (port == NULL)
			continue;
		put_object(&line, NULL);
		put_object(&line, "vm");
		put_port_counters(&line, port);
		write_line(&line, log);
	}
}

static bool write_rule(const struct rule_spec *spec, void *of) {
	const struct rule *rule = rules_find(spec->vm, &spec->match);
	struct writer line = {0};

	if (rule == NULL)
		return true;
	put_object(&line, NULL);
	put_object(&line, "rule");
	put_rule(&line, spec);
	put_rule_counters(&line, rule->state);
	write_line(&line, of);
	return true;
}

void report_to_log(const struct control *control) {
	FILE *log = log_begin();

	if (log == NULL)
		return;
	print_ports(log);
	print_rules(control, log);
	write_ports(log);
	store_rules(control->store, write_rule, log);
	log_end(log);
}
