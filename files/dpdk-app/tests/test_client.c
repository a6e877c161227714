#include "tests/table.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/client.h"

enum {
	PEERS = 3,
	MIB = 1024 * 1024,
	SECOND_NS = 1000000000,
};

static unsigned calls;

static bool count(void *context, json_t *params, struct writer *result, struct rpc_error *error) {
	(void)context;
	(void)params;
	(void)error;
	put_integer(result, NULL, ++calls);
	return true;
}

static bool tell_a_mebibyte(void *context, json_t *params, struct writer *result,
			    struct rpc_error *error) {
	static char text[MIB];

	(void)context;
	(void)params;
	(void)error;
	memset(text, ' ', sizeof(text));
	put_json(result, text, sizeof(text));
	put_json(result, "1", 1);
	return true;
}

static const struct rpc_method table[] = {
	{"count", count}, {"tell", tell_a_mebibyte}, {NULL, NULL}};

#define COUNT  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"count\"}\n"
#define NOTICE "{\"jsonrpc\":\"2.0\",\"method\":\"count\"}\n"
#define TELL   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tell\"}\n"
#define BATCH  "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]\n"

static struct client_pool pool;
static int peers[PEERS];
static struct client *clients[PEERS];
static uint64_t now_ns;

static int open_pairs(void **state) {
	(void)state;
	calls = 0;
	now_ns = 7;
	pool = (struct client_pool){.requests_max = 96 * MIB, .answers_max = 2 * MIB};
	for (unsigned i = 0; i < PEERS; i++) {
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
			return -1;
		peers[i] = ends[0];
		clients[i] = client_open(&pool, ends[1], now_ns);
		if (clients[i] == NULL)
			return -1;
	}
	return 0;
}

static int close_pairs(void **state) {
	(void)state;
	for (unsigned i = 0; i < PEERS; i++) {
		close(peers[i]);
		client_close(clients[i]);
	}
	assert_null(pool.first);
	assert_int_equal(pool.requests, 0);
	assert_int_equal(pool.answers, 0);
	return 0;
}

static enum client_wants turn_of(unsigned i) {
	return client_turn(clients[i], table, NULL, now_ns);
}

static enum client_wants turn(void) {
	return turn_of(0);
}

static void say_by(unsigned i, const char *text) {
	assert_int_equal(write(peers[i], text, strlen(text)), strlen(text));
}

static void say(const char *text) {
	say_by(0, text);
}

static char heard[1 << 20];

static size_t lines_heard_by(unsigned peer) {
	const ssize_t len = read(peers[peer], heard, sizeof(heard) - 1);
	size_t lines = 0;

	for (ssize_t i = 0; i < len; i++)
		lines += heard[i] == '\n';
	heard[len > 0 ? len : 0] = '\0';
	return lines;
}

static size_t lines_heard(void) {
	return lines_heard_by(0);
}

static void a_line_in_pieces_is_one_request(void **state) {
	const char *text = COUNT;

	(void)state;
	for (; *text != '\0'; text++) {
		assert_int_equal(calls, 0);
		assert_int_equal(write(peers[0], text, 1), 1);
		assert_int_equal(turn(), CLIENT_READ);
	}
	assert_int_equal(calls, 1);
	assert_int_equal(lines_heard(), 1);
}

static void lines_in_one_piece_are_so_many_requests(void **state) {
	(void)state;
	say(COUNT COUNT NOTICE COUNT);
	assert_int_equal(turn(), CLIENT_READ);
	assert_int_equal(calls, 4);
	assert_int_equal(lines_heard(), 3);
}

static void a_client_with_many_requests_gives_others_a_turn(void **state) {
	unsigned turns = 1;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		say(COUNT);
	for (; turn() == CLIENT_WRITE; turns++)
		assert_true(calls < 100);
	assert_int_equal(calls, 100);
	assert_true(turns > 5);
	assert_int_equal(lines_heard(), 100);
}

static void a_client_that_does_not_read_is_not_served(void **state) {
	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		now_ns += SECOND_NS;
		if (write(peers[0], COUNT, sizeof(COUNT) - 1) != sizeof(COUNT) - 1)
			break;
		turn();
	}
	const unsigned served = calls;

	assert_true(served < 20000);
	assert_int_equal(turn(), CLIENT_WRITE);
	assert_int_equal(calls, served);
	assert_true(lines_heard() > 0);
	turn();
	assert_true(calls > served);
}

// Writes from a peer while its client takes it; returns what the client wants at last.
static enum client_wants push(unsigned peer, size_t len) {
	static char block[16384];
	enum client_wants wants = CLIENT_READ;

	memset(block, ' ', sizeof(block));
	while (len > 0 && wants == CLIENT_READ) {
		const size_t piece = len < sizeof(block) ? len : sizeof(block);
		const ssize_t n = write(peers[peer], block, piece);

		if (n > 0)
			len -= (size_t)n;
		wants = turn_of(peer);
	}
	return wants;
}

static void a_request_of_32_mebibytes_is_read(void **state) {
	(void)state;
	assert_int_equal(push(0, REQUEST_MAX), CLIENT_READ);
	say("\n" COUNT);
	assert_int_equal(turn(), CLIENT_READ);
	assert_int_equal(lines_heard(), 2); // spaces are no request, but the next line is one
	assert_int_equal(calls, 1);
	assert_true(pool.requests < MIB); // what it took has been given back
}

static void a_longer_request_is_refused_and_ends_the_connection(void **state) {
	(void)state;
	assert_int_equal(push(0, 2 * (size_t)REQUEST_MAX), CLIENT_CLOSE);
	assert_int_equal(lines_heard(), 1);
	assert_non_null(strstr(heard, "a request of more than 32 MiB; split it"));
}

