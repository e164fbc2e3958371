/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes written as hexadecimal text, blanks between them ignored. */
#ifndef TEST_HEX_H
#define TEST_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Returns the number of bytes written to `out`, which the caller made large enough. */
static inline size_t unhex(const char *text, uint8_t *out)
{
	size_t n = 0;
	unsigned int byte;
	int used;

	while (sscanf(text, " %2x%n", &byte, &used) == 1) {
		out[n++] = (uint8_t)byte;
		text += used;
	}
	return n;
}

#endif
