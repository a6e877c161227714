#include "core/flow.h"

struct flow_key flow_of_frame(uint16_t vm, const struct frame *frame) {
	return (struct flow_key){
		.vm = vm,
		.is_arp = frame->ether_type == ETHER_ARP,
		.protocol = frame->protocol,
		.source_ip = frame->source_ip,
		.destination_ip = frame->destination_ip,
		.source_port = frame->source_port,
		.destination_port = frame->destination_port,
	};
}

struct flow_key flow_ends(const struct flow_key *flow) {
	return (struct flow_key){
		.vm = flow->vm,
		.is_arp = 1,
		.source_ip = flow->source_ip,
		.destination_ip = flow->destination_ip,
	};
}

static int order(uint32_t a, uint32_t b) {
	return (a > b) - (a < b);
}

int flow_compare(const struct flow_key *a, const struct flow_key *b) {
	const int steps[] = {
		order(a->vm, b->vm),
		order(a->is_arp, b->is_arp),
		order(a->protocol, b->protocol),
		order(a->source_ip, b->source_ip),
		order(a->destination_ip, b->destination_ip),
		order(a->source_port, b->source_port),
		order(a->destination_port, b->destination_port),
	};

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i] != 0)
			return steps[i];
	return 0;
}
