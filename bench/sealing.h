/* SPDX-License-Identifier: Apache-2.0 */
/* A vector of packets between two SAs in memory: nm_seal() and nm_open() without a plane. */
#ifndef NM_SEALING_H
#define NM_SEALING_H

#include "bench/raw_aead.h"
#include "esp/open.h"
#include "esp/seal.h"

struct nm_sealing {
	struct nm_sa *out, *in;
	struct nm_secret_pool *keys;
	struct nm_iv_source ivs;
	uint8_t *memory;
	struct nm_seal_item seal[NM_ENGINE_VECTOR];
	struct nm_open_item open[NM_ENGINE_VECTOR];
	/* The same texts for the bare call. */
	const struct nm_raw_aead *raw;
	void *raw_key; /* NULL: there is none */
	uint8_t nonces[NM_ENGINE_VECTOR][12];
	struct nm_raw_call calls[NM_ENGINE_VECTOR];
};

/* Packets of `len` octets of inner packet. NATMUX_ENOMEM, and what nm_sa_new() says. */
int nm_sealing_init(struct nm_sealing *sealing, const struct nm_engine *engine,
	enum natmux_suite suite, uint32_t len);
void nm_sealing_done(struct nm_sealing *sealing);

void nm_sealing_seal(struct nm_sealing *sealing);
void nm_sealing_open(struct nm_sealing *sealing);
/* Whether all packets of the last nm_sealing_open() were good. */
bool nm_sealing_is_good(const struct nm_sealing *sealing);

#endif
