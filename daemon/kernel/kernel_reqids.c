/* SPDX-License-Identifier: Apache-2.0 */
/* A table of rings; what is in them is linked and unlinked by its owner. */
#include "daemon/kernel/kernel_reqids.h"

#include <stdlib.h>
#include <natmux/error.h>

int nm_kernel_reqids_init(struct nm_kernel_reqids *reqids, uint32_t max)
{
	uint32_t size = 1;

	if (max < 1 || max > UINT32_C(1) << 30)
		return NATMUX_ERANGE;
	while (size < max)
		size *= 2;
	reqids->rings = calloc(size, sizeof(*reqids->rings));
	if (!reqids->rings)
		return NATMUX_ENOMEM;
	reqids->mask = size - 1;
	for (uint32_t i = 0; i < size; i++)
		nm_list_init(&reqids->rings[i]);
	return 0;
}

void nm_kernel_reqids_done(struct nm_kernel_reqids *reqids)
{
	free(reqids->rings);
	*reqids = (struct nm_kernel_reqids){.rings = NULL};
}

struct nm_list *nm_kernel_reqids_ring(const struct nm_kernel_reqids *reqids, uint32_t reqid)
{
	/* Who may choose reqids may add SAs: no secret is needed. */
	uint32_t hash = reqid * 0x9e3779b1U;

	return &reqids->rings[(hash ^ hash >> 15) & reqids->mask];
}
