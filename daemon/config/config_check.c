/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the values of a configuration fit together: families, pools and the addresses in them,
 * things that may stand once only. Looks at nothing outside the configuration.
 */
#include "daemon/config/config_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_addr.h"
#include "daemon/config/config_keys.h"
#include "dispatcher/alias.h"

/* Line of the first of the keys that stands in the file, for a message about both. */
static uint32_t line_of(
	const struct nm_config *config, const char *section, const char *key, const char *other)
{
	uint32_t line = nm_config_line_of(config, section, key);

	return line > 0 ? line : nm_config_line_of(config, section, other);
}

static int check_listen_pair(
	const struct nm_config *config, size_t i, size_t j, struct nm_config_report *report)
{
	struct natmux_addr a = config->listen[i], b = config->listen[j];
	char a_text[NATMUX_ADDR_TEXT], b_text[NATMUX_ADDR_TEXT];
	bool is_twice = natmux_addr_equal(&a, &b);

	a.port = b.port = 0;
	if (is_twice)
		return nm_config_refuse(report, config->listen_lines[j], "listen",
			"found \"%s\" again, allowed is each address once",
			natmux_addr_format(&b, b_text));
	if (a.family != b.family)
		return 0;
	if (!nm_config_addr_is_wildcard(&a) && !nm_config_addr_is_wildcard(&b))
		return 0;
	return nm_config_refuse(report, config->listen_lines[j], "listen",
		"found \"%s\" beside \"%s\", allowed is the wildcard of a family or single "
		"addresses of it",
		natmux_addr_format(&b, b_text), natmux_addr_format(&a, a_text));
}

static int check_listen(const struct nm_config *config, struct nm_config_report *report)
{
	for (size_t j = 1; j < config->listen_len; j++)
		for (size_t i = 0; i < j; i++)
			if (check_listen_pair(config, i, j, report) < 0)
				return NATMUX_EINVAL;
	return 0;
}

bool nm_config_listens_on(const struct nm_config *config, uint8_t family)
{
	for (size_t i = 0; i < config->listen_len; i++)
		if (config->listen[i].family == family)
			return true;
	return false;
}

/* A device that carries both sides would bring natmux its own packets back. */
static int check_device(const struct nm_config *config, struct nm_config_report *report)
{
	const char *tun = nm_config_tun(config);
	char quoted[NM_CONFIG_QUOTE_SIZE];

	/* What is joined is steered: its program tells injected packets by their interface. */
	if (config->attach == NM_ATTACH_OWN && config->handoff == NM_HANDOFF_INJECT &&
		!*config->device)
		return nm_config_refuse(report, line_of(config, "", "device", "handoff"), "device",
			"found \"\", allowed with handoff = inject is the name of the interface "
			"that carries the port");
	if (tun && strcmp(tun, config->device) == 0)
		return nm_config_refuse(report, line_of(config, "", "device", "handoff"), "device",
			"found %s, the TUN device of the handoff, allowed is the interface that "
			"carries the port",
			nm_config_quote(config->device, quoted));
	return 0;
}

/* The daemon keeps its IKE and ESP. */
static int check_join(const struct nm_config *config, struct nm_config_report *report)
{
	if (config->attach != NM_ATTACH_JOIN)
		return 0;
	if (config->esp != NM_ESP_DAEMON)
		return nm_config_refuse(report, line_of(config, "", "esp", "attach"), "esp",
			"found %s, allowed with attach = join is daemon: ESP stays with the IKE "
			"daemon",
			config->esp == NM_ESP_USER ? "user" : "kernel");
	if (config->handoff == NM_HANDOFF_RELAY || config->handoff == NM_HANDOFF_UNIX)
		return nm_config_refuse(report, line_of(config, "", "handoff", "attach"), "handoff",
			"found %s, allowed with attach = join is inject or none: IKE stays with "
			"the IKE daemon",
			config->handoff == NM_HANDOFF_RELAY ? "relay" : "unix");
	if (!*config->join.user)
		return nm_config_refuse(report, line_of(config, "join", "user", "user"),
			"join.user",
			"found \"\", allowed is the user that the IKE daemon's sockets belong to");
	return 0;
}

