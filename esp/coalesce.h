/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts consecutive TCP segments and UDP datagrams of one flow together again before they go to the
 * TUN device, by the rules of the kernel's own GRO: what comes out, cut again, is what went in,
 * octet for octet. Nothing is copied: a super-packet is a list of places in the receive buffer, of
 * which only the first packet's headers are changed.
 */
#ifndef NM_COALESCE_H
#define NM_COALESCE_H

#include <stdbool.h>
#include <natmux/inner.h>
#include "esp/inner.h"

enum {
	NM_COALESCE_SLOTS = 8,   /* flows under way at once; more, and the oldest goes out */
	NM_COALESCE_MAX = 65535, /* octets of a super-packet, its headers included */
};

struct nm_coalesce_slot {
	struct natmux_gathered gathered;
	uint8_t *packet; /* the first, whose headers stand for all; NULL: slot is free */
	struct nm_inner_info info;
	uint16_t header_len;
	uint32_t payload_len;   /* of all packets so far */
	uint32_t next_sequence; /* TCP: of the segment that would fit */
	uint16_t next_id;       /* IPv4: of the packet that would fit */
	uint32_t count;
	bool is_closed; /* nothing may follow: a short segment, or PSH */
};

/* Where finished packets go. The parts are borrowed for the call. */
struct nm_coalesce_port {
	void (*deliver)(void *user, const struct natmux_gathered *gathered);
	void *user;
	bool has_tcp, has_udp; /* what the device takes; without, every packet goes out by itself */
};

struct nm_coalesce {
	struct nm_coalesce_port port;
	unsigned int oldest; /* slot to be emptied next when all are in use */
	struct nm_coalesce_slot slots[NM_COALESCE_SLOTS];
};

void nm_coalesce_init(struct nm_coalesce *coalesce, const struct nm_coalesce_port *port);

/*
 * Takes a packet, whose `info` was just read. Its memory is borrowed until nm_coalesce_flush() and may
 * be written to. Packets of one flow never change their order.
 */
void nm_coalesce_add(
	struct nm_coalesce *coalesce, uint8_t *packet, const struct nm_inner_info *info);

/* Everything goes out: before the receive buffer is used again. */
void nm_coalesce_flush(struct nm_coalesce *coalesce);

#endif
