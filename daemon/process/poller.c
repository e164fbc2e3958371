/* SPDX-License-Identifier: Apache-2.0 */
/* Listens again after an error; what is read, and what an error means, is its owner's business. */
#include "daemon/process/poller.h"

#include <natmux/error.h>

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct nm_poller *poller = poll->data;

	(void)events;
	/* Before the owner is called, who may stop or close. */
	if (status < 0)
		uv_poll_start(poll, UV_READABLE, on_ready);
	poller->ready(poller->user);
}

int nm_poller_start(
	struct nm_poller *poller, uv_loop_t *loop, int fd, void (*ready)(void *user), void *user)
{
	if (uv_poll_init(loop, &poller->poll, fd) < 0)
		return NATMUX_ESYSTEM;
	poller->poll.data = poller;
	poller->ready = ready;
	poller->user = user;
	poller->is_started = true;
	/* Fails only where another handle has the descriptor, which _init has looked for. */
	(void)uv_poll_start(&poller->poll, UV_READABLE, on_ready);
	return 0;
}

void nm_poller_stop(struct nm_poller *poller)
{
	uv_poll_stop(&poller->poll);
}

void nm_poller_close(struct nm_poller *poller)
{
	if (poller->is_started && !uv_is_closing((uv_handle_t *)&poller->poll))
		uv_close((uv_handle_t *)&poller->poll, NULL);
}