/* One family of the relay. */
struct side {
	const char *daemon_key, *pool_key;
	const struct natmux_addr *daemon;
	const struct natmux_prefix *pool;
};

static struct side side_of(const struct nm_config *config, uint8_t family)
{
	const struct nm_config_relay *relay = &config->relay;

	if (family == NATMUX_FAMILY_IPV4)
		return (struct side){"daemon4", "pool4", &relay->daemon4, &relay->pool4};
	return (struct side){"daemon6", "pool6", &relay->daemon6, &relay->pool6};
}

static bool is_in_use(const struct side *side)
{
	return side->daemon->family != NATMUX_FAMILY_NONE;
}

static int check_daemon_addr(
	const struct nm_config *config, const struct side *side, struct nm_config_report *report)
{
	char addr[NATMUX_ADDR_TEXT], pool[NATMUX_ADDR_TEXT], key[NM_CONFIG_KEY_SIZE];

	if (!is_in_use(side))
		return 0;
	if (natmux_prefix_contains(side->pool, side->daemon) &&
		!nm_config_addr_is_edge(side->pool, side->daemon))
		return 0;
	snprintf(key, sizeof(key), "relay.%s", side->daemon_key);
	return nm_config_refuse(report, line_of(config, "relay", side->daemon_key, side->pool_key),
		key, "found \"%s\", allowed is an address of a host in relay.%s (%s)",
		natmux_addr_format(side->daemon, addr), side->pool_key,
		nm_config_prefix_format(side->pool, pool, sizeof(pool)));
}

/* Datagrams for an alias go to the TUN device: the port must not be reached through it. */
static int check_listen_outside(
	const struct nm_config *config, const struct side *side, struct nm_config_report *report)
{
	for (size_t i = 0; i < config->listen_len; i++) {
		char addr[NATMUX_ADDR_TEXT], pool[NATMUX_ADDR_TEXT];
		struct natmux_addr listen = config->listen[i];

		if (!is_in_use(side) || !natmux_prefix_contains(side->pool, &listen))
			continue;
		listen.port = 0;
		return nm_config_refuse(report, config->listen_lines[i], "listen",
			"found \"%s\", allowed is an address outside relay.%s (%s)",
			natmux_addr_format(&listen, addr), side->pool_key,
			nm_config_prefix_format(side->pool, pool, sizeof(pool)));
	}
	return 0;
}

static int check_relay(const struct nm_config *config, struct nm_config_report *report)
{
	struct side v4 = side_of(config, NATMUX_FAMILY_IPV4);
	struct side v6 = side_of(config, NATMUX_FAMILY_IPV6);

	if (check_daemon_addr(config, &v4, report) < 0 ||
		check_daemon_addr(config, &v6, report) < 0)
		return NATMUX_EINVAL;
	if (config->handoff != NM_HANDOFF_RELAY)
		return 0;
	if (!is_in_use(&v4) && !is_in_use(&v6))
		return nm_config_refuse(report, line_of(config, "relay", "daemon6", "daemon4"),
			"relay.daemon6",
			"found \"\" and relay.daemon4 = \"\" as well, allowed with handoff = relay "
			"is at least one of them");
	if (check_listen_outside(config, &v4, report) < 0)
		return NATMUX_EINVAL;
	return check_listen_outside(config, &v6, report);
}

static int refuse_peer(const struct nm_config_peer *peer, const char *key, uint32_t line,
	const struct natmux_addr *found, const char *allowed, struct nm_config_report *report)
{
	char path[NM_CONFIG_KEY_SIZE], text[NATMUX_ADDR_TEXT];

	nm_config_key_path(nm_config_section_find("peer"), peer->name, key, path);
	return nm_config_refuse(report, line, path, "found \"%s\", allowed is %s",
		natmux_addr_format(found, text), allowed);
}

const char *nm_config_family_name(uint8_t family)
{
	return family == NATMUX_FAMILY_IPV4 ? "IPv4" : "IPv6";
}

