/* SPDX-License-Identifier: Apache-2.0 */
/* The limit to compare with: blocking recvmmsg with UDP_GRO, and nobody looks at the bytes. */
#include "bench/receiver.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/console.h"

/* glibc before 2.32 does not name it. */
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { MESSAGES = 16, BUFFER = 65536, STRIDE = BUFFER + 1536 /* not all in one cache set */ };

struct control {
	_Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

struct bare {
	int fd;
	uint64_t count;
	struct mmsghdr messages[MESSAGES];
	struct iovec iovs[MESSAGES];
	struct control controls[MESSAGES];
	uint8_t *buffers;
};

static void prepare_messages(struct bare *bare)
{
	for (int i = 0; i < MESSAGES; i++) {
		struct msghdr *msg = &bare->messages[i].msg_hdr;

		bare->iovs[i] = (struct iovec){bare->buffers + (size_t)i * STRIDE, BUFFER};
		msg->msg_iov = &bare->iovs[i];
		msg->msg_iovlen = 1;
		msg->msg_control = bare->controls[i].bytes;
	}
}

static void bare_close(void *self)
{
	struct bare *bare = self;

	if (bare->fd >= 0)
		close(bare->fd);
	free(bare->buffers);
	free(bare);
}

static void *bare_open(const struct natmux_addr *local, struct natmux_addr *bound)
{
	struct timeval wait = {.tv_usec = NM_RECEIVER_STEP_MS * 1000};
	struct bare *bare = calloc(1, sizeof(*bare));
	int on = 1;

	if (!bare)
		return NULL;
	bare->fd = nm_receiver_bind(local, bound);
	bare->buffers = malloc((size_t)MESSAGES * STRIDE);
	if (bare->fd < 0 || !bare->buffers ||
		setsockopt(bare->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0) {
		bare_close(bare);
		return NULL;
	}
	/* A kernel before 5.0 has none: then it is a bare recvmmsg sink. */
	setsockopt(bare->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	prepare_messages(bare);
	return bare;
}

/* Datagrams in a message: one, unless a control message says how long each of several is. */
static uint64_t datagrams_in(struct mmsghdr *message)
{
	struct msghdr *msg = &message->msg_hdr;
	int size;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&size, CMSG_DATA(c), sizeof(size));
		if (size > 0)
			return (message->msg_len + (unsigned int)size - 1) / (unsigned int)size;
	}
	return 1;
}

static void bare_step(void *self)
{
	struct bare *bare = self;
	int got;

	for (int i = 0; i < MESSAGES; i++)
		bare->messages[i].msg_hdr.msg_controllen = sizeof(bare->controls[i].bytes);
	do
		got = recvmmsg(bare->fd, bare->messages, MESSAGES, MSG_WAITFORONE, NULL);
	while (got < 0 && errno == EINTR);
	for (int i = 0; i < got; i++)
		bare->count += datagrams_in(&bare->messages[i]);
}

static uint64_t bare_count(const void *self)
{
	return ((const struct bare *)self)->count;
}

const struct nm_receiver_ops nm_receiver_bare = {
	.name = "bare recvmmsg+GRO",
	.open = bare_open,
	.step = bare_step,
	.count = bare_count,
	.close = bare_close,
};
