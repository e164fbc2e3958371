/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the STUN tests share. Nothing here uses the code under test: messages are put together byte
 * by byte, and the CRC is computed bit by bit.
 */
#ifndef STUN_TEST_H
#define STUN_TEST_H

#include <stdbool.h>
#include <stdlib.h>
#include <natmux/addr.h>
#include <natmux/random.h>
#include "slow_rule.h"
#include "test.h"

static inline void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* A message in the making. */
struct raw {
	uint8_t data[70000];
	size_t len;
};

/* Header with cookie and the transaction id 01 02 … 0c. */
static inline void raw_begin(struct raw *m, unsigned int type)
{
	put16(m->data, type);
	put16(m->data + 2, 0);
	put32(m->data + 4, 0x2112a442);
	for (int i = 0; i < 12; i++)
		m->data[8 + i] = (uint8_t)(i + 1);
	m->len = 20;
}

/* An attribute whose padding is 0xee, which must not matter to anyone. */
static inline void raw_attr(struct raw *m, unsigned int type, const void *value, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;

	put16(m->data + m->len, type);
	put16(m->data + m->len + 2, (unsigned int)len);
	if (len > 0)
		memcpy(m->data + m->len + 4, value, len);
	memset(m->data + m->len + 4 + len, 0xee, padded - len);
	m->len += 4 + padded;
	put16(m->data + 2, (unsigned int)(m->len - 20));
}

/* FINGERPRINT over what is there, whatever that is. */
static inline void raw_fingerprint(struct raw *m)
{
	uint8_t value[4] = {0};

	raw_attr(m, 0x8028, value, 4);
	put32(m->data + m->len - 4, slow_crc32(m->data, m->len - 8) ^ 0x5354554e);
}

/* A Binding request of exactly `len` bytes, 28 or more, with SOFTWARE and FINGERPRINT. */
static inline void raw_request(struct raw *m, size_t len)
{
	static const uint8_t text[65536];

	raw_begin(m, 0x0001);
	if (len > 28)
		raw_attr(m, 0x8022, text, len - 28 - 4);
	raw_fingerprint(m);
}

/* A copy in a block of the exact size, so that a sanitizer sees the first byte too many. */
static inline uint8_t *exact_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

/* Xorshift: the same numbers in every run. */
struct dice {
	uint64_t state;
};

static inline uint32_t roll(struct dice *dice)
{
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 7;
	dice->state ^= dice->state << 17;
	return (uint32_t)(dice->state >> 32);
}

static inline void roll_bytes(void *user, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len-- > 0)
		*p++ = (uint8_t)roll(user);
}

static inline struct natmux_addr addr_of(const char *text)
{
	struct natmux_addr addr;

	assert_int_equal(natmux_addr_parse(text, 4500, &addr), 0);
	return addr;
}

#endif
