/* SPDX-License-Identifier: Apache-2.0 */
/* Queue of the mux's own datagrams. */
#include "dispatcher/txq.h"

#include <string.h>

uint8_t *nm_txq_reserve(struct nm_txq *queue)
{
	if (queue->taken == queue->count)
		queue->taken = queue->count = 0;
	return queue->count < NM_TXQ_SLOTS ? queue->buffers[queue->count] : NULL;
}

void nm_txq_commit(struct nm_txq *queue, size_t len, const struct natmux_path *path)
{
	queue->trains[queue->count] = (struct natmux_train){
		.data = queue->buffers[queue->count],
		.len = (uint32_t)len,
		.segment = (uint32_t)len,
		.flow = NATMUX_FLOW_NONE,
		.path = *path,
	};
	queue->count++;
}

size_t nm_txq_take(struct nm_txq *queue, struct natmux_train *trains, size_t max)
{
	size_t n = queue->count - queue->taken;

	if (n > max)
		n = max;
	if (n > 0)
		memcpy(trains, &queue->trains[queue->taken], n * sizeof(*trains));
	queue->taken += (uint32_t)n;
	return n;
}
