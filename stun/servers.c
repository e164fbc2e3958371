/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps who is asked, from where, and what is known. When to ask is client.c's. */
#include "stun/servers.h"

#include <natmux/error.h>

int nm_stun_client_set_refresh(struct nm_stun_client *c, uint32_t refresh_ms)
{
	if (refresh_ms < NM_STUN_REFRESH_MIN_MS)
		return NATMUX_ERANGE;
	c->refresh_ms = refresh_ms;
	for (size_t s = 0; s < NM_STUN_SERVERS_MAX; s++)
		for (size_t l = 0; l < NM_STUN_LOCALS_MAX; l++)
			c->pairs[s][l].pause_ms = nm_stun_pair_pause(&c->pairs[s][l], refresh_ms);
	nm_stun_client_reschedule(c);
	return 0;
}

static struct nm_stun_remote *server_find(struct nm_stun_client *c, const char *name)
{
	for (size_t s = 0; s < NM_STUN_SERVERS_MAX; s++)
		if (c->servers[s].is_used && strcmp(c->servers[s].name, name) == 0)
			return &c->servers[s];
	return NULL;
}

static bool server_has_addr(const struct nm_stun_client *c, const struct natmux_addr *addr)
{
	for (size_t s = 0; s < NM_STUN_SERVERS_MAX; s++)
		if (c->servers[s].is_used && natmux_addr_equal(&c->servers[s].addr, addr))
			return true;
	return false;
}

static struct nm_stun_remote *server_free(struct nm_stun_client *c)
{
	for (size_t s = 0; s < NM_STUN_SERVERS_MAX; s++)
		if (!c->servers[s].is_used)
			return &c->servers[s];
	return NULL;
}

int nm_stun_client_server_add(
	struct nm_stun_client *c, uint64_t now_ms, const char *name, const struct natmux_addr *addr)
{
	size_t len = strlen(name);
	struct nm_stun_remote *server;

	if (len == 0 || len > NM_STUN_NAME_MAX || !nm_stun_is_unicast(addr))
		return NATMUX_EINVAL;
	if (server_find(c, name) || server_has_addr(c, addr))
		return NATMUX_EEXISTS;
	server = server_free(c);
	if (!server)
		return NATMUX_EFULL;
	*server = (struct nm_stun_remote){.is_used = true, .addr = *addr, .start_ms = now_ms};
	memcpy(server->name, name, len + 1);
	for (size_t l = 0; l < NM_STUN_LOCALS_MAX; l++)
		c->pairs[server - c->servers][l] = (struct nm_stun_pair){.since_ms = now_ms};
	nm_stun_client_reschedule(c);
	return 0;
}

int nm_stun_client_server_remove(struct nm_stun_client *c, const char *name)
{
	struct nm_stun_remote *server = server_find(c, name);

	if (!server)
		return NATMUX_ENOTFOUND;
	*server = (struct nm_stun_remote){.is_used = false};
	nm_stun_client_reschedule(c);
	return 0;
}

static bool contains(const struct natmux_addr *addrs, size_t n, const struct natmux_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (natmux_addr_equal(&addrs[i], addr))
			return true;
	return false;
}

static int check_locals(const struct natmux_addr *locals, size_t n)
{
	if (n > NM_STUN_LOCALS_MAX)
		return NATMUX_EFULL;
	for (size_t i = 0; i < n; i++) {
		if (locals[i].family == NATMUX_FAMILY_NONE || locals[i].port == 0)
			return NATMUX_EINVAL;
		if (contains(locals, i, &locals[i]))
			return NATMUX_EEXISTS;
	}
	return 0;
}

static bool has_local(const struct nm_stun_client *c, const struct natmux_addr *addr)
{
	for (size_t l = 0; l < NM_STUN_LOCALS_MAX; l++)
		if (c->locals[l].is_used && natmux_addr_equal(&c->locals[l].addr, addr))
			return true;
	return false;
}

