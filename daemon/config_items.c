/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the peers and STUN servers that were read: as many as there may be. */
#include "daemon/config_items.h"

#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

static int refuse_full(const struct nm_config_section *section, const char *title, uint32_t line,
	int max, struct nm_config_report *report)
{
	char path[NM_CONFIG_KEY_SIZE];

	return nm_config_refuse(report, line, nm_config_key_path(section, title, NULL, path),
		"found more than %d sections of this name, allowed is at most %d", max, max);
}

/* Room for one more at the end of an array that doubles; NULL: out of memory, `array` stays. */
static void *grow(void *array, size_t len, size_t size)
{
	if ((len & (len - 1)) != 0)
		return array;
	return reallocarray(array, len > 0 ? 2 * len : 1, size);
}

static int add_peer(struct nm_config *config, const char *name, uint32_t line,
	const struct nm_config_peer *read)
{
	struct nm_config_peer *peers = grow(config->peers, config->peers_len, sizeof(*peers));
	struct nm_config_peer *peer;

	if (!peers)
		return NATMUX_ENOMEM;
	config->peers = peers;
	peer = &peers[config->peers_len++];
	*peer = *read;
	peer->line = line;
	strcpy(peer->name, name); /* fits: nm_config_name_is_good() */
	return 0;
}

static int add_server(struct nm_config *config, const char *name, uint32_t line,
	const struct nm_config_server *read)
{
	struct nm_config_server *servers =
		grow(config->servers, config->servers_len, sizeof(*servers));
	struct nm_config_server *server;

	if (!servers)
		return NATMUX_ENOMEM;
	config->servers = servers;
	server = &servers[config->servers_len++];
	*server = *read;
	server->line = line;
	strcpy(server->name, name); /* fits: nm_config_name_is_good() */
	return 0;
}

int nm_config_item_add(struct nm_config *config, const struct nm_config_section *section,
	const char *title, uint32_t line, const union nm_config_item_value *item,
	struct nm_config_report *report)
{
	if (strcmp(section->name, "peer") == 0) {
		if (config->peers_len == NM_CONFIG_PEERS_MAX)
			return refuse_full(section, title, line, NM_CONFIG_PEERS_MAX, report);
		return add_peer(config, title, line, &item->peer);
	}
	if (config->servers_len == NM_CONFIG_SERVERS_MAX)
		return refuse_full(section, title, line, NM_CONFIG_SERVERS_MAX, report);
	return add_server(config, title, line, &item->server);
}
