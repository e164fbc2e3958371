/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of an SA's key beside the expanded one, and what an SA with the same key inherits. */
#include <sodium.h>
#include <string.h>
#include <natmux/error.h>

#include "esp/sa.h"

_Static_assert(NM_SA_MARK == crypto_generichash_BYTES_MIN, "size of the shortest digest");
_Static_assert(crypto_generichash_KEYBYTES_MIN == 16, "size of the secret");

void nm_sa_mark_key(
	struct nm_sa *sa, const struct natmux_sa_config *config, const uint8_t secret[16])
{
	crypto_generichash(
		sa->key_mark, sizeof(sa->key_mark), config->key, config->key_len, secret, 16);
}

int nm_sa_keep_key(
	struct nm_sa *sa, const struct natmux_sa_config *config, struct nm_secret_pool *keymats)
{
	sa->keymat = nm_secret_take(keymats);
	if (!sa->keymat)
		return NATMUX_ENOMEM;
	sa->keymats = keymats;
	memcpy(sa->keymat, config->key, config->key_len);
	return 0;
}

static bool is_same_key(const struct nm_sa *a, const struct nm_sa *b)
{
	return a->suite == b->suite && memcmp(a->key_mark, b->key_mark, NM_SA_MARK) == 0;
}

/*
 * One counter for both, or the higher of two. Where ESN goes it may be beyond the limit: used up, and
 * nothing is forgotten that must not come again when ESN comes back.
 */
static void take_sequence(struct nm_sa *sa, struct nm_sa *before)
{
	uint64_t last = nm_sequence_last(before->sequence);

	if (sa->has_esn == before->has_esn && last >= nm_sequence_last(sa->sequence)) {
		nm_sequence_unref(sa->sequence);
		sa->sequence = nm_sequence_ref(before->sequence);
		return;
	}
	if (last > nm_sequence_last(sa->sequence))
		atomic_store(&sa->sequence->last, last);
	sa->sequence->iv_base = before->sequence->iv_base;
}

/* What either of the two has seen. Where ESN goes, a top beyond 32 bits stays: all is behind it. */
static void take_window(struct nm_sa *sa, const struct nm_sa *before)
{
	struct natmux_replay_state seen;

	nm_replay_save(&before->replay, &seen);
	nm_replay_join(&sa->replay, &seen);
}

void nm_sa_succeed(struct nm_sa *sa, struct nm_sa *before, struct natmux_addr *place)
{
	if (!is_same_key(sa, before))
		return;
	if (sa->direction == NATMUX_SA_OUT)
		take_sequence(sa, before);
	else
		take_window(sa, before);
	if (natmux_addr_equal(&sa->path.remote, &before->filed_remote))
		*place = before->path.remote;
}
