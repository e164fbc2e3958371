/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the control server. It answers one request per turn of the loop and takes the
 * next only when the answer is gone, so that no client can keep the packets waiting or make the
 * daemon store more than one answer. A stream sends while less than NM_CONTROL_PENDING_MAX waits;
 * what passes meanwhile is lost to this client, and it is told how much.
 */
#include "daemon/control/control_client.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <natmux/mux.h>
#include "daemon/control/control_json.h"
#include "daemon/server.h"

struct output {
	uv_write_t write;
	struct nm_control_client *client;
	char *text;
	size_t len;
};

static void work(struct nm_control_client *client);

static uv_stream_t *stream_of(struct nm_control_client *client)
{
	return (uv_stream_t *)&client->pipe;
}

static bool is_closing(const struct nm_control_client *client)
{
	return uv_is_closing((const uv_handle_t *)&client->pipe);
}

static void stop_capture(struct nm_control *control)
{
	nm_server_set_tap(control->server, 0, NULL, NULL);
	nm_capture_stop(&control->capture);
	uv_prepare_stop(&control->flush);
	control->capturer = NULL;
}

static void on_closed(uv_handle_t *handle)
{
	struct nm_control_client *client = handle->data;

	nm_control_handle_closed(client->control);
	/* Requests may hold keys. */
	if (client->line.buf)
		sodium_memzero(client->line.buf, NM_CONTROL_LINE_MAX + 1);
	free(client->line.buf);
	free(client);
}

static void unlist(struct nm_control_client *client)
{
	struct nm_control_client **link = &client->control->clients;

	while (*link && *link != client)
		link = &(*link)->next;
	if (!*link)
		return; /* it was turned away */
	*link = client->next;
	client->control->clients_n--;
}

void nm_control_client_close(struct nm_control_client *client)
{
	if (is_closing(client))
		return;
	if (client->control->capturer == client)
		stop_capture(client->control);
	unlist(client);
	uv_close((uv_handle_t *)&client->pipe, on_closed);
}

/* An answer may hold keys, too: sa-export. */
static void free_output(struct output *output)
{
	if (output && output->text)
		sodium_memzero(output->text, output->len);
	if (output)
		free(output->text);
	free(output);
}

static void on_written(uv_write_t *write, int status)
{
	struct output *output = write->data;
	struct nm_control_client *client = output->client;

	client->pending -= output->len;
	free_output(output);
	if (is_closing(client))
		return;
	client->active_ms = uv_now(client->control->loop);
	if (status < 0 || (client->is_leaving && client->pending == 0))
		nm_control_client_close(client);
	else if (client->stream != NM_CONTROL_STREAM_NONE)
		nm_control_client_pump(client);
	else
		work(client);
}

/* Hands the line to libuv; uses up `json`. Without memory the client is closed. */
static void send_json(struct nm_control_client *client, json_t *json)
{
	struct output *output = calloc(1, sizeof(*output));
	uv_buf_t buf;

	if (output)
		output->text = nm_control_text(json, &output->len);
	json_decref(json);
	if (!output || !output->text || is_closing(client))
		goto fail;
	output->client = client;
	output->write.data = output;
	buf = uv_buf_init(output->text, (unsigned int)output->len);
	if (uv_write(&output->write, stream_of(client), &buf, 1, on_written) < 0)
		goto fail;
	client->pending += output->len;
	return;

fail:
	free_output(output);
	nm_control_client_close(client);
}

static bool can_stream(const struct nm_control_client *client)
{
	return !is_closing(client) && client->pending < NM_CONTROL_PENDING_MAX;
}

static void send_lost(struct nm_control_client *client, const char *what, uint64_t n)
{
	send_json(client, json_pack("{s:{s:o}}", "lost", what, nm_json_count(n)));
}

