/* SPDX-License-Identifier: Apache-2.0 */
/* Mailboxes: order, bounds, room for events, and many who post while one takes. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "daemon/user/worker_mailbox.h"

enum { POSTERS = 4, EACH = 2000 };

static struct nm_mailbox *box;
static size_t trains_n, events_n;
static enum nm_mail last_mail;
static struct natmux_train last;
static uint8_t bytes[65536];
static uint32_t spis[16];
static uint32_t next_of[POSTERS];

static void keep_train(void *user, enum nm_mail mail, const struct natmux_train *train)
{
	assert_ptr_equal(user, &box);
	last_mail = mail;
	last = *train;
	memcpy(bytes, train->data, train->len);
	/* Ours to write to. */
	memset((uint8_t *)(uintptr_t)train->data, 0xee, train->len);
	trains_n++;
}

static void keep_event(void *user, const struct natmux_esp_event *event)
{
	assert_ptr_equal(user, &box);
	spis[events_n++ % 16] = event->spi;
}

static const struct nm_mailbox_reader reader = {keep_train, keep_event};

static void take(void)
{
	trains_n = events_n = 0;
	nm_mailbox_take(box, &reader, &box);
}

static int begin(void **state)
{
	(void)state;
	return nm_mailbox_new(&box);
}

static int end(void **state)
{
	(void)state;
	nm_mailbox_free(box);
	nm_mailbox_free(NULL);
	return 0;
}

static struct natmux_train make_train(const void *data, uint32_t len)
{
	return (struct natmux_train){.data = data,
		.len = len,
		.segment = 100,
		.tos = 3,
		.path.remote = {.ip = {192, 0, 2, 1}, .port = 4500, .family = 4}};
}

static void test_empty(void **state)
{
	(void)state;
	take();
	take();
	assert_int_equal(trains_n + events_n, 0);
}

static void test_a_copy_comes_out(void **state)
{
	uint8_t data[333];
	struct natmux_train train = make_train(data, sizeof(data));

	(void)state;
	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	assert_true(nm_mailbox_post_train(box, NM_MAIL_STRAY, &train));
	memset(data, 0, sizeof(data));
	take();
	assert_int_equal(trains_n, 1);
	assert_int_equal(last_mail, NM_MAIL_STRAY);
	assert_int_equal(last.len, sizeof(data));
	assert_int_equal(last.segment, 100);
	assert_int_equal(last.tos, 3);
	assert_true(natmux_addr_equal(&last.path.remote, &train.path.remote));
	for (unsigned int i = 0; i < sizeof(data); i++)
		assert_int_equal(bytes[i], (uint8_t)i);
	take();
	assert_int_equal(trains_n, 0);
}

/* Of every length: what comes behind an odd one is found all the same. */
static void test_every_length(void **state)
{
	static const uint8_t data[65535] = {7};

	(void)state;
	for (uint32_t len = 0; len <= 65535; len += len < 100 ? 1 : 6543) {
		struct natmux_train train = make_train(data, len), second = make_train("abcd", 4);

		assert_true(nm_mailbox_post_train(box, NM_MAIL_ESP, &train));
		assert_true(nm_mailbox_post_train(box, NM_MAIL_ESP, &second));
		take();
		assert_int_equal(trains_n, 2);
		assert_int_equal(last.len, 4);
		assert_memory_equal(bytes, "abcd", 4);
	}
}

static void test_events_keep_their_order(void **state)
{
	struct natmux_train train = make_train("abcd", 4);

	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		struct natmux_esp_event event = {.spi = 1000 + i};

		assert_true(nm_mailbox_post_event(box, &event));
		assert_true(nm_mailbox_post_train(box, NM_MAIL_ESP, &train));
	}
	take();
	assert_int_equal(events_n, 8);
	assert_int_equal(trains_n, 8);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(spis[i], 1000 + i);
}

static void test_it_is_bounded(void **state)
{
	static const uint8_t data[60000];
	struct natmux_train large = make_train(data, sizeof(data)), small = make_train(data, 1);
	struct natmux_esp_event event = {.spi = 5};
	size_t n = 0, events = 0;

	(void)state;
	while (n < 1000 && nm_mailbox_post_train(box, NM_MAIL_ESP, &large))
		n++;
	assert_in_range(n, 10, NM_MAILBOX_BYTES / sizeof(data));
	while (n < 10000 && nm_mailbox_post_train(box, NM_MAIL_ESP, &small))
		n++;
	assert_in_range(n, 11, 9999);
	/* There is room for events, but no more than that. */
	while (events < 10000 && nm_mailbox_post_event(box, &event))
		events++;
	assert_in_range(events, 100, NM_MAILBOX_EVENTS / sizeof(event) + 1);
	assert_false(nm_mailbox_post_train(box, NM_MAIL_ESP, &small));
	take();
	assert_int_equal(trains_n, n);
	assert_int_equal(events_n, events);
	assert_true(nm_mailbox_post_train(box, NM_MAIL_ESP, &large));
	assert_true(nm_mailbox_post_event(box, &event));
	take();
	assert_int_equal(trains_n + events_n, 2);
}

static void *post_all(void *user)
{
	uint8_t data[64] = {0};
	struct natmux_train train = make_train(data, sizeof(data));

	nm_put32(data, (uint32_t)(uintptr_t)user);
	for (uint32_t i = 0; i < EACH; i++) {
		nm_put32(data + 4, i);
		while (!nm_mailbox_post_train(box, NM_MAIL_ESP, &train))
			sched_yield();
	}
	return NULL;
}

static void check_order(void *user, enum nm_mail mail, const struct natmux_train *train)
{
	uint32_t poster = nm_get32(train->data);

	(void)user;
	(void)mail;
	assert_in_range(poster, 0, POSTERS - 1);
	assert_int_equal(nm_get32(train->data + 4), next_of[poster]);
	next_of[poster]++;
	trains_n++;
}

static void test_many_post(void **state)
{
	static const struct nm_mailbox_reader checker = {check_order, keep_event};
	pthread_t threads[POSTERS];

	(void)state;
	trains_n = 0;
	for (uintptr_t i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_all, (void *)i), 0);
	while (trains_n < POSTERS * EACH)
		nm_mailbox_take(box, &checker, &box);
	for (unsigned int i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(trains_n, POSTERS * EACH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_empty),
		TEST(test_a_copy_comes_out),
		TEST(test_every_length),
		TEST(test_events_keep_their_order),
		TEST(test_it_is_bounded),
		TEST(test_many_post),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
