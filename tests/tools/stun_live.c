/* SPDX-License-Identifier: Apache-2.0 */
/*
 * natmux's STUN on a real socket on the loopback, against programs that others wrote:
 *
 *   stun_live serve MODE SECONDS     answers on a port of the kernel's choice, which it prints
 *   stun_live ask ADDRESS SECONDS    asks a server; prints our mapped address, or what happened
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include <natmux/classify.h>
#include "stun/client.h"
#include "stun/server.h"

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int bind_loopback(struct natmux_addr *local)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	natmux_addr_parse("127.0.0.1:0", 0, local);
	len = (socklen_t)natmux_addr_to_sockaddr(local, (struct sockaddr *)&ss);
	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len) < 0 ||
		getsockname(fd, (struct sockaddr *)&ss, &len) < 0 ||
		natmux_addr_from_sockaddr((struct sockaddr *)&ss, len, local) < 0) {
		perror("127.0.0.1");
		exit(1);
	}
	return fd;
}

/* Length of the next datagram before `until_ms`, 0 when none came. */
static size_t receive(
	int fd, uint64_t until_ms, uint8_t *buf, size_t cap, struct natmux_addr *remote)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct sockaddr_storage ss;
	socklen_t ss_len = sizeof(ss);
	uint64_t now_ms = clock_ms();
	ssize_t len;

	if (now_ms >= until_ms || poll(&pfd, 1, (int)(until_ms - now_ms)) <= 0)
		return 0;
	len = recvfrom(fd, buf, cap, 0, (struct sockaddr *)&ss, &ss_len);
	if (len < 0 || natmux_addr_from_sockaddr((struct sockaddr *)&ss, ss_len, remote) < 0)
		return 0;
	return (size_t)len;
}

static void send_to(int fd, const struct natmux_addr *remote, const uint8_t *data, size_t len)
{
	struct sockaddr_storage ss;
	socklen_t ss_len = (socklen_t)natmux_addr_to_sockaddr(remote, (struct sockaddr *)&ss);

	if (sendto(fd, data, len, 0, (struct sockaddr *)&ss, ss_len) < 0)
		perror("sendto");
}

/* What the dispatcher does with a datagram that is not IKE. */
static void answer(int fd, enum natmux_responder mode, const uint8_t *data, size_t len,
	const struct natmux_addr *remote)
{
	bool is_bare = mode == NATMUX_RESPONDER_OPEN && nm_stun_is_bare_binding(data, len);
	uint8_t reply[NM_STUN_REPLY_MAX];
	enum natmux_drop drop;

	if (!is_bare && natmux_classify(data, len) != NATMUX_CLASS_STUN)
		return;
	len = nm_stun_respond(mode, data, len, remote, reply, sizeof(reply), &drop);
	if (len > 0)
		send_to(fd, remote, reply, len);
}

static int serve(enum natmux_responder mode, uint64_t until_ms)
{
	struct natmux_addr local, remote;
	int fd = bind_loopback(&local);
	uint8_t buf[2048];

	printf("%u\n", local.port);
	fflush(stdout);
	while (clock_ms() < until_ms) {
		size_t len = receive(fd, until_ms, buf, sizeof(buf), &remote);

		if (len > 0)
			answer(fd, mode, buf, len, &remote);
	}
	close(fd);
	return 0;
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	randombytes_buf(buf, len);
}

static void on_event(void *user, const struct natmux_event *event)
{
	char text[NATMUX_ADDR_TEXT];

	*(bool *)user = true;
	if (event->type == NATMUX_EVENT_MAPPED_CHANGED)
		printf("mapped %s\n", natmux_addr_format(&event->mapped, text));
	else
		printf("%s\n", natmux_event_name(event->type));
}

static void send_due(int fd, struct nm_stun_client *client)
{
	struct natmux_path path;
	uint8_t buf[NM_STUN_REQUEST_LEN];
	size_t len;

	while ((len = nm_stun_client_output(client, clock_ms(), &path, buf, sizeof(buf))) > 0)
		send_to(fd, &path.remote, buf, len);
}

static void hear(struct nm_stun_client *client, const struct natmux_path *path, const uint8_t *data,
	size_t len, bool *is_over)
{
	bool is_expected = nm_stun_client_expects(client, path, data, len);
	struct natmux_event event;
	enum natmux_drop drop;

	if (!is_expected && natmux_classify(data, len) != NATMUX_CLASS_STUN)
		return;
	if (nm_stun_client_input(client, clock_ms(), path, data, len, &event, &drop))
		on_event(is_over, &event);
}

static int ask(const char *server, uint64_t until_ms)
{
	struct natmux_random random = {fill, NULL};
	struct nm_stun_client *client;
	struct natmux_path path;
	struct natmux_addr addr;
	bool is_over = false;
	int fd = bind_loopback(&path.local);
	uint8_t buf[2048];

	if (natmux_addr_parse(server, 3478, &addr) < 0 ||
		nm_stun_client_new(&random, 25000, &client) < 0 ||
		nm_stun_client_server_add(client, clock_ms(), "server", &addr) < 0 ||
		nm_stun_client_set_locals(client, clock_ms(), &path.local, 1) < 0)
		return 2;
	printf("local 127.0.0.1:%u\n", path.local.port);
	while (!is_over && clock_ms() < until_ms) {
		uint64_t wait_ms;
		size_t len;

		send_due(fd, client);
		wait_ms = nm_stun_client_next_deadline(client);
		len = receive(fd, wait_ms < until_ms ? wait_ms : until_ms, buf, sizeof(buf),
			&path.remote);
		if (len > 0)
			hear(client, &path, buf, len, &is_over);
		nm_stun_client_timeout(client, clock_ms(), on_event, &is_over);
	}
	nm_stun_client_free(client);
	close(fd);
	return is_over ? 0 : 1;
}

int main(int argc, char **argv)
{
	uint64_t until_ms = clock_ms() + (argc == 4 ? strtoull(argv[3], NULL, 10) * 1000 : 0);

	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve(strcmp(argv[2], "open") == 0 ? NATMUX_RESPONDER_OPEN
							  : NATMUX_RESPONDER_STRICT,
			until_ms);
	if (argc == 4 && strcmp(argv[1], "ask") == 0)
		return ask(argv[2], until_ms);
	fprintf(stderr, "usage: stun_live serve strict|open SECONDS | ask ADDRESS SECONDS\n");
	return 2;
}
