/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves one program that speaks the Unix handoff: the real hub on a real socket, with a made-up
 * mux. Sends it two IKE messages, expects one answer, and holds that against RFC 7296.
 *
 *	serve_client PROGRAM…
 *
 * runs PROGRAM with the socket's path and "1" (end after one answer) behind its arguments.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "dispatcher/handoff_frame.h"
#include "dispatcher/handoff_unix.h"
#include "tests/fakes/fake_mux.h"
#include "wire/ike.h"

enum { TIMEOUT_S = 30, IKE_LEN = 40, ANSWER_LEN = 40, OUTPUT_MAX = 4096 };

static char folder[] = "/tmp/natmux-handoff-XXXXXX";
static char path[64];
static int client_fd = -1;

static void tidy(void)
{
	unlink(path);
	rmdir(folder);
}

static void fail(const char *what)
{
	fprintf(stderr, "not ok: %s (%s)\n", what, strerror(errno));
	exit(1);
}

static int listen_at(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (!mkdtemp(folder))
		fail("mkdtemp");
	snprintf(path, sizeof(path), "%s/sock", folder);
	atexit(tidy);
	strcpy(sun.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 1) < 0)
		fail("listen");
	return fd;
}

/* Starts the program; its output comes from `output`. */
static pid_t start_client(int argc, char **argv, int *output)
{
	static char one[] = "1";
	char *args[16] = {NULL};
	int pipes[2];
	pid_t pid;

	if (argc > 12 || pipe(pipes) < 0)
		fail("pipe");
	for (int i = 1; i < argc; i++)
		args[i - 1] = argv[i];
	args[argc - 1] = path;
	args[argc] = one;
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		execv(args[0], args);
		_exit(127);
	}
	close(pipes[1]);
	*output = pipes[0];
	return pid;
}

static enum nm_unix_sent send_frame(void *user, uint32_t client, const uint8_t *header,
	size_t header_len, const uint8_t *payload, size_t len)
{
	struct iovec parts[2] = {
		{(void *)(uintptr_t)header, header_len},
		{(void *)(uintptr_t)payload, len},
	};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};

	(void)user;
	(void)client;
	return sendmsg(client_fd, &msg, MSG_NOSIGNAL) < 0 ? NM_UNIX_BROKEN : NM_UNIX_TAKEN;
}

