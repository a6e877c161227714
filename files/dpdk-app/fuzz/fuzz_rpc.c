// Any bytes from a client of the control socket, in pieces: the answers are those to its lines,
// each by itself. The methods read what the switch's read, and change nothing. What is accepted is
// listed in a form that is accepted, too, and says the same; every answer is a line of JSON.

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
	INPUT_MAX = 2048,
	TEXT_MAX = 1 << 20, // of the answers to the longest batch
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

static void check_answer(const struct writer *line) {
	json_t *answer = json_loadb(line->text, line->len, JSON_REJECT_DUPLICATES, NULL);

	assert(line->text[line->len - 1] == '\n');
	assert(memchr(line->text, '\n', line->len) == line->text + line->len - 1);
	assert(json_is_object(answer) || json_is_array(answer));
	if (json_is_object(answer)) {
		assert(json_object_get(answer, "id") != NULL);
		assert(!json_object_get(answer, "result") != !json_object_get(answer, "error"));
	}
	json_decref(answer);
}

struct text {
	size_t len;
	char bytes[TEXT_MAX];
};

// The answers to each line by itself.
static void answer_lines(const char *lines, size_t size, struct text *answers) {
	const char *const end = lines + size;

	answers->len = 0;
	for (const char *line = lines, *next; line <= end; line = next + 1) {
		struct writer answer = {0};

		next = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
		if (next == NULL)
			next = end;
		rpc_answer(table, NULL, line, (size_t)(next - line), &answer);
		if (answer.len > 0)
			check_answer(&answer);
		assert(!answer.failed && answers->len + answer.len < TEXT_MAX);
		if (answer.len > 0)
			memcpy(answers->bytes + answers->len, answer.text, answer.len);
		answers->len += answer.len;
		writer_free(&answer);
	}
}

static void send_piece(struct client *client, int peer, const void *piece, size_t len,
		       struct text *heard) {
	static uint64_t now;
	enum client_wants wants;

	assert(send(peer, piece, len, 0) == (ssize_t)len);
	do {
		wants = client_turn(client, table, NULL, now += SECOND_NS);

		const ssize_t n = read(peer, heard->bytes + heard->len,
				       sizeof(heard->bytes) - heard->len);

		heard->len += n > 0 ? (size_t)n : 0;
	} while (wants != CLIENT_READ && wants != CLIENT_CLOSE);
	assert(wants == CLIENT_READ);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct text wanted, heard;
	struct client_pool pool = {1 << 20, 1 << 20, 0, 0, NULL};
	int ends[2];

	if (size < 1 || size > INPUT_MAX)
		return 0;

	const size_t piece = size / (data[0] % PIECES_MAX + 1u) + 1;

	answer_lines((const char *)data + 1, size - 1, &wanted);
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);

	struct client *client = client_open(&pool, ends[1], 0);

	assert(client != NULL);
	heard.len = 0;
	for (size_t at = 1; at < size; at += piece)
		send_piece(client, ends[0], data + at, size - at < piece ? size - at : piece,
			   &heard);
	send_piece(client, ends[0], "\n", 1, &heard);
	assert(heard.len == wanted.len && memcmp(heard.bytes, wanted.bytes, wanted.len) == 0);

	close(ends[0]);
	client_close(client);
	assert(pool.requests == 0 && pool.answers == 0 && pool.first == NULL);
	return 0;
}