static int check_remote(const struct nm_config *config, const struct nm_config_peer *peer,
	struct nm_config_report *report)
{
	struct side side = side_of(config, peer->remote.family);
	char allowed[NM_CONFIG_ALLOWED_SIZE], pool[NATMUX_ADDR_TEXT];

	if (!nm_config_listens_on(config, peer->remote.family)) {
		snprintf(allowed, sizeof(allowed),
			"an address of a family in listen, which has no %s",
			nm_config_family_name(peer->remote.family));
		return refuse_peer(peer, "remote", peer->lines[0], &peer->remote, allowed, report);
	}
	if (is_in_use(&side) && natmux_prefix_contains(side.pool, &peer->remote)) {
		snprintf(allowed, sizeof(allowed), "an address outside relay.%s (%s)",
			side.pool_key, nm_config_prefix_format(side.pool, pool, sizeof(pool)));
		return refuse_peer(peer, "remote", peer->lines[0], &peer->remote, allowed, report);
	}
	return 0;
}

/* The IKE daemon hashes addresses of one family (RFC 7296 2.23): the alias has the remote's. */
static int check_alias(const struct nm_config *config, const struct nm_config_peer *peer,
	struct nm_config_report *report)
{
	struct side side = side_of(config, peer->remote.family);
	struct nm_alias_pool_config aliases = {*side.daemon, *side.pool};
	char allowed[NM_CONFIG_ALLOWED_SIZE], pool[NATMUX_ADDR_TEXT];

	if (peer->alias.family == NATMUX_FAMILY_NONE)
		return 0;
	if (config->handoff == NM_HANDOFF_NONE)
		snprintf(allowed, sizeof(allowed), "none with handoff = none");
	else if (!is_in_use(&side))
		snprintf(allowed, sizeof(allowed), "none while relay.%s is \"\"", side.daemon_key);
	else if (peer->alias.family != peer->remote.family)
		snprintf(allowed, sizeof(allowed), "an %s address, as remote is one",
			nm_config_family_name(peer->remote.family));
	else if (!natmux_prefix_contains(side.pool, &peer->alias) ||
		 nm_config_addr_is_edge(side.pool, &peer->alias))
		snprintf(allowed, sizeof(allowed), "an address of a host in relay.%s (%s)",
			side.pool_key, nm_config_prefix_format(side.pool, pool, sizeof(pool)));
	else if (nm_config_addr_same_ip(side.daemon, &peer->alias))
		snprintf(allowed, sizeof(allowed), "any address but relay.%s", side.daemon_key);
	else if (!nm_alias_is_possible(&aliases, &peer->alias))
		snprintf(allowed, sizeof(allowed), "one of the first %d addresses of relay.%s (%s)",
			NM_ALIAS_POOL_MAX, side.pool_key,
			nm_config_prefix_format(side.pool, pool, sizeof(pool)));
	else
		return 0;
	return refuse_peer(peer, "alias", peer->lines[1], &peer->alias, allowed, report);
}

static int check_peer_pair(const struct nm_config_peer *a, const struct nm_config_peer *b,
	struct nm_config_report *report)
{
	char allowed[NM_CONFIG_ALLOWED_SIZE];

	if (natmux_addr_equal(&a->remote, &b->remote)) {
		snprintf(allowed, sizeof(allowed), "one that peer \"%s\" does not have", a->name);
		return refuse_peer(b, "remote", b->lines[0], &b->remote, allowed, report);
	}
	if (a->alias.family != NATMUX_FAMILY_NONE && natmux_addr_equal(&a->alias, &b->alias)) {
		snprintf(allowed, sizeof(allowed), "one that peer \"%s\" does not have", a->name);
		return refuse_peer(b, "alias", b->lines[1], &b->alias, allowed, report);
	}
	return 0;
}