static void of_too_many_big_requests_the_biggest_is_refused(void **state) {
	(void)state;
	pool.requests_max = 16 * MIB;
	assert_int_equal(push(0, 6 * MIB), CLIENT_READ);
	assert_int_equal(push(1, 1 * MIB), CLIENT_READ);
	assert_int_equal(push(2, 5 * MIB), CLIENT_READ);
	assert_int_equal(lines_heard_by(0), 1);
	assert_non_null(strstr(heard, "it is the biggest; split it, or send it later"));
	assert_int_equal(turn_of(0), CLIENT_CLOSE);
	assert_true(pool.requests <= pool.requests_max);

	say_by(1, "\n" COUNT);
	say_by(2, "\n" COUNT);
	assert_int_equal(turn_of(1), CLIENT_READ);
	assert_int_equal(turn_of(2), CLIENT_READ);
	assert_int_equal(calls, 2); // the others go on as if nothing had been
}

static void the_biggest_request_may_be_the_one_that_grows(void **state) {
	(void)state;
	pool.requests_max = 4 * MIB;
	assert_int_equal(push(1, 1 * MIB), CLIENT_READ);
	assert_int_equal(push(0, 8 * MIB), CLIENT_CLOSE);
	assert_int_equal(lines_heard_by(0), 1);
	say_by(1, "\n" COUNT);
	assert_int_equal(turn_of(1), CLIENT_READ);
	assert_int_equal(calls, 1);
}

static void a_long_answer_is_refused_while_too_many_wait(void **state) {
	(void)state;
	pool.answers_max = MIB; // the first one takes a little more
	say_by(0, TELL);
	assert_int_equal(turn_of(0), CLIENT_WRITE);
	say_by(1, TELL COUNT);
	turn_of(1);
	assert_int_equal(lines_heard_by(1), 2); // what is short is answered
	assert_non_null(strstr(heard, "wait to be read; ask for less, or later"));
	assert_non_null(strstr(heard, "-32003"));
	assert_non_null(strstr(heard, "\"result\":1}"));

	while (turn_of(0) == CLIENT_WRITE)
		lines_heard_by(0);
	say_by(1, TELL);
	assert_int_equal(turn_of(1), CLIENT_WRITE); // there is room again
}

static unsigned served_within(uint64_t ns, const char *request) {
	const unsigned before = calls;

	now_ns += ns;
	for (unsigned i = 0; i < 20000; i++) {
		say(request);
		while (turn() == CLIENT_WRITE)
			lines_heard();
		lines_heard();
		if (turn() == CLIENT_LATER)
			return calls - before;
	}
	return UINT32_MAX;
}

static void a_client_has_ten_thousand_requests_in_a_second(void **state) {
	(void)state;
	assert_int_equal(served_within(0, COUNT), REQUESTS_PER_SECOND); // the burst
	assert_int_equal(turn(), CLIENT_LATER);
	assert_int_equal(served_within(SECOND_NS / 100, COUNT), REQUESTS_PER_SECOND / 100);
	assert_int_equal(served_within(100ULL * SECOND_NS, COUNT), REQUESTS_PER_SECOND);

	say_by(1, COUNT); // its neighbour has its own
	assert_int_equal(turn_of(1), CLIENT_READ);
}

static void nothing_of_a_client_that_waits_is_lost(void **state) {
	(void)state;
	served_within(0, NOTICE);
	const unsigned before = calls;

	say(NOTICE NOTICE NOTICE);
	assert_int_equal(turn(), CLIENT_LATER);
	assert_int_equal(calls, before);
	now_ns += SECOND_NS / 100;
	assert_int_equal(turn(), CLIENT_READ);
	assert_int_equal(calls, before + 3);
}

static void a_batch_is_charged_for_each_of_its_requests(void **state) {
	unsigned batches = 0;

	(void)state;
	for (; turn() == CLIENT_READ; batches++) {
		say(BATCH);
		turn();
		lines_heard();
	}
	assert_int_equal(batches, REQUESTS_PER_SECOND / 40);
}

static void the_end_of_the_peer_ends_the_client(void **state) {
	(void)state;
	say(NOTICE "{\"half");
	assert_int_equal(shutdown(peers[0], SHUT_WR), 0);
	assert_int_equal(turn(), CLIENT_CLOSE);
	assert_int_equal(calls, 1);
}

#define IN_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pairs, close_pairs)

int main(void) {
	const struct CMUnitTest whole[] = {
		IN_PAIR(a_line_in_pieces_is_one_request),
		IN_PAIR(lines_in_one_piece_are_so_many_requests),
		IN_PAIR(a_client_with_many_requests_gives_others_a_turn),
		IN_PAIR(a_client_that_does_not_read_is_not_served),
		IN_PAIR(a_request_of_32_mebibytes_is_read),
		IN_PAIR(a_longer_request_is_refused_and_ends_the_connection),
		IN_PAIR(of_too_many_big_requests_the_biggest_is_refused),
		IN_PAIR(the_biggest_request_may_be_the_one_that_grows),
		IN_PAIR(a_long_answer_is_refused_while_too_many_wait),
		IN_PAIR(a_client_has_ten_thousand_requests_in_a_second),
		IN_PAIR(nothing_of_a_client_that_waits_is_lost),
		IN_PAIR(a_batch_is_charged_for_each_of_its_requests),
		IN_PAIR(the_end_of_the_peer_ends_the_client),
	};

	return cmocka_run_group_tests(whole, NULL, NULL);
}
