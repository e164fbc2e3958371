/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ESP packet as the RFCs write it down, in the order of their diagrams, with new contexts of
 * libcrypto each time: what the engines are held against, and who makes packets that nm_seal() would
 * never make.
 */
#ifndef NAIVE_ESP_H
#define NAIVE_ESP_H

#include <stdbool.h>
#include <natmux/suite.h>

struct naive_esp {
	enum natmux_suite suite;
	const uint8_t *keymat;
	bool has_esn;
	uint32_t spi;
	uint64_t sequence;
	const uint8_t *iv;   /* as long as the suite's */
	const uint8_t *text; /* padding and trailer included */
	size_t text_len;
};

/* Writes the packet, at most NAIVE_ESP_MORE octets longer than the text; returns its length. */
enum { NAIVE_ESP_MORE = 8 + 16 + 32 };
size_t naive_seal(const struct naive_esp *esp, uint8_t *packet);

#endif
