/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control server's life: listening, its timer, its end, and events on their way to those who
 * follow. Connections are control_client.c's, what is said on them control_request.c's.
 */
#include "daemon/control/control.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <natmux/error.h>
#include "daemon/config/config.h"
#include "daemon/control/control_client.h"
#include "daemon/control/json_wipe.h"
#include "daemon/server.h"

void nm_control_handle_closed(struct nm_control *control)
{
	if (--control->handles > 0)
		return;
	if (control->closed)
		control->closed(control->user);
	free(control->path);
	free(control);
}

static void on_closed(uv_handle_t *handle)
{
	nm_control_handle_closed(handle->data);
}

static void on_connection(uv_stream_t *listener, int status)
{
	if (status == 0)
		nm_control_client_accept(listener->data);
}

static void init_handles(struct nm_control *control)
{
	uv_pipe_init(control->loop, &control->listener, 0);
	uv_timer_init(control->loop, &control->sweep);
	uv_prepare_init(control->loop, &control->flush);
	control->listener.data = control->sweep.data = control->flush.data = control;
	control->handles = 3;
}

static int start_listening(struct nm_control *control, char *message, size_t size)
{
	uv_stream_t *listener = (uv_stream_t *)&control->listener;
	int error = uv_pipe_open(&control->listener, control->socket.fd);

	if (error < 0)
		close(control->socket.fd);
	else
		error = uv_listen(listener, NM_CONTROL_CLIENTS, on_connection);
	if (error == 0)
		return 0;
	snprintf(message, size, "control socket %s: listen: %s", control->path, uv_strerror(error));
	return NATMUX_ESYSTEM;
}

int nm_control_new(struct nm_server *server, const char *path, struct nm_control **result,
	char *message, size_t size)
{
	struct nm_control *control = calloc(1, sizeof(*control));
	int error;

	if (control)
		control->path = strdup(path);
	if (!control || !control->path) {
		snprintf(message, size, "control socket %s: out of memory", path);
		error = NATMUX_ENOMEM;
		goto fail;
	}
	nm_json_wipe();
	/* libuv writes without MSG_NOSIGNAL: a client that leaves must not end the daemon. */
	signal(SIGPIPE, SIG_IGN);
	control->server = server;
	control->loop = nm_server_loop(server);
	error = nm_control_socket_open(path, &control->socket, message, size);
	if (error < 0)
		goto fail;
	init_handles(control);
	error = start_listening(control, message, size);
	if (error < 0) {
		nm_control_free(control, NULL, NULL);
		return error;
	}
	*result = control;
	return 0;

fail:
	if (control)
		free(control->path);
	free(control);
	return error;
}

void nm_control_free(struct nm_control *control, void (*closed)(void *user), void *user)
{
	if (!control) {
		if (closed)
			closed(user);
		return;
	}
	control->is_closing = true;
	control->closed = closed;
	control->user = user;
	while (control->clients)
		nm_control_client_close(control->clients);
	nm_control_socket_unlink(&control->socket, control->path);
	uv_close((uv_handle_t *)&control->listener, on_closed);
	uv_close((uv_handle_t *)&control->sweep, on_closed);
	uv_close((uv_handle_t *)&control->flush, on_closed);
}

/* Events carry the time of day: people compare them with logs of other machines. */
static uint64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void tell_followers(struct nm_control *control)
{
	struct nm_control_client *client, *next;

	for (client = control->clients; client; client = next) {
		next = client->next;
		if (client->stream == NM_CONTROL_STREAM_EVENTS)
			nm_control_client_pump(client);
	}
}

void nm_control_event(struct nm_control *control, const struct natmux_event *event)
{
	if (!control || control->is_closing)
		return;
	nm_control_events_push(&control->events, wall_ms(), event);
	tell_followers(control);
}

/* The SA's name in the configuration; NULL: it has none, or the event is about no SA. */
static const char *name_of(struct nm_control *control, const struct natmux_esp_event *event)
{
	const struct nm_config_sa *sa = nm_config_sa_find(nm_server_config(control->server),
		event->direction, event->spi, &event->path.remote);

	return sa && event->type != NATMUX_ESP_EVENT_ACQUIRE ? sa->name : NULL;
}

void nm_control_esp_event(struct nm_control *control, const struct natmux_esp_event *event)
{
	if (!control || control->is_closing)
		return;
	nm_control_events_push_esp(&control->events, wall_ms(), event, name_of(control, event));
	tell_followers(control);
}
