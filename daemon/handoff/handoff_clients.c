/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Unix handoff on the loop: accepts clients, says who may be one, and carries frames between
 * their sockets and the hub, which knows what they mean.
 */
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/handoff/handoff.h"
#include "daemon/process/poller.h"
#include "dispatcher/handoff_frame.h"
#include "dispatcher/handoff_unix.h"
#include "io/seqpacket.h"

enum {
	FRAMES_MAX = 64, /* of one client per wake-up */
	QUEUE_BYTES_PER_DATAGRAM = 2048,
};

struct client {
	struct clients_handoff *owner;
	uint32_t number; /* the hub's */
	bool is_open;
	struct nm_seqpacket_client socket;
	uv_poll_t poll;
};

struct clients_handoff {
	struct nm_handoff_link base;
	struct nm_seqpacket *listener;
	struct nm_unix_hub *hub;
	struct nm_poller listening;
	uint8_t frame[NM_FRAME_MAX];
	struct client clients[NM_UNIX_CLIENTS_MAX];
};

static void on_event(uv_poll_t *poll, int status, int events);

static void on_client_closed(uv_handle_t *handle)
{
	struct client *client = handle->data;

	nm_seqpacket_hang_up(client->owner->listener, &client->socket);
	client->is_open = false;
}

/* The hub forgets the client now, the loop lets go of it later. */
static void drop_client(struct client *client)
{
	if (uv_is_closing((uv_handle_t *)&client->poll))
		return;
	nm_unix_hub_close(client->owner->hub, client->number);
	uv_close((uv_handle_t *)&client->poll, on_client_closed);
}

static struct client *find_client(struct clients_handoff *handoff, uint32_t number)
{
	for (size_t i = 0; i < NM_UNIX_CLIENTS_MAX; i++) {
		struct client *client = &handoff->clients[i];

		if (client->is_open && client->number == number &&
			!uv_is_closing((uv_handle_t *)&client->poll))
			return client;
	}
	return NULL;
}

static enum nm_unix_sent send_frame(void *user, uint32_t number, const uint8_t *header,
	size_t header_len, const uint8_t *payload, size_t len)
{
	struct clients_handoff *handoff = user;
	struct client *client = find_client(handoff, number);
	const struct iovec parts[2] = {
		{(void *)(uintptr_t)header, header_len},
		{(void *)(uintptr_t)payload, len},
	};

	if (!client)
		return NM_UNIX_BROKEN;
	switch (nm_seqpacket_send(handoff->listener, &client->socket, parts, len > 0 ? 2 : 1)) {
	case NM_SEQPACKET_DONE: return NM_UNIX_TAKEN;
	case NM_SEQPACKET_AGAIN:
		uv_poll_start(&client->poll, UV_READABLE | UV_WRITABLE, on_event);
		return NM_UNIX_BLOCKED;
	case NM_SEQPACKET_TOO_LONG:
	case NM_SEQPACKET_GONE: break;
	}
	/* Reading will find the end of the connection and drop the client. */
	return NM_UNIX_BROKEN;
}

/* One frame from the client. False when it is gone or nothing waits. */
static bool read_frame(struct client *client)
{
	struct clients_handoff *handoff = client->owner;
	const struct nm_handoff_setup *setup = &handoff->base.setup;
	struct natmux_train train;
	size_t len = 0;
	int sent;

	switch (nm_seqpacket_recv(
		handoff->listener, &client->socket, handoff->frame, sizeof(handoff->frame), &len)) {
	case NM_SEQPACKET_DONE: break;
	case NM_SEQPACKET_AGAIN: return false;
	case NM_SEQPACKET_TOO_LONG:
		len = 0; /* the hub counts it as a bad frame */
		break;
	case NM_SEQPACKET_GONE: drop_client(client); return false;
	}
	sent = nm_unix_hub_input(handoff->hub, client->number, handoff->frame, len, &train);
	if (sent < 0) {
		drop_client(client);
		return false;
	}
	if (sent > 0) {
		natmux_mux_sent(setup->mux, uv_now(setup->loop), &train, 1);
		setup->send(setup->user, &train, 1);
	}
	return true;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct client *client = poll->data;

	if (status < 0) {
		drop_client(client);
		return;
	}
	if (events & UV_WRITABLE && !nm_unix_hub_writable(client->owner->hub, client->number))
		uv_poll_start(poll, UV_READABLE, on_event);
	if (events & UV_READABLE)
		for (int i = 0; i < FRAMES_MAX && read_frame(client); i++)
			;
}

