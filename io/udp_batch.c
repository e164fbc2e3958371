/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that receiving and sending work in. */
#include "io/udp_batch.h"

#include <stdlib.h>
#include <natmux/error.h>

/* Makes a receive slot ready for its first call. */
static void prepare_slot(struct nm_udp_rx *rx, unsigned int slot)
{
	rx->iovs[slot].iov_base = rx->buffers + (size_t)slot * NM_UDP_STRIDE;
	rx->iovs[slot].iov_len = NM_UDP_BUFFER;
	rx->msgs[slot].msg_hdr = (struct msghdr){
		.msg_name = &rx->names[slot],
		.msg_namelen = sizeof(rx->names[slot]),
		.msg_iov = &rx->iovs[slot],
		.msg_iovlen = 1,
		.msg_control = &rx->controls[slot],
		.msg_controllen = sizeof(rx->controls[slot]),
	};
}

int nm_udp_batch_new(const struct nm_sys *sys, struct nm_udp_batch **batch)
{
	struct nm_udp_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NATMUX_ENOMEM;
	b->sys = sys;
	b->rx.buffers = sys->map((size_t)NM_UDP_MESSAGES * NM_UDP_STRIDE);
	if (!b->rx.buffers) {
		free(b);
		return NATMUX_ENOMEM;
	}
	for (unsigned int i = 0; i < NM_UDP_MESSAGES; i++)
		prepare_slot(&b->rx, i);
	*batch = b;
	return 0;
}

void nm_udp_batch_free(struct nm_udp_batch *batch)
{
	if (!batch)
		return;
	batch->sys->unmap(batch->rx.buffers, (size_t)NM_UDP_MESSAGES * NM_UDP_STRIDE);
	free(batch);
}
