/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides what one datagram on the shared port is, by its bytes alone; docs/wire.md proves the
 * steps. Leaves to others: who gets it, and the two exceptions that need state.
 */
#include <natmux/classify.h>

#include "base/bytes.h"
#include "base/export.h"
#include "stun/check.h"
#include "wire/ike.h"
#include "wire/natt.h"

/* Fewer than 8 bytes: nothing here is STUN, and nothing with a marker has an IKE header. */
static enum natmux_class classify_short(const uint8_t *data, size_t len)
{
	/* RFC 3948 2.3: exactly one octet, 0xff. */
	if (nm_natt_is_keepalive(data, len))
		return NATMUX_CLASS_KEEPALIVE;
	if (len < NM_NATT_MARKER_LEN || nm_get32(data) == 0)
		return NATMUX_CLASS_RUNT;
	/* Too short for ESP as well, but how short that is, only the SA knows. */
	return NATMUX_CLASS_ESP;
}

NM_EXPORT enum natmux_class natmux_classify(const uint8_t *data, size_t len)
{
	if (len < NM_STUN_TID_AT)
		return classify_short(data, len);
	/* RFC 3948 2.2: ESP never has an SPI of zero, so four zero octets are the Non-ESP marker. */
	if (nm_get32(data) == 0)
		return len < NM_IKE_MIN ? NATMUX_CLASS_RUNT : NATMUX_CLASS_IKE;
	/* RFC 8489 6.3, 14.7: the cookie is an ESP sequence number like any other without a CRC. */
	if (nm_stun_has_cookie(data, len) && nm_stun_has_right_fingerprint(data, len))
		return NATMUX_CLASS_STUN;
	return NATMUX_CLASS_ESP;
}
