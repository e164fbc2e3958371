/* SPDX-License-Identifier: Apache-2.0 */
/* The objects behind control.h, shared by control.c (server) and control_client.c (connection). */
#ifndef NM_CONTROL_CLIENT_H
#define NM_CONTROL_CLIENT_H

#include <uv.h>
#include "daemon/control/control_capture.h"
#include "daemon/control/control_events.h"
#include "daemon/control/control_line.h"
#include "daemon/control/control_request.h"
#include "daemon/control/control_socket.h"

enum {
	NM_CONTROL_CLIENTS = 16,
	NM_CONTROL_PENDING_MAX = 256 << 10, /* bytes of a stream on their way before it pauses */
	NM_CONTROL_SWEEP_MS = 5000,         /* how often the limits below are looked at */
	NM_CONTROL_IDLE_MS = 60000,         /* without a request */
	NM_CONTROL_UNREAD_MS = 10000,       /* an answer that the client does not read */
	NM_CONTROL_STUCK_MS = 60000,        /* the same of a stream */
};

/* One connection. Freed when its handle is closed. */
struct nm_control_client {
	uv_pipe_t pipe;
	struct nm_control *control;
	struct nm_control_client *next;
	struct nm_control_line line;
	enum nm_control_stream stream;
	uint64_t next_event;   /* STREAM_EVENTS: number of the next one to send */
	uint64_t told_dropped; /* STREAM_CAPTURE: drops it has been told of */
	uint64_t active_ms;    /* last request or last output taken */
	size_t pending;        /* bytes handed to libuv and not yet taken by the kernel */
	bool has_ended;        /* the client sends no more */
	bool is_leaving;       /* closed as soon as `pending` is 0 */
};

struct nm_control {
	struct nm_server *server;
	uv_loop_t *loop;
	uv_pipe_t listener;
	uv_timer_t sweep;
	uv_prepare_t flush;   /* runs while a capture does: sends what the tap has queued */
	unsigned int handles; /* open ones, clients' included; 0 frees the object */
	struct nm_control_socket socket;
	char *path;
	struct nm_control_client *clients;
	unsigned int clients_n;
	struct nm_control_events events;
	struct nm_capture capture;
	struct nm_control_client *capturer; /* whose capture it is */
	bool is_closing;
	void (*closed)(void *user);
	void *user;
};

/* Takes the connection that waits at the listener: as a client, or to turn it away. */
void nm_control_client_accept(struct nm_control *control);

void nm_control_client_close(struct nm_control_client *client);

/* Sends what the client's stream has for it, as far as the client keeps up. */
void nm_control_client_pump(struct nm_control_client *client);

/* A handle of `control` is closed; the last one frees it. */
void nm_control_handle_closed(struct nm_control *control);

#endif
