/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TUN device of our own: whole IP packets in and out, and where the kernel takes them trains of
 * UDP datagrams under one header (super-packets). Nothing is allocated after nm_tun_open.
 */
#ifndef NM_TUN_H
#define NM_TUN_H

#include <stdbool.h>
#include <natmux/addr.h>
#include <natmux/log.h>
#include "base/packet.h"
#include "io/sys.h"
#include "io/tun_link.h"

struct nm_tun;

struct nm_tun_config {
	const struct nm_sys *sys;
	struct natmux_log log;
	const char *name;                 /* 1 to 15 bytes; with "%d" the kernel numbers it */
	struct nm_tun_address ipv4, ipv6; /* the host's own side */
	uint32_t mtu;   /* 0: the kernel's default; 68, with ipv6 1280, to 65535 */
	bool use_super; /* offer super-packets */
};

/* A packet read from the device. */
struct nm_tun_packet {
	const uint8_t *data;
	size_t len;
};

struct nm_tun_status {
	bool has_super;
	bool is_gone; /* somebody deleted the device: stop polling, it is readable for ever */
	uint64_t read_packets, written_packets; /* a super-packet is one */
	uint64_t read_errors, write_errors;
};

/*
 * Creates the device, or attaches to a persistent one of that name; sets addresses and MTU and
 * brings the link up. The device goes away with nm_tun_close unless it was persistent before.
 * Failures are logged as one line with call, name and what can be done. NATMUX_EINVAL (name,
 * families, bits or mtu), NATMUX_EUNSUPPORTED (no TUN in this kernel, or IPv6 switched off),
 * NATMUX_EEXISTS (in use by another program), NATMUX_ENOMEM, NATMUX_ESYSTEM.
 */
int nm_tun_open(const struct nm_tun_config *config, struct nm_tun **tun);
void nm_tun_close(struct nm_tun *tun); /* NULL is fine */

int nm_tun_fd(const struct nm_tun *tun);
const char *nm_tun_name(const struct nm_tun *tun); /* as the kernel knows it */
const struct nm_tun_status *nm_tun_status(const struct nm_tun *tun);

/*
 * Writes packets in order; returns how many the device took. One that it refuses does not stop
 * those behind it. Super-packets only when nm_tun_port() offers them, of at most 64 datagrams
 * (UDP_MAX_SEGMENTS of every kernel that knows them; newer ones take 128).
 */
size_t nm_tun_write(struct nm_tun *tun, const struct nm_packet *packets, size_t n);

/*
 * Reads up to `max` waiting packets, each a whole IP packet with all checksums filled in. Returns
 * how many; fewer than `max` means that nothing is left or the buffer (256 KiB) is used up. The
 * bytes are borrowed until the next call.
 */
size_t nm_tun_read(struct nm_tun *tun, struct nm_tun_packet *packets, size_t max);

/* The device as a place for packets. Good while the device is open. */
struct nm_packet_port nm_tun_port(struct nm_tun *tun);

#endif
