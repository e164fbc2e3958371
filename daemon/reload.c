/* SPDX-License-Identifier: Apache-2.0 */
/* Changing over to a new configuration while datagrams flow: the difference as a whole, or nothing. */
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config_keys.h"
#include "daemon/config/config_message.h"
#include "daemon/handoff/handoff.h"
#include "daemon/kernel/kernel_plane.h"
#include "daemon/process/options.h"
#include "daemon/server_parts.h"
#include "daemon/process/service.h"
#include "daemon/user/user_plane.h"

static const struct nm_config_peer *find_peer(const struct nm_config *config, const char *name)
{
	for (size_t i = 0; config && i < config->peers_len; i++)
		if (strcmp(config->peers[i].name, name) == 0)
			return &config->peers[i];
	return NULL;
}

static bool is_same_peer(const struct nm_config_peer *a, const struct nm_config_peer *b)
{
	return a && b && natmux_addr_equal(&a->remote, &b->remote) &&
	       natmux_addr_equal(&a->alias, &b->alias);
}

struct find_alias {
	const struct natmux_addr *alias;
	uint32_t flow;
};

static void match_alias(void *user, const struct nm_server_alias *alias)
{
	struct find_alias *context = user;
	struct natmux_addr addr = alias->alias;

	addr.port = context->alias->port;
	if (natmux_addr_equal(&addr, context->alias))
		context->flow = alias->flow;
}

/* Fixes a peer's alias; a stranger who happened to get it before has to give way. */
static int reserve_alias(struct nm_server *server, uint32_t flow, const struct natmux_addr *alias)
{
	struct find_alias owner = {.alias = alias, .flow = NATMUX_FLOW_NONE};
	int err = nm_handoff_alias_reserve(server->handoff, flow, alias);

	if (err != NATMUX_EEXISTS)
		return err;
	nm_handoff_aliases(server->handoff, match_alias, &owner);
	if (natmux_mux_flow_close(server->mux, owner.flow) < 0)
		return err;
	return nm_handoff_alias_reserve(server->handoff, flow, alias);
}

static int add_peer(struct nm_server *server, const struct nm_config_peer *peer)
{
	struct natmux_path path = {.remote = peer->remote};
	/* With another handoff an alias means as little as the section relay. */
	bool has_alias = server->config->handoff == NM_HANDOFF_RELAY &&
			 peer->alias.family != NATMUX_FAMILY_NONE;
	char alias[NATMUX_ADDR_TEXT];
	uint32_t flow;
	int err = natmux_mux_peer_add(
		server->mux, nm_server_now_ms(server), peer->name, &path, &flow);

	if (err == 0 && has_alias) {
		err = reserve_alias(server, flow, &peer->alias);
		if (err < 0)
			natmux_mux_peer_remove(server->mux, peer->name);
	}
	if (err < 0)
		nm_log(&server->log, NATMUX_LOG_ERROR, "peer \"%s\" (alias %s): %s", peer->name,
			natmux_addr_format(&peer->alias, alias), natmux_strerror(err));
	return err;
}

int nm_server_apply_peers(struct nm_server *server, const struct nm_config *before)
{
	const struct nm_config *after = server->config;
	int result = 0;

	/* Leave first: a new peer may take over a remote address or an alias. */
	for (size_t i = 0; before && i < before->peers_len; i++)
		if (!is_same_peer(&before->peers[i], find_peer(after, before->peers[i].name)))
			natmux_mux_peer_remove(server->mux, before->peers[i].name);
	for (size_t i = 0; i < after->peers_len; i++) {
		const struct nm_config_peer *peer = &after->peers[i];
		int err = 0;

		if (!is_same_peer(peer, find_peer(before, peer->name)))
			err = add_peer(server, peer);
		if (err < 0)
			result = err;
	}
	return result;
}

static const struct nm_config_server *find_server(const struct nm_config *config, const char *name)
{
	for (size_t i = 0; config && i < config->servers_len; i++)
		if (strcmp(config->servers[i].name, name) == 0)
			return &config->servers[i];
	return NULL;
}

static bool is_same_server(const struct nm_config_server *a, const struct nm_config_server *b)
{
	return a && b && natmux_addr_equal(&a->address, &b->address);
}

int nm_server_apply_stun_servers(struct nm_server *server, const struct nm_config *before)
{
	const struct nm_config *after = server->config;
	uint64_t now_ms = nm_server_now_ms(server);
	int result = 0;

	for (size_t i = 0; before && i < before->servers_len; i++)
		if (!is_same_server(
			    &before->servers[i], find_server(after, before->servers[i].name)))
			natmux_mux_server_remove(server->mux, before->servers[i].name);
	for (size_t i = 0; i < after->servers_len; i++) {
		const struct nm_config_server *stun = &after->servers[i];
		int err;

		if (is_same_server(stun, find_server(before, stun->name)))
			continue;
		err = natmux_mux_server_add(server->mux, now_ms, stun->name, &stun->address);
		if (err < 0) {
			nm_log(&server->log, NATMUX_LOG_ERROR, "stun-server \"%s\": %s", stun->name,
				natmux_strerror(err));
			result = err;
		}
	}
	return result;
}

