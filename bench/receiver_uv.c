/* SPDX-License-Identifier: Apache-2.0 */
/* libuv's own UDP handle, with and without recvmmsg. */
#include "bench/receiver.h"

#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "bench/console.h"

/* What libuv makes of a buffer: chunks of 64 KiB, at most 20 (UV__MMSG_MAXWIDTH). */
enum { CHUNK = 65536, CHUNKS_MAX = 20 };

struct uv_receiver {
	uv_loop_t loop;
	uv_udp_t udp;
	uv_timer_t timer; /* ends a wait */
	uint64_t count;
	char *buffer;
	size_t buffer_size;
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct uv_receiver *receiver = handle->data;

	(void)suggested;
	*buf = uv_buf_init(receiver->buffer, (unsigned int)receiver->buffer_size);
}

static void on_recv(uv_udp_t *udp, ssize_t len, const uv_buf_t *buf, const struct sockaddr *from,
	unsigned int flags)
{
	struct uv_receiver *receiver = udp->data;

	(void)buf;
	(void)flags;
	/* Without an address nothing came: the queue is empty, or a buffer is given back. */
	if (len >= 0 && from)
		receiver->count++;
}

static void on_timer(uv_timer_t *timer)
{
	(void)timer;
}

static void close_handle(uv_handle_t *handle, void *user)
{
	(void)user;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void uv_receiver_close(void *self)
{
	struct uv_receiver *receiver = self;

	uv_walk(&receiver->loop, close_handle, NULL);
	uv_run(&receiver->loop, UV_RUN_DEFAULT);
	uv_loop_close(&receiver->loop);
	free(receiver->buffer);
	free(receiver);
}

static int start(struct uv_receiver *receiver, unsigned int flags, const struct natmux_addr *local,
	struct natmux_addr *bound)
{
	int fd, err = uv_udp_init_ex(&receiver->loop, &receiver->udp, flags);

	if (err == 0)
		err = uv_timer_init(&receiver->loop, &receiver->timer);
	if (err < 0)
		return err;
	receiver->udp.data = receiver;
	fd = nm_receiver_bind(local, bound);
	if (fd < 0)
		return UV_EADDRNOTAVAIL;
	err = uv_udp_open(&receiver->udp, fd);
	if (err < 0) {
		close(fd);
		return err;
	}
	err = uv_timer_start(&receiver->timer, on_timer, NM_RECEIVER_STEP_MS, NM_RECEIVER_STEP_MS);
	return err < 0 ? err : uv_udp_recv_start(&receiver->udp, on_alloc, on_recv);
}

static void *open_with(unsigned int flags, size_t buffer_size, const struct natmux_addr *local,
	struct natmux_addr *bound)
{
	struct uv_receiver *receiver = calloc(1, sizeof(*receiver));
	int err;

	if (!receiver)
		return NULL;
	receiver->buffer_size = buffer_size;
	receiver->buffer = malloc(buffer_size);
	if (!receiver->buffer || uv_loop_init(&receiver->loop) < 0) {
		free(receiver->buffer);
		free(receiver);
		return NULL;
	}
	err = start(receiver, flags, local, bound);
	if (err < 0) {
		nm_console_error("libuv: %s", uv_strerror(err));
		uv_receiver_close(receiver);
		return NULL;
	}
	return receiver;
}

static void *uv_open(const struct natmux_addr *local, struct natmux_addr *bound)
{
	return open_with(AF_UNSPEC, CHUNK, local, bound);
}

static void *uv_mmsg_open(const struct natmux_addr *local, struct natmux_addr *bound)
{
	return open_with(AF_UNSPEC | UV_UDP_RECVMMSG, (size_t)CHUNK * CHUNKS_MAX, local, bound);
}

static void uv_step(void *self)
{
	struct uv_receiver *receiver = self;

	uv_run(&receiver->loop, UV_RUN_ONCE);
}

static uint64_t uv_count(const void *self)
{
	return ((const struct uv_receiver *)self)->count;
}

const struct nm_receiver_ops nm_receiver_uv = {
	.name = "uv_udp_t",
	.open = uv_open,
	.step = uv_step,
	.count = uv_count,
	.close = uv_receiver_close,
};

const struct nm_receiver_ops nm_receiver_uv_mmsg = {
	.name = "uv_udp_t RECVMMSG",
	.open = uv_mmsg_open,
	.step = uv_step,
	.count = uv_count,
	.close = uv_receiver_close,
};
