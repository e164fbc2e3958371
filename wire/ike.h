/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IKE header as it stands on the shared port, behind the non-ESP marker: RFC 7296 3.1 for
 * IKEv2, RFC 2408 3.1 for IKEv1. Everything here takes the whole datagram, marker included.
 *
 *   0        4                12               20   21   22   23   24       28      32
 *   | 0 0 0 0 | initiator SPI | responder SPI | next | ver | exch | flags | msg id | length |
 */
#ifndef NM_IKE_H
#define NM_IKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <natmux/error.h>
#include "base/bytes.h"
#include "wire/natt.h"

enum {
	NM_IKE_HEADER_LEN = 28,
	NM_IKE_MIN = NM_NATT_MARKER_LEN + NM_IKE_HEADER_LEN,
	NM_IKE_PAYLOAD_HEADER_LEN = 4, /* RFC 7296 3.2, RFC 2408 3.2 */
};

/* Where the fields stand in the datagram. */
enum {
	NM_IKE_AT_INITIATOR_SPI = 4,
	NM_IKE_AT_RESPONDER_SPI = 12,
	NM_IKE_AT_NEXT_PAYLOAD = 20,
	NM_IKE_AT_VERSION = 21, /* major in the upper four bits */
	NM_IKE_AT_EXCHANGE = 22,
	NM_IKE_AT_FLAGS = 23,
	NM_IKE_AT_MESSAGE_ID = 24,
	NM_IKE_AT_LENGTH = 28, /* header and payloads, without the marker */
};

enum {
	NM_IKE1_BASE = 1, /* RFC 2408 3.1, the exchanges of phase 1 */
	NM_IKE1_MAIN = 2, /* "identity protection" */
	NM_IKE1_AUTH_ONLY = 3,
	NM_IKE1_AGGRESSIVE = 4,
	NM_IKE1_INFORMATIONAL = 5,
	NM_IKE1_TRANSACTION = 6, /* configuration, XAUTH (draft-dukes-ike-mode-cfg) */
	NM_IKE1_QUICK = 32,      /* RFC 2409 appendix A */
	NM_IKE1_NEW_GROUP = 33,
	NM_IKE1_ACKED_INFORMATIONAL = 34, /* draft-ietf-ipsec-ike-01 */
	NM_IKE1_PRIVATE_MIN = 240,        /* RFC 2408 3.1 */
};

enum {
	NM_IKE2_SA_INIT = 34, /* RFC 7296 3.1; all below it are reserved */
	NM_IKE2_AUTH = 35,
	NM_IKE2_CREATE_CHILD_SA = 36,
	NM_IKE2_INFORMATIONAL = 37,
	NM_IKE2_SESSION_RESUME = 38, /* RFC 5723 */
	NM_IKE2_INTERMEDIATE = 43,   /* RFC 9242 */
	NM_IKE2_FOLLOWUP_KE = 44,    /* RFC 9370 */
};

enum {
	NM_IKE1_FLAG_ENCRYPTED = 0x01, /* RFC 2408 3.1 */
	NM_IKE2_FLAG_INITIATOR = 0x08, /* RFC 7296 3.1: sent by the initiator of the IKE SA */
	NM_IKE2_FLAG_RESPONSE = 0x20,
};

enum {
	NM_IKE_PAYLOAD_NONE = 0,
	NM_IKE1_PAYLOAD_MAX = 22,         /* GAP (RFC 6407), the last one given away */
	NM_IKE_PAYLOAD_PRIVATE_MIN = 128, /* RFC 7296 3.2, RFC 2408 3.1 */
	NM_IKE2_PAYLOAD_MIN = 33,         /* RFC 7296 3.2: 1-32 belong to IKEv1 */
	NM_IKE2_PAYLOAD_SK = 46,          /* RFC 7296 3.14: encrypted and authenticated */
	NM_IKE2_PAYLOAD_SKF = 53,         /* RFC 7383 2.5: a fragment of one */
};

