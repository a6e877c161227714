#include "control/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	REQUESTS_PER_TURN = 16,
	READ_LEN = 64 * 1024,
};

struct client {
	int fd;
	bool finished; // no more requests: only the last answer is left to write

	char *in; // in[start..end) is not yet answered; in[start..scanned) has no newline
	size_t start, scanned, end, capacity;

	char *out; // out[sent..out_len) is not yet written
	size_t sent, out_len;
};

struct client *client_open(int fd) {
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		close(fd);
	else
		client->fd = fd;
	return client;
}

void client_close(struct client *client) {
	close(client->fd);
	free(client->in);
	free(client->out);
	free(client);
}

int client_fd(const struct client *client) {
	return client->fd;
}

static void answer(struct client *client, char *line) {
	client->out = line;
	client->sent = 0;
	client->out_len = line != NULL ? strlen(line) : 0;
}

// False: the peer is gone.
static bool write_out(struct client *client) {
	while (client->sent < client->out_len) {
		const ssize_t n = send(client->fd, client->out + client->sent,
				       client->out_len - client->sent, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		client->sent += (size_t)n;
	}
	free(client->out);
	answer(client, NULL);
	return true;
}

// Answers the first whole line, if there is one.
static bool serve_line(struct client *client, const struct rpc_method table[], void *context) {
	char *const begin = client->in + client->start;
	char *const newline = client->end > client->scanned
				      ? memchr(client->in + client->scanned, '\n',
					       client->end - client->scanned)
				      : NULL;
	const size_t len = newline != NULL ? (size_t)(newline - begin)
					   : client->end - client->start;

	if (len > REQUEST_MAX) {
		answer(client, rpc_refuse(RPC_INVALID_REQUEST,
					  "Cannot serve a request of more than 1 MiB; split it"));
		client->finished = true;
		return true;
	}
	client->scanned = client->end;
	if (newline == NULL)
		return false;

	answer(client, rpc_answer(table, context, begin, len));
	client->start += len + 1;
	client->scanned = client->start;
	return true;
}

static bool make_room(struct client *client) {
	if (client->start > 0) {
		memmove(client->in, client->in + client->start, client->end - client->start);
		client->end -= client->start;
		client->scanned -= client->start;
		client->start = 0;
	}
	if (client->capacity - client->end >= READ_LEN)
		return true;

	const size_t capacity = 2 * client->capacity + READ_LEN;
	char *in = realloc(client->in, capacity);

	if (in == NULL)
		return false;
	client->in = in;
	client->capacity = capacity;
	return true;
}

enum client_wants client_turn(struct client *client, const struct rpc_method table[],
			      void *context) {
	unsigned served = 0;

	for (;;) {
		if (!write_out(client))
			return CLIENT_CLOSE;
		if (client->out != NULL) // a peer that does not read is not served
			return CLIENT_WRITE;
		if (client->finished)
			return CLIENT_CLOSE;
		if (served == REQUESTS_PER_TURN)
			return CLIENT_WRITE;
		if (serve_line(client, table, context)) {
			served++;
			continue;
		}
		if (!make_room(client))
			return CLIENT_CLOSE;

		const ssize_t n = read(client->fd, client->in + client->end, READ_LEN);

		if (n > 0)
			client->end += (size_t)n;
		else if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return CLIENT_READ;
		else
			return CLIENT_CLOSE;
	}
}