/* There is a free place: those that went are gone, and check_locals() counted. */
static void add_local(struct nm_stun_client *c, uint64_t now_ms, const struct natmux_addr *addr)
{
	size_t l = 0;

	while (c->locals[l].is_used)
		l++;
	c->locals[l] = (struct nm_stun_local){.is_used = true, .addr = *addr};
	for (size_t s = 0; s < NM_STUN_SERVERS_MAX; s++)
		c->pairs[s][l] = (struct nm_stun_pair){.since_ms = now_ms};
}

int nm_stun_client_set_locals(
	struct nm_stun_client *c, uint64_t now_ms, const struct natmux_addr *locals, size_t n)
{
	int err = check_locals(locals, n);

	if (err < 0)
		return err;
	for (size_t l = 0; l < NM_STUN_LOCALS_MAX; l++)
		if (!contains(locals, n, &c->locals[l].addr))
			c->locals[l].is_used = false;
	for (size_t i = 0; i < n; i++)
		if (!has_local(c, &locals[i]))
			add_local(c, now_ms, &locals[i]);
	nm_stun_client_reschedule(c);
	return 0;
}

void nm_stun_client_each(const struct nm_stun_client *c,
	void (*each)(void *user, const struct natmux_server_info *info), void *user)
{
	for (size_t s = 0; s < NM_STUN_SERVERS_MAX; s++) {
		for (size_t l = 0; l < NM_STUN_LOCALS_MAX; l++) {
			const struct nm_stun_pair *pair = &c->pairs[s][l];
			struct natmux_server_info info = {
				.name = c->servers[s].name,
				.path = {.local = c->locals[l].addr, .remote = c->servers[s].addr},
				.mapped = pair->mapped,
				.is_answering = pair->is_answering,
				.rtt_ms = pair->rtt_ms,
				.requests = pair->requests,
				.answers = pair->answers,
				.timeouts = pair->timeouts,
				.changes = pair->changes,
				.next_ms = nm_stun_pair_due(pair),
			};

			if (nm_stun_pair_is_active(c, s, l))
				each(user, &info);
		}
	}
}

/* Whether what was asked from `bound` may have left from, or come to, `addr`. */
static bool may_be(const struct natmux_addr *bound, const struct natmux_addr *addr)
{
	return bound->family == addr->family && bound->port == addr->port &&
	       (nm_stun_is_any_ip(bound) || nm_stun_is_any_ip(addr) ||
		       nm_stun_is_same_ip(bound, addr));
}

static enum nm_stun_nat judge_pair(const struct nm_stun_pair *pair, const struct natmux_addr *local)
{
	bool is_seen = pair->seen.family != NATMUX_FAMILY_NONE;
	const struct natmux_addr *from = is_seen ? &pair->seen : local;

	if (!pair->is_answering || !may_be(from, local))
		return NM_STUN_NAT_UNKNOWN;
	if (pair->mapped.port != from->port)
		return NM_STUN_NAT_PRESENT;
	if (nm_stun_is_same_ip(&pair->mapped, from))
		return NM_STUN_NAT_NONE;
	/* Another address: a NAT, or another of our own that we were not told of. */
	return is_seen ? NM_STUN_NAT_PRESENT : NM_STUN_NAT_UNKNOWN;
}

enum nm_stun_nat nm_stun_client_nat(const struct nm_stun_client *c, const struct natmux_addr *local)
{
	enum nm_stun_nat nat = NM_STUN_NAT_UNKNOWN;

	for (size_t s = 0; s < NM_STUN_SERVERS_MAX; s++) {
		for (size_t l = 0; l < NM_STUN_LOCALS_MAX; l++) {
			enum nm_stun_nat one;

			if (!nm_stun_pair_is_active(c, s, l) || !may_be(&c->locals[l].addr, local))
				continue;
			one = judge_pair(&c->pairs[s][l], local);
			nat = one > nat ? one : nat;
		}
	}
	return nat;
}
