// Any bytes from a client of the control socket, in pieces. The methods read what the switch's
// read, and change nothing. Whatever is accepted is listed in a form that is accepted, too, and
// says the same; every answer is a line of JSON.

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/asked.h"
#include "control/client.h"
#include "control/codec.h"
#include "control/packet.h"
#include "control/rule_equal.h"
#include "core/frame.h"
#include "fuzz/target.h"

enum {
	SECOND_NS = 1000000000,
	PIECES_MAX = 8, // in which an input is sent; its first byte says how many
};

static const uint8_t guest[MAC_LEN] = {2, 0, 0, 0, 0, 1};

// The object that was written last.
static json_t *parse(const struct writer *text) {
	json_t *object = json_loadb(text->text, text->len, JSON_REJECT_DUPLICATES, NULL);

	assert(object != NULL);
	return object;
}

static bool same_rule(const struct rule_spec *a, const struct rule_spec *b) {
	return a->vm == b->vm && match_compare(&a->match, &b->match) == 0 && rule_equal(a, b);
}

static bool set_rule(void *context, json_t *params, struct writer *result,
		     struct rpc_error *error) {
	struct writer text = {0};
	struct rule_spec rule, same;

	(void)context;
	if (!decode_rule(params, &rule, error))
		return false;
	assert(rule.vm <= VM_MAX && rule.tags.len <= TAGS_MAX);

	put_object(&text, NULL);
	put_rule(&text, &rule);
	end_object(&text);
	assert(decode_rule(parse(&text), &same, error) && same_rule(&rule, &same));
	put_json(result, text.text, text.len);
	writer_free(&text);
	return true;
}

static bool delete_rule(void *context, json_t *params, struct writer *result,
			struct rpc_error *error) {
	struct writer text = {0};
	struct rule_spec rule, same;

	(void)context;
	if (!decode_identity(params, &rule, error))
		return false;
	put_object(&text, NULL);
	put_identity(&text, rule.vm, &rule.match);
	end_object(&text);
	assert(decode_identity(parse(&text), &same, error) && same_rule(&rule, &same));
	put_json(result, text.text, text.len);
	writer_free(&text);
	return true;
}

static bool add_port(void *context, json_t *params, struct writer *result,
		     struct rpc_error *error) {
	struct writer text = {0};
	struct port_spec port, same;

	(void)context;
	if (!decode_port(params, &port, error))
		return false;
	put_object(&text, NULL);
	put_port(&text, &port);
	end_object(&text);
	assert(decode_port(parse(&text), &same, error));
	assert(port.vm == same.vm && port.qemu_serves == same.qemu_serves);
	assert(memcmp(port.mac, same.mac, MAC_LEN) == 0);
	put_json(result, text.text, text.len);
	writer_free(&text);
	return true;
}

static bool ask_for_rules(void *context, json_t *params, struct writer *result,
			  struct rpc_error *error) {
	struct asked asked;

	(void)context;
	if (!asked_read(json_object_get(params, "rules"), decode_rule, &asked, error))
		return false;

	const bool distinct = asked_is_distinct(&asked, error);

	for (uint32_t i = 0; i < asked.len; i++) {
		const struct rule_spec *rule = &asked.rules[i];
		const uint32_t found = asked_find(&asked, rule->vm, &rule->match);

		assert(found <= i && (found == i || !distinct));
		assert(match_compare(&asked.rules[found].match, &rule->match) == 0);
	}
	put_integer(result, NULL, (int64_t)asked.len);
	asked_free(&asked);
	return distinct;
}

static bool build_packet(void *context, json_t *params, struct writer *result,
			 struct rpc_error *error) {
	uint8_t frame[PACKET_MAX];
	struct packet packet;
	struct match_key key;

	(void)context;
	if (!packet_decode(params, &packet, error))
		return false;

	const size_t len = packet_build(&packet, guest, frame, error);

	assert(len <= PACKET_MAX);
	if (len == 0)
		return false;
	put_boolean(result, NULL, frame_from_vm(frame, len, guest, &key) == KEEP);
	return true;
}

static const struct rpc_method table[] = {
	{"rule.set", set_rule}, {"rule.delete", delete_rule}, {"rule.replace", ask_for_rules},
	{"port.add", add_port}, {"trace", build_packet},      {NULL, NULL},
};

static void check_answer(const char *line, size_t len) {
	json_t *answer = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);

	assert(json_is_object(answer) || json_is_array(answer));
	if (json_is_object(answer)) {
		assert(json_object_get(answer, "id") != NULL);
		assert(!json_object_get(answer, "result") != !json_object_get(answer, "error"));
	}
	json_decref(answer);
}

struct answers {
	size_t len;
	char text[1 << 20];
};

// Takes what the switch wrote, and checks whole lines.
static void hear(int peer, struct answers *answers) {
	const ssize_t n = read(peer, answers->text + answers->len,
			       sizeof(answers->text) - answers->len);
	char *begin = answers->text, *newline;

	if (n > 0)
		answers->len += (size_t)n;
	while ((newline = memchr(begin, '\n', answers->len)) != NULL) {
		const size_t len = (size_t)(newline - begin);

		check_answer(begin, len);
		answers->len -= len + 1;
		begin = newline + 1;
	}
	memmove(answers->text, begin, answers->len);
	assert(answers->len < sizeof(answers->text));
}

// False: the switch ended the connection.
static bool take_turns(struct client *client, int peer, struct answers *answers) {
	static uint64_t now;

	for (;;) {
		const enum client_wants wants = client_turn(client, table, NULL, now += SECOND_NS);

		hear(peer, answers);
		if (wants == CLIENT_READ || wants == CLIENT_CLOSE)
			return wants == CLIENT_READ;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct answers answers;
	struct client_pool pool = {1 << 20, 1 << 20, 0, 0, NULL};
	const size_t piece = size > 0 ? size / (data[0] % PIECES_MAX + 1u) + 1 : 1;
	bool open = true;
	int ends[2];

	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);

	struct client *client = client_open(&pool, ends[1], 0);

	assert(client != NULL);
	answers.len = 0;
	for (size_t at = 1; at < size && open; at += piece) {
		const size_t len = size - at < piece ? size - at : piece;

		assert(send(ends[0], data + at, len, 0) == (ssize_t)len);
		open = take_turns(client, ends[0], &answers);
	}
	if (open && send(ends[0], "\n", 1, 0) == 1)
		take_turns(client, ends[0], &answers);
	assert(answers.len == 0);

	close(ends[0]);
	client_close(client);
	assert(pool.requests == 0 && pool.answers == 0 && pool.first == NULL);
	return 0;
}
