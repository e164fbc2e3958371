/* SPDX-License-Identifier: Apache-2.0 */
/* Making ESP packets of inner ones, in place and in vectors. */
#ifndef NM_SEAL_H
#define NM_SEAL_H

#include <natmux/random.h>
#include "esp/sa.h"

/*
 * IVs that nobody can foresee, for CBC (RFC 3602 3): ChaCha20 under a key of its own, so that the
 * system is not asked per packet. Of one thread.
 */
struct nm_iv_source {
	uint8_t key[32];
	uint64_t counter;
};

void nm_iv_source_init(struct nm_iv_source *source, const struct natmux_random *random);
void nm_iv_source_done(struct nm_iv_source *source); /* wipes */

/*
 * One packet to be sealed. At `packet` there is room for nm_sa_sealed_len(sa, len) octets; the
 * inner packet already stands at nm_seal_inner(sa, packet).
 */
struct nm_seal_item {
	uint8_t *packet;
	uint32_t len;        /* of the inner packet */
	uint8_t next_header; /* 4 or 41 in tunnel mode; NM_ESP_NO_NEXT_HEADER: a dummy */
};

static inline uint8_t *nm_seal_inner(const struct nm_sa *sa, uint8_t *packet)
{
	return packet + NM_ESP_HEADER + sa->iv_len;
}

/*
 * Seals up to NM_ENGINE_VECTOR packets: sequence numbers in order, IV, padding 1, 2, 3…, TFC
 * padding, ICV. All or none: false when the SA is dead or has fewer numbers left (counted as
 * exhausted); then the packets are untouched.
 */
bool nm_seal(
	struct nm_sa *sa, struct nm_iv_source *source, const struct nm_seal_item *items, size_t n);

#endif
