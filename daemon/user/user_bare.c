/* SPDX-License-Identifier: Apache-2.0 */
/* Reads raw sockets when they are readable. What is in the packets is the plane's business. */
#include "daemon/user/user_bare.h"

#include <stdlib.h>
#include <natmux/error.h>

#include "daemon/config/config.h"
#include "daemon/config/config_addr.h"
#include "daemon/process/poller.h"
#include "io/raw_esp.h"

enum { TRAINS = 32, ROUNDS_MAX = 16 /* per wake-up, before other work gets its turn */ };

struct bare_socket {
	struct nm_user_bare *owner;
	struct nm_raw_esp *raw;
	struct nm_poller poller;
};

struct nm_user_bare {
	struct nm_user_bare_setup setup;
	struct bare_socket sockets[NM_CONFIG_LISTEN_MAX];
	size_t sockets_n;
};

static void on_readable(void *user)
{
	struct bare_socket *socket = user;
	const struct nm_user_bare_setup *setup = &socket->owner->setup;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		struct natmux_train trains[TRAINS];
		size_t n = nm_raw_esp_recv(socket->raw, trains, TRAINS);

		if (n > 0)
			setup->input(setup->user, trains, n);
		if (!nm_raw_esp_has_more(socket->raw))
			break;
	}
}

static int open_socket(
	struct nm_user_bare *bare, const struct nm_config *config, const struct natmux_addr *local)
{
	struct bare_socket *socket = &bare->sockets[bare->sockets_n];
	struct nm_raw_esp_config raw = {
		.sys = &nm_sys_real,
		.log = bare->setup.log,
		.device = config->device,
		.receive_buffer = config->receive_buffer_bytes,
	};
	int err = nm_raw_esp_open(&raw, local, &socket->raw);

	if (err == NATMUX_EUNSUPPORTED && nm_config_addr_is_wildcard(local))
		return 0;
	if (err < 0)
		return err;
	bare->sockets_n++;
	socket->owner = bare;
	return nm_poller_start(
		&socket->poller, bare->setup.loop, nm_raw_esp_fd(socket->raw), on_readable, socket);
}

int nm_user_bare_open(const struct nm_user_bare_setup *setup, struct nm_user_bare **result)
{
	struct nm_user_bare *bare = calloc(1, sizeof(*bare));
	const struct nm_config *config = setup->config;
	int err = 0;

	if (!bare)
		return NATMUX_ENOMEM;
	bare->setup = *setup;
	bare->setup.config = NULL;
	*result = bare;
	for (size_t i = 0; i < config->listen_len && err == 0; i++)
		err = open_socket(bare, config, &config->listen[i]);
	return err;
}

void nm_user_bare_close(struct nm_user_bare *bare)
{
	for (size_t i = 0; bare && i < bare->sockets_n; i++)
		nm_poller_close(&bare->sockets[i].poller);
}

void nm_user_bare_free(struct nm_user_bare *bare)
{
	for (size_t i = 0; bare && i < bare->sockets_n; i++)
		nm_raw_esp_close(bare->sockets[i].raw);
	free(bare);
}

uint64_t nm_user_bare_packets(const struct nm_user_bare *bare)
{
	uint64_t sum = 0;

	for (size_t i = 0; bare && i < bare->sockets_n; i++)
		sum += nm_raw_esp_status(bare->sockets[i].raw)->packets;
	return sum;
}
