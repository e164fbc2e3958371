/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of one client: order, both bounds, and frames that wrap round its memory. */
#include "test.h"

#include <stdlib.h>
#include <natmux/error.h>
#include "dispatcher/handoff_queue.h"

static int push(struct nm_frame_queue *queue, uint8_t value, uint32_t len, uint32_t datagrams)
{
	static const uint8_t header[4] = {'h', 'e', 'a', 'd'};
	uint8_t payload[512];

	memset(payload, value, sizeof(payload));
	return nm_frame_queue_push(queue, header, sizeof(header), payload, len, datagrams);
}

static void assert_first(struct nm_frame_queue *queue, uint8_t value, uint32_t len)
{
	uint32_t frame_len = 0, datagrams = 0;
	const uint8_t *frame = nm_frame_queue_first(queue, &frame_len, &datagrams);

	assert_non_null(frame);
	assert_int_equal(frame_len, 4 + len);
	assert_memory_equal(frame, "head", 4);
	for (uint32_t i = 4; i < frame_len; i++)
		assert_int_equal(frame[i], value);
}

static void test_bounds(void **state)
{
	struct nm_frame_queue queue;
	uint32_t len, datagrams;

	(void)state;
	assert_int_equal(nm_frame_queue_init(&queue, 4, 100), 0);
	assert_null(nm_frame_queue_first(&queue, &len, &datagrams));
	assert_int_equal(push(&queue, 1, 97, 1), NATMUX_EFULL);
	assert_int_equal(push(&queue, 1, 10, 5), NATMUX_EFULL);
	assert_int_equal(push(&queue, 1, 96, 1), 0); /* all of it */
	assert_int_equal(push(&queue, 2, 0, 1), NATMUX_EFULL);
	assert_first(&queue, 1, 96);
	nm_frame_queue_pop(&queue);
	assert_int_equal(push(&queue, 1, 10, 3), 0);
	assert_int_equal(push(&queue, 2, 10, 2), NATMUX_EFULL); /* datagrams */
	assert_int_equal(push(&queue, 2, 10, 1), 0);
	assert_int_equal(queue.datagrams, 4);
	assert_int_equal(push(&queue, 3, 0, 0), 0); /* a reply counts as none, but is a frame */
	assert_int_equal(push(&queue, 4, 0, 0), 0);
	assert_int_equal(push(&queue, 5, 0, 0), NATMUX_EFULL);
	nm_frame_queue_clear(&queue);
	assert_null(nm_frame_queue_first(&queue, &len, &datagrams));
	assert_int_equal(push(&queue, 6, 96, 4), 0);
	nm_frame_queue_done(&queue);
}

static void test_wrap(void **state)
{
	struct nm_frame_queue queue;

	(void)state;
	assert_int_equal(nm_frame_queue_init(&queue, 10, 100), 0);
	assert_int_equal(push(&queue, 1, 36, 1), 0);            /* 0-40 */
	assert_int_equal(push(&queue, 2, 36, 1), 0);            /* 40-80 */
	assert_int_equal(push(&queue, 3, 36, 1), NATMUX_EFULL); /* 20 left */
	nm_frame_queue_pop(&queue);
	assert_int_equal(push(&queue, 3, 37, 1), NATMUX_EFULL); /* one too long for 0-40 */
	assert_int_equal(push(&queue, 3, 36, 1), 0);            /* 0-40 */
	assert_int_equal(push(&queue, 4, 0, 1), NATMUX_EFULL);  /* 80-100 lies behind */
	assert_first(&queue, 2, 36);
	nm_frame_queue_pop(&queue);
	assert_int_equal(push(&queue, 4, 56, 1), 0); /* 40-100 */
	assert_first(&queue, 3, 36);
	nm_frame_queue_pop(&queue);
	assert_first(&queue, 4, 56);
	nm_frame_queue_pop(&queue);
	nm_frame_queue_done(&queue);
}

/* Random frames against a list that cannot be wrong; order and contents hold, room is found. */
static void test_against_model(void **state)
{
	enum { MAX = 16, SIZE = 2000, STEPS = 50000, FRAME_MAX = 4 + 499 };
	struct nm_frame_queue queue;
	struct {
		uint8_t value;
		uint32_t len, datagrams;
	} model[MAX];
	uint32_t count = 0, datagrams = 0, refused = 0;

	(void)state;
	srand(3);
	assert_int_equal(nm_frame_queue_init(&queue, MAX, SIZE), 0);
	for (int i = 0; i < STEPS; i++) {
		uint32_t len = (uint32_t)rand() % 500, n = (uint32_t)rand() % 4, bytes = 0;

		if (rand() % 2 && count > 0) {
			assert_first(&queue, model[0].value, model[0].len);
			nm_frame_queue_pop(&queue);
			datagrams -= model[0].datagrams;
			memmove(model, model + 1, --count * sizeof(model[0]));
			continue;
		}
		for (uint32_t j = 0; j < count; j++)
			bytes += model[j].len + 4;
		if (push(&queue, (uint8_t)i, len, n) < 0) {
			/* Two gaps at most: one too short for it, one for a frame before it. */
			assert_true(count == MAX || datagrams + n > MAX ||
				    bytes + len + 4 + FRAME_MAX > SIZE);
			refused++;
			continue;
		}
		assert_true(bytes + len + 4 <= SIZE);
		model[count].value = (uint8_t)i;
		model[count].len = len;
		model[count].datagrams = n;
		count++;
		datagrams += n;
		assert_int_equal(queue.datagrams, datagrams);
		assert_true(datagrams <= MAX);
	}
	assert_true(refused > 100);
	nm_frame_queue_done(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
