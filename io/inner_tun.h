/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TUN device of the user ESP plane: inner packets and super-packets (include/natmux/inner.h), one
 * descriptor per queue. What the kernel and the device can do together is proved before it is used.
 * Nothing is allocated after nm_inner_tun_open.
 */
#ifndef NM_INNER_TUN_H
#define NM_INNER_TUN_H

#include <stdbool.h>
#include <natmux/addr.h>
#include <natmux/log.h>
#include <natmux/inner.h>
#include "io/sys.h"
#include "io/tun_link.h"

struct nm_inner_tun;

/* A queue belongs to one thread; different queues share nothing that changes. */
struct nm_inner_tun_queue;

enum {
	NM_INNER_TUN_QUEUES_MAX = 64,
	NM_INNER_TUN_WHY = 96, /* bytes of a reason, its NUL included */
};

struct nm_inner_tun_config {
	const struct nm_sys *sys;
	struct natmux_log log;
	const char *name;                 /* 1 to 15 bytes; with "%d" the kernel numbers it */
	struct nm_tun_address ipv4, ipv6; /* the host's own side */
	uint32_t mtu;          /* 0: the kernel's default; 68, with ipv6 1280, to 65535 */
	uint32_t queues;       /* one per worker; 0: 1; up to NM_INNER_TUN_QUEUES_MAX */
	bool use_tso, use_uso; /* super-packets of TCP, of UDP; both ways */
};

/* One kind of super-packets. */
struct nm_inner_tun_offload {
	bool is_read;               /* the device hands them out */
	bool is_written;            /* the device takes them */
	char why[NM_INNER_TUN_WHY]; /* why one of the two is off; "" while both are on */
};

struct nm_inner_tun_count {
	uint64_t packets, super_packets; /* a super-packet is one of either */
	uint64_t bytes;
	uint64_t drops;
};

/* Of one queue. Live: is_written may go off at any write. */
struct nm_inner_tun_status {
	bool is_gone; /* somebody deleted the device: stop polling, it is readable for ever */
	struct nm_inner_tun_offload tso, uso;
	struct nm_inner_tun_count read, written;
	uint64_t uncut; /* packets given back by nm_inner_tun_write() */
};

/*
 * Creates the device, or attaches to a persistent one of that name that nobody uses; brings the
 * link up, proves the offloads, sets MTU and addresses. The device goes away with
 * nm_inner_tun_close unless it was persistent before.
 *
 * The proof: a small super-packet of each kind is written, and looked at as the kernel got it;
 * another is given to the kernel to send, and read. The former goes no further than the kernel's
 * first look at its IP header, the latter no further than here; a few of the kernel's counters of
 * bad packets move, nothing else. It needs CAP_NET_RAW: without, offloads stay off.
 *
 * What the kernel refuses is left out, step by step, with a warning and the reason in the status:
 * USO, TSO, queues. Failures are logged as one line with call, name and what can be done.
 * NATMUX_EINVAL (name, families, bits, mtu or queues), NATMUX_EUNSUPPORTED (no TUN in this kernel,
 * or IPv6 switched off), NATMUX_EEXISTS (in use by another program), NATMUX_ENOMEM, NATMUX_ESYSTEM.
 */
int nm_inner_tun_open(const struct nm_inner_tun_config *config, struct nm_inner_tun **tun);
void nm_inner_tun_close(struct nm_inner_tun *tun); /* NULL is fine */

const char *nm_inner_tun_name(const struct nm_inner_tun *tun); /* as the kernel knows it */

/* At least 1; may be fewer than were asked for, and then the other says why ("" if not). */
uint32_t nm_inner_tun_queues(const struct nm_inner_tun *tun);
const char *nm_inner_tun_queues_why(const struct nm_inner_tun *tun);

/* Changes the MTU, 68 to 65535. Errors as nm_inner_tun_open. */
int nm_inner_tun_set_mtu(struct nm_inner_tun *tun, uint32_t mtu);

/* Queue `i`, below nm_inner_tun_queues(). */
struct nm_inner_tun_queue *nm_inner_tun_queue(struct nm_inner_tun *tun, uint32_t i);
int nm_inner_tun_fd(const struct nm_inner_tun_queue *queue);
const struct nm_inner_tun_status *nm_inner_tun_status(const struct nm_inner_tun_queue *queue);

/*
 * Reads up to `max` waiting packets and returns how many. Their bytes, and NATMUX_INNER_ROOM on both
 * sides of each, are the caller's to write to until the next call. Each call uses the same memory
 * from its beginning, packet behind packet, and ends after about 128 KiB: what was read is in the
 * cache still when it is worked on.
 */
size_t nm_inner_tun_read(
	struct nm_inner_tun_queue *queue, struct natmux_inner *packets, size_t max);

/* Whether the last nm_inner_tun_read may have left packets in the device. */
bool nm_inner_tun_has_more(const struct nm_inner_tun_queue *queue);

/*
 * Writes packets in order and returns how many, from the first, are done with: taken or, if the
 * device failed, dropped and counted. Fewer than `n` when the one behind them is not for this
 * device: a super-packet of a kind that it does not take, or no longer takes (see the status), or a
 * packet without checksum where there are no virtio headers. The caller cuts or completes that one
 * and goes on behind it.
 */
size_t nm_inner_tun_write(
	struct nm_inner_tun_queue *queue, const struct natmux_gathered *packets, size_t n);

#endif
