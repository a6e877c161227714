#include "control/telemetry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_version.h>

#include "control/log.h"
#include "control/telemetry_data.h"
#include "datapath/ports.h"
#include "datapath/rules.h"
#include "datapath/worker.h"
#include "datapath/workers_control.h"

enum { NAME_LEN = 64 };

// NULL: the switch ends. Its lock is held while a command runs, so that nothing it reads goes away.
static struct control *subject;
static pthread_mutex_t subject_lock = PTHREAD_MUTEX_INITIALIZER;

typedef int command(const struct control *control, const char *params, struct rte_tel_data *data);

static int run(command *body, const char *params, struct rte_tel_data *data) {
	int status = -ESHUTDOWN;

	pthread_mutex_lock(&subject_lock);
	if (subject != NULL) {
		pthread_mutex_lock(&subject->lock);
		status = body(subject, params, data);
		pthread_mutex_unlock(&subject->lock);
	}
	pthread_mutex_unlock(&subject_lock);
	return status;
}

// Reads "VM" or "VM,NUMBER"; returns how many numbers there are, or -1.
static int read_numbers(const char *params, unsigned long numbers[2]) {
	int len = 0;
	char *end;

	if (params == NULL || params[0] == '\0')
		return 0;
	do {
		if (len == 2 || params[0] < '0' || params[0] > '9')
			return -1;
		numbers[len++] = strtoul(params, &end, 10);
		params = end + 1;
	} while (*end == ',');
	return *end == '\0' ? len : -1;
}

static const struct port *read_port(const char *params, unsigned long numbers[2], int *len) {
	*len = read_numbers(params, numbers);
	return *len >= 1 && numbers[0] <= VM_MAX ? ports_now()->by_vm[numbers[0]] : NULL;
}

static int info(const struct control *control, const char *params, struct rte_tel_data *data) {
	struct timespec now;

	(void)params;
	clock_gettime(CLOCK_MONOTONIC, &now);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "name", control->options->name);
	rte_tel_data_add_dict_string(data, "version", SWITCH_VERSION);
	rte_tel_data_add_dict_string(data, "dpdk", rte_version());
	rte_tel_data_add_dict_uint(data, "pid", (uint64_t)getpid());
	rte_tel_data_add_dict_uint(data, "uptime_s",
				   (uint64_t)(now.tv_sec - control->started.tv_sec));
	rte_tel_data_add_dict_uint(data, "ports", ports_now()->len);
	rte_tel_data_add_dict_uint(data, "rules", rules_len());
	rte_tel_data_add_dict_uint(data, "rules_bytes", rules_memory());
	rte_tel_data_add_dict_uint(data, "generation", store_generation(control->store));
	rte_tel_data_add_dict_uint(data, "hz", rte_get_tsc_hz());
	return 0;
}

static void add_drops(struct rte_tel_data *data, const uint64_t drops[DROP_COUNT], unsigned where) {
	char name[NAME_LEN];

	for (unsigned i = 0; i < DROP_COUNT; i++) {
		if (!(drop_info[i].where & where))
			continue;
		snprintf(name, sizeof(name), "drop_%s", drop_info[i].name);
		rte_tel_data_add_dict_uint(data, name, drops[i]);
	}
}

static int one_port(const struct port *port, struct rte_tel_data *data) {
	uint64_t drops[DROP_COUNT];

	for (unsigned i = 0; i < DROP_COUNT; i++)
		drops[i] = counter_read(&port->drops[i]);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_uint(data, "vm", port->vm);
	rte_tel_data_add_dict_uint(data, "core", workers_get(port->worker)->lcore);
	rte_tel_data_add_dict_uint(data, "connected", atomic_load(&port->device) != NOT_CONNECTED);
	rte_tel_data_add_dict_uint(data, "rules", rules_len_of(port->vm));
	rte_tel_data_add_dict_uint(data, "from_vm_packets", counter_read(&port->from_vm.packets));
	rte_tel_data_add_dict_uint(data, "from_vm_bytes", counter_read(&port->from_vm.bytes));
	rte_tel_data_add_dict_uint(data, "to_vm_packets", counter_read(&port->to_vm.packets));
	rte_tel_data_add_dict_uint(data, "to_vm_bytes", counter_read(&port->to_vm.bytes));
	rte_tel_data_add_dict_uint(data, "waiting", atomic_load(&port->waiting));
	add_drops(data, drops, DROP_AT_VM);
	return 0;
}

