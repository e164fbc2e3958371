/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Received ESP by the worker that has the SA. The kernel has done that by the first datagram of each
 * train: what is another's is the end of a train at a rekey, bare ESP, or looks like STUN.
 */
#ifndef NM_USER_SORT_H
#define NM_USER_SORT_H

#include <natmux/esp.h>

struct nm_user_sort {
	struct natmux_esp *esp;
	uint32_t index; /* of the plane in its group */
	/* A train of SAs that are at home with one other worker; good for the call. */
	void (*forward)(void *user, uint32_t home, const struct natmux_train *train);
	void *user;
};

/* Ours goes to the plane, the rest is forwarded; the order of each SA's packets is kept. */
void nm_user_sort_input(const struct nm_user_sort *sort, uint64_t now_ms,
	const struct natmux_train *trains, size_t n);

#endif
