/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TUN device in memory: what is written to it can be looked at, packet by packet. Super-packets
 * are cut as the kernel cuts them, with its own arithmetic, not that of the code under test.
 */
#ifndef FAKE_TUN_H
#define FAKE_TUN_H

#include <stdbool.h>
#include "base/packet.h"

enum { FAKE_TUN_PACKETS = 256, FAKE_TUN_PACKET_MAX = 65536 + 40 };

struct fake_tun {
	struct {
		uint8_t *data; /* of its exact size */
		size_t len;
	} packets[FAKE_TUN_PACKETS];
	size_t n;
	size_t writes, supers;
	size_t refuse_after; /* packets taken of each write; SIZE_MAX: all */
};

void fake_tun_init(struct fake_tun *tun);
/* Forgets all packets. */
void fake_tun_clear(struct fake_tun *tun);
struct nm_packet_port fake_tun_port(struct fake_tun *tun, uint32_t super_max);

/* Computes both checksums of an IPv4 or IPv6 packet with UDP anew. */
void fake_fix_checksums(uint8_t *packet, size_t len);

/* Turns a packet round, as an echo would: addresses and ports change sides. */
void fake_echo(uint8_t *packet);

#endif
