/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_CLASSIFY_H
#define NATMUX_CLASSIFY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one UDP payload on the shared port is. docs/wire.md argues every step of the rule. */
#define NATMUX_CLASS_MAP(X)                                                                        \
	X(RUNT, "runt")           /* too short for anything */                                     \
	X(KEEPALIVE, "keepalive") /* RFC 3948 2.3: the one octet 0xff */                           \
	X(IKE, "ike")             /* RFC 3948 2.2: four zero octets, then an IKE header */         \
	X(STUN, "stun")           /* RFC 8489 with a right FINGERPRINT */                          \
	X(ESP, "esp")             /* RFC 3948 2.1: everything else */

enum natmux_class {
#define X(name, text) NATMUX_CLASS_##name,
	NATMUX_CLASS_MAP(X)
#undef X
		NATMUX_CLASS_COUNT
};

/*
 * Judges one UDP payload by its bytes alone. Total: every string of `len` bytes has exactly one
 * class. Pure: no state, no clock, nothing allocated; `data` may be NULL when `len` is 0.
 * Costs a few nanoseconds unless bytes 4..7 are the STUN magic cookie; then the whole message is
 * walked and its CRC-32 computed.
 */
enum natmux_class natmux_classify(const uint8_t *data, size_t len);

/* The lower-case word for a class, such as "esp"; NULL for a number that is none. */
const char *natmux_class_name(enum natmux_class cls);

#ifdef __cplusplus
}
#endif
#endif