static void pump_events(struct nm_control_client *client)
{
	const struct nm_control_events *events = &client->control->events;

	while (can_stream(client) && client->next_event <= events->last) {
		uint64_t oldest = nm_control_events_oldest(events);

		if (client->next_event < oldest) {
			send_lost(client, "events", oldest - client->next_event);
			client->next_event = oldest;
			continue;
		}
		send_json(client, json_pack("{s:o}", "event",
					  nm_control_event_json(nm_control_events_get(
						  events, client->next_event++))));
	}
}

/* The last word of a capture; after it the client may ask again. */
static void end_capture(struct nm_control_client *client)
{
	struct nm_control *control = client->control;
	struct nm_capture_count count = nm_capture_count(&control->capture);
	json_t *end = json_pack("{s:{s:o, s:o}}", "end", "captured", nm_json_count(count.taken),
		"lost", nm_json_count(count.dropped));

	client->stream = NM_CONTROL_STREAM_NONE;
	stop_capture(control);
	send_json(client, end);
}

static void pump_capture(struct nm_control_client *client)
{
	struct nm_capture *capture = &client->control->capture;
	uint64_t dropped;

	while (can_stream(client) && nm_capture_has_next(capture))
		send_json(client, json_pack("{s:o}", "datagram", nm_capture_next(capture)));
	dropped = nm_capture_count(capture).dropped;
	if (can_stream(client) && dropped > client->told_dropped) {
		uint64_t lost = dropped - client->told_dropped;

		client->told_dropped = dropped;
		send_lost(client, "datagrams", lost);
	}
	if (!is_closing(client) && nm_capture_is_complete(capture))
		end_capture(client);
}

void nm_control_client_pump(struct nm_control_client *client)
{
	switch (client->stream) {
	case NM_CONTROL_STREAM_EVENTS: pump_events(client); break;
	case NM_CONTROL_STREAM_CAPTURE: pump_capture(client); break;
	case NM_CONTROL_STREAM_NONE: break;
	}
}

static uint64_t wall_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Just before the loop sleeps: what the tap has queued since is sent. */
static void on_flush(uv_prepare_t *flush)
{
	struct nm_control *control = flush->data;

	if (control->capturer)
		nm_control_client_pump(control->capturer);
}

static void begin_capture(struct nm_control_client *client, const struct nm_capture_filter *filter)
{
	struct nm_control *control = client->control;

	if (nm_capture_start(&control->capture, filter, wall_us) < 0) {
		nm_control_client_close(client);
		return;
	}
	control->capturer = client;
	client->told_dropped = 0;
	uv_prepare_start(&control->flush, on_flush);
	nm_server_set_tap(control->server, filter->classes, nm_capture_tap, &control->capture);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct nm_control_client *client = handle->data;

	(void)suggested;
	buf->len = nm_control_line_room(&client->line, &buf->base);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct nm_control_client *client = stream->data;

	(void)buf;
	if (n == 0)
		return;
	/* Whatever comes in on a stream, an end or a request, ends it. */
	if (client->stream != NM_CONTROL_STREAM_NONE || (n < 0 && n != UV_EOF)) {
		nm_control_client_close(client);
		return;
	}
	if (n == UV_EOF) {
		client->has_ended = true;
		uv_read_stop(stream);
	} else {
		nm_control_line_commit(&client->line, (size_t)n);
	}
	work(client);
}

static void answer(struct nm_control_client *client, char *line, size_t len)
{
	struct nm_control *control = client->control;
	struct nm_control_call call = {
		.server = control->server,
		.events = &control->events,
		.is_capture_taken = control->capturer != NULL,
	};
	json_t *reply = nm_control_answer(&call, line, len);

	sodium_memzero(line, len);
	client->active_ms = uv_now(control->loop);
	client->stream = call.stream;
	client->next_event = call.next_event;
	send_json(client, reply);
	if (is_closing(client) || call.stream == NM_CONTROL_STREAM_NONE)
		return;
	if (call.stream == NM_CONTROL_STREAM_CAPTURE)
		begin_capture(client, &call.filter);
	nm_control_client_pump(client);
	/* Reading goes on: it is how the client's leaving is noticed. */
	uv_read_start(stream_of(client), on_room, on_read);
}

