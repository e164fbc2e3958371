/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One STUN transaction over UDP: when the request is sent, sent again and given up (RFC 8489
 * 6.2.1), and how long the answer took. It holds no bytes: whoever sends builds the request anew,
 * with `tid`. A zeroed struct is an idle transaction.
 */
#ifndef NM_STUN_TXN_H
#define NM_STUN_TXN_H

#include <stdbool.h>
#include <natmux/random.h>
#include "stun/proto.h"

/*
 * RFC 8489 6.2.1. Requests leave at 0, 500, 1500, 3500, 7500, 15500 and 31500 ms; 16 times 500 ms
 * after the last, at 39500 ms, nobody has answered.
 */
enum {
	NM_STUN_RTO_MS = 500,
	NM_STUN_RC = 7,
	NM_STUN_RM = 16,
};

struct nm_stun_txn {
	uint8_t tid[NM_STUN_TID_LEN];
	bool is_pending;
	uint8_t sends;    /* so far, up to NM_STUN_RC */
	uint64_t sent_ms; /* when the last request left */
	uint64_t next_ms; /* when the next step is due */
};

enum nm_stun_txn_step {
	NM_STUN_TXN_WAIT, /* idle, or nothing is due yet */
	NM_STUN_TXN_SEND, /* a request is due: send it and call nm_stun_txn_sent() */
	NM_STUN_TXN_FAIL, /* nobody answered: call nm_stun_txn_stop() */
};

/* Begins anew with 96 fresh random bits (RFC 8489 5); the first request is due at once. */
void nm_stun_txn_start(
	struct nm_stun_txn *txn, const struct natmux_random *random, uint64_t now_ms);

enum nm_stun_txn_step nm_stun_txn_step(const struct nm_stun_txn *txn, uint64_t now_ms);

/* A request has left; the wait before the next step counts from now. */
void nm_stun_txn_sent(struct nm_stun_txn *txn, uint64_t now_ms);

/* Whether a response with this id is waited for. */
bool nm_stun_txn_expects(const struct nm_stun_txn *txn, const uint8_t tid[NM_STUN_TID_LEN]);

/*
 * The response was accepted: ends the transaction. Whether `rtt_ms` was set: after a second
 * request nobody knows which of them was answered (Karn's rule, RFC 6298 3).
 */
bool nm_stun_txn_answered(struct nm_stun_txn *txn, uint64_t now_ms, uint32_t *rtt_ms);

/* Ends it without an answer. */
void nm_stun_txn_stop(struct nm_stun_txn *txn);

#endif
