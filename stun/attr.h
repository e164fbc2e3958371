/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of the attributes of a decoded message. Each reader takes the first attribute of the type
 * and returns 0, NATMUX_ENOTFOUND, or NATMUX_EMALFORMED; its output is untouched unless it is 0.
 */
#ifndef NM_STUN_ATTR_H
#define NM_STUN_ATTR_H

#include <natmux/addr.h>
#include "stun/msg.h"

/*
 * MAPPED-ADDRESS, ALTERNATE-SERVER, RESPONSE-ORIGIN, OTHER-ADDRESS as they stand; XOR-MAPPED-,
 * XOR-PEER- and XOR-RELAYED-ADDRESS made plain (RFC 8489 14.1, 14.2, 14.15). An IPv4-mapped IPv6
 * address comes out as IPv4, as struct natmux_addr wants it.
 */
int nm_stun_get_addr(const struct nm_stun_msg *msg, uint16_t type, struct natmux_addr *addr);

/* PRIORITY (RFC 8445 16.1), CHANGE-REQUEST (RFC 5780 7.2). */
int nm_stun_get_u32(const struct nm_stun_msg *msg, uint16_t type, uint32_t *value);

/* RESPONSE-PORT (RFC 5780 7.5): a port and two bytes without meaning. */
int nm_stun_get_port(const struct nm_stun_msg *msg, uint16_t type, uint16_t *port);

/* ICE-CONTROLLED and ICE-CONTROLLING: the tie-breaker (RFC 8445 16.1). */
int nm_stun_get_u64(const struct nm_stun_msg *msg, uint16_t type, uint64_t *value);

/* USE-CANDIDATE: an attribute without a value (RFC 8445 16.1). 0 when it is there. */
int nm_stun_get_flag(const struct nm_stun_msg *msg, uint16_t type);

/*
 * USERNAME (up to 508 bytes), REALM, NONCE, SOFTWARE (up to 763), borrowed. The bytes are not
 * checked: not NUL-terminated, and not always UTF-8.
 */
int nm_stun_get_text(
	const struct nm_stun_msg *msg, uint16_t type, const uint8_t **text, size_t *len);

struct nm_stun_error_info {
	uint16_t code;         /* 300 to 699 */
	const uint8_t *reason; /* borrowed; for people */
	size_t reason_len;     /* up to 763 */
};

/* ERROR-CODE (RFC 8489 14.8). */
int nm_stun_get_error(const struct nm_stun_msg *msg, struct nm_stun_error_info *error);

/* UNKNOWN-ATTRIBUTES (RFC 8489 14.13): the first NM_STUN_UNKNOWN_MAX of them; `n` says how many. */
int nm_stun_get_unknown(
	const struct nm_stun_msg *msg, uint16_t types[NM_STUN_UNKNOWN_MAX], size_t *n);

/*
 * XORs the bytes of an address with cookie and transaction id, which is its own inverse (RFC 8489
 * 14.2). `ip` has `len` bytes, 4 or 16.
 */
void nm_stun_xor_ip(uint8_t *ip, size_t len, const uint8_t tid[NM_STUN_TID_LEN]);

/* Whether addresses of this type are XORed. */
static inline bool nm_stun_is_xored(uint16_t type)
{
	return type == NM_STUN_XOR_MAPPED_ADDRESS || type == NM_STUN_XOR_PEER_ADDRESS ||
	       type == NM_STUN_XOR_RELAYED_ADDRESS;
}

#endif
