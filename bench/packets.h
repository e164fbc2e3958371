/* SPDX-License-Identifier: Apache-2.0 */
/* A vector of packets to be sealed and opened again, side by side as in a train. */
#ifndef NM_PACKETS_H
#define NM_PACKETS_H

#include "bench/raw_aead.h"
#include "esp/engine.h"

struct nm_packets {
	uint8_t *memory;
	uint32_t stride;
	uint8_t nonces[NM_ENGINE_VECTOR][12];
	struct nm_engine_job jobs[NM_ENGINE_VECTOR]; /* an engine's view */
	struct nm_raw_call calls[NM_ENGINE_VECTOR];  /* the bare call's */
};

/* NM_ENGINE_VECTOR packets with a text of `len` octets. NATMUX_ENOMEM. */
int nm_packets_init(struct nm_packets *packets, enum natmux_suite suite, uint32_t len);
void nm_packets_done(struct nm_packets *packets);

/* Key material for measurements. */
extern const uint8_t nm_packets_keymat[NATMUX_SUITE_KEY_MAX];

#endif
