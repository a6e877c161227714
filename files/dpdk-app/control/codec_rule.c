#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/codec.h"
#include "control/codec_draft.h"

struct name {
	const char *text;
	int64_t value;
};

static const struct name tpids[] = {{"802.1Q", TPID_8021Q}, {"802.1ad", TPID_8021AD}, {NULL, 0}};

static const struct name modes[] = {
	{"shape", SHAPE_DELAY}, {"police", SHAPE_POLICE}, {"off", SHAPE_OFF}, {NULL, 0}};

static bool read_name(const struct name names[], json_t *value, const struct member *member,
		      void *into, struct rpc_error *error) {
	const char *text = json_is_string(value) ? json_string_value(value) : "";

	while (names->text != NULL && strcmp(names->text, text) != 0)
		names++;
	if (names->text == NULL)
		return decode_refuse_member(value, member, error);
	*(int64_t *)(void *)((char *)into + member->at) = names->value;
	return true;
}

static const char *name_of(const struct name names[], int64_t value) {
	while (names->value != value)
		names++;
	return names->text;
}

static bool read_tpid(json_t *value, const struct member *member, void *into,
		      struct rpc_error *error) {
	return read_name(tpids, value, member, into, error);
}

static bool read_mode(json_t *value, const struct member *member, void *into,
		      struct rpc_error *error) {
	return read_name(modes, value, member, into, error);
}

static bool read_tags(json_t *value, const struct member *member, void *into,
		      struct rpc_error *error) {
	struct tag_stack *tags = &((struct rule_draft *)into)->tags;
	const size_t len = json_array_size(value);

	if (!json_is_array(value) || len > TAGS_MAX)
		return decode_refuse_member(value, member, error);
	tags->len = (uint16_t)len;
	for (size_t i = 0; i < len; i++) {
		const json_t *item = json_array_get(value, i);
		const int64_t vid = json_integer_value(item);
		char name[16], wanted[40];

		if (!json_is_integer(item) || vid < TAG_VID_MIN || vid > TAG_VID_MAX) {
			snprintf(name, sizeof(name), "tags[%zu]", i);
			snprintf(wanted, sizeof(wanted), "an integer from %d to %d", TAG_VID_MIN,
				 TAG_VID_MAX);
			return decode_refuse(item, name, wanted, error);
		}
		tags->vid[i] = (uint16_t)vid;
	}
	return true;
}

#define AT(field)		 offsetof(struct rule_draft, field)
#define INTEGER(field, min, max) decode_integer, AT(field), min, max, NULL, false
#define PREFIX_TEXT                                                                                \
	"an address like \"10.20.0.11\" or \"fd00::11\", or a prefix like \"10.20.0.0/16\""

static const struct member members[RULE_MEMBERS] = {
	[RULE_VM] = {"vm", decode_integer, AT(vm), 0, VM_MAX, NULL, true},
	[RULE_DESTINATION_MAC] = {"destination_mac", decode_mac, AT(destination_mac), 0, 0,
				  "an address " MEMBER_MAC_TEXT, false},
	[RULE_ETHER_TYPE] = {"ether_type", INTEGER(ether_type, 0x0600, UINT16_MAX)},
	[RULE_PROTOCOL] = {"protocol", INTEGER(protocol, 0, UINT8_MAX)},
	[RULE_SOURCE_IP] = {"source_ip", decode_prefix, AT(source), 0, 0, PREFIX_TEXT, false},
	[RULE_DESTINATION_IP] = {"destination_ip", decode_prefix, AT(destination), 0, 0,
				 PREFIX_TEXT, false},
	[RULE_SOURCE_PORT] = {"source_port", INTEGER(source_port, 0, UINT16_MAX)},
	[RULE_DESTINATION_PORT] = {"destination_port", INTEGER(destination_port, 0, UINT16_MAX)},
	[RULE_PRIORITY] = {"priority", INTEGER(priority, 0, UINT16_MAX)},
	[RULE_TAGS] = {"tags", read_tags, 0, 0, 0,
		       "a list of 0 to 10 VLAN ids, the destination VM's last", false},
	[RULE_TPID] = {"tpid", read_tpid, AT(tpid), 0, 0, "\"802.1Q\" or \"802.1ad\"", false},
	[RULE_DESTINATION_VM] = {"destination_vm", INTEGER(destination_vm, 0, VM_MAX)},
	[RULE_MODE] = {"mode", read_mode, AT(mode), 0, 0, "\"shape\", \"police\" or \"off\"",
		       false},
	[RULE_RATE] = {"rate_bps", INTEGER(rate_bps, 1, RATE_BPS_MAX)},
	[RULE_BURST] = {"burst_bits", INTEGER(burst_bits, 1, INT64_MAX)},
	[RULE_QUEUE_PACKETS] = {"queue_packets", INTEGER(queue_packets, 1, UINT16_MAX)},
	[RULE_QUEUE_BYTES] = {"queue_bytes", INTEGER(queue_bytes, 1, UINT32_MAX)},
};

static const struct rule_draft empty = {
	.priority = PRIORITY_DEFAULT,
	.tpid = TPID_8021Q,
	.destination_vm = TO_UPLINK,
	.queue_packets = QUEUE_PACKETS_DEFAULT,
	.queue_bytes = QUEUE_BYTES_DEFAULT,
};