static inline uint64_t nm_ike_initiator_spi(const uint8_t datagram[NM_IKE_MIN])
{
	return nm_get64(datagram + NM_IKE_AT_INITIATOR_SPI);
}

static inline uint64_t nm_ike_responder_spi(const uint8_t datagram[NM_IKE_MIN])
{
	return nm_get64(datagram + NM_IKE_AT_RESPONDER_SPI);
}

static inline unsigned int nm_ike_major(const uint8_t datagram[NM_IKE_MIN])
{
	return datagram[NM_IKE_AT_VERSION] >> 4;
}

static inline uint8_t nm_ike_exchange(const uint8_t datagram[NM_IKE_MIN])
{
	return datagram[NM_IKE_AT_EXCHANGE];
}

static inline uint32_t nm_ike_message_id(const uint8_t datagram[NM_IKE_MIN])
{
	return nm_get32(datagram + NM_IKE_AT_MESSAGE_ID);
}

/* IKEv2 alone has the flag; IKEv1 does not say who asks and who answers. */
static inline bool nm_ike_is_response(const uint8_t datagram[NM_IKE_MIN])
{
	return nm_ike_major(datagram) == 2 &&
	       (datagram[NM_IKE_AT_FLAGS] & NM_IKE2_FLAG_RESPONSE) != 0;
}

/*
 * Whether an IKE datagram is protected by the keys of its IKE SA: its sender has them, and got what
 * the other end put into them. False for anything too short to be IKE.
 */
static inline bool nm_ike_is_encrypted(const uint8_t *datagram, size_t len)
{
	uint8_t type;

	if (len < NM_IKE_MIN)
		return false;
	type = datagram[NM_IKE_AT_NEXT_PAYLOAD];
	if (nm_ike_major(datagram) == 2)
		return type == NM_IKE2_PAYLOAD_SK || type == NM_IKE2_PAYLOAD_SKF;
	return datagram[NM_IKE_AT_FLAGS] & NM_IKE1_FLAG_ENCRYPTED;
}

/*
 * Whether the exchange type can occur in a message of this version. Numbers that IANA may still
 * give away are taken for IKEv2, where the daemon must cope with what it does not know.
 */
static inline bool nm_ike_exchange_is_plausible(unsigned int major, uint8_t exchange)
{
	if (major == 2)
		return exchange >= NM_IKE2_SA_INIT;
	return (exchange >= NM_IKE1_BASE && exchange <= NM_IKE1_TRANSACTION) ||
	       (exchange >= NM_IKE1_QUICK && exchange <= NM_IKE1_ACKED_INFORMATIONAL) ||
	       exchange >= NM_IKE1_PRIVATE_MIN;
}

/*
 * The first payload: its type one that the version may have, and where its header is readable
 * its length within the message. In IKEv1 an encrypted message hides it (RFC 2408 3.1).
 */
static inline bool nm_ike_payload_is_plausible(const uint8_t *datagram, size_t len)
{
	uint8_t type = datagram[NM_IKE_AT_NEXT_PAYLOAD];
	bool is_v2 = nm_ike_major(datagram) == 2;
	size_t payload_len;

	if (type == NM_IKE_PAYLOAD_NONE)
		return len == NM_IKE_MIN;
	if (is_v2 ? type < NM_IKE2_PAYLOAD_MIN
		  : type > NM_IKE1_PAYLOAD_MAX && type < NM_IKE_PAYLOAD_PRIVATE_MIN)
		return false;
	if (len < NM_IKE_MIN + NM_IKE_PAYLOAD_HEADER_LEN)
		return false;
	if (!is_v2 && datagram[NM_IKE_AT_FLAGS] & NM_IKE1_FLAG_ENCRYPTED)
		return true;
	payload_len = nm_get16(datagram + NM_IKE_MIN + 2);
	return payload_len >= NM_IKE_PAYLOAD_HEADER_LEN && payload_len <= len - NM_IKE_MIN;
}

