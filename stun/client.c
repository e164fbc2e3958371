/* SPDX-License-Identifier: Apache-2.0 */
/* Decides when a server is asked and what its answer, or its silence, means. */
#include "stun/client.h"

#include <stdlib.h>
#include <natmux/error.h>
#include "stun/attr.h"
#include "stun/build.h"
#include "stun/servers.h"

/* 23 bytes, padded to 24, make the request 56 bytes long. No version: nobody's business. */
static const char software[] = "natmux (STUN, RFC 8489)";

_Static_assert(
	NM_STUN_HEADER_LEN + NM_STUN_ATTR_HEADER_LEN + sizeof(software) + NM_STUN_FINGERPRINT_LEN ==
		NM_STUN_REQUEST_LEN,
	"the text, its NUL counted as the padding byte, fills the request");

/*
 * All that a Binding server may say and we can live with. The last three are RFC 3489's, reserved
 * since; servers that serve both kinds of clients still send them.
 */
#define UNDERSTOOD                                                                                 \
	(NM_STUN_BIT(NM_STUN_MAPPED_ADDRESS) | NM_STUN_BIT(NM_STUN_XOR_MAPPED_ADDRESS) |           \
		NM_STUN_BIT(NM_STUN_ERROR_CODE) | NM_STUN_BIT(NM_STUN_UNKNOWN_ATTRIBUTES) |        \
		NM_STUN_BIT(NM_STUN_USERNAME) | NM_STUN_BIT(NM_STUN_REALM) |                       \
		NM_STUN_BIT(NM_STUN_NONCE) | NM_STUN_BIT(NM_STUN_SOURCE_ADDRESS) |                 \
		NM_STUN_BIT(NM_STUN_CHANGED_ADDRESS) | NM_STUN_BIT(NM_STUN_REFLECTED_FROM))

int nm_stun_client_new(
	const struct natmux_random *random, uint32_t refresh_ms, struct nm_stun_client **client)
{
	struct nm_stun_client *c;

	if (refresh_ms < NM_STUN_REFRESH_MIN_MS)
		return NATMUX_ERANGE;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NATMUX_ENOMEM;
	c->random = *random;
	c->refresh_ms = refresh_ms;
	c->deadline_ms = UINT64_MAX;
	*client = c;
	return 0;
}

void nm_stun_client_free(struct nm_stun_client *client)
{
	free(client);
}

uint64_t nm_stun_pair_pause(const struct nm_stun_pair *pair, uint32_t refresh_ms)
{
	uint64_t max_ms = refresh_ms > NM_STUN_BACKOFF_MAX_MS ? refresh_ms : NM_STUN_BACKOFF_MAX_MS;
	uint64_t pause_ms = refresh_ms;

	if (pair->answers == 0 && pair->failures == 0)
		return 0;
	for (unsigned int i = 1; i < pair->failures && pause_ms < max_ms; i++)
		pause_ms *= 2;
	return pause_ms < max_ms ? pause_ms : max_ms;
}

static bool may_start(const struct nm_stun_client *c, size_t s)
{
	unsigned int pending = 0;

	for (size_t l = 0; l < NM_STUN_LOCALS_MAX; l++)
		pending += nm_stun_pair_is_active(c, s, l) && c->pairs[s][l].txn.is_pending;
	return pending < NM_STUN_PENDING_MAX;
}

/*
 * When the pair has something to do. RFC 8489 6.2: new transactions with one server are an RTO
 * apart and at most ten at once.
 */
static uint64_t deadline(const struct nm_stun_client *c, size_t s, size_t l)
{
	const struct nm_stun_pair *pair = &c->pairs[s][l];
	uint64_t due_ms = nm_stun_pair_due(pair);

	if (pair->txn.is_pending)
		return due_ms;
	if (!may_start(c, s))
		return UINT64_MAX;
	return due_ms > c->servers[s].start_ms ? due_ms : c->servers[s].start_ms;
}

void nm_stun_client_reschedule(struct nm_stun_client *c)
{
	c->deadline_ms = UINT64_MAX;
	for (size_t s = 0; s < NM_STUN_SERVERS_MAX; s++) {
		for (size_t l = 0; l < NM_STUN_LOCALS_MAX; l++) {
			uint64_t at_ms;

			if (!nm_stun_pair_is_active(c, s, l))
				continue;
			at_ms = deadline(c, s, l);
			if (at_ms < c->deadline_ms)
				c->deadline_ms = at_ms;
		}
	}
}

uint64_t nm_stun_client_next_deadline(const struct nm_stun_client *c)
{
	return c->deadline_ms;
}