// A member that another one leaves without a meaning is refused, so that nobody waits for its
// effect.
static bool refuse_if(const struct rule_draft *draft, enum rule_member member, bool useless,
		      const char *why, struct rpc_error *error) {
	if (!useless || !draft_has(draft, member))
		return true;
	return rpc_fail(error, RPC_INVALID_PARAMS, "%s has no meaning %s; leave it out",
			members[member].name, why);
}

static bool require(const struct rule_draft *draft, enum rule_member member, bool needed,
		    struct rpc_error *error) {
	return !needed || draft_has(draft, member) ||
	       decode_refuse_member(NULL, &members[member], error);
}

static bool draft_shaper(const struct rule_draft *draft, struct shaper_terms *terms,
			 struct rpc_error *error) {
	const uint8_t mode = draft_has(draft, RULE_MODE)   ? (uint8_t)draft->mode
			     : draft_has(draft, RULE_RATE) ? SHAPE_DELAY
							   : SHAPE_OFF;
	const bool off = mode == SHAPE_OFF, delays = mode == SHAPE_DELAY;
	const char *const without = draft_has(draft, RULE_MODE) ? "in mode \"off\""
								: "without rate_bps";

	if (!refuse_if(draft, RULE_RATE, off, without, error) ||
	    !refuse_if(draft, RULE_BURST, off, without, error) ||
	    !refuse_if(draft, RULE_QUEUE_PACKETS, !delays, "but in mode \"shape\"", error) ||
	    !refuse_if(draft, RULE_QUEUE_BYTES, !delays, "but in mode \"shape\"", error) ||
	    !require(draft, RULE_RATE, !off, error) || !require(draft, RULE_BURST, !off, error))
		return false;
	*terms = (struct shaper_terms){
		.rate_bps = (uint64_t)draft->rate_bps,
		.burst_bits = (uint64_t)draft->burst_bits,
		.queue_bytes = delays ? (uint32_t)draft->queue_bytes : 0,
		.queue_packets = delays ? (uint16_t)draft->queue_packets : 0,
		.mode = mode,
	};
	return true;
}

static bool check_way(const struct rule_draft *draft, struct rpc_error *error) {
	const bool inside = draft_has(draft, RULE_DESTINATION_VM);

	if (inside && draft->destination_vm == draft->vm)
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"destination_vm is %" PRId64 ", the rule's own VM; give another",
				draft->destination_vm);
	if (inside && draft->tags.len > 0)
		return rpc_fail(error, RPC_INVALID_PARAMS,
				"tags have no meaning with a destination_vm: nothing on the way "
				"takes them off; leave one of both out");
	return refuse_if(draft, RULE_TPID, draft->tags.len == 0 && draft->tpid != TPID_8021Q,
			 "without tags", error);
}

static bool decode_draft(json_t *object, unsigned members_len, struct rule_draft *draft,
			 struct rule_spec *rule, struct rpc_error *error) {
	*draft = empty;
	*rule = (struct rule_spec){0};
	if (!decode_object(object, members, members_len, draft, &draft->given, error) ||
	    !draft_match(draft, &rule->match, error))
		return false;
	rule->vm = (uint16_t)draft->vm;
	return true;
}

bool decode_identity(json_t *object, struct rule_spec *rule, struct rpc_error *error) {
	struct rule_draft draft;

	return decode_draft(object, IDENTITY_MEMBERS, &draft, rule, error);
}

bool decode_rule(json_t *object, struct rule_spec *rule, struct rpc_error *error) {
	struct rule_draft draft;

	if (!decode_draft(object, RULE_MEMBERS, &draft, rule, error) || !check_way(&draft, error) ||
	    !draft_shaper(&draft, &rule->shaper, error))
		return false;
	rule->priority = (uint16_t)draft.priority;
	rule->destination_vm = (uint16_t)draft.destination_vm;
	rule->slot = NO_SLOT;
	rule->tags = draft.tags;
	rule->tags.tpid = (uint16_t)draft.tpid;
	return true;
}

static void put_shaper(struct writer *writer, const struct shaper_terms *terms) {
	if (terms->mode == SHAPE_OFF)
		return;
	put_integer(writer, "rate_bps", (int64_t)terms->rate_bps);
	put_integer(writer, "burst_bits", (int64_t)terms->burst_bits);
	if (terms->mode != SHAPE_DELAY)
		return;
	put_integer(writer, "queue_packets", terms->queue_packets);
	put_integer(writer, "queue_bytes", terms->queue_bytes);
}

void put_rule(struct writer *writer, const struct rule_spec *rule) {
	put_integer(writer, "vm", rule->vm);
	put_integer(writer, "priority", rule->priority);
	put_match(writer, &rule->match);
	put_list(writer, "tags");
	for (unsigned i = 0; i < rule->tags.len; i++)
		put_integer(writer, NULL, rule->tags.vid[i]);
	end_list(writer);
	put_string(writer, "tpid", name_of(tpids, rule->tags.tpid));
	put_string(writer, "mode", name_of(modes, rule->shaper.mode));
	if (rule->destination_vm != TO_UPLINK)
		put_integer(writer, "destination_vm", rule->destination_vm);
	put_shaper(writer, &rule->shaper);
	if (rule->slot != NO_SLOT)
		put_integer(writer, "slot", rule->slot);
}
