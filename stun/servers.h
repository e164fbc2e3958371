/* SPDX-License-Identifier: Apache-2.0 */
/* What servers.c (who is asked) and client.c (when, and what came of it) share. */
#ifndef NM_STUN_SERVERS_H
#define NM_STUN_SERVERS_H

#include <string.h>
#include "stun/client.h"
#include "stun/txn.h"

struct nm_stun_remote {
	bool is_used;
	char name[NM_STUN_NAME_MAX + 1];
	struct natmux_addr addr;
	uint64_t start_ms; /* RFC 8489 6.2: no new transaction before this */
};

struct nm_stun_local {
	bool is_used;
	struct natmux_addr addr; /* may be a wildcard */
};

/* One server asked from one local address. Zeroed: never asked, due since 0. */
struct nm_stun_pair {
	struct nm_stun_txn txn;
	uint64_t since_ms;         /* last answer or failure, or when the pair came to be */
	uint64_t pause_ms;         /* from then to the next question */
	struct natmux_addr mapped; /* family 0: unknown */
	struct natmux_addr seen;   /* our address as the last answer met it; family 0: unknown */
	bool is_answering;
	bool is_lost;     /* SERVER_LOST has been told */
	uint8_t failures; /* in a row; stops at 255 */
	uint32_t rtt_ms;
	uint64_t requests, answers, timeouts, changes;
};

struct nm_stun_client {
	struct natmux_random random;
	uint32_t refresh_ms;
	uint64_t deadline_ms; /* nm_stun_client_reschedule() keeps it */
	struct nm_stun_remote servers[NM_STUN_SERVERS_MAX];
	struct nm_stun_local locals[NM_STUN_LOCALS_MAX];
	struct nm_stun_pair pairs[NM_STUN_SERVERS_MAX][NM_STUN_LOCALS_MAX];
};

/* Whether both ends exist and speak the same family. */
static inline bool nm_stun_pair_is_active(const struct nm_stun_client *c, size_t s, size_t l)
{
	return c->servers[s].is_used && c->locals[l].is_used &&
	       c->servers[s].addr.family == c->locals[l].addr.family;
}

static inline uint64_t nm_stun_pair_due(const struct nm_stun_pair *pair)
{
	return pair->txn.is_pending ? pair->txn.next_ms : pair->since_ms + pair->pause_ms;
}

static inline bool nm_stun_is_same_ip(const struct natmux_addr *a, const struct natmux_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static inline bool nm_stun_is_any_ip(const struct natmux_addr *addr)
{
	static const uint8_t any[sizeof(addr->ip)];

	return memcmp(addr->ip, any, sizeof(any)) == 0;
}

/* An address that one host can be reached at: neither unspecified nor multicast, and with a port. */
static inline bool nm_stun_is_unicast(const struct natmux_addr *addr)
{
	if (addr->family == NATMUX_FAMILY_NONE || addr->port == 0 || nm_stun_is_any_ip(addr))
		return false;
	return addr->family == NATMUX_FAMILY_IPV4 ? addr->ip[0] < 224 : addr->ip[0] != 0xff;
}

/* The pause after the last answer or failure. */
uint64_t nm_stun_pair_pause(const struct nm_stun_pair *pair, uint32_t refresh_ms);

/* Finds the next deadline anew. */
void nm_stun_client_reschedule(struct nm_stun_client *c);

#endif
