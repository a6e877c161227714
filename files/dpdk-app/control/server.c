#include "control/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/client.h"

enum {
	EVENTS = 16,
	REQUESTS_BYTES = 96 * 1024 * 1024,
	ANSWERS_BYTES = 256 * 1024 * 1024,
};

struct served {
	struct client *client;
	bool later; // it waits for the next tick
};

struct server {
	struct sockaddr_un address;
	int epoll_fd;
	int listen_fd;
	int timer_fd;
	struct client_pool pool;
	unsigned clients_len;
	struct served clients[CLIENTS_MAX];
};

static uint64_t now_ns(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

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

static int start_timer(void) {
	const struct timespec interval = {.tv_nsec = TICK_MS * 1000000};
	const struct itimerspec times = {.it_interval = interval, .it_value = interval};
	const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd >= 0)
		timerfd_settime(fd, 0, &times, NULL);
	return fd;
}

static bool open_descriptors(struct server *server) {
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	server->timer_fd = start_timer();
	server->listen_fd = listen_at(&server->address);
	return server->epoll_fd >= 0 && server->timer_fd >= 0 && server->listen_fd >= 0;
}

struct server *server_open(const char *path, char *why, size_t why_size) {
	struct server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		snprintf(why, why_size, "no memory left");
		return NULL;
	}
	server->pool = (struct client_pool){REQUESTS_BYTES, ANSWERS_BYTES, 0, 0, NULL};
	server->address.sun_family = AF_UNIX;
	snprintf(server->address.sun_path, sizeof(server->address.sun_path), "%s", path);

	if (is_served(&server->address)) {
		snprintf(why, why_size, "another process serves %s; stop it first", path);
		free(server);
		return NULL;
	}
	unlink(path);
	if (!open_descriptors(server)) {
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
	struct client *client = fd >= 0 ? client_open(&server->pool, fd, now_ns()) : NULL;

	if (client == NULL)
		return;
	server->clients[server->clients_len++] = (struct served){client, false};
	watch(server, EPOLL_CTL_ADD, fd, EPOLLIN, client);
	watch_listener(server);
}

static struct served *find(struct server *server, const struct client *client) {
	struct served *served = server->clients;

	while (served->client != client)
		served++;
	return served;
}

static void drop_client(struct server *server, struct client *client) {
	// Closing would not be enough: the vhost library may still poll the number of a socket that
	// it closed, which is this client's now, and keep it open for epoll.
	watch(server, EPOLL_CTL_DEL, client_fd(client), 0, NULL);
	*find(server, client) = server->clients[--server->clients_len];
	client_close(client);
	watch_listener(server);
}

static void serve(struct server *server, struct client *client, const struct service *service) {
	switch (client_turn(client, service->methods, service->context, now_ns())) {
	case CLIENT_CLOSE:
		drop_client(server, client);
		break;
	case CLIENT_READ:
		watch(server, EPOLL_CTL_MOD, client_fd(client), EPOLLIN, client);
		break;
	case CLIENT_WRITE:
		watch(server, EPOLL_CTL_MOD, client_fd(client), EPOLLOUT, client);
		break;
	case CLIENT_LATER: // not even the end of its peer is looked at
		watch(server, EPOLL_CTL_DEL, client_fd(client), 0, NULL);
		find(server, client)->later = true;
		break;
	}
}

static void tick(struct server *server, const struct service *service) {
	uint64_t ticks;

	if (read(server->timer_fd, &ticks, sizeof(ticks)) < 0)
		return;
	service->tick(service->context);
	for (unsigned i = 0; i < server->clients_len; i++) {
		struct served *served = &server->clients[i];

		if (served->later)
			watch(server, EPOLL_CTL_ADD, client_fd(served->client), EPOLLOUT,
			      served->client);
		served->later = false;
	}
}

// False: the end.
static bool handle(struct server *server, const struct service *service, void *subject) {
	if (subject == NULL)
		return service->on_event(service->context);
	if (subject == &server->timer_fd)
		tick(server, service);
	else if (subject == &server->listen_fd)
		accept_client(server);
	else
		serve(server, subject, service);
	return true;
}

void server_run(struct server *server, const struct service *service) {
	struct epoll_event events[EVENTS];
	bool going = true;

	watch(server, EPOLL_CTL_ADD, service->events_fd, EPOLLIN, NULL);
	watch(server, EPOLL_CTL_ADD, server->timer_fd, EPOLLIN, &server->timer_fd);
	watch(server, EPOLL_CTL_ADD, server->listen_fd, EPOLLIN, &server->listen_fd);

	while (going) {
		const int len = epoll_wait(server->epoll_fd, events, EVENTS, -1);

		pthread_mutex_lock(service->lock);
		for (int i = 0; i < len && going; i++)
			going = handle(server, service, events[i].data.ptr);
		pthread_mutex_unlock(service->lock);
	}
}

void server_close(struct server *server) {
	while (server->clients_len > 0)
		client_close(server->clients[--server->clients_len].client);
	close(server->listen_fd);
	close(server->timer_fd);
	close(server->epoll_fd);
	unlink(server->address.sun_path);
	free(server);
}
