#pragma once

#include <stdbool.h>

#include "control/rpc.h"

enum { REQUEST_MAX = 1024 * 1024 }; // bytes of a request without its newline

// One connection to the control socket: lines in, lines out, never waiting for its peer.
struct client;

// Takes a nonblocking descriptor. NULL: no memory, and the descriptor is closed.
struct client *client_open(int fd);
void client_close(struct client *client);
int client_fd(const struct client *client);

enum client_wants {
	CLIENT_CLOSE,
	CLIENT_READ,  // to read when there is something
	CLIENT_WRITE, // to write when there is room; also another turn
};

// Reads, answers and writes as far as it goes without waiting, but only for a fair turn.
enum client_wants client_turn(struct client *client, const struct rpc_method table[],
			      void *context);