/*
 * Judges the header of a datagram that begins with the marker. 0: a header that an IKE daemon can
 * do something with. NATMUX_ETRUNCATED: shorter than marker and header, or than its length field;
 * NATMUX_EUNSUPPORTED: a major version other than 1 and 2; NATMUX_EMALFORMED: anything else.
 * Not judged, because the receiver must ignore them: the minor version and the reserved flags
 * (RFC 7296 2.5 and 3.1). Nothing behind the first payload's header is looked at.
 */
static inline int nm_ike_check(const uint8_t *datagram, size_t len)
{
	uint32_t claimed;

	if (len < NM_IKE_MIN)
		return NATMUX_ETRUNCATED;
	if (!nm_natt_has_marker(datagram, len))
		return NATMUX_EMALFORMED;
	if (nm_ike_major(datagram) != 1 && nm_ike_major(datagram) != 2)
		return NATMUX_EUNSUPPORTED;
	/* RFC 7296 3.1, RFC 2408 2.5.3: the initiator's SPI or cookie is never zero. */
	if (nm_ike_initiator_spi(datagram) == 0)
		return NATMUX_EMALFORMED;
	claimed = nm_get32(datagram + NM_IKE_AT_LENGTH);
	if (claimed > len - NM_NATT_MARKER_LEN)
		return NATMUX_ETRUNCATED;
	if (claimed < len - NM_NATT_MARKER_LEN)
		return NATMUX_EMALFORMED;
	if (!nm_ike_exchange_is_plausible(nm_ike_major(datagram), nm_ike_exchange(datagram)) ||
		!nm_ike_payload_is_plausible(datagram, len))
		return NATMUX_EMALFORMED;
	return 0;
}

/* The first message of a new IKE SA, sent before the responder has an SPI: see nm_ike_opens. */
static inline bool nm_ike_is_first(const uint8_t datagram[NM_IKE_MIN])
{
	uint8_t flags = datagram[NM_IKE_AT_FLAGS];
	uint8_t exchange = nm_ike_exchange(datagram);

	if (nm_ike_responder_spi(datagram) != 0 || nm_ike_message_id(datagram) != 0)
		return false;
	/* RFC 7296 3.1 and 2.6 (a repeat with a COOKIE included), RFC 5723 4.3.2. */
	if (nm_ike_major(datagram) == 2)
		return (exchange == NM_IKE2_SA_INIT || exchange == NM_IKE2_SESSION_RESUME) &&
		       (flags & (NM_IKE2_FLAG_INITIATOR | NM_IKE2_FLAG_RESPONSE)) ==
			       NM_IKE2_FLAG_INITIATOR;
	/* RFC 2408 3.1: phase 1 has message id 0, and no keys yet. */
	return exchange <= NM_IKE1_AGGRESSIVE && !(flags & NM_IKE1_FLAG_ENCRYPTED);
}

/*
 * Whether a message from a path without a flow may open one; nm_ike_check() has accepted it.
 *
 * Two kinds may: the first message of a new IKE SA, and every message within an IKE SA (both SPIs
 * set). The second kind is how a peer shows up whose address or NAT mapping changed: a MOBIKE
 * update (RFC 4555 3.5), a liveness check, or the answer to ours that now comes from another port
 * (RFC 7296 2.23). natmux cannot authenticate it, the daemon can, so a valid header is the
 * condition and the opening rate is what bounds a forger. What may not: an answer to a first
 * message, which always comes from the address that was asked and so has a flow already, and
 * notifications outside of any SA (RFC 7296 1.5), which nobody answers.
 */
static inline bool nm_ike_opens(const uint8_t datagram[NM_IKE_MIN])
{
	if (nm_ike_responder_spi(datagram) == 0)
		return nm_ike_is_first(datagram);
	if (nm_ike_major(datagram) != 2)
		return true;
	return nm_ike_exchange(datagram) != NM_IKE2_SA_INIT &&
	       nm_ike_exchange(datagram) != NM_IKE2_SESSION_RESUME;
}

#endif
