#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/rpc.h"

enum {
	REQUEST_MAX = 32 * 1024 * 1024, // bytes of a line without its newline
	REQUESTS_PER_SECOND = 10000,	// of one client; beyond this it is read later
};

// All clients share two budgets of memory. When requests in the making take more than theirs, the
// biggest one is refused; an answer that is too much beside those that wait is refused.
struct client_pool {
	size_t requests_max;
	size_t answers_max;
	size_t requests; // in use
	size_t answers;
	struct client *first;
};

// One connection to the control socket: lines in, lines out, never waiting for its peer.
struct client;

// Takes a nonblocking descriptor. NULL: no memory, and the descriptor is closed.
struct client *client_open(struct client_pool *pool, int fd, uint64_t now_ns);
void client_close(struct client *client);
int client_fd(const struct client *client);

enum client_wants {
	CLIENT_CLOSE,
	CLIENT_READ,  // to read when there is something
	CLIENT_WRITE, // to write when there is room; also another turn
	CLIENT_LATER, // a turn at the next tick: it has sent more than REQUESTS_PER_SECOND
};

// Reads, answers and writes as far as it goes without waiting, but only for a fair turn.
enum client_wants client_turn(struct client *client, const struct rpc_method table[], void *context,
			      uint64_t now_ns);