static bool has_request_due(const struct nm_stun_client *c, uint64_t now_ms, size_t s, size_t l)
{
	const struct nm_stun_txn *txn = &c->pairs[s][l].txn;

	if (!nm_stun_pair_is_active(c, s, l))
		return false;
	if (txn->is_pending)
		return nm_stun_txn_step(txn, now_ms) == NM_STUN_TXN_SEND;
	return deadline(c, s, l) <= now_ms;
}

/* Of all that are due the one that has waited longest, so that none starves. */
static struct nm_stun_pair *find_due(
	struct nm_stun_client *c, uint64_t now_ms, struct nm_stun_remote **server, size_t *local)
{
	struct nm_stun_pair *best = NULL;

	for (size_t s = 0; s < NM_STUN_SERVERS_MAX; s++) {
		for (size_t l = 0; l < NM_STUN_LOCALS_MAX; l++) {
			struct nm_stun_pair *pair = &c->pairs[s][l];

			if (!has_request_due(c, now_ms, s, l) ||
				(best && nm_stun_pair_due(pair) >= nm_stun_pair_due(best)))
				continue;
			best = pair;
			*server = &c->servers[s];
			*local = l;
		}
	}
	return best;
}

static size_t build_request(const struct nm_stun_txn *txn, uint8_t *buf, size_t cap)
{
	struct nm_stun_builder b;

	nm_stun_begin(&b, buf, cap, NM_STUN_BINDING, NM_STUN_REQUEST, txn->tid);
	nm_stun_put(&b, NM_STUN_SOFTWARE, software, sizeof(software) - 1);
	nm_stun_put_fingerprint(&b);
	return nm_stun_end(&b);
}

size_t nm_stun_client_output(struct nm_stun_client *c, uint64_t now_ms, struct natmux_path *path,
	uint8_t *buf, size_t cap)
{
	struct nm_stun_remote *server = NULL;
	struct nm_stun_pair *pair;
	size_t local = 0;

	if (now_ms < c->deadline_ms || cap < NM_STUN_REQUEST_LEN)
		return 0;
	pair = find_due(c, now_ms, &server, &local);
	if (!pair)
		return 0;
	if (!pair->txn.is_pending) {
		nm_stun_txn_start(&pair->txn, &c->random, now_ms);
		server->start_ms = now_ms + NM_STUN_RTO_MS;
	}
	nm_stun_txn_sent(&pair->txn, now_ms);
	pair->requests++;
	*path = (struct natmux_path){.local = c->locals[local].addr, .remote = server->addr};
	nm_stun_client_reschedule(c);
	return build_request(&pair->txn, buf, cap);
}

/* Whether a datagram to `to` can answer what left from `bound`, which may be a wildcard. */
static bool accepts(const struct natmux_addr *bound, const struct natmux_addr *to)
{
	return bound->family == to->family && bound->port == to->port &&
	       (nm_stun_is_any_ip(bound) || nm_stun_is_same_ip(bound, to));
}

/* RFC 8489 6.3: the address that was asked, the address that asked, and a pending id. */
static bool find_pending(const struct nm_stun_client *c, const struct natmux_path *path,
	const struct nm_stun_msg *msg, size_t *server, size_t *local)
{
	if (msg->method != NM_STUN_BINDING ||
		(msg->cls != NM_STUN_SUCCESS && msg->cls != NM_STUN_ERROR))
		return false;
	for (size_t s = 0; s < NM_STUN_SERVERS_MAX; s++) {
		if (!c->servers[s].is_used ||
			!natmux_addr_equal(&c->servers[s].addr, &path->remote))
			continue;
		for (size_t l = 0; l < NM_STUN_LOCALS_MAX; l++) {
			if (!nm_stun_pair_is_active(c, s, l) ||
				!accepts(&c->locals[l].addr, &path->local) ||
				!nm_stun_txn_expects(&c->pairs[s][l].txn, msg->tid))
				continue;
			*server = s;
			*local = l;
			return true;
		}
	}
	return false;
}

bool nm_stun_client_expects(const struct nm_stun_client *c, const struct natmux_path *path,
	const uint8_t *data, size_t len)
{
	struct nm_stun_msg msg;
	size_t server, local;

	return nm_stun_decode(data, len, &msg) == 0 && find_pending(c, path, &msg, &server, &local);
}

