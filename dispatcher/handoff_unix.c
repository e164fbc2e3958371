/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which client gets which datagram and what a client may send. The bytes of frames are
 * handoff_frame.c's, waiting handoff_queue.c's, sockets the owner's.
 */
#include "dispatcher/handoff_unix.h"

#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include "base/bytes.h"
#include "dispatcher/handoff_frame.h"
#include "dispatcher/handoff_queue.h"
#include "wire/natt.h"

enum {
	QUEUE_DATAGRAMS_MAX = 65536,
	QUEUE_BYTES_MAX = 64 << 20,
	CLASSES_OFFERED = 1 << NM_FRAME_CLASS_IKE | 1 << NM_FRAME_CLASS_ESP,
	FLAGS_OFFERED = NM_FRAME_FLAG_TRAINS,
	STATS_COUNTERS = 5,
};

struct client {
	bool is_open, is_welcome, is_broken;
	uint16_t classes; /* 1 << NM_FRAME_CLASS_… */
	uint16_t flags;
	uint32_t bad_frames;
	uint64_t sent, lost, received; /* datagrams */
	struct nm_frame_queue queue;
};

struct nm_unix_hub {
	struct nm_unix_config config;
	struct client clients[]; /* config.clients_max */
};

static bool is_config_valid(const struct nm_unix_config *config)
{
	return config->clients_max >= 1 && config->clients_max <= NM_UNIX_CLIENTS_MAX &&
	       config->queue_datagrams >= 1 && config->queue_datagrams <= QUEUE_DATAGRAMS_MAX &&
	       config->queue_bytes >= NM_FRAME_MAX && config->queue_bytes <= QUEUE_BYTES_MAX;
}

int nm_unix_hub_new(const struct nm_unix_config *config, struct nm_unix_hub **result)
{
	struct nm_unix_hub *hub;

	if (!is_config_valid(config))
		return NATMUX_ERANGE;
	hub = calloc(1, sizeof(*hub) + config->clients_max * sizeof(hub->clients[0]));
	if (!hub)
		return NATMUX_ENOMEM;
	hub->config = *config;
	for (uint32_t i = 0; i < config->clients_max; i++) {
		if (nm_frame_queue_init(&hub->clients[i].queue, config->queue_datagrams,
			    config->queue_bytes) < 0) {
			nm_unix_hub_free(hub);
			return NATMUX_ENOMEM;
		}
	}
	*result = hub;
	return 0;
}

void nm_unix_hub_free(struct nm_unix_hub *hub)
{
	if (!hub)
		return;
	for (uint32_t i = 0; i < hub->config.clients_max; i++)
		nm_frame_queue_done(&hub->clients[i].queue);
	free(hub);
}

static struct client *client_get(struct nm_unix_hub *hub, uint32_t number)
{
	if (number >= hub->config.clients_max || !hub->clients[number].is_open)
		return NULL;
	return &hub->clients[number];
}

int nm_unix_hub_open(struct nm_unix_hub *hub, uint32_t *number)
{
	for (uint32_t i = 0; i < hub->config.clients_max; i++) {
		struct client *client = &hub->clients[i];

		if (client->is_open)
			continue;
		*client = (struct client){.is_open = true, .queue = client->queue};
		*number = i;
		return 0;
	}
	return NATMUX_EFULL;
}

void nm_unix_hub_close(struct nm_unix_hub *hub, uint32_t number)
{
	struct client *client = client_get(hub, number);

	if (!client)
		return;
	client->is_open = false;
	nm_frame_queue_clear(&client->queue);
}

static enum nm_unix_sent send_now(struct nm_unix_hub *hub, struct client *client,
	const uint8_t *header, const uint8_t *payload, size_t len, uint32_t datagrams)
{
	enum nm_unix_sent sent = hub->config.io.send_frame(hub->config.io.user,
		(uint32_t)(client - hub->clients), header, NM_FRAME_HEADER_LEN, payload, len);

	switch (sent) {
	case NM_UNIX_TAKEN: client->sent += datagrams; break;
	case NM_UNIX_BLOCKED: break;
	case NM_UNIX_BROKEN: client->is_broken = true; break;
	}
	return sent;
}

