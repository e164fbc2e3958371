/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of STUN: RFC 8489, and those of RFC 8445 (ICE), RFC 8656 (TURN) and RFC 5780 (NAT
 * behaviour) that we meet. Section beside each number; without another number it is RFC 8489's.
 */
#ifndef NM_STUN_PROTO_H
#define NM_STUN_PROTO_H

#include <stdint.h>

/*
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+---------------------------+-------------------------------+
 * |0 0|     type (14 bits)        |  length without these 20      |
 * +-+-+---------------------------+-------------------------------+
 * |                   magic cookie 0x2112a442                     |
 * +---------------------------------------------------------------+
 * |                   transaction id (96 bits)                    |
 */
#define NM_STUN_COOKIE          0x2112a442u /* 5 */
#define NM_STUN_FINGERPRINT_XOR 0x5354554eu /* 14.7 */

enum {
	NM_STUN_HEADER_LEN = 20,                       /* 5 */
	NM_STUN_LENGTH_AT = 2,                         /* 5: offset of the length field */
	NM_STUN_COOKIE_AT = 4,                         /* 5 */
	NM_STUN_TID_AT = 8,                            /* 5 */
	NM_STUN_TID_LEN = 12,                          /* 5: 96 bits */
	NM_STUN_ATTR_HEADER_LEN = 4,                   /* 14: type and length */
	NM_STUN_FINGERPRINT_LEN = 4 + 4,               /* 14.7: header and CRC-32 */
	NM_STUN_SHA1_LEN = 20,                         /* 14.5: value of MESSAGE-INTEGRITY */
	NM_STUN_SHA256_LEN = 32,                       /* 14.6: longest value of its successor */
	NM_STUN_SHA256_LEN_MIN = 16,                   /* 14.6: shortest, in steps of four */
	NM_STUN_LEN_MAX = NM_STUN_HEADER_LEN + 0xfffc, /* 5: a 16-bit multiple of four */
};

enum nm_stun_class { /* 5 */
	NM_STUN_REQUEST = 0,
	NM_STUN_INDICATION = 1,
	NM_STUN_SUCCESS = 2,
	NM_STUN_ERROR = 3,
};

enum nm_stun_method {
	NM_STUN_BINDING = 0x001, /* 18.2 */
	NM_STUN_ALLOCATE = 0x003 /* RFC 8656 17 */
};

/* Types below 0x8000 have to be understood, or the message fails (14). */
enum nm_stun_attr_type {
	NM_STUN_MAPPED_ADDRESS = 0x0001,           /* 14.1 */
	NM_STUN_CHANGE_REQUEST = 0x0003,           /* RFC 5780 7.2 */
	NM_STUN_SOURCE_ADDRESS = 0x0004,           /* RFC 3489 11.2.5 */
	NM_STUN_CHANGED_ADDRESS = 0x0005,          /* RFC 3489 11.2.3 */
	NM_STUN_USERNAME = 0x0006,                 /* 14.3 */
	NM_STUN_MESSAGE_INTEGRITY = 0x0008,        /* 14.5 */
	NM_STUN_ERROR_CODE = 0x0009,               /* 14.8 */
	NM_STUN_UNKNOWN_ATTRIBUTES = 0x000a,       /* 14.13 */
	NM_STUN_REFLECTED_FROM = 0x000b,           /* RFC 3489 11.2.11 */
	NM_STUN_XOR_PEER_ADDRESS = 0x0012,         /* RFC 8656 18.3 */
	NM_STUN_REALM = 0x0014,                    /* 14.9 */
	NM_STUN_NONCE = 0x0015,                    /* 14.10 */
	NM_STUN_XOR_RELAYED_ADDRESS = 0x0016,      /* RFC 8656 18.5 */
	NM_STUN_MESSAGE_INTEGRITY_SHA256 = 0x001c, /* 14.6 */
	NM_STUN_PASSWORD_ALGORITHM = 0x001d,       /* 14.12 */
	NM_STUN_USERHASH = 0x001e,                 /* 14.4 */
	NM_STUN_XOR_MAPPED_ADDRESS = 0x0020,       /* 14.2 */
	NM_STUN_PRIORITY = 0x0024,                 /* RFC 8445 16.1 */
	NM_STUN_USE_CANDIDATE = 0x0025,            /* RFC 8445 16.1 */
	NM_STUN_PADDING = 0x0026,                  /* RFC 5780 7.6 */
	NM_STUN_RESPONSE_PORT = 0x0027,            /* RFC 5780 7.5 */
	NM_STUN_PASSWORD_ALGORITHMS = 0x8002,      /* 14.11 */
	NM_STUN_ALTERNATE_DOMAIN = 0x8003,         /* 14.16 */
	NM_STUN_SOFTWARE = 0x8022,                 /* 14.14 */
	NM_STUN_ALTERNATE_SERVER = 0x8023,         /* 14.15 */
	NM_STUN_FINGERPRINT = 0x8028,              /* 14.7 */
	NM_STUN_ICE_CONTROLLED = 0x8029,           /* RFC 8445 16.1 */
	NM_STUN_ICE_CONTROLLING = 0x802a,          /* RFC 8445 16.1 */
	NM_STUN_RESPONSE_ORIGIN = 0x802b,          /* RFC 5780 7.3 */
	NM_STUN_OTHER_ADDRESS = 0x802c,            /* RFC 5780 7.4 */
};

enum { NM_STUN_COMPREHENSION_OPTIONAL = 0x8000 }; /* 14 */

enum nm_stun_address_family { NM_STUN_IPV4 = 1, NM_STUN_IPV6 = 2 }; /* 14.1 */

enum nm_stun_error_code { /* 14.8; RFC 8445 16.2 */
	NM_STUN_TRY_ALTERNATE = 300,
	NM_STUN_BAD_REQUEST = 400,
	NM_STUN_UNAUTHENTICATED = 401,
	NM_STUN_UNKNOWN_ATTRIBUTE = 420,
	NM_STUN_STALE_NONCE = 438,
	NM_STUN_ROLE_CONFLICT = 487,
	NM_STUN_SERVER_ERROR = 500,
};

enum {
	NM_STUN_USERNAME_MAX = 508, /* 14.3: less than 509 bytes */
	NM_STUN_TEXT_MAX = 763,     /* 14.8-14.10, 14.14: fewer than 128 characters */
};

/* 5, figure 3: the class's two bits stand among the method's twelve. */
static inline uint16_t nm_stun_type(unsigned int method, enum nm_stun_class cls)
{
	unsigned int c = (unsigned int)cls;

	return (uint16_t)((method & 0xf80) << 2 | (method & 0x070) << 1 | (method & 0x00f) |
			  (c & 2) << 7 | (c & 1) << 4);
}

static inline uint16_t nm_stun_type_method(uint16_t type)
{
	return (uint16_t)((type >> 2 & 0xf80) | (type >> 1 & 0x070) | (type & 0x00f));
}

static inline enum nm_stun_class nm_stun_type_class(uint16_t type)
{
	return (enum nm_stun_class)((type >> 7 & 2) | (type >> 4 & 1));
}

/* 14: values are padded to a multiple of four; the length does not count the padding. */
static inline uint32_t nm_stun_padded(uint32_t len)
{
	return (len + 3) & ~UINT32_C(3);
}

#endif
