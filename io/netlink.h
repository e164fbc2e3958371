/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A netlink socket: whole messages out, what the kernel sends in. Extended ACKs are asked for; what
 * is lost is told. Nothing is allocated after nm_netlink_open.
 */
#ifndef NM_NETLINK_H
#define NM_NETLINK_H

#include <stdbool.h>
#include <stdint.h>
#include <natmux/log.h>
#include "io/sys.h"

struct nm_netlink;

struct nm_netlink_config {
	const struct nm_sys *sys;
	struct natmux_log log;
	int protocol;            /* NETLINK_XFRM */
	const uint32_t *groups;  /* to join, XFRMNLGRP_...; a group this kernel has not is logged */
	size_t groups_len;       /* 0: answers only */
	uint32_t receive_buffer; /* bytes asked for; 0: 1 MiB. Needs CAP_NET_ADMIN above rmem_max */
};

/* Failures are logged, one line. NATMUX_EUNSUPPORTED: this kernel has no such protocol
 * (CONFIG_XFRM_USER); NATMUX_ENOMEM, NATMUX_ESYSTEM. */
int nm_netlink_open(const struct nm_netlink_config *config, struct nm_netlink **netlink);
void nm_netlink_close(struct nm_netlink *netlink); /* wipes the buffer; NULL is fine */

int nm_netlink_fd(const struct nm_netlink *netlink);          /* never blocks */
uint32_t nm_netlink_portid(const struct nm_netlink *netlink); /* the kernel's name for it */

/*
 * Sends one message to the kernel, which works it off before this returns: answers wait to be
 * received. NATMUX_EFULL: not now; NATMUX_ESYSTEM, the errno in `*os_error`.
 */
int nm_netlink_send(struct nm_netlink *netlink, const void *message, size_t len, int *os_error);

enum nm_netlink_result {
	NM_NETLINK_DATA,  /* `*bytes`, `*len`: whole messages, aligned to 8, until the next call */
	NM_NETLINK_EMPTY, /* nothing more is waiting */
	NM_NETLINK_LOST,  /* the receive buffer ran over: messages were lost. There may be more */
	NM_NETLINK_ERROR, /* counted and, the first time, logged. There may be more */
};

/* One receive call. Messages that do not come from the kernel are passed over and counted. */
enum nm_netlink_result nm_netlink_recv(struct nm_netlink *netlink, void **bytes, size_t *len);

/* Wipes what was received, which may hold keys. The next receive does it too. */
void nm_netlink_wipe(struct nm_netlink *netlink);

/* Waits for something to receive. Whether there is. For owners without a loop. */
bool nm_netlink_wait(struct nm_netlink *netlink, uint32_t timeout_ms);

struct nm_netlink_status {
	uint64_t recv_calls, recv_errors, send_errors;
	uint64_t lost;      /* times that the buffer ran over */
	uint64_t truncated; /* longer than the buffer; told as lost */
	uint64_t strangers; /* not from the kernel */
};

const struct nm_netlink_status *nm_netlink_status(const struct nm_netlink *netlink);

#endif