/* Sends the client one IKE message, as the mux would. */
static void give(struct nm_unix_hub *hub, uint8_t flags)
{
	uint8_t ike[IKE_LEN] = {0};
	struct natmux_train train = {.data = ike, .len = sizeof(ike), .flow = 1};

	memcpy(ike + NM_IKE_AT_INITIATOR_SPI, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	ike[NM_IKE_AT_NEXT_PAYLOAD] = NM_IKE2_PAYLOAD_MIN;
	ike[NM_IKE_AT_VERSION] = 0x20;
	ike[NM_IKE_AT_EXCHANGE] = NM_IKE2_SA_INIT;
	ike[NM_IKE_AT_FLAGS] = flags;
	nm_put32(ike + NM_IKE_AT_LENGTH, IKE_LEN - NM_NATT_MARKER_LEN);
	nm_put16(ike + NM_IKE_MIN + 2, 8);
	if (nm_ike_check(ike, sizeof(ike)) < 0 ||
		natmux_addr_parse("[2001:db8::1]:4500", 0, &train.path.local) < 0 ||
		natmux_addr_parse("[2001:db8::7]:31022", 0, &train.path.remote) < 0)
		fail("the request");
	nm_unix_sink.input(hub, 0, &train, 1);
}

static void check_answer(const struct natmux_train *train)
{
	static const uint8_t notify[8] = {0, 0, 0, 8, 0, 0, 0, 14};
	char text[NATMUX_ADDR_TEXT];

	if (strcmp(natmux_addr_format(&train->path.remote, text), "[2001:db8::7]:31022") != 0)
		fail("the answer goes to somebody else");
	if (strcmp(natmux_addr_format(&train->path.local, text), "[2001:db8::1]:4500") != 0)
		fail("the answer comes from somewhere else");
	if (train->len != ANSWER_LEN || nm_ike_check(train->data, train->len) < 0)
		fail("the answer has no IKE header");
	if (nm_ike_initiator_spi(train->data) != 0x1122334455667788 ||
		nm_ike_responder_spi(train->data) != 0 || !nm_ike_is_response(train->data) ||
		nm_ike_exchange(train->data) != NM_IKE2_SA_INIT)
		fail("the answer's IKE header is another's");
	if (memcmp(train->data + NM_IKE_MIN, notify, sizeof(notify)) != 0)
		fail("the answer is not NO_PROPOSAL_CHOSEN");
}

static void welcome(void *user, const struct nm_unix_client_info *info)
{
	*(bool *)user = info->is_welcome && info->wants_ike && !info->wants_esp;
}

/* HELLO, then two messages, of which one is a request and is answered. */
static void serve(struct nm_unix_hub *hub, uint32_t client)
{
	static uint8_t frame[NM_FRAME_MAX];
	bool is_welcome = false;

	for (;;) {
		ssize_t len = recv(client_fd, frame, sizeof(frame), 0);
		struct natmux_train train;

		if (len <= 0)
			fail("the client hung up before its answer");
		switch (nm_unix_hub_input(hub, client, frame, (size_t)len, &train)) {
		case 0: break;
		case 1: check_answer(&train); return;
		default: fail("the client speaks nonsense");
		}
		nm_unix_hub_clients(hub, welcome, &is_welcome);
		if (!is_welcome)
			fail("the client did not ask for IKE");
		give(hub, NM_IKE2_FLAG_RESPONSE);
		give(hub, NM_IKE2_FLAG_INITIATOR);
	}
}

static void check_output(int fd)
{
	static const char expected[] =
		"welcome: classes 0x2\n"
		"IKE [2001:db8::7]:31022 -> [2001:db8::1]:4500: 40 bytes, exchange 34, response\n"
		"IKE [2001:db8::7]:31022 -> [2001:db8::1]:4500: 40 bytes, exchange 34, request\n";
	char output[OUTPUT_MAX];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, output + len, sizeof(output) - 1 - len)) > 0)
		len += (size_t)n;
	output[len] = '\0';
	if (strcmp(output, expected) != 0) {
		fprintf(stderr, "got:\n%sexpected:\n%s", output, expected);
		fail("the client prints something else");
	}
}

static void wait_for(int fd)
{
	struct pollfd waited = {.fd = fd, .events = POLLIN};

	if (poll(&waited, 1, TIMEOUT_S * 1000) != 1)
		fail("the client does not come");
}

int main(int argc, char **argv)
{
	static struct natmux_mux mux;
	struct nm_unix_config config = {
		.clients_max = 1,
		.queue_datagrams = 16,
		.queue_bytes = NM_FRAME_MAX,
		.io = {.send_frame = send_frame},
		.mux = &mux,
	};
	struct nm_unix_hub *hub;
	uint32_t client = 0;
	int listener, output, status;
	pid_t pid;

	if (argc < 2)
		fail("usage: serve_client PROGRAM...");
	alarm(TIMEOUT_S);
	listener = listen_at();
	if (nm_unix_hub_new(&config, &hub) < 0 || nm_unix_hub_open(hub, &client) < 0)
		fail("no hub");
	pid = start_client(argc, argv, &output);
	wait_for(listener);
	client_fd = accept(listener, NULL, NULL);
	if (client_fd < 0)
		fail("accept");
	serve(hub, client);
	check_output(output);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail("the client did not end well");
	if (fake_mux_drops(&mux) != 0)
		fail("something was dropped");
	nm_unix_hub_free(hub);
	printf("ok\n");
	return 0;
}