/* At once if nothing waits, else behind what waits: frames never overtake each other. */
static void send_frame(struct nm_unix_hub *hub, struct client *client, const uint8_t *header,
	const uint8_t *payload, size_t len, uint32_t datagrams)
{
	if (client->is_broken)
		return;
	if (client->queue.count == 0 &&
		send_now(hub, client, header, payload, len, datagrams) != NM_UNIX_BLOCKED)
		return;
	if (nm_frame_queue_push(&client->queue, header, NM_FRAME_HEADER_LEN, payload, (uint32_t)len,
		    datagrams) == 0)
		return;
	client->lost += datagrams;
	natmux_mux_drop(hub->config.mux, NATMUX_DROP_HANDOFF_SLOW, datagrams);
}

bool nm_unix_hub_writable(struct nm_unix_hub *hub, uint32_t number)
{
	struct client *client = client_get(hub, number);
	const uint8_t *frame;
	uint32_t len, datagrams;

	if (!client || client->is_broken)
		return false;
	while ((frame = nm_frame_queue_first(&client->queue, &len, &datagrams))) {
		switch (send_now(hub, client, frame, frame + NM_FRAME_HEADER_LEN,
			len - NM_FRAME_HEADER_LEN, datagrams)) {
		case NM_UNIX_TAKEN: nm_frame_queue_pop(&client->queue); break;
		case NM_UNIX_BLOCKED: return true;
		case NM_UNIX_BROKEN: nm_frame_queue_clear(&client->queue); return false;
		}
	}
	return false;
}

/* A train that has become headers: the same one fits each of its datagrams sent alone. */
struct delivery {
	uint8_t header[NM_FRAME_HEADER_LEN];
	uint8_t header_alone[NM_FRAME_HEADER_LEN];
	const struct natmux_train *train;
	uint32_t segment;
	uint16_t class_bit;
};

static void prepare(struct delivery *delivery, const struct natmux_train *train)
{
	struct nm_frame frame = {
		.type = NM_FRAME_DATAGRAM,
		.cls = nm_natt_has_marker(train->data, train->len) ? NM_FRAME_CLASS_IKE
								   : NM_FRAME_CLASS_ESP,
		.tos = train->tos,
		.path = train->path,
	};

	nm_frame_encode(delivery->header_alone, &frame);
	if (natmux_train_count(train) > 1)
		frame.segment = train->segment;
	nm_frame_encode(delivery->header, &frame);
	delivery->train = train;
	delivery->segment = frame.segment > 0 ? frame.segment : train->len;
	delivery->class_bit = (uint16_t)(1 << frame.cls);
}

static void deliver(struct nm_unix_hub *hub, struct client *client, const struct delivery *delivery)
{
	const struct natmux_train *train = delivery->train;

	if (client->flags & NM_FRAME_FLAG_TRAINS) {
		send_frame(hub, client, delivery->header, train->data, train->len,
			natmux_train_count(train));
		return;
	}
	for (uint32_t at = 0; at < train->len; at += delivery->segment) {
		uint32_t left = train->len - at;

		send_frame(hub, client, delivery->header_alone, train->data + at,
			left < delivery->segment ? left : delivery->segment, 1);
	}
}

static void input_train(struct nm_unix_hub *hub, const struct natmux_train *train)
{
	struct delivery delivery;
	bool is_wanted = false;

	if (train->len > NM_FRAME_MAX - NM_FRAME_HEADER_LEN) {
		natmux_mux_drop(
			hub->config.mux, NATMUX_DROP_HANDOFF_SIZE, natmux_train_count(train));
		return;
	}
	prepare(&delivery, train);
	for (uint32_t i = 0; i < hub->config.clients_max; i++) {
		struct client *client = &hub->clients[i];

		if (!client->is_open || client->is_broken ||
			!(client->classes & delivery.class_bit))
			continue;
		is_wanted = true;
		deliver(hub, client, &delivery);
	}
	if (!is_wanted)
		natmux_mux_drop(
			hub->config.mux, NATMUX_DROP_HANDOFF_NO_CLIENT, natmux_train_count(train));
}

static void input(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	(void)now_ms;
	for (size_t i = 0; i < n; i++)
		input_train(self, &trains[i]);
}

const struct natmux_sink_ops nm_unix_sink = {
	.name = "unix",
	.input = input,
};

/* A frame that speaks for natmux itself; it counts as no datagram. */
static void reply(struct nm_unix_hub *hub, struct client *client, const struct nm_frame *frame)
{
	uint8_t header[NM_FRAME_HEADER_LEN];

	nm_frame_encode(header, frame);
	send_frame(hub, client, header, frame->payload, frame->len, 0);
}

