/* SPDX-License-Identifier: Apache-2.0 */
/* All receivers, one after the other, before one sender. */
#ifndef BENCH_RECEIVE_TEST_H
#define BENCH_RECEIVE_TEST_H

#include "test.h"

#include "bench/receiver.h"
#include "bench/sender.h"
#include "bench/stopwatch.h"

enum { SEND_MS = 5, FINISH_MS = 20000 };

static const struct nm_receiver_ops *const receivers[] = {
	&nm_receiver_bare, &nm_receiver_natmux, &nm_receiver_uv, &nm_receiver_uv_mmsg};

/* Steps until the sender is done, then until a step brings nothing; returns how many datagrams came. */
static inline uint64_t receive_all(const struct nm_receiver_ops *ops, void *self,
	struct nm_sender *sender, struct nm_sender_result *sent)
{
	uint64_t until_ns = nm_stopwatch_now_ns() + FINISH_MS * UINT64_C(1000000), before;

	while (!nm_sender_finished(sender, 0, sent)) {
		assert_true(nm_stopwatch_now_ns() < until_ns);
		ops->step(self);
	}
	do {
		before = ops->count(self);
		ops->step(self);
	} while (ops->count(self) > before);
	return before;
}

static inline void run_with(struct nm_sender *sender, const struct nm_receiver_ops *ops,
	const struct natmux_addr *local, uint32_t size, bool is_gso)
{
	struct nm_sender_order order = {.size = size, .time_ms = SEND_MS, .is_gso = is_gso};
	struct nm_sender_result sent = {0};
	uint64_t received;
	void *self = ops->open(local, &order.destination);

	assert_non_null(self);
	assert_int_not_equal(order.destination.port, 0);
	assert_int_equal(nm_sender_start(sender, &order), 0);
	received = receive_all(ops, self, sender, &sent);
	ops->close(self);
	assert_int_equal(sent.error, 0);
	assert_true(sent.datagrams > 0);
	/* The queue may have been full; nothing comes twice or from nowhere. */
	assert_true(received > 0);
	assert_true(received <= sent.datagrams);
}

static inline void run_all(struct nm_sender *sender, const struct natmux_addr *local)
{
	for (size_t i = 0; i < ARRAY_SIZE(receivers); i++) {
		if (!receivers[i]->open)
			continue;
		run_with(sender, receivers[i], local, 64, false);
		run_with(sender, receivers[i], local, 1428, true);
	}
}

#endif
