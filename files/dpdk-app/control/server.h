#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "control/rpc.h"

enum { CLIENTS_MAX = 128 }; // the next ones wait in the socket's backlog

struct server;

// Listens at this path; refuses if another process serves it. NULL: why says the way out.
struct server *server_open(const char *path, char *why, size_t why_size);

// Answers requests by these methods until the descriptor becomes readable.
void server_run(struct server *server, const struct rpc_method table[], void *context,
		int until_fd);

// Closes everything and removes the socket.
void server_close(struct server *server);
