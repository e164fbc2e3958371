/* SPDX-License-Identifier: Apache-2.0 */
/* The port of several workers: one address, many sockets, and the kernel that chooses among them. */
#ifndef NM_USER_SPREAD_H
#define NM_USER_SPREAD_H

#include <natmux/uv.h>

/*
 * Whether this kernel spreads datagrams over so many workers as it should; false with the reason in
 * `why`. Tried on sockets of its own: io/reuseport_proof.h.
 */
bool nm_user_spread_prove(uint32_t workers, char *why, size_t size);

/*
 * Lets others bind the addresses of the first worker's sockets. Not before these are bound: a port that
 * another process has, a second natmuxd with workers for one, is not to be shared. NATMUX_ESYSTEM.
 */
int nm_user_spread_share(const struct natmux_uv *first, const struct natmux_log *log);

/* From now on each gets what is its own: `workers` sockets are bound to each address. NATMUX_ESYSTEM. */
int nm_user_spread_begin(
	const struct natmux_uv *first, uint32_t workers, const struct natmux_log *log);

#endif
