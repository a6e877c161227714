#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/rpc.h"

enum {
	CLIENTS_MAX = 128, // the next ones wait in the socket's backlog
	TICK_MS = 10,
};

struct server;

// What the server does, always with the lock held.
struct service {
	const struct rpc_method *methods;
	void *context; // of all calls
	pthread_mutex_t *lock;
	void (*tick)(void *context); // every TICK_MS
	int events_fd;
	bool (*on_event)(void *context); // events_fd is readable; false ends server_run()
};

// Listens at this path; refuses if another process serves it. NULL: why says the way out.
struct server *server_open(const char *path, char *why, size_t why_size);

void server_run(struct server *server, const struct service *service);

// Closes everything and removes the socket.
void server_close(struct server *server);
