/* SPDX-License-Identifier: Apache-2.0 */
/* Makers of datagrams (UDP payloads) of each class, the same ones in every run. */
#ifndef NM_GEN_H
#define NM_GEN_H

#include <stddef.h>
#include <stdint.h>

/* A sequence of numbers that only has to look random; any start value will do. */
struct nm_gen {
	uint64_t state;
};

uint64_t nm_gen_number(struct nm_gen *gen);
void nm_gen_bytes(struct nm_gen *gen, uint8_t *buf, size_t len);

/* What datagram, and how many bytes it may have. */
#define NM_GEN_MAP(X)                                                                              \
	X(ESP, "esp", 32, 65507)        /* SPI, sequence number, noise */                          \
	X(IKE, "ike", 32, 65507)        /* non-ESP marker, an IKEv2 header of the right length */  \
	X(KEEPALIVE, "keepalive", 1, 1) /* RFC 3948 2.3 */                                         \
	X(STUN, "stun", 28, 65504)      /* Binding request, FINGERPRINT; a multiple of 4 */        \
	X(SEQUENCE, "esp cookie", 32, 65507) /* ESP number 0x2112a442 of its SA */                 \
	X(NO_CRC, "esp no-crc", 32, 65504)   /* and all of STUN but a FINGERPRINT */               \
	X(BAD_CRC, "esp bad-crc", 28, 65504) /* and one with a wrong CRC */

enum nm_gen_kind {
#define X(name, text, min, max) NM_GEN_##name,
	NM_GEN_MAP(X)
#undef X
		NM_GEN_COUNT
};

/* The word for a kind, such as "esp"; NULL for a number that is none. */
const char *nm_gen_name(enum nm_gen_kind kind);

/*
 * Fills `len` bytes with a datagram of that kind. STUN of 100 bytes or more is an ICE check
 * (USERNAME, PRIORITY, ICE-CONTROLLING, MESSAGE-INTEGRITY, the last with noise for a value), what
 * is left over goes into SOFTWARE. NATMUX_ERANGE for a size that the kind cannot have.
 */
int nm_gen_datagram(struct nm_gen *gen, enum nm_gen_kind kind, uint8_t *buf, size_t len);

#endif
