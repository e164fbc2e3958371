/* SPDX-License-Identifier: Apache-2.0 */
/* Decides when a request is repeated and given up. Bytes and addresses are left to the client. */
#include "stun/txn.h"

#include <string.h>

void nm_stun_txn_start(struct nm_stun_txn *txn, const struct natmux_random *random, uint64_t now_ms)
{
	*txn = (struct nm_stun_txn){.is_pending = true, .next_ms = now_ms};
	random->fill(random->user, txn->tid, sizeof(txn->tid));
}

enum nm_stun_txn_step nm_stun_txn_step(const struct nm_stun_txn *txn, uint64_t now_ms)
{
	if (!txn->is_pending || now_ms < txn->next_ms)
		return NM_STUN_TXN_WAIT;
	return txn->sends < NM_STUN_RC ? NM_STUN_TXN_SEND : NM_STUN_TXN_FAIL;
}

void nm_stun_txn_sent(struct nm_stun_txn *txn, uint64_t now_ms)
{
	uint64_t wait_ms = (uint64_t)NM_STUN_RTO_MS << txn->sends;

	txn->sends++;
	if (txn->sends >= NM_STUN_RC)
		wait_ms = (uint64_t)NM_STUN_RTO_MS * NM_STUN_RM;
	txn->sent_ms = now_ms;
	txn->next_ms = now_ms + wait_ms;
}

bool nm_stun_txn_expects(const struct nm_stun_txn *txn, const uint8_t tid[NM_STUN_TID_LEN])
{
	return txn->is_pending && txn->sends > 0 && memcmp(txn->tid, tid, NM_STUN_TID_LEN) == 0;
}

bool nm_stun_txn_answered(struct nm_stun_txn *txn, uint64_t now_ms, uint32_t *rtt_ms)
{
	txn->is_pending = false;
	if (txn->sends != 1)
		return false;
	*rtt_ms = (uint32_t)(now_ms - txn->sent_ms);
	return true;
}

void nm_stun_txn_stop(struct nm_stun_txn *txn)
{
	txn->is_pending = false;
}
