#include "tests/table.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/client.h"

static unsigned calls;

static json_t *count(void *context, json_t *params, struct rpc_error *error) {
	(void)context;
	(void)params;
	(void)error;
	return json_integer(++calls);
}

static const struct rpc_method table[] = {{"count", count}, {NULL, NULL}};

#define COUNT  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"count\"}\n"
#define NOTICE "{\"jsonrpc\":\"2.0\",\"method\":\"count\"}\n"

static int peer;
static struct client *client;

static int open_pair(void **state) {
	int ends[2];

	(void)state;
	calls = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
		return -1;
	peer = ends[0];
	client = client_open(ends[1]);
	return client != NULL ? 0 : -1;
}

static int close_pair(void **state) {
	(void)state;
	close(peer);
	client_close(client);
	return 0;
}

static enum client_wants turn(void) {
	return client_turn(client, table, NULL);
}

static void say(const char *text) {
	assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

static size_t lines_heard(void) {
	static char heard[1 << 20];
	const ssize_t len = read(peer, heard, sizeof(heard));
	size_t lines = 0;

	for (ssize_t i = 0; i < len; i++)
		lines += heard[i] == '\n';
	return lines;
}

static void a_line_in_pieces_is_one_request(void **state) {
	const char *text = COUNT;

	(void)state;
	for (; *text != '\0'; text++) {
		assert_int_equal(calls, 0);
		assert_int_equal(write(peer, text, 1), 1);
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
		if (write(peer, COUNT, sizeof(COUNT) - 1) != sizeof(COUNT) - 1)
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

// Writes from the peer while the client takes it; returns what the client wants at last.
static enum client_wants push(size_t len, char byte) {
	static char block[16384];
	enum client_wants wants = CLIENT_READ;

	memset(block, byte, sizeof(block));
	while (len > 0 && wants == CLIENT_READ) {
		const size_t piece = len < sizeof(block) ? len : sizeof(block);
		const ssize_t n = write(peer, block, piece);

		if (n > 0)
			len -= (size_t)n;
		wants = turn();
	}
	return wants;
}

static void a_request_of_a_mebibyte_is_read(void **state) {
	(void)state;
	assert_int_equal(push(REQUEST_MAX, ' '), CLIENT_READ);
	say("\n" COUNT);
	assert_int_equal(turn(), CLIENT_READ);
	assert_int_equal(lines_heard(), 2); // spaces are no request, but the next line is one
	assert_int_equal(calls, 1);
}

static void a_longer_request_is_refused_and_ends_the_connection(void **state) {
	(void)state;
	assert_int_equal(push(2 * REQUEST_MAX, ' '), CLIENT_CLOSE);
	assert_int_equal(lines_heard(), 1);
}

static void the_end_of_the_peer_ends_the_client(void **state) {
	(void)state;
	say(NOTICE "{\"half");
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	assert_int_equal(turn(), CLIENT_CLOSE);
	assert_int_equal(calls, 1);
}

#define IN_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void) {
	const struct CMUnitTest whole[] = {
		IN_PAIR(a_line_in_pieces_is_one_request),
		IN_PAIR(lines_in_one_piece_are_so_many_requests),
		IN_PAIR(a_client_with_many_requests_gives_others_a_turn),
		IN_PAIR(a_client_that_does_not_read_is_not_served),
		IN_PAIR(a_request_of_a_mebibyte_is_read),
		IN_PAIR(a_longer_request_is_refused_and_ends_the_connection),
		IN_PAIR(the_end_of_the_peer_ends_the_client),
	};

	return cmocka_run_group_tests(whole, NULL, NULL);
}
