/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks configured STUN servers, from each of our own addresses, where they see us, and keeps asking:
 * that is how a change of the mapped address is noticed and the NAT's binding kept. A machine
 * without sockets and clock; everything is allocated in _new.
 */
#ifndef NM_STUN_CLIENT_H
#define NM_STUN_CLIENT_H

#include <natmux/addr.h>
#include <natmux/event.h>
#include <natmux/mux.h>
#include <natmux/random.h>
#include <natmux/stats.h>
#include "stun/proto.h"

enum {
	NM_STUN_SERVERS_MAX = 8,
	NM_STUN_LOCALS_MAX = 16,
	NM_STUN_NAME_MAX = 31, /* bytes of a server's name, without the NUL */
	NM_STUN_REFRESH_MIN_MS = 1000,
	NM_STUN_BACKOFF_MAX_MS =
		300000,           /* longest pause after failures, unless refresh is longer */
	NM_STUN_PENDING_MAX = 10, /* RFC 8489 6.2: transactions at once with one server */
	/*
	 * Every request has this length. At least 56: the answer of another natmux in mode STRICT,
	 * 52 bytes for IPv6 or 56 for an error, must not be larger than the request.
	 */
	NM_STUN_REQUEST_LEN = 56,
};

struct nm_stun_client;

/*
 * `random` is copied. `refresh_ms`, at least 1000: pause between an answer and the next question.
 * NATMUX_ERANGE, NATMUX_ENOMEM.
 */
int nm_stun_client_new(
	const struct natmux_random *random, uint32_t refresh_ms, struct nm_stun_client **client);
void nm_stun_client_free(struct nm_stun_client *client);

/* A new pause, also for those that are waiting. NATMUX_ERANGE. */
int nm_stun_client_set_refresh(struct nm_stun_client *client, uint32_t refresh_ms);

/*
 * `name`, 1 to 31 bytes, is copied. NATMUX_EINVAL (name, or an address nobody can send to),
 * NATMUX_EEXISTS (name or address), NATMUX_EFULL. The first questions are due at once.
 */
int nm_stun_client_server_add(struct nm_stun_client *client, uint64_t now_ms, const char *name,
	const struct natmux_addr *addr);

/* Forgets a server and what it said. NATMUX_ENOTFOUND. */
int nm_stun_client_server_remove(struct nm_stun_client *client, const char *name);

/*
 * Replaces our own addresses; those that stay keep all they know. Each asks the servers of its
 * family. NATMUX_EFULL, NATMUX_EINVAL (no family or port), NATMUX_EEXISTS (one twice).
 */
int nm_stun_client_set_locals(
	struct nm_stun_client *client, uint64_t now_ms, const struct natmux_addr *locals, size_t n);

/*
 * The known-transaction exception: whether a datagram without FINGERPRINT is a well-formed response
 * from a configured server, to the address the question left from, with a transaction id that is
 * pending (RFC 8489 6.3). A wildcard local address stands for any address with its port.
 */
bool nm_stun_client_expects(const struct nm_stun_client *client, const struct natmux_path *path,
	const uint8_t *data, size_t len);

/*
 * A STUN response, of class STUN or expected. True: it was ours and is used up, and `event` may
 * have become MAPPED_CHANGED or SERVER_LOST; without news its type is NATMUX_EVENT_COUNT. False:
 * not ours, and `drop` says why. An error response, or a success that we cannot understand, fails
 * the transaction (RFC 8489 6.3.3, 6.3.4); ALTERNATE-SERVER is not followed, for without integrity
 * anybody could have said it. The event's name is borrowed until the next call that changes servers.
 */
bool nm_stun_client_input(struct nm_stun_client *client, uint64_t now_ms,
	const struct natmux_path *path, const uint8_t *data, size_t len, struct natmux_event *event,
	enum natmux_drop *drop);

/*
 * Writes the next request that is due and where it travels; returns its length, 0 when none is due
 * or `cap` is below NM_STUN_REQUEST_LEN. Call until 0.
 */
size_t nm_stun_client_output(struct nm_stun_client *client, uint64_t now_ms,
	struct natmux_path *path, uint8_t *buf, size_t cap);

/*
 * Gives up what nobody answered. SERVER_LOST goes to `handler` when a server that answered, or was
 * never heard, fails; not again until it has answered. It is asked again all the same, after
 * pauses that grow up to NM_STUN_BACKOFF_MAX_MS.
 */
void nm_stun_client_timeout(struct nm_stun_client *client, uint64_t now_ms,
	void (*handler)(void *user, const struct natmux_event *event), void *user);

/* When output or timeout has work; UINT64_MAX: not before something changes. */
uint64_t nm_stun_client_next_deadline(const struct nm_stun_client *client);

/*
 * Calls `each` for every server and local address of its family. `requests` counts datagrams,
 * `answers` successes, `timeouts` transactions that failed, `changes` new mapped addresses but the
 * first.
 */
void nm_stun_client_each(const struct nm_stun_client *client,
	void (*each)(void *user, const struct natmux_server_info *info), void *user);

enum nm_stun_nat {
	NM_STUN_NAT_UNKNOWN, /* no server answers, or nobody told us the address that it answered to */
	NM_STUN_NAT_NONE,    /* every server that answers sees the address as it is */
	NM_STUN_NAT_PRESENT, /* at least one sees another */
};

/*
 * Whether a local address of ours is translated on its way out. Behind a wildcard the address that
 * the answers came to is compared; where the I/O could not tell it, another port still proves a
 * NAT, and an equal port proves nothing: port-preserving NATs are the rule.
 */
enum nm_stun_nat nm_stun_client_nat(
	const struct nm_stun_client *client, const struct natmux_addr *local);

#endif
