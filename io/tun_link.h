/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What TUN devices have in common: how one is attached to, its MTU, addresses and link state, and what is
 * said when that fails. A failure is one line in the log with call, name and what can be done.
 */
#ifndef NM_TUN_LINK_H
#define NM_TUN_LINK_H

#include <stdbool.h>
#include <net/if.h>
#include <natmux/addr.h>
#include <natmux/log.h>
#include "io/sys.h"

#define NM_TUN_PATH "/dev/net/tun"

struct nm_tun_address {
	struct natmux_addr ip; /* family 0: none */
	uint8_t bits;          /* of the network reached through the device */
};

struct nm_tun_link {
	const struct nm_sys *sys;
	struct natmux_log log;
	char name[IFNAMSIZ];
};

/* Kinds of errors that the log has already. */
struct nm_tun_told {
	uint64_t errors[4]; /* bit per errno */
};

/*
 * Whether a device can have this name (1 to 15 bytes), these addresses and this MTU (0, or 68, with
 * an IPv6 address 1280, to 65535).
 */
bool nm_tun_link_is_valid(const char *name, const struct nm_tun_address *ipv4,
	const struct nm_tun_address *ipv6, uint32_t mtu);

void nm_tun_link_init(struct nm_tun_link *link, const struct nm_sys *sys,
	const struct natmux_log *log, const char *name);

/* Logs that opening failed in `call`, with errno; returns the NATMUX_E… for it. */
int nm_tun_link_failed(const struct nm_tun_link *link, const char *call);

/* A descriptor that can be attached to a device, non-blocking; -1 and errno as open. */
int nm_tun_link_open(const struct nm_tun_link *link);

/* The link then has the name that the kernel gave. -1 and errno as ioctl(TUNSETIFF). */
int nm_tun_link_attach(struct nm_tun_link *link, int fd, unsigned int flags);

/* A socket for ioctls about interfaces; or the error, logged. */
int nm_tun_link_control(const struct nm_tun_link *link);

/* The interface's number, positive; or the error, logged. */
int nm_tun_link_index(const struct nm_tun_link *link, int control);

/* 0: leaves it as it is. */
int nm_tun_link_set_mtu(const struct nm_tun_link *link, int control, uint32_t mtu);

/* Up, without a link-local address. */
int nm_tun_link_set_up(const struct nm_tun_link *link, int control, int index);

/* Adds an address; none or one that is there already: nothing to do. */
int nm_tun_link_add_address(
	const struct nm_tun_link *link, int index, const struct nm_tun_address *address);

/* Logs an error of an open device, once for each errno. */
void nm_tun_link_tell(
	const struct nm_tun_link *link, struct nm_tun_told *told, const char *call, int error);

/* Whether the error means that the device was deleted under us. */
bool nm_tun_link_is_gone(int error);
void nm_tun_link_tell_gone(const struct nm_tun_link *link);

#endif