/* Root, and whoever natmuxd runs as. */
static bool may_connect(const struct nm_seqpacket_client *socket)
{
	return socket->uid == 0 || socket->uid == geteuid();
}

static struct client *free_place(struct clients_handoff *handoff)
{
	for (size_t i = 0; i < NM_UNIX_CLIENTS_MAX; i++)
		if (!handoff->clients[i].is_open)
			return &handoff->clients[i];
	return NULL;
}

static void accept_client(struct clients_handoff *handoff, struct nm_seqpacket_client *socket)
{
	const struct nm_handoff_setup *setup = &handoff->base.setup;
	struct client *client = free_place(handoff);

	if (!may_connect(socket)) {
		nm_log(&setup->log, NATMUX_LOG_WARNING,
			"handoff: process %ld of user %ld may not connect", (long)socket->pid,
			(long)socket->uid);
		goto refuse;
	}
	if (!client || nm_unix_hub_open(handoff->hub, &client->number) < 0)
		goto refuse;
	*client = (struct client){
		.owner = handoff, .number = client->number, .is_open = true, .socket = *socket};
	client->poll.data = client;
	if (uv_poll_init(setup->loop, &client->poll, socket->fd) < 0) {
		nm_unix_hub_close(handoff->hub, client->number);
		client->is_open = false;
		goto refuse;
	}
	uv_poll_start(&client->poll, UV_READABLE, on_event);
	nm_log(&setup->log, NATMUX_LOG_INFO, "handoff: process %ld connected", (long)socket->pid);
	return;
refuse:
	nm_seqpacket_hang_up(handoff->listener, socket);
}

static void on_connection(void *user)
{
	struct clients_handoff *handoff = user;
	struct nm_seqpacket_client socket;

	if (nm_seqpacket_accept(handoff->listener, &socket) == 0)
		accept_client(handoff, &socket);
}

static void close_clients(struct nm_handoff_link *base)
{
	struct clients_handoff *handoff = (struct clients_handoff *)base;

	for (size_t i = 0; i < NM_UNIX_CLIENTS_MAX; i++)
		if (handoff->clients[i].is_open)
			drop_client(&handoff->clients[i]);
	nm_poller_close(&handoff->listening);
}

static void free_clients(struct nm_handoff_link *base)
{
	struct clients_handoff *handoff = (struct clients_handoff *)base;

	nm_unix_hub_free(handoff->hub);
	nm_seqpacket_close(handoff->listener);
	free(handoff);
}

static int open_hub(struct clients_handoff *handoff)
{
	const struct nm_handoff_setup *setup = &handoff->base.setup;
	const struct nm_config_unix *config = &setup->config->unix_handoff;
	uint32_t bytes = config->queue * QUEUE_BYTES_PER_DATAGRAM;
	struct nm_unix_config hub = {
		.clients_max = config->clients,
		.queue_datagrams = config->queue,
		.queue_bytes = bytes < NM_FRAME_MAX ? NM_FRAME_MAX : bytes,
		.io = {send_frame, handoff},
		.mux = setup->mux,
	};
	struct nm_seqpacket_config socket = {
		.sys = &nm_sys_real,
		.log = setup->log,
		.path = config->path,
		.mode = 0600,
		.clients_max = config->clients,
	};
	int err = nm_unix_hub_new(&hub, &handoff->hub);

	if (err == 0)
		err = nm_seqpacket_listen(&socket, &handoff->listener);
	return err;
}

static int open_clients(const struct nm_handoff_setup *setup, struct nm_handoff_link **result)
{
	struct clients_handoff *handoff = calloc(1, sizeof(*handoff));
	int err;

	if (!handoff)
		return NATMUX_ENOMEM;
	handoff->base.setup = *setup;
	err = open_hub(handoff);
	if (err == 0)
		err = nm_poller_start(&handoff->listening, setup->loop,
			nm_seqpacket_fd(handoff->listener), on_connection, handoff);
	if (err < 0) {
		nm_log(&setup->log, NATMUX_LOG_ERROR, "handoff: %s", natmux_strerror(err));
		free_clients(&handoff->base);
		return err;
	}
	natmux_mux_set_sink(setup->mux, NATMUX_CLASS_IKE, &nm_unix_sink, handoff->hub);
	natmux_mux_set_sink(setup->mux, NATMUX_CLASS_ESP, &nm_unix_sink, handoff->hub);
	*result = &handoff->base;
	return 0;
}

const struct nm_handoff_kind nm_handoff_unix = {
	.name = "unix",
	.open = open_clients,
	.close = close_clients,
	.free = free_clients,
};
