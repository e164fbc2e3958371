/* SPDX-License-Identifier: Apache-2.0 */
/* Speaks the control protocol from the asking side; what answers mean is the commands' business. */
#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* What can be done about a connection that failed. */
static const char *advice(int error)
{
	switch (error) {
	case ENOENT:
		return "Is natmuxd running? \"systemctl status natmuxd\" tells; with another "
		       "control-socket in natmux.conf, give its path with -s.";
	case ECONNREFUSED:
		return "natmuxd has ended and left its socket behind: start it again, and look "
		       "at its log for why.";
	case EACCES:
	case EPERM: return "Only root and the user natmuxd runs as may ask: try with sudo.";
	case EAGAIN: return "natmuxd does not accept connections: its log may say why.";
	default: return "The path may be given with -s; natmux.conf has it as control-socket.";
	}
}

static enum nm_ctl_exit unreachable(const char *path, int error)
{
	nm_ctl_complain("cannot reach natmuxd at %s: %s", path, strerror(error));
	fprintf(stderr, "%s\n", advice(error));
	return NM_CTL_UNREACHABLE;
}

enum nm_ctl_exit nm_client_open(struct nm_client *client, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int fd, error;

	if (len == 0 || len >= sizeof(address.sun_path)) {
		nm_ctl_complain("\"%s\" is no path of a socket: it has 1 to %zu bytes", path,
			sizeof(address.sun_path) - 1);
		return NM_CTL_USAGE;
	}
	memcpy(address.sun_path, path, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return unreachable(path, errno);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		error = errno;
		close(fd);
		return unreachable(path, error);
	}
	*client = (struct nm_client){.path = path, .fd = fd};
	return NM_CTL_OK;
}

void nm_client_close(struct nm_client *client)
{
	close(client->fd);
	/* An answer may hold keys. */
	if (client->buf)
		sodium_memzero(client->buf, client->room);
	free(client->buf);
	*client = (struct nm_client){.fd = -1};
}

/* The rest of a line that has been given out moves to the front. */
static void consume(struct nm_client *client, size_t n)
{
	client->len -= n;
	memmove(client->buf, client->buf + n, client->len);
	client->searched = 0;
}

static bool grow(struct nm_client *client)
{
	size_t room = client->room > 0 ? client->room * 2 : 65536;
	char *buf;

	if (client->len < client->room)
		return true;
	if (room > NM_CLIENT_LINE_MAX) {
		nm_ctl_complain("%s: the answer is longer than any natmuxd gives", client->path);
		return false;
	}
	/* Not by realloc, which would leave the old block as it is. */
	buf = malloc(room);
	if (!buf) {
		nm_ctl_complain("out of memory");
		return false;
	}
	if (client->buf) {
		memcpy(buf, client->buf, client->len);
		sodium_memzero(client->buf, client->room);
	}
	free(client->buf);
	client->buf = buf;
	client->room = room;
	return true;
}

/* Waits for bytes and reads some. */
static enum nm_client_next fill(struct nm_client *client, int timeout_ms)
{
	struct timespec timeout = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
	struct pollfd ready = {.fd = client->fd, .events = POLLIN};
	ssize_t n;
	int events;

	if (!grow(client))
		return NM_CLIENT_FAILED;
	events = ppoll(&ready, 1, timeout_ms < 0 ? NULL : &timeout, client->unblock);
	if (events < 0 && errno == EINTR)
		return NM_CLIENT_INTERRUPTED;
	if (events == 0) {
		nm_ctl_complain("natmuxd at %s does not answer within %d s", client->path,
			timeout_ms / 1000);
		return NM_CLIENT_FAILED;
	}
	n = recv(client->fd, client->buf + client->len, client->room - client->len, 0);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return NM_CLIENT_END;
	if (n < 0) {
		nm_ctl_complain("cannot read from %s: %s", client->path, strerror(errno));
		return NM_CLIENT_FAILED;
	}
	client->len += (size_t)n;
	return NM_CLIENT_LINE;
}

static enum nm_client_next parse(struct nm_client *client, size_t len, json_t **line)
{
	json_error_t error;

	*line = json_loadb(client->buf, len, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(*line)) {
		json_decref(*line);
		nm_ctl_complain("what answers at %s is not natmuxd: %s", client->path, error.text);
		return NM_CLIENT_FAILED;
	}
	return NM_CLIENT_LINE;
}

enum nm_client_next nm_client_next(struct nm_client *client, int timeout_ms, json_t **line)
{
	for (;;) {
		enum nm_client_next next;
		char *newline = client->len > client->searched
					? memchr(client->buf + client->searched, '\n',
						  client->len - client->searched)
					: NULL;

		if (newline) {
			size_t len = (size_t)(newline - client->buf);

			next = parse(client, len, line);
			consume(client, len + 1);
			return next;
		}
		client->searched = client->len;
		next = fill(client, timeout_ms);
		if (next != NM_CLIENT_LINE)
			return next;
	}
}

static bool send_text(struct nm_client *client, const char *at, size_t left)
{
	while (left > 0) {
		ssize_t n = send(client->fd, at, left, MSG_NOSIGNAL);

		if (n < 0) {
			/* Those who turn us away say why before they hang up: read on. */
			if (errno == EPIPE)
				break;
			nm_ctl_complain("cannot write to %s: %s", client->path, strerror(errno));
			return false;
		}
		at += n;
		left -= (size_t)n;
	}
	return true;
}

static bool send_request(struct nm_client *client, json_t *request)
{
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) + 1 : 0;
	bool is_sent;

	json_decref(request);
	if (!text) {
		nm_ctl_complain("out of memory");
		return false;
	}
	text[len - 1] = '\n';
	is_sent = send_text(client, text, len);
	/* A request may hold a key. */
	sodium_memzero(text, len);
	free(text);
	return is_sent;
}

/* Unwraps an answer; uses it up. */
static enum nm_ctl_exit open_answer(struct nm_client *client, json_t *answer, json_t **result)
{
	const json_t *error = json_object_get(answer, "error");
	const char *message = json_string_value(json_object_get(error, "message"));
	enum nm_ctl_exit code = NM_CTL_REFUSED;

	if (json_is_true(json_object_get(answer, "ok")) &&
		json_is_object(json_object_get(answer, "result"))) {
		*result = json_incref(json_object_get(answer, "result"));
		code = NM_CTL_OK;
	} else if (message) {
		nm_ctl_complain("%s", message);
	} else {
		nm_ctl_complain("what answers at %s is not natmuxd", client->path);
		code = NM_CTL_UNREACHABLE;
	}
	json_decref(answer);
	return code;
}

enum nm_ctl_exit nm_client_ask(struct nm_client *client, json_t *request, json_t **result)
{
	json_t *answer;

	if (!send_request(client, request))
		return NM_CTL_UNREACHABLE;
	switch (nm_client_next(client, NM_CLIENT_ANSWER_MS, &answer)) {
	case NM_CLIENT_LINE: return open_answer(client, answer, result);
	case NM_CLIENT_END:
		nm_ctl_complain("natmuxd at %s hung up without an answer", client->path);
		return NM_CTL_UNREACHABLE;
	case NM_CLIENT_INTERRUPTED:
	case NM_CLIENT_FAILED: break;
	}
	return NM_CTL_UNREACHABLE;
}
