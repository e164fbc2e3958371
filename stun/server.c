/* SPDX-License-Identifier: Apache-2.0 */
/* Decides whether and what a Binding request is answered; how often is the dispatcher's bucket. */
#include "stun/server.h"

#include "stun/build.h"
#include "stun/msg.h"

/*
 * What a basic server knows. Credentials are known and not needed; an attribute that makes no sense
 * in a Binding request is ignored (RFC 8489 14). CHANGE-REQUEST, RESPONSE-PORT and PADDING have to
 * be refused by who does not do them (RFC 5780 6.1), and PRIORITY and USE-CANDIDATE are ICE's.
 */
#define UNDERSTOOD                                                                                 \
	(NM_STUN_BIT(NM_STUN_MAPPED_ADDRESS) | NM_STUN_BIT(NM_STUN_USERNAME) |                     \
		NM_STUN_BIT(NM_STUN_ERROR_CODE) | NM_STUN_BIT(NM_STUN_UNKNOWN_ATTRIBUTES) |        \
		NM_STUN_BIT(NM_STUN_REALM) | NM_STUN_BIT(NM_STUN_NONCE) |                          \
		NM_STUN_BIT(NM_STUN_PASSWORD_ALGORITHM) | NM_STUN_BIT(NM_STUN_USERHASH) |          \
		NM_STUN_BIT(NM_STUN_XOR_MAPPED_ADDRESS))

static enum natmux_drop drop_of_class(enum nm_stun_class cls)
{
	switch (cls) {
	case NM_STUN_INDICATION: return NATMUX_DROP_STUN_INDICATION;
	case NM_STUN_SUCCESS:
	case NM_STUN_ERROR: return NATMUX_DROP_STUN_UNASKED;
	case NM_STUN_REQUEST: break;
	}
	return NATMUX_DROP_COUNT;
}

/* Why a message gets no answer; NATMUX_DROP_COUNT: it gets one. */
static enum natmux_drop judge(enum natmux_responder mode, const uint8_t *request, size_t len,
	const struct natmux_addr *remote, struct nm_stun_msg *msg)
{
	if (nm_stun_decode(request, len, msg) < 0)
		return NATMUX_DROP_STUN_INVALID;
	if (msg->cls != NM_STUN_REQUEST)
		return drop_of_class(msg->cls);
	if (mode == NATMUX_RESPONDER_OFF)
		return NATMUX_DROP_STUN_OFF;
	if (msg->method != NM_STUN_BINDING)
		return NATMUX_DROP_STUN_METHOD;
	if (remote->family == NATMUX_FAMILY_NONE || remote->port == 0)
		return NATMUX_DROP_MARTIAN;
	return NATMUX_DROP_COUNT;
}

static size_t build_reply(const struct nm_stun_msg *msg, const struct natmux_addr *remote,
	uint8_t reply[NM_STUN_REPLY_MAX])
{
	uint16_t unknown[NM_STUN_UNKNOWN_MAX];
	size_t n = nm_stun_unknown(msg, UNDERSTOOD, unknown);
	struct nm_stun_builder b;

	nm_stun_begin(&b, reply, NM_STUN_REPLY_MAX, NM_STUN_BINDING,
		n > 0 ? NM_STUN_ERROR : NM_STUN_SUCCESS, msg->tid);
	if (n > 0) {
		nm_stun_put_error(&b, NM_STUN_UNKNOWN_ATTRIBUTE, NULL);
		nm_stun_put_unknown(&b, unknown, n);
	} else {
		nm_stun_put_addr(&b, NM_STUN_XOR_MAPPED_ADDRESS, remote);
	}
	if (msg->fingerprint_at > 0)
		nm_stun_put_fingerprint(&b);
	return nm_stun_end(&b);
}

/* Bytes by which a reply may exceed the request. */
static size_t growth(enum natmux_responder mode, const struct natmux_addr *remote)
{
	if (mode != NATMUX_RESPONDER_OPEN)
		return 0;
	return remote->family == NATMUX_FAMILY_IPV4 ? NM_STUN_GROWTH_IPV4 : NM_STUN_GROWTH_IPV6;
}

size_t nm_stun_respond(enum natmux_responder mode, const uint8_t *request, size_t len,
	const struct natmux_addr *remote, uint8_t *reply, size_t cap, enum natmux_drop *drop)
{
	uint8_t buf[NM_STUN_REPLY_MAX];
	struct nm_stun_msg msg;
	enum natmux_drop why = judge(mode, request, len, remote, &msg);
	size_t reply_len = why == NATMUX_DROP_COUNT ? build_reply(&msg, remote, buf) : 0;

	if (why == NATMUX_DROP_COUNT && reply_len > len + growth(mode, remote))
		why = NATMUX_DROP_STUN_LARGER;
	else if (why == NATMUX_DROP_COUNT && reply_len > cap)
		why = NATMUX_DROP_TXQ_FULL;
	if (why != NATMUX_DROP_COUNT) {
		*drop = why;
		return 0;
	}
	memcpy(reply, buf, reply_len);
	return reply_len;
}