/* The address a success tells; RFC 3489 servers know only MAPPED-ADDRESS. */
static bool read_mapped(const struct nm_stun_msg *msg, struct natmux_addr *mapped)
{
	uint16_t unknown[NM_STUN_UNKNOWN_MAX];
	struct nm_stun_attr attr;
	uint16_t type = NM_STUN_XOR_MAPPED_ADDRESS;

	if (msg->cls != NM_STUN_SUCCESS || nm_stun_unknown(msg, UNDERSTOOD, unknown) > 0)
		return false;
	if (!nm_stun_find(msg, type, &attr))
		type = NM_STUN_MAPPED_ADDRESS;
	return nm_stun_get_addr(msg, type, mapped) == 0 && nm_stun_is_unicast(mapped);
}

static struct natmux_event event_of(
	const struct nm_stun_client *c, enum natmux_event_type type, size_t s, size_t l)
{
	return (struct natmux_event){
		.type = type,
		.path = {.local = c->locals[l].addr, .remote = c->servers[s].addr},
		.name = c->servers[s].name,
	};
}

/* The transaction came to its end: the pause begins. */
static void end(struct nm_stun_client *c, uint64_t now_ms, struct nm_stun_pair *pair)
{
	nm_stun_txn_stop(&pair->txn);
	pair->since_ms = now_ms;
	pair->pause_ms = nm_stun_pair_pause(pair, c->refresh_ms);
	nm_stun_client_reschedule(c);
}

static struct natmux_event fail(struct nm_stun_client *c, uint64_t now_ms, size_t s, size_t l)
{
	struct nm_stun_pair *pair = &c->pairs[s][l];
	bool is_news = !pair->is_lost;

	pair->timeouts++;
	pair->failures += pair->failures < UINT8_MAX;
	pair->is_answering = false;
	pair->is_lost = true;
	end(c, now_ms, pair);
	return event_of(c, is_news ? NATMUX_EVENT_SERVER_LOST : NATMUX_EVENT_COUNT, s, l);
}

static struct natmux_event accept_answer(struct nm_stun_client *c, uint64_t now_ms, size_t s,
	size_t l, const struct natmux_addr *to, const struct natmux_addr *mapped)
{
	struct nm_stun_pair *pair = &c->pairs[s][l];
	struct natmux_event event = event_of(c, NATMUX_EVENT_COUNT, s, l);

	pair->answers++;
	pair->failures = 0;
	pair->is_answering = true;
	pair->is_lost = false;
	pair->seen = (struct natmux_addr){.family = NATMUX_FAMILY_NONE};
	if (!nm_stun_is_any_ip(to))
		pair->seen = *to;
	nm_stun_txn_answered(&pair->txn, now_ms, &pair->rtt_ms);
	if (!natmux_addr_equal(&pair->mapped, mapped)) {
		event.type = NATMUX_EVENT_MAPPED_CHANGED;
		event.mapped = *mapped;
		event.mapped_before = pair->mapped;
		pair->changes += pair->mapped.family != NATMUX_FAMILY_NONE;
		pair->mapped = *mapped;
	}
	end(c, now_ms, pair);
	return event;
}

bool nm_stun_client_input(struct nm_stun_client *c, uint64_t now_ms, const struct natmux_path *path,
	const uint8_t *data, size_t len, struct natmux_event *event, enum natmux_drop *drop)
{
	struct nm_stun_msg msg;
	struct natmux_addr mapped;
	size_t s, l;

	if (nm_stun_decode(data, len, &msg) < 0) {
		*drop = NATMUX_DROP_STUN_INVALID;
		return false;
	}
	if (!find_pending(c, path, &msg, &s, &l)) {
		*drop = NATMUX_DROP_STUN_UNASKED;
		return false;
	}
	*event = read_mapped(&msg, &mapped) ? accept_answer(c, now_ms, s, l, &path->local, &mapped)
					    : fail(c, now_ms, s, l);
	return true;
}

void nm_stun_client_timeout(struct nm_stun_client *c, uint64_t now_ms,
	void (*handler)(void *user, const struct natmux_event *event), void *user)
{
	if (now_ms < c->deadline_ms)
		return;
	for (size_t s = 0; s < NM_STUN_SERVERS_MAX; s++) {
		for (size_t l = 0; l < NM_STUN_LOCALS_MAX; l++) {
			struct natmux_event event;

			if (!nm_stun_pair_is_active(c, s, l) ||
				nm_stun_txn_step(&c->pairs[s][l].txn, now_ms) != NM_STUN_TXN_FAIL)
				continue;
			event = fail(c, now_ms, s, l);
			if (event.type != NATMUX_EVENT_COUNT)
				handler(user, &event);
		}
	}
}