// All VMs, or one VM's counters.
static int ports(const struct control *control, const char *params, struct rte_tel_data *data) {
	unsigned long numbers[2];
	int len;
	const struct port *port = read_port(params, numbers, &len);

	(void)control;
	if (port != NULL)
		return one_port(port, data);
	if (len != 0)
		return -EINVAL;
	rte_tel_data_start_array(data, RTE_TEL_INT_VAL);
	for (unsigned vm = 0; vm < VM_COUNT; vm++)
		if (ports_now()->by_vm[vm] != NULL &&
		    rte_tel_data_add_array_int(data, (int)vm) != 0)
			break; // more than an answer of the library holds
	return 0;
}

// All data cores and the uplink.
static int stats(const struct control *control, const char *params, struct rte_tel_data *data) {
	struct uplink_counters uplink;
	uint64_t packets = 0, busy = 0;

	(void)control;
	(void)params;
	for (unsigned i = 0; i < workers_len(); i++) {
		const struct worker *worker = workers_get(i);

		packets += counter_read(&worker->packets);
		for (unsigned stage = 0; stage < STAGE_COUNT; stage++)
			busy += stage != STAGE_IDLE ? counter_read(&worker->cycles[stage]) : 0;
	}
	uplink_counters_read(&uplink);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_uint(data, "packets", packets);
	rte_tel_data_add_dict_uint(data, "busy_cycles", busy);
	rte_tel_data_add_dict_uint(data, "received_packets", uplink.received_packets);
	rte_tel_data_add_dict_uint(data, "received_bytes", uplink.received_bytes);
	rte_tel_data_add_dict_uint(data, "sent_packets", uplink.sent_packets);
	rte_tel_data_add_dict_uint(data, "sent_bytes", uplink.sent_bytes);
	rte_tel_data_add_dict_uint(data, "lldp_received", uplink.lldp_received);
	rte_tel_data_add_dict_uint(data, "lldp_sent", uplink.lldp_sent);
	add_drops(data, uplink.drops, DROP_AT_UPLINK);
	return 0;
}

static int rules(const struct control *control, const char *params, struct rte_tel_data *data) {
	unsigned long numbers[2] = {0, 0};
	int len;
	const struct port *port = read_port(params, numbers, &len);

	(void)control;
	return port != NULL ? telemetry_list_rules(port->vm, numbers[1], data) : -EINVAL;
}

#define HANDLER(body)                                                                              \
	static int handle_##body(const char *name, const char *params,                             \
				 struct rte_tel_data *data) {                                      \
		(void)name;                                                                        \
		return run(body, params, data);                                                    \
	}

HANDLER(info)
HANDLER(ports)
HANDLER(stats)
HANDLER(rules)

// The library takes no hyphen in a name, and 63 characters of help.
static const struct {
	const char *name;
	telemetry_cb handle;
	const char *help;
} commands[] = {
	{"/dpdk_tagging/info", handle_info, "What the switch is."},
	{"/dpdk_tagging/stats", handle_stats, "Counters of data cores and uplink."},
	{"/dpdk_tagging/ports", handle_ports, "VMs with a port. Parameter: VM, for its counters."},
	{"/dpdk_tagging/rules", handle_rules, "32 rules. Parameters: VM, number of the first one."},
};

void telemetry_start(struct control *control) {
	pthread_mutex_lock(&subject_lock);
	subject = control;
	pthread_mutex_unlock(&subject_lock);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (rte_telemetry_register_cmd(commands[i].name, commands[i].handle,
					       commands[i].help) != 0)
			log_line("Cannot offer %s by telemetry; it goes without", commands[i].name);
}

void telemetry_stop(void) {
	pthread_mutex_lock(&subject_lock);
	subject = NULL;
	pthread_mutex_unlock(&subject_lock);
}
