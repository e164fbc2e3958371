/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects by their reqid, in the order in which they came: many may have one. The objects of a ring
 * may have other reqids, too, which its owner has to look at.
 */
#ifndef NM_KERNEL_REQIDS_H
#define NM_KERNEL_REQIDS_H

#include <stdint.h>
#include "base/list.h"

struct nm_kernel_reqids {
	struct nm_list *rings;
	uint32_t mask;
};

/* For about `max` objects (1 to 2^30). NATMUX_ENOMEM, NATMUX_ERANGE. */
int nm_kernel_reqids_init(struct nm_kernel_reqids *reqids, uint32_t max);
void nm_kernel_reqids_done(struct nm_kernel_reqids *reqids);

/* The ring with all objects of that reqid. */
struct nm_list *nm_kernel_reqids_ring(const struct nm_kernel_reqids *reqids, uint32_t reqid);

#endif
