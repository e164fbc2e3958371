/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TUN device of the user plane without a kernel: io/inner_tun.h, of which a test says what it reads
 * and sees what is written. One at a time.
 */
#ifndef FAKE_INNER_TUN_H
#define FAKE_INNER_TUN_H

#include "io/inner_tun.h"

enum { FAKE_INNER_PACKETS = 128, FAKE_INNER_BYTES = 70000 };

struct fake_inner_written {
	struct natmux_offload offload;
	uint32_t len, parts;
	uint8_t data[FAKE_INNER_BYTES];
};

struct fake_inner_tun {
	int open_result;                   /* what nm_inner_tun_open returns */
	struct nm_inner_tun_config config; /* its name: the one below */
	char name[16];
	int fd, other_fd; /* the device's, and what makes it readable */
	bool is_open;
	struct nm_inner_tun_status status;
	/* What is to be read: packets with room around them. */
	struct natmux_inner to_read[FAKE_INNER_PACKETS];
	size_t to_read_n;
	/* What was written; more than these are counted only. */
	struct fake_inner_written written[8];
	size_t written_n;
	bool refuses_super; /* gives super-packets back, as a device whose offload went off */
};

extern struct fake_inner_tun fake_inner_tun;

/* Closed, with nothing to read and all offloads on. */
void fake_inner_tun_reset(void);

/* A packet to be read; makes the device readable. `data` lies in memory of the fake's. */
void fake_inner_tun_put(const void *data, uint32_t len, const struct natmux_offload *offload);

#endif
