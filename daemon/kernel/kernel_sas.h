/* SPDX-License-Identifier: Apache-2.0 */
/* SAs into the kernel and out of it: the half of nm_kernel_sa_plane() that is about them. */
#ifndef NM_KERNEL_SAS_H
#define NM_KERNEL_SAS_H

#include "daemon/kernel/kernel.h"

/* See struct nm_sa_plane_ops; `self` is the struct nm_kernel. */
int nm_kernel_sa_check(
	void *self, const struct nm_sa_order *order, char why[static NM_SA_PLANE_WHY]);
int nm_kernel_sa_add(void *self, const struct nm_sa_order *order, char why[static NM_SA_PLANE_WHY]);
int nm_kernel_sa_delete(void *self, enum natmux_sa_direction direction, uint32_t spi,
	const struct natmux_addr *remote);
int nm_kernel_sa_take(void *self, enum natmux_sa_direction direction, uint32_t spi,
	const struct natmux_addr *remote, struct natmux_replay_state *last);
void nm_kernel_sas(void *self, nm_sa_each *each, void *user);

#endif