/* What is not offered is not granted; a second HELLO replaces the first. */
static void hello(struct nm_unix_hub *hub, struct client *client, const struct nm_frame *frame)
{
	client->is_welcome = true;
	client->classes = frame->classes & CLASSES_OFFERED;
	client->flags = frame->word & FLAGS_OFFERED;
	reply(hub, client,
		&(struct nm_frame){
			.type = NM_FRAME_WELCOME,
			.classes = client->classes,
			.word = client->flags,
		});
}

static void stats(struct nm_unix_hub *hub, struct client *client)
{
	uint8_t counters[STATS_COUNTERS * 8];

	nm_put64(counters, client->sent);
	nm_put64(counters + 8, client->lost);
	nm_put64(counters + 16, client->queue.datagrams);
	nm_put64(counters + 24, client->received);
	nm_put64(counters + 32, client->bad_frames);
	reply(hub, client,
		&(struct nm_frame){
			.type = NM_FRAME_STATS,
			.payload = counters,
			.len = sizeof(counters),
		});
}

/* With a client of another version there is nothing to talk about. */
static int refuse(struct nm_unix_hub *hub, struct client *client, enum nm_frame_error error)
{
	const char *text = nm_frame_error_text(error);

	natmux_mux_drop(hub->config.mux, NATMUX_DROP_HANDOFF_FRAME, 1);
	client->bad_frames++;
	reply(hub, client,
		&(struct nm_frame){
			.type = NM_FRAME_ERROR,
			.word = (uint16_t)error,
			.payload = (const uint8_t *)text,
			.len = strlen(text),
		});
	if (error == NM_FRAME_ERROR_VERSION || client->bad_frames >= NM_UNIX_BAD_FRAMES_MAX)
		return NATMUX_EMALFORMED;
	return 0;
}

static bool is_wildcard(const struct natmux_addr *addr)
{
	static const uint8_t zero[16];

	return memcmp(addr->ip, zero, sizeof(zero)) == 0;
}

static int datagram(struct client *client, const struct nm_frame *frame, struct natmux_train *train)
{
	struct natmux_train result = {
		.data = frame->payload,
		.len = (uint32_t)frame->len,
		.segment = frame->segment > 0 ? frame->segment : (uint32_t)frame->len,
		.flow = NATMUX_FLOW_NONE,
		.tos = frame->tos,
		.path = frame->path,
	};

	/* A wildcard, with a port or without, is nobody's address: the kernel chooses. */
	if (is_wildcard(&frame->path.local))
		result.path.local = (struct natmux_addr){.family = frame->path.remote.family};
	client->received += natmux_train_count(&result);
	*train = result;
	return 1;
}

int nm_unix_hub_input(struct nm_unix_hub *hub, uint32_t number, const uint8_t *data, size_t len,
	struct natmux_train *train)
{
	struct client *client = client_get(hub, number);
	struct nm_frame frame;
	enum nm_frame_error error;

	if (!client)
		return 0;
	error = nm_frame_decode(data, len, &frame);
	if (error != NM_FRAME_GOOD)
		return refuse(hub, client, error);
	if (!client->is_welcome && frame.type != NM_FRAME_HELLO)
		return refuse(hub, client, NM_FRAME_ERROR_NO_HELLO);
	switch (frame.type) {
	case NM_FRAME_HELLO: hello(hub, client, &frame); return 0;
	case NM_FRAME_DATAGRAM: return datagram(client, &frame, train);
	case NM_FRAME_STATS: stats(hub, client); return 0;
	default: return refuse(hub, client, NM_FRAME_ERROR_TYPE);
	}
}

void nm_unix_hub_clients(const struct nm_unix_hub *hub,
	void (*each)(void *user, const struct nm_unix_client_info *info), void *user)
{
	for (uint32_t i = 0; i < hub->config.clients_max; i++) {
		const struct client *client = &hub->clients[i];

		if (!client->is_open)
			continue;
		each(user, &(struct nm_unix_client_info){
				   .client = i,
				   .is_welcome = client->is_welcome,
				   .wants_ike = client->classes & 1 << NM_FRAME_CLASS_IKE,
				   .wants_esp = client->classes & 1 << NM_FRAME_CLASS_ESP,
				   .sent = client->sent,
				   .lost = client->lost,
				   .received = client->received,
				   .waiting = client->queue.datagrams,
				   .bad_frames = client->bad_frames,
			   });
	}
}
