/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare AEAD call of a library, with everything around it that can be left out left out: what an
 * engine, and the plane above it, are held against. No packet, no counter, no comparison of the ICV
 * where the call itself makes none.
 */
#ifndef NM_RAW_AEAD_H
#define NM_RAW_AEAD_H

#include <stddef.h>
#include <stdint.h>
#include <natmux/suite.h>

struct nm_raw_call {
	uint8_t *text;        /* in place */
	uint8_t *icv;         /* written when sealing, used when opening */
	const uint8_t *nonce; /* 12 octets */
	const uint8_t *aad;   /* 8 octets */
	uint32_t len;
};

struct nm_raw_aead {
	const char *engine; /* name of the engine on the same library */
	/* The keyed cipher; NULL: this library, or this CPU, has not got the suite. */
	void *(*open_key)(enum natmux_suite suite, const uint8_t *keymat);
	void (*close_key)(void *self);
	void (*seal)(void *self, const struct nm_raw_call *calls, size_t n);
	void (*open)(void *self, const struct nm_raw_call *calls, size_t n);
};

extern const struct nm_raw_aead nm_raw_ipsecmb, nm_raw_openssl, nm_raw_sodium;

/* That of an engine's name; NULL: none. */
const struct nm_raw_aead *nm_raw_aead_find(const char *engine);

#endif