/* Takes the next request, unless the answer to the last one is still on its way. */
static void work(struct nm_control_client *client)
{
	char *line;
	size_t len;

	if (client->pending > 0 || is_closing(client))
		return;
	switch (nm_control_line_next(&client->line, &line, &len)) {
	case NM_CONTROL_LINE_READY:
		uv_read_stop(stream_of(client));
		answer(client, line, len);
		break;
	case NM_CONTROL_LINE_NONE:
		if (client->has_ended)
			nm_control_client_close(client);
		else
			uv_read_start(stream_of(client), on_room, on_read);
		break;
	case NM_CONTROL_LINE_TOO_LONG:
		uv_read_stop(stream_of(client));
		client->is_leaving = true;
		send_json(
			client, nm_control_error("too-long", "a request has at most 65536 bytes"));
		break;
	}
}

/* Says why in one attempt and hangs up: nothing is kept for those who are turned away. */
static void turn_away(struct nm_control_client *client, const char *code, const char *message)
{
	json_t *json = nm_control_error(code, message);
	size_t len = 0;
	char *text = nm_control_text(json, &len);
	uv_buf_t buf = uv_buf_init(text, (unsigned int)len);

	if (text)
		uv_try_write(stream_of(client), &buf, 1);
	free(text);
	json_decref(json);
	nm_control_client_close(client);
}

/* Whether the client has used up its patience: an answer unread, or no request for long. */
static bool is_overdue(const struct nm_control_client *client, uint64_t now_ms)
{
	uint64_t quiet_ms = now_ms - client->active_ms;

	if (client->stream != NM_CONTROL_STREAM_NONE)
		return client->pending > 0 && quiet_ms >= NM_CONTROL_STUCK_MS;
	return quiet_ms >= (client->pending > 0 ? NM_CONTROL_UNREAD_MS : NM_CONTROL_IDLE_MS);
}

static void on_sweep(uv_timer_t *timer)
{
	struct nm_control *control = timer->data;
	struct nm_control_client *client = control->clients, *next;

	for (; client; client = next) {
		next = client->next;
		if (is_overdue(client, uv_now(control->loop)))
			nm_control_client_close(client);
	}
	if (!control->clients)
		uv_timer_stop(timer);
}

static void admit(struct nm_control_client *client)
{
	struct nm_control *control = client->control;
	uv_os_fd_t fd;
	uid_t uid;

	if (uv_fileno((const uv_handle_t *)&client->pipe, &fd) < 0 ||
		!nm_control_socket_may_ask(fd, &uid)) {
		turn_away(client, "denied", "only root and natmuxd's own user may ask");
		return;
	}
	client->line.buf = malloc(NM_CONTROL_LINE_MAX + 1);
	if (control->clients_n >= NM_CONTROL_CLIENTS || !client->line.buf) {
		turn_away(client, "busy", "natmuxd has as many control clients as it takes");
		return;
	}
	client->next = control->clients;
	control->clients = client;
	control->clients_n++;
	client->active_ms = uv_now(control->loop);
	if (!uv_is_active((const uv_handle_t *)&control->sweep))
		uv_timer_start(&control->sweep, on_sweep, NM_CONTROL_SWEEP_MS, NM_CONTROL_SWEEP_MS);
	work(client);
}

void nm_control_client_accept(struct nm_control *control)
{
	struct nm_control_client *client = calloc(1, sizeof(*client));

	if (!client)
		return; /* libuv holds the connection and listens no more: no memory, no control */
	client->control = control;
	uv_pipe_init(control->loop, &client->pipe, 0);
	client->pipe.data = client;
	control->handles++;
	if (uv_accept((uv_stream_t *)&control->listener, stream_of(client)) < 0)
		nm_control_client_close(client);
	else
		admit(client);
}
