/* SPDX-License-Identifier: Apache-2.0 */
/* UDP encapsulation of IPsec (RFC 3948): its port, marker and keepalive. */
#ifndef NM_NATT_H
#define NM_NATT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/bytes.h"

enum {
	NM_NATT_PORT = 4500,       /* RFC 3948 2, RFC 7296 2.23 */
	NM_NATT_MARKER_LEN = 4,    /* RFC 3948 2.2: the non-ESP marker, four zero octets */
	NM_NATT_KEEPALIVE_LEN = 1, /* RFC 3948 2.3 */
	NM_NATT_KEEPALIVE_OCTET = 0xff,
	NM_NATT_KEEPALIVE_MS = 20000, /* RFC 3948 4: silence after which one is sent */
};

/* RFC 3948 2.2: an SPI is never zero, so four zero octets say that this is not ESP. */
static inline bool nm_natt_has_marker(const uint8_t *data, size_t len)
{
	return len >= NM_NATT_MARKER_LEN && nm_get32(data) == 0;
}

static inline bool nm_natt_is_keepalive(const uint8_t *data, size_t len)
{
	return len == NM_NATT_KEEPALIVE_LEN && data[0] == NM_NATT_KEEPALIVE_OCTET;
}

#endif
