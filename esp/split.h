/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts a super-packet of the TUN device into the packets that it stands for, as a network card with
 * TSO or USO would, and completes the checksum of a single packet. Each is written to where it will
 * be sealed: the one copy on the way out.
 */
#ifndef NM_SPLIT_H
#define NM_SPLIT_H

#include <natmux/inner.h>
#include "esp/inner.h"

struct nm_split {
	const uint8_t *packet;
	struct nm_inner_info info;
	uint8_t kind;            /* enum natmux_offload_kind */
	bool needs_checksum;     /* of a single packet; each segment gets its own */
	uint16_t header_len;     /* IP and transport headers; all of it for a single packet */
	uint16_t checksum_start; /* of what is summed; a single packet's */
	uint16_t checksum_at;    /* where the field is */
	uint32_t segment;
	uint32_t payload_len; /* of all segments */
	uint32_t count;       /* packets */
	/* Of segments: what is alike in all, summed once. */
	uint64_t ip_sum;        /* IPv4's header without length, identification, checksum */
	uint64_t transport_sum; /* pseudo and transport header without lengths, TCP's sequence
				 * number, offset and flags, checksum */
};

/*
 * Checks what the device says against what the packet says. False: they contradict each other (the
 * kernel is not trusted either). Borrows the packet.
 */
bool nm_split_init(struct nm_split *split, const struct natmux_inner *inner);

/* Octets of packet `i` (all but the last are alike). */
uint32_t nm_split_len(const struct nm_split *split, uint32_t i);

/* Writes packet `i` of `split->count`, nm_split_len() octets. */
void nm_split_write(const struct nm_split *split, uint32_t i, uint8_t *out);

#endif
