/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule that tells the three protocols apart, written a second time: slowly, from the text of
 * docs/wire.md and without a line of the product, to hold natmux_classify() against.
 */
#ifndef SLOW_RULE_H
#define SLOW_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <natmux/classify.h>

static inline uint32_t slow_crc32(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return ~crc;
}

static inline uint64_t slow_number(const uint8_t *data, size_t at, size_t bytes)
{
	uint64_t n = 0;

	while (bytes-- > 0)
		n = n * 256 + data[at++];
	return n;
}

static inline bool slow_is_stun(const uint8_t *data, size_t len)
{
	size_t at = 20, type = 0, value = 0, last = 0;

	if (len < 28 || data[0] >= 64 || len % 4 != 0)
		return false;
	if (slow_number(data, 4, 4) != 0x2112a442 || slow_number(data, 2, 2) + 20 != len)
		return false;
	while (at != len) {
		if (type == 0x8028) /* one that is not the last */
			return false;
		if (len - at < 4)
			return false;
		type = (size_t)slow_number(data, at, 2);
		value = (size_t)slow_number(data, at + 2, 2);
		last = at;
		at += 4;
		if (len - at < (value + 3) / 4 * 4)
			return false;
		at += (value + 3) / 4 * 4;
	}
	return type == 0x8028 && value == 4 &&
	       slow_number(data, last + 4, 4) == (slow_crc32(data, last) ^ 0x5354554e);
}

static inline enum natmux_class slow_classify(const uint8_t *data, size_t len)
{
	if (len == 1 && data[0] == 0xff)
		return NATMUX_CLASS_KEEPALIVE;
	if (len < 4)
		return NATMUX_CLASS_RUNT;
	if (slow_number(data, 0, 4) == 0)
		return len >= 4 + 28 ? NATMUX_CLASS_IKE : NATMUX_CLASS_RUNT;
	if (slow_is_stun(data, len))
		return NATMUX_CLASS_STUN;
	return NATMUX_CLASS_ESP;
}

#endif
