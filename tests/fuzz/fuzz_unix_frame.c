/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two clients of the Unix handoff: a byte (which client, does its socket block, does a datagram
 * from the network come), two bytes of length, a frame, and so on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "dispatcher/handoff_frame.h"
#include "dispatcher/handoff_unix.h"
#include "tests/fakes/fake_mux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS = 2, QUEUE = 8, WHICH = 1, BLOCKS = 2, FROM_NETWORK = 4, BREAKS = 8 };

static struct natmux_mux mux;
static uint8_t mood;

/* What natmux says is well-formed, whatever a client did. */
static enum nm_unix_sent take(void *user, uint32_t client, const uint8_t *header, size_t header_len,
	const uint8_t *payload, size_t len)
{
	struct nm_frame frame;
	uint8_t *whole = malloc(header_len + len);

	(void)user;
	memcpy(whole, header, header_len);
	if (len > 0)
		memcpy(whole + header_len, payload, len);
	if (client >= CLIENTS || nm_frame_decode(whole, header_len + len, &frame) != NM_FRAME_GOOD)
		abort();
	free(whole);
	if ((mood & BREAKS) && (mood & BLOCKS))
		return NM_UNIX_BROKEN;
	return mood & BLOCKS ? NM_UNIX_BLOCKED : NM_UNIX_TAKEN;
}

/* What natmux would send for the client. */
static void check(const struct natmux_train *train)
{
	uint32_t segment = train->segment;

	if (train->len == 0 || train->len > NM_FRAME_DATAGRAM_MAX ||
		natmux_train_count(train) > NM_FRAME_TRAIN_MAX || train->path.remote.port == 0 ||
		train->path.local.family != train->path.remote.family)
		abort();
	for (uint32_t at = 0; at < train->len; at += segment) {
		uint32_t left = train->len - at;
		enum natmux_class cls =
			natmux_classify(train->data + at, left < segment ? left : segment);

		if (cls != NATMUX_CLASS_IKE && cls != NATMUX_CLASS_ESP)
			abort();
	}
}

static void from_network(struct nm_unix_hub *hub)
{
	static const uint8_t esp[300] = {0x11};
	struct natmux_train train = {.data = esp, .len = sizeof(esp), .segment = 300};

	train.path.local = (struct natmux_addr){.ip = {192, 0, 2, 1}, .port = 4500, .family = 4};
	train.path.remote = (struct natmux_addr){.ip = {192, 0, 2, 2}, .port = 9, .family = 4};
	nm_unix_sink.input(hub, 0, &train, 1);
}

static void from_client(struct nm_unix_hub *hub, uint32_t client, const uint8_t *data, size_t len)
{
	uint8_t *frame = malloc(len > 0 ? len : 1);
	struct natmux_train train;
	int result;

	memcpy(frame, data, len);
	result = nm_unix_hub_input(hub, client, frame, len, &train);
	if (result > 0)
		check(&train);
	free(frame);
	if (result >= 0)
		return;
	nm_unix_hub_close(hub, client);
	if (nm_unix_hub_open(hub, &client) < 0)
		abort();
}

static void see(void *user, const struct nm_unix_client_info *info)
{
	(void)user;
	if (info->waiting > QUEUE || info->bad_frames >= NM_UNIX_BAD_FRAMES_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nm_unix_config config = {
		.clients_max = CLIENTS,
		.queue_datagrams = QUEUE,
		.queue_bytes = NM_FRAME_MAX,
		.io = {take, NULL},
		.mux = &mux,
	};
	struct nm_unix_hub *hub;
	uint32_t client;
	size_t at = 0;

	if (nm_unix_hub_new(&config, &hub) < 0)
		abort();
	for (int i = 0; i < CLIENTS; i++)
		if (nm_unix_hub_open(hub, &client) < 0)
			abort();
	while (at + 3 <= size) {
		size_t len = nm_get16(data + at + 1), left = size - at - 3;

		mood = data[at];
		if (len > left)
			len = left;
		from_client(hub, mood & WHICH, data + at + 3, len);
		if (mood & FROM_NETWORK)
			from_network(hub);
		nm_unix_hub_writable(hub, mood & WHICH);
		nm_unix_hub_clients(hub, see, NULL);
		at += 3 + len;
	}
	nm_unix_hub_free(hub);
	return 0;
}
