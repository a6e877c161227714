#include "control/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	REQUESTS_PER_TURN = 16,
	READ_LEN = 64 * 1024,
	SMALL_ANSWER = READ_LEN, // never refused
	SECOND_NS = 1000000000,
	REQUEST_NS = SECOND_NS / REQUESTS_PER_SECOND,
};

struct client {
	struct client_pool *pool;
	struct client *next;
	int fd;
	bool finished; // no more requests: only the last answer is left to write

	int64_t credit_ns; // of time for requests; at most a second's
	uint64_t seen_ns;  // when it was last added to

	char *in; // in[start..end) is not yet answered; in[start..scanned) has no newline
	size_t start, scanned, end, capacity;

	struct writer out; // out.text[sent..out.len) is not yet written
	size_t sent;
};

struct client *client_open(struct client_pool *pool, int fd, uint64_t now_ns) {
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		close(fd);
		return NULL;
	}
	*client = (struct client){
		.pool = pool,
		.next = pool->first,
		.fd = fd,
		.credit_ns = SECOND_NS,
		.seen_ns = now_ns,
	};
	pool->first = client;
	return client;
}

static void forget_requests(struct client *client) {
	client->pool->requests -= client->capacity;
	client->start = client->scanned = client->end = client->capacity = 0;
	free(client->in);
	client->in = NULL;
}

static void forget_answers(struct client *client) {
	client->pool->answers -= client->out.len;
	client->sent = 0;
	writer_free(&client->out);
}

void client_close(struct client *client) {
	struct client **link = &client->pool->first;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	close(client->fd);
	forget_requests(client);
	forget_answers(client);
	free(client);
}

int client_fd(const struct client *client) {
	return client->fd;
}

// False: the peer is gone.
static bool write_out(struct client *client) {
	while (client->sent < client->out.len) {
		const ssize_t n = send(client->fd, client->out.text + client->sent,
				       client->out.len - client->sent, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		client->sent += (size_t)n;
	}
	forget_answers(client);
	return true;
}

// An answer that is long, beside others that wait to be read, is refused.
static void take_answer(struct client *client) {
	struct client_pool *pool = client->pool;
	struct writer *out = &client->out;
	char message[160];

	if (out->len > SMALL_ANSWER && pool->answers > 0 &&
	    pool->answers + out->len > pool->answers_max) {
		snprintf(message, sizeof(message),
			 "Cannot give an answer of %zu MiB while others of %zu MiB wait to be "
			 "read; ask for less, or later",
			 out->len >> 20, pool->answers >> 20);
		writer_free(out);
		rpc_refuse(out, RPC_NO_CAPACITY, message);
	}
	pool->answers += out->len;
}

// Ends the connection with a message, as soon as it is written.
static void refuse(struct client *client, const char *message) {
	forget_requests(client);
	rpc_refuse(&client->out, RPC_INVALID_REQUEST, message);
	client->pool->answers += client->out.len;
	client->finished = true;
	write_out(client); // the rest, and an error, come up in its next turn
}

static struct client *biggest(const struct client_pool *pool) {
	struct client *found = pool->first;

	for (struct client *client = found; client != NULL; client = client->next)
		if (client->capacity > found->capacity)
			found = client;
	return found;
}

// Answers the first whole line, if there is one.
static bool serve_line(struct client *client, const struct rpc_method table[], void *context) {
	if (client->start == client->end) // there may be no memory yet to point into
		return false;

	char *const begin = client->in + client->start;
	char *const newline = client->end > client->scanned
				      ? memchr(client->in + client->scanned, '\n',
					       client->end - client->scanned)
				      : NULL;
	const size_t len = newline != NULL ? (size_t)(newline - begin)
					   : client->end - client->start;

	if (len > REQUEST_MAX) {
		refuse(client, "Cannot serve a request of more than 32 MiB; split it");
		return true;
	}
	client->scanned = client->end;
	if (newline == NULL)
		return false;

	client->credit_ns -= (int64_t)REQUEST_NS *
			     rpc_answer(table, context, begin, len, &client->out);
	take_answer(client);
	client->start += len + 1;
	client->scanned = client->start;
	if (client->start == client->end && client->capacity > READ_LEN)
		forget_requests(client);
	return true;
}

static void move_to_front(struct client *client) {
	if (client->start == 0)
		return;
	memmove(client->in, client->in + client->start, client->end - client->start);
	client->end -= client->start;
	client->scanned -= client->start;
	client->start = 0;
}

// Makes room for READ_LEN more bytes. False: there is none, or this client has been refused.
static bool make_room(struct client *client) {
	struct client_pool *pool = client->pool;

	move_to_front(client);
	if (client->capacity - client->end >= READ_LEN)
		return true;

	const size_t twice = 2 * client->capacity + READ_LEN;
	const size_t most = REQUEST_MAX + 2 * READ_LEN;
	const size_t capacity = twice < most ? twice : most;
	const size_t more = capacity - client->capacity;

	while (pool->requests + more > pool->requests_max && !client->finished)
		refuse(biggest(pool)->capacity > client->capacity ? biggest(pool) : client,
		       "Cannot take this request now: the requests of all clients take too much "
		       "memory, and it is the biggest; split it, or send it later");
	if (client->finished)
		return false;

	char *in = realloc(client->in, capacity);

	if (in == NULL) {
		refuse(client, "No memory left for this request; split it, or send it later");
		return false;
	}
	client->in = in;
	client->capacity = capacity;
	pool->requests += more;
	return true;
}

static void earn(struct client *client, uint64_t now_ns) {
	const int64_t credit = client->credit_ns + (int64_t)(now_ns - client->seen_ns);

	client->seen_ns = now_ns;
	client->credit_ns = credit < SECOND_NS ? credit : SECOND_NS;
}

enum client_wants client_turn(struct client *client, const struct rpc_method table[], void *context,
			      uint64_t now_ns) {
	unsigned served = 0;

	earn(client, now_ns);
	for (;;) {
		if (!write_out(client))
			return CLIENT_CLOSE;
		if (client->out.len > 0) // a peer that does not read is not served
			return CLIENT_WRITE;
		if (client->finished)
			return CLIENT_CLOSE;
		if (client->credit_ns <= 0)
			return CLIENT_LATER;
		if (served == REQUESTS_PER_TURN)
			return CLIENT_WRITE;
		if (serve_line(client, table, context)) {
			served++;
			continue;
		}
		if (!make_room(client))
			continue;

		const ssize_t n = read(client->fd, client->in + client->end, READ_LEN);

		if (n > 0)
			client->end += (size_t)n;
		else if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return CLIENT_READ;
		else
			return CLIENT_CLOSE;
	}
}