/* Every peer has an alias, if only one that is free. */
static int check_pools(const struct nm_config *config, struct nm_config_report *report)
{
	const struct nm_config_relay *relay = &config->relay;
	struct nm_alias_pool_config ipv4 = {relay->daemon4, relay->pool4};
	struct nm_alias_pool_config ipv6 = {relay->daemon6, relay->pool6};
	uint32_t most;

	if (config->handoff != NM_HANDOFF_RELAY || config->peers_len == 0)
		return 0;
	most = nm_alias_capacity(&ipv4) + nm_alias_capacity(&ipv6);
	if (config->peers_len <= most)
		return 0;
	return nm_config_refuse(report, config->peers[most].line, "peer",
		"found %zu of them, allowed is at most %" PRIu32
		", the aliases in relay.pool4 and relay.pool6",
		config->peers_len, most);
}

static int check_peers(const struct nm_config *config, struct nm_config_report *report)
{
	if (check_pools(config, report) < 0)
		return NATMUX_EINVAL;
	if (config->peers_len > config->limits.flows)
		return nm_config_refuse(report, nm_config_line_of(config, "limits", "flows"),
			"limits.flows",
			"found %" PRIu32 ", allowed is at least the %zu of the peers",
			config->limits.flows, config->peers_len);
	for (size_t j = 0; j < config->peers_len; j++) {
		const struct nm_config_peer *peer = &config->peers[j];

		if (check_remote(config, peer, report) < 0 || check_alias(config, peer, report) < 0)
			return NATMUX_EINVAL;
		for (size_t i = 0; i < j; i++)
			if (check_peer_pair(&config->peers[i], peer, report) < 0)
				return NATMUX_EINVAL;
	}
	return 0;
}

static int check_server(const struct nm_config *config, size_t n, struct nm_config_report *report)
{
	const struct nm_config_server *server = &config->servers[n];
	char path[NM_CONFIG_KEY_SIZE], text[NATMUX_ADDR_TEXT];

	nm_config_key_path(nm_config_section_find("stun-server"), server->name, "address", path);
	natmux_addr_format(&server->address, text);
	if (!nm_config_listens_on(config, server->address.family))
		return nm_config_refuse(report, server->lines[0], path,
			"found \"%s\", allowed is an address of a family in listen, which has no "
			"%s",
			text, nm_config_family_name(server->address.family));
	for (size_t i = 0; i < n; i++)
		if (natmux_addr_equal(&config->servers[i].address, &server->address))
			return nm_config_refuse(report, server->lines[0], path,
				"found \"%s\", allowed is one that stun-server \"%s\" does not "
				"have",
				text, config->servers[i].name);
	return 0;
}

static int check_servers(const struct nm_config *config, struct nm_config_report *report)
{
	for (size_t i = 0; i < config->servers_len; i++)
		if (check_server(config, i, report) < 0)
			return NATMUX_EINVAL;
	return 0;
}

static int check_paths(const struct nm_config *config, struct nm_config_report *report)
{
	uint32_t line = nm_config_line_of(config, "unix", "path");
	char quoted[NM_CONFIG_QUOTE_SIZE];

	if (strcmp(config->control_socket, config->unix_handoff.path) != 0)
		return 0;
	return nm_config_refuse(report,
		line > 0 ? line : nm_config_line_of(config, "", "control-socket"), "unix.path",
		"found %s, which is control-socket, allowed is another path",
		nm_config_quote(config->unix_handoff.path, quoted));
}

/* A flow that the daemon has answered must not be the first to go. */
static int check_lifetimes(const struct nm_config *config, struct nm_config_report *report)
{
	const struct nm_config_limits *limits = &config->limits;

	if (limits->flow_idle_s >= limits->flow_answered_s)
		return 0;
	return nm_config_refuse(report, line_of(config, "limits", "flow-idle", "flow-answered"),
		"limits.flow-idle",
		"found %" PRIu32 ", allowed is at least limits.flow-answered (%" PRIu32 ")",
		limits->flow_idle_s, limits->flow_answered_s);
}

int nm_config_check(const struct nm_config *config, struct nm_config_report *report)
{
	static int (*const checks[])(const struct nm_config *, struct nm_config_report *) = {
		check_listen, check_device, check_join, check_relay, check_peers, check_servers,
		check_paths, check_lifetimes, nm_config_check_esp};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i](config, report) < 0)
			return NATMUX_EINVAL;
	return 0;
}
