/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A coalescer and somebody who checks what it does: what comes out, cut again by the naive machine and
 * by nm_split, is what went in, octet for octet, and each flow in its order.
 */
#ifndef COALESCE_CHECK_H
#define COALESCE_CHECK_H

#include "esp/coalesce.h"

enum { COALESCE_CHECK_MAX = 4096 /* packets between two flushes */ };

struct coalesce_input {
	uint8_t *block; /* lent to the coalescer, of exactly `len` octets */
	uint8_t *copy;
	size_t len;
	struct nm_inner_info info;
	bool is_out;
};

struct coalesce_check {
	struct nm_coalesce coalesce;
	size_t inputs_len;
	const char *wrong; /* the first thing that was; NULL: nothing so far */
	/* All of them since the beginning. */
	size_t packets, delivered, merged; /* merged: packets that came out inside super-packets */
	uint32_t longest, most_parts;
	uint8_t last_kind;
	struct coalesce_input inputs[COALESCE_CHECK_MAX];
};

void coalesce_check_begin(struct coalesce_check *check, bool has_tcp, bool has_udp);

/* Copies a packet and gives it to the coalescer; false when it is no IP packet, or there is no room. */
bool coalesce_check_add(struct coalesce_check *check, const uint8_t *packet, size_t len);

/* Flushes and sees whether everything came out. */
void coalesce_check_flush(struct coalesce_check *check);

/* Flushes, frees, and returns what was wrong, or NULL. */
const char *coalesce_check_end(struct coalesce_check *check);

#endif
