/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of kernel_spd.h have of each other: the table's (kernel_spd.c) and the gates'. */
#ifndef NM_KERNEL_GATES_H
#define NM_KERNEL_GATES_H

#include "daemon/kernel/kernel_spd.h"

/* The policy that the kernel would find in the place of this one, or NULL. */
struct nm_kernel_policy *nm_kernel_spd_find_like(
	const struct nm_kernel_spd *spd, const struct nm_kernel_policy *like);

/* Into the table and out of it; the kernel is told by the next two. NATMUX_EFULL, NATMUX_ENOMEM. */
int nm_kernel_spd_put(struct nm_kernel_spd *spd, const struct nm_kernel_policy *like);
void nm_kernel_spd_drop(struct nm_kernel_spd *spd, struct nm_kernel_policy *policy);

/* There or not: afterwards the kernel has it as it is said here. */
int nm_kernel_spd_write(struct nm_kernel_spd *spd, const struct nm_xfrm_policy *policy,
	char why[static NM_SA_PLANE_WHY]);
/* NATMUX_ENOTFOUND: somebody else was first. */
int nm_kernel_spd_erase(struct nm_kernel_spd *spd, const struct nm_kernel_policy *policy,
	enum nm_xfrm_direction direction, char why[static NM_SA_PLANE_WHY]);

/* Whether a gate is a policy of forwarded packets, too. */
bool nm_kernel_gate_is_forwarded(const struct nm_kernel_policy *gate);

/* Takes a gate out of the kernel and the table, whoever came for it. */
void nm_kernel_gate_lower(struct nm_kernel_spd *spd, struct nm_kernel_policy *gate);

#endif
