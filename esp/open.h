/* SPDX-License-Identifier: Apache-2.0 */
/* Getting inner packets out of ESP ones, in place and in vectors. */
#ifndef NM_OPEN_H
#define NM_OPEN_H

#include "esp/sa.h"

enum nm_open_verdict {
	NM_OPEN_GOOD,
	NM_OPEN_DUMMY,     /* authentic, next header 59: discarded in silence (RFC 4303 2.6) */
	NM_OPEN_TOO_SHORT, /* or not of the suite's alignment */
	NM_OPEN_LATE,
	NM_OPEN_DUPLICATE,
	NM_OPEN_REPLAYED, /* another packet of the same vector had the number */
	NM_OPEN_BAD_ICV,
	NM_OPEN_BAD_PADDING,
};

struct nm_open_item {
	uint8_t *packet; /* from the SPI on; worked on in place */
	uint32_t len;
	/* The results. */
	enum nm_open_verdict verdict;
	uint8_t next_header; /* GOOD and what follows: of GOOD only */
	uint8_t *inner;      /* in `packet`; TFC padding, if any, still behind it */
	uint32_t inner_len;
	uint64_t sequence; /* complete, once the number was checked */
};

/*
 * Opens up to NM_ENGINE_VECTOR packets of one SA, in the order of RFC 4303 3.4: length, number, ICV,
 * window, padding, next header. Counts what it drops in the SA's counters; packets and bytes are
 * counted by whoever delivers them. A packet that is not authentic changes nothing.
 */
void nm_open(struct nm_sa *sa, struct nm_open_item *items, size_t n);

#endif
