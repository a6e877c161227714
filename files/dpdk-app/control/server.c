#include "control/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/client.h"

struct server {
	struct sockaddr_un address;
	int epoll_fd;
	int listen_fd;
	unsigned clients_len;
	struct client *clients[CLIENTS_MAX];
};

// A socket file that nobody answers at is what a killed switch left behind.
static bool is_served(const struct sockaddr_un *address) {
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const bool served = fd >= 0 &&
			    connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

	if (fd >= 0)
		close(fd);
	return served;
}

static int listen_at(const struct sockaddr_un *address) {
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
	    listen(fd, CLIENTS_MAX) == 0)
		return fd;

	const int cause = errno;

	close(fd);
	errno = cause;
	return -1;
}

struct server *server_open(const char *path, char *why, size_t why_size) {
	struct server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		snprintf(why, why_size, "no memory left");
		return NULL;
	}
	server->address.sun_family = AF_UNIX;
	snprintf(server->address.sun_path, sizeof(server->address.sun_path), "%s", path);

	if (is_served(&server->address)) {
		snprintf(why, why_size, "another process serves %s; stop it first", path);
		free(server);
		return NULL;
	}
	unlink(path);

	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	server->listen_fd = listen_at(&server->address);
	if (server->epoll_fd < 0 || server->listen_fd < 0) {
		snprintf(why, why_size, "cannot listen at %s: %s; check its directory", path,
			 strerror(errno));
		free(server);
		return NULL;
	}
	return server;
}

static void watch(const struct server *server, int operation, int fd, uint32_t events,
		  void *subject) {
	struct epoll_event event = {.events = events, .data.ptr = subject};

	epoll_ctl(server->epoll_fd, operation, fd, &event);
}

// With as many clients as can be served, the next ones wait.
static void watch_listener(struct server *server) {
	watch(server, EPOLL_CTL_MOD, server->listen_fd,
	      server->clients_len < CLIENTS_MAX ? EPOLLIN : 0, &server->listen_fd);
}

static void accept_client(struct server *server) {
	const int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *client = fd >= 0 ? client_open(fd) : NULL;

	if (client == NULL)
		return;
	server->clients[server->clients_len++] = client;
	watch(server, EPOLL_CTL_ADD, fd, EPOLLIN, client);
	watch_listener(server);
}

static void drop_client(struct server *server, struct client *client) {
	unsigned i = 0;

	while (server->clients[i] != client)
		i++;
	server->clients[i] = server->clients[--server->clients_len];
	client_close(client);
	watch_listener(server);
}

static void serve(struct server *server, struct client *client, const struct rpc_method table[],
		  void *context) {
	switch (client_turn(client, table, context)) {
	case CLIENT_CLOSE:
		drop_client(server, client);
		break;
	case CLIENT_READ:
		watch(server, EPOLL_CTL_MOD, client_fd(client), EPOLLIN, client);
		break;
	case CLIENT_WRITE:
		watch(server, EPOLL_CTL_MOD, client_fd(client), EPOLLOUT, client);
		break;
	}
}

void server_run(struct server *server, const struct rpc_method table[], void *context,
		int until_fd) {
	struct epoll_event events[16];

	watch(server, EPOLL_CTL_ADD, until_fd, EPOLLIN, NULL);
	watch(server, EPOLL_CTL_ADD, server->listen_fd, EPOLLIN, &server->listen_fd);

	for (;;) {
		const int len = epoll_wait(server->epoll_fd, events, 16, -1);

		for (int i = 0; i < len; i++) {
			void *subject = events[i].data.ptr;

			if (subject == NULL)
				return;
			if (subject == &server->listen_fd)
				accept_client(server);
			else
				serve(server, subject, table, context);
		}
	}
}

void server_close(struct server *server) {
	while (server->clients_len > 0)
		client_close(server->clients[--server->clients_len]);
	close(server->listen_fd);
	close(server->epoll_fd);
	unlink(server->address.sun_path);
	free(server);
}