void nm_server_apply_log_level(struct nm_server *server)
{
	server->log_level =
		server->options->is_debug ? NATMUX_LOG_DEBUG : server->config->log_level;
}

void nm_server_mux_config(const struct nm_server *server, const struct nm_config *config,
	struct natmux_mux_config *mux)
{
	uint32_t most = nm_handoff_flows_max(config);

	natmux_mux_config_init(mux);
	nm_config_mux(config, mux);
	mux->log = server->log;
	/* A flow without an alias is of no use, and could not be told from one that is in use. */
	if (mux->flows_max > most)
		mux->flows_max = most;
}

struct check_alias {
	const struct nm_config *before, *after;
	struct nm_config_report report;
	int err;
};

/* `owner` has the alias and stays as it is: nobody else may be given it. */
static void refuse_taken(struct check_alias *check, const struct nm_config_peer *owner,
	const struct natmux_addr *alias)
{
	char path[NM_CONFIG_KEY_SIZE], text[NATMUX_ADDR_TEXT];

	for (size_t i = 0; i < check->after->peers_len; i++) {
		const struct nm_config_peer *peer = &check->after->peers[i];

		if (peer == owner || !natmux_addr_equal(&peer->alias, alias))
			continue;
		nm_config_key_path(nm_config_section_find("peer"), peer->name, "alias", path);
		check->err = nm_config_refuse(&check->report, peer->lines[1], path,
			"found \"%s\", allowed is one that is free: peer \"%s\" has it (nothing "
			"was "
			"changed)",
			natmux_addr_format(alias, text), owner->name);
	}
}

static void check_alias(void *user, const struct nm_server_alias *alias)
{
	struct check_alias *check = user;
	const struct nm_config_peer *owner =
		alias->peer ? find_peer(check->after, alias->peer) : NULL;
	struct natmux_addr addr = alias->alias;

	addr.port = 0;
	if (owner && is_same_peer(owner, find_peer(check->before, alias->peer)))
		refuse_taken(check, owner, &addr);
}

/* A peer without an alias in the file has one all the same, which only the relay knows. */
static int check_aliases(struct nm_server *server, const struct nm_config *config,
	const struct nm_config_report *report)
{
	struct check_alias check = {.before = server->config, .after = config, .report = *report};

	if (config->handoff == NM_HANDOFF_RELAY)
		nm_server_aliases(server, check_alias, &check);
	return check.err;
}

static void apply_keepalive(struct nm_server *server, const struct nm_config *config)
{
	uint32_t interval_ms = config->keepalive.interval_s * 1000;

	if (config->keepalive.mode == NATMUX_KEEPALIVE_OFF)
		interval_ms = 0;
	nm_sa_plane_set_keepalive(&server->sa_plane, interval_ms);
}

/* From here on nothing may fail: everything was checked before. */
static void change_over(struct nm_server *server, struct nm_config *config)
{
	struct nm_config *before = server->config;
	struct natmux_mux_config mux;

	server->config = config;
	nm_server_apply_log_level(server);
	nm_server_mux_config(server, config, &mux);
	natmux_mux_reconfigure(server->mux, &mux);
	if (config->gro != before->gro || config->gso != before->gso) {
		natmux_uv_set_offloads(
			server->net, config->gro && !nm_server_gro_why(config), config->gso);
		nm_user_plane_set_udp_offloads(server->user_plane, config->gro, config->gso);
	}
	if (server->sa_plane.ops)
		apply_keepalive(server, config);
	nm_server_apply_peers(server, before);
	nm_server_apply_stun_servers(server, before);
	natmux_uv_flush_output(server->net);
	nm_config_free(before);
}

/* Whether that plane has the SAs: with both-planes they may have moved. */
static bool is_in(const struct nm_server *server, const char *plane)
{
	return server->sa_plane.ops && strcmp(server->sa_plane.ops->name, plane) == 0;
}

int nm_server_reload(struct nm_server *server, char *message, size_t size)
{
	struct nm_config_report report = {.text = message, .size = size};
	struct nm_config *config;
	int err;

	nm_service_reloading();
	nm_server_pause(server);
	err = nm_config_read(server->options->config_path, &config, message, size);
	if (err == 0) {
		err = nm_config_reload_check(server->config, config, message, size);
		report.name = config->name;
		if (err == 0)
			err = check_aliases(server, config, &report);
		/* SAs and policies: of all parts only they may yet be refused. */
		if (err == 0 && is_in(server, "user"))
			err = nm_user_plane_reload(
				server->user_plane, server->config, config, message, size);
		if (err == 0 && is_in(server, "kernel"))
			err = nm_kernel_plane_reload(
				server->kernel_plane, server->config, config, message, size);
		if (err < 0)
			nm_config_free(config);
	}
	if (err == 0) {
		change_over(server, config);
		snprintf(message, size, "%s: reloaded", server->options->config_path);
	}
	nm_server_resume(server);
	nm_log(&server->log, err < 0 ? NATMUX_LOG_ERROR : NATMUX_LOG_INFO,
		err < 0 ? "not reloaded: %s" : "%s", message);
	nm_service_ready();
	return err;
}
