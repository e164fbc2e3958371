/* SPDX-License-Identifier: Apache-2.0 */
/* The sending process of "receive": waits for orders on a socket pair, carries them out. */
#include "bench/sender.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <natmux/error.h>

#include "base/bytes.h"
#include "bench/console.h"
#include "bench/stopwatch.h"

/* glibc before 2.32 does not name it. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
	MESSAGES = 64,     /* of one call without GSO */
	MESSAGES_GSO = 8,  /* with GSO, each of SEGMENTS_MAX datagrams at most */
	SEGMENTS_MAX = 64, /* what every kernel with UDP_SEGMENT takes */
	PAYLOAD_MAX = 65507,
	SEND_BUFFER = 4 << 20,
};

struct nm_sender {
	pid_t pid;
	int fd;
};

struct load {
	uint8_t bytes[PAYLOAD_MAX];
	struct iovec iov;
	struct mmsghdr messages[MESSAGES];
	unsigned int message_count;
	unsigned int segments; /* datagrams in each message */
};

/* ESP by the rule: an SPI that is not zero and no cookie. */
static void fill_load(struct load *load, const struct nm_sender_order *order)
{
	load->segments = 1;
	if (order->is_gso) {
		load->segments = PAYLOAD_MAX / order->size;
		if (load->segments > SEGMENTS_MAX)
			load->segments = SEGMENTS_MAX;
	}
	load->message_count = order->is_gso ? MESSAGES_GSO : MESSAGES;
	for (uint32_t i = 0; i < load->segments; i++) {
		nm_put32(load->bytes + i * order->size, 0xc0ffee01);
		nm_put32(load->bytes + i * order->size + 4, i + 1);
	}
	load->iov = (struct iovec){load->bytes, (size_t)load->segments * order->size};
	memset(load->messages, 0, sizeof(load->messages));
	for (unsigned int i = 0; i < load->message_count; i++) {
		load->messages[i].msg_hdr.msg_iov = &load->iov;
		load->messages[i].msg_hdr.msg_iovlen = 1;
	}
}

static int open_socket(const struct nm_sender_order *order)
{
	bool is_v4 = order->destination.family == NATMUX_FAMILY_IPV4;
	struct sockaddr_storage ss;
	size_t len = natmux_addr_to_sockaddr(&order->destination, (struct sockaddr *)&ss);
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int buffer = SEND_BUFFER, size = (int)order->size;

	if (fd < 0)
		return -1;
	/* A larger queue is welcome, not needed. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	if ((order->is_gso && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0) ||
		connect(fd, (struct sockaddr *)&ss, (socklen_t)len) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

/* What a sender in a hurry meets: full queues, and a receiver that closed its socket. */
static bool is_passing(int error)
{
	return error == ENOBUFS || error == EAGAIN || error == ECONNREFUSED || error == EINTR;
}

static void send_load(int fd, struct load *load, uint64_t time_ns, struct nm_sender_result *result)
{
	uint64_t start = nm_stopwatch_now_ns();

	do {
		int sent = sendmmsg(fd, load->messages, load->message_count, 0);

		result->calls++;
		if (sent > 0)
			result->datagrams += (uint64_t)sent * load->segments;
		else if (sent < 0 && !is_passing(errno))
			result->error = errno;
		result->time_ns = nm_stopwatch_now_ns() - start;
	} while (result->error == 0 && result->time_ns < time_ns);
}

static struct nm_sender_result carry_out(const struct nm_sender_order *order)
{
	static struct load load;
	struct nm_sender_result result = {0};
	int fd = open_socket(order);

	if (fd < 0) {
		result.error = errno;
		return result;
	}
	fill_load(&load, order);
	send_load(fd, &load, (uint64_t)order->time_ms * 1000000, &result);
	close(fd);
	return result;
}

/* The process's life: until the other end of the socket pair is closed. */
static _Noreturn void live(int fd, bool own_network)
{
	struct nm_sender_order order;
	int32_t error = 0;

	signal(SIGINT, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	nm_stopwatch_pin(0);
	if (own_network && unshare(CLONE_NEWNET) < 0)
		error = errno;
	if (send(fd, &error, sizeof(error), MSG_NOSIGNAL) < 0)
		_exit(1);
	while (recv(fd, &order, sizeof(order), 0) == sizeof(order)) {
		struct nm_sender_result result = carry_out(&order);

		if (send(fd, &result, sizeof(result), MSG_NOSIGNAL) < 0)
			_exit(1);
	}
	_exit(0);
}

static int wait_until_ready(struct nm_sender *sender)
{
	int32_t error = EPIPE;

	if (recv(sender->fd, &error, sizeof(error), 0) == sizeof(error) && error == 0)
		return 0;
	nm_console_error("cannot give the sender a network namespace: %s", strerror(error));
	return NATMUX_ESYSTEM;
}

int nm_sender_new(bool own_network, struct nm_sender **result)
{
	struct nm_sender *sender = malloc(sizeof(*sender));
	int fds[2];

	if (!sender)
		return NATMUX_ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		nm_console_error("socketpair: %s", strerror(errno));
		free(sender);
		return NATMUX_ESYSTEM;
	}
	sender->fd = fds[0];
	sender->pid = fork();
	if (sender->pid == 0) {
		close(fds[0]);
		live(fds[1], own_network);
	}
	close(fds[1]);
	if (sender->pid < 0) {
		nm_console_error("fork: %s", strerror(errno));
		close(fds[0]);
		free(sender);
		return NATMUX_ESYSTEM;
	}
	if (wait_until_ready(sender) < 0) {
		nm_sender_free(sender);
		return NATMUX_ESYSTEM;
	}
	*result = sender;
	return 0;
}

void nm_sender_free(struct nm_sender *sender)
{
	if (!sender)
		return;
	close(sender->fd);
	kill(sender->pid, SIGKILL);
	while (waitpid(sender->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(sender);
}

pid_t nm_sender_pid(const struct nm_sender *sender)
{
	return sender->pid;
}

int nm_sender_start(struct nm_sender *sender, const struct nm_sender_order *order)
{
	if (order->size < NM_SENDER_SIZE_MIN || order->size > NM_SENDER_SIZE_MAX)
		return NATMUX_ERANGE;
	if (send(sender->fd, order, sizeof(*order), MSG_NOSIGNAL) != sizeof(*order))
		return NATMUX_ESYSTEM;
	return 0;
}

bool nm_sender_finished(struct nm_sender *sender, int wait_ms, struct nm_sender_result *result)
{
	struct pollfd pollfd = {.fd = sender->fd, .events = POLLIN};

	if (poll(&pollfd, 1, wait_ms) <= 0)
		return false;
	if (recv(sender->fd, result, sizeof(*result), 0) != sizeof(*result))
		*result = (struct nm_sender_result){.error = EPIPE};
	return true;
}
