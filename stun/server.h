/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers Binding requests (RFC 8489 12, a basic server over UDP without authentication): stateless,
 * and of no use to who wants to send much to somebody else.
 */
#ifndef NM_STUN_SERVER_H
#define NM_STUN_SERVER_H

#include <natmux/addr.h>
#include <natmux/mux.h>
#include "stun/check.h"

enum {
	/* Longest reply: ERROR-CODE, UNKNOWN-ATTRIBUTES with eight types, FINGERPRINT. */
	NM_STUN_REPLY_MAX = NM_STUN_HEADER_LEN + (4 + 4) + (4 + 16) + NM_STUN_FINGERPRINT_LEN,
	/* How much larger than the request a reply of mode OPEN may be, by family of the sender. */
	NM_STUN_GROWTH_IPV4 = 4 + 8,
	NM_STUN_GROWTH_IPV6 = 4 + 20,
};

/*
 * Writes the answer to one message, which is of class STUN, or nm_stun_is_bare_binding() and the
 * mode is OPEN. Returns the reply's length; 0 for none, and then why in `drop`, else untouched.
 *
 * The answer is a success with XOR-MAPPED-ADDRESS and nothing more, or a 420 that lists unknown
 * attributes (RFC 8489 6.3.1). It has a FINGERPRINT exactly if the request had one (7). STRICT gives
 * no reply larger than the request, OPEN none larger by more than NM_STUN_GROWTH_*. Credentials are
 * ignored, as nothing here is worth guarding; attributes of ICE are unknown to a basic server.
 * A `cap` of NM_STUN_REPLY_MAX always suffices; NATMUX_DROP_TXQ_FULL when the reply does not fit.
 */
size_t nm_stun_respond(enum natmux_responder mode, const uint8_t *request, size_t len,
	const struct natmux_addr *remote, uint8_t *reply, size_t cap, enum natmux_drop *drop);

#endif
