/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planes of several workers as one: what is in which, what is listed and told once, limits that
 * count what all have sent, and numbers that nobody uses twice, with a thread in each plane.
 */
#include "esp_test.h"

#include <pthread.h>
#include <natmux/error.h>

enum { PLANES = 4, SPI = 0x1000, REQID = 7, PACKET = 100, ROUNDS = 500, BATCH = 16 };

/* What came out of one plane; its own thread's alone. */
struct outlet {
	uint64_t packets, keepalives, drops[NATMUX_DROP_COUNT];
	uint64_t events[NATMUX_ESP_EVENT_COUNT];
	uint32_t sequences[2 * PLANES * ROUNDS * BATCH];
	struct natmux_path path;
	uint8_t wire[256];
	uint32_t wire_len;
};

static struct natmux_esp *planes[PLANES];
static struct outlet outlets[PLANES];

static void keep_trains(void *user, const struct natmux_train *trains, size_t n)
{
	struct outlet *outlet = user;

	for (size_t i = 0; i < n; i++) {
		outlet->path = trains[i].path;
		if (trains[i].len == 1) {
			outlet->keepalives++;
			continue;
		}
		outlet->wire_len = trains[i].segment;
		memcpy(outlet->wire, trains[i].data, trains[i].segment);
		for (uint32_t at = 0; at < trains[i].len; at += trains[i].segment)
			outlet->sequences[outlet->packets++] = nm_get32(trains[i].data + at + 4);
	}
}

static void ignore_packet(void *user, const struct natmux_gathered *packet)
{
	(void)user;
	(void)packet;
}

static void keep_drop(void *user, enum natmux_drop drop, uint64_t n)
{
	((struct outlet *)user)->drops[drop] += n;
}

static void keep_event(void *user, const struct natmux_esp_event *event)
{
	((struct outlet *)user)->events[event->type]++;
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 0x5a, len);
}

static int make_plane(unsigned int i, struct natmux_esp *leader, struct natmux_esp **plane)
{
	struct natmux_esp_config config;

	natmux_esp_config_init(&config);
	config.random.fill = fill;
	config.send = keep_trains;
	config.deliver = ignore_packet;
	config.drop = keep_drop;
	config.event = keep_event;
	config.user = &outlets[i];
	config.keepalive_ms = 20000;
	config.sas_max = 6;
	config.policies_max = 2;
	config.leader = leader;
	return natmux_esp_new(&config, plane);
}

static int begin(void **state)
{
	(void)state;
	memset(outlets, 0, sizeof(outlets));
	for (unsigned int i = 0; i < PLANES; i++)
		assert_int_equal(make_plane(i, i > 0 ? planes[0] : NULL, &planes[i]), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (unsigned int i = PLANES; i-- > 0;)
		natmux_esp_free(planes[i]);
	return 0;
}

static struct natmux_sa_config sa_config(enum natmux_sa_direction direction, uint32_t spi)
{
	struct natmux_sa_config config;

	esp_config(&config, direction, NATMUX_SUITE_AES128GCM16);
	config.spi = spi;
	config.reqid = REQID;
	return config;
}

static void add(enum natmux_sa_direction direction, uint32_t spi)
{
	struct natmux_sa_config config = sa_config(direction, spi);

	assert_int_equal(natmux_esp_sa_add(planes[0], 0, &config), 0);
}

static void add_policy(void)
{
	struct natmux_policy policy = esp_policy(REQID, "0.0.0.0/0", "10.0.0.0/8");

	assert_int_equal(natmux_esp_policy_add(planes[0], &policy), 0);
}

static void output(unsigned int plane, uint64_t now_ms, unsigned int n)
{
	static _Thread_local uint8_t memory[BATCH][PACKET + 2 * NATMUX_INNER_ROOM];
	struct natmux_inner packets[BATCH];

	for (unsigned int i = 0; i < n; i++) {
		uint8_t *packet = memory[i] + NATMUX_INNER_ROOM;

		memset(packet, 0, PACKET);
		packet[0] = 0x45;
		nm_put16(packet + 2, PACKET);
		packet[8] = 64;
		packet[9] = 17;
		packet[12] = packet[16] = 10;
		packets[i] = (struct natmux_inner){.data = packet, .len = PACKET};
	}
	natmux_esp_output(planes[plane], now_ms, packets, n);
}

/* What plane `from` sealed last comes in at plane `to`, from that port. */
static void input(unsigned int from, unsigned int to, uint64_t now_ms, uint16_t port)
{
	struct natmux_train train = {.data = outlets[from].wire,
		.len = outlets[from].wire_len,
		.segment = outlets[from].wire_len,
		.path = outlets[from].path};

	train.path.remote.port = port;
	natmux_esp_input(planes[to], now_ms, &train, 1);
}

static uint64_t told(enum natmux_esp_event_type type)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < PLANES; i++)
		sum += outlets[i].events[type];
	return sum;
}

struct listed {
	unsigned int n, in, out;
	struct natmux_sa_info last_out, last_in;
};

static void list_one(void *user, const struct natmux_sa_info *info)
{
	struct listed *listed = user;

	listed->n++;
	if (info->direction == NATMUX_SA_IN) {
		listed->in++;
		listed->last_in = *info;
		return;
	}
	listed->out++;
	listed->last_out = *info;
}

static struct listed list(void)
{
	struct listed listed = {.n = 0};

	natmux_esp_sas(planes[0], list_one, &listed);
	return listed;
}

static void test_making(void **state)
{
	struct natmux_esp *plane = NULL, *alone;

	(void)state;
	/* A leader has none, and nothing may be in it. */
	assert_int_equal(make_plane(0, planes[1], &plane), NATMUX_EINVAL);
	assert_int_equal(make_plane(0, NULL, &alone), 0);
	assert_int_equal(natmux_esp_home(alone, SPI + 3), 0);
	for (uint32_t spi = SPI; spi < SPI + 8; spi++)
		assert_int_equal(natmux_esp_home(planes[2], spi), spi % PLANES);
	add(NATMUX_SA_OUT, SPI);
	assert_int_equal(make_plane(0, planes[0], &plane), NATMUX_EINVAL);
	assert_null(plane);
	natmux_esp_free(alone);
}

static void test_as_many_as_there_may_be(void **state)
{
	struct natmux_esp *more[NATMUX_ESP_GROUP_MAX], *leader;
	unsigned int n = 0;

	(void)state;
	assert_int_equal(make_plane(0, NULL, &leader), 0);
	while (n < NATMUX_ESP_GROUP_MAX && make_plane(0, leader, &more[n]) == 0)
		n++;
	assert_int_equal(n, NATMUX_ESP_GROUP_MAX - 1);
	assert_int_equal(make_plane(0, leader, &more[n]), NATMUX_EFULL);
	/* Whoever leaves makes room. */
	natmux_esp_free(more[3]);
	assert_int_equal(make_plane(0, leader, &more[3]), 0);
	while (n > 0)
		natmux_esp_free(more[--n]);
	natmux_esp_free(leader);
}

static void test_each_is_listed_once(void **state)
{
	struct natmux_addr remote = sa_config(NATMUX_SA_OUT, SPI).path.remote;
	struct natmux_sa_config config = sa_config(NATMUX_SA_IN, SPI + 9);
	struct listed listed;

	(void)state;
	for (uint32_t i = 0; i < PLANES; i++)
		add(NATMUX_SA_IN, SPI + i);
	add(NATMUX_SA_OUT, SPI);
	add(NATMUX_SA_OUT, SPI + 1);
	listed = list();
	assert_int_equal(listed.in, PLANES);
	assert_int_equal(listed.out, 2);
	/* The table is full, wherever there is room. What is there may be replaced. */
	assert_int_equal(natmux_esp_sa_add(planes[0], 0, &config), NATMUX_EFULL);
	add(NATMUX_SA_IN, SPI + 1);
	add(NATMUX_SA_OUT, SPI + 1);
	assert_int_equal(list().n, PLANES + 2);
	assert_int_equal(natmux_esp_sa_delete(planes[0], NATMUX_SA_OUT, SPI, NULL), NATMUX_EINVAL);
	assert_int_equal(
		natmux_esp_sa_delete(planes[0], NATMUX_SA_IN, SPI + 9, NULL), NATMUX_ENOTFOUND);
	assert_int_equal(natmux_esp_sa_delete(planes[0], NATMUX_SA_OUT, SPI, &remote), 0);
	assert_int_equal(
		natmux_esp_sa_delete(planes[0], NATMUX_SA_OUT, SPI, &remote), NATMUX_ENOTFOUND);
	assert_int_equal(natmux_esp_sa_delete(planes[0], NATMUX_SA_IN, SPI + 3, NULL), 0);
	assert_int_equal(list().n, PLANES);
	assert_int_equal(natmux_esp_sa_add(planes[0], 0, &config), 0);
}

static void count_policy(void *user, const struct natmux_policy *policy)
{
	(void)policy;
	++*(unsigned int *)user;
}

static void test_policies_are_in_each(void **state)
{
	struct natmux_policy first = esp_policy(REQID, "0.0.0.0/0", "10.0.0.0/8"),
			     second = esp_policy(REQID, "0.0.0.0/0", "10.1.0.0/16"),
			     third = esp_policy(REQID, "0.0.0.0/0", "10.2.0.0/16");
	unsigned int n = 0;

	(void)state;
	add(NATMUX_SA_OUT, SPI);
	assert_int_equal(natmux_esp_policy_add(planes[0], &first), 0);
	assert_int_equal(natmux_esp_policy_add(planes[0], &first), NATMUX_EEXISTS);
	assert_int_equal(natmux_esp_policy_add(planes[0], &second), 0);
	assert_int_equal(natmux_esp_policy_add(planes[0], &third), NATMUX_EFULL);
	natmux_esp_policies(planes[0], count_policy, &n);
	assert_int_equal(n, 2);
	for (unsigned int i = 0; i < PLANES; i++) {
		output(i, 0, 1);
		assert_int_equal(outlets[i].packets, 1);
	}
	assert_int_equal(natmux_esp_policy_delete(planes[0], &first), 0);
	assert_int_equal(natmux_esp_policy_delete(planes[0], &first), NATMUX_ENOTFOUND);
	for (unsigned int i = 0; i < PLANES; i++) {
		output(i, 0, 1);
		assert_int_equal(outlets[i].drops[NATMUX_DROP_OUT_POLICY], 1);
	}
}

static void test_inbound_is_in_one(void **state)
{
	(void)state;
	add(NATMUX_SA_OUT, SPI + 2);
	add(NATMUX_SA_IN, SPI + 2);
	add_policy();
	output(1, 0, 1);
	for (unsigned int i = 0; i < PLANES; i++)
		input(1, i, 0, 4500);
	for (unsigned int i = 0; i < PLANES; i++)
		assert_int_equal(outlets[i].drops[NATMUX_DROP_ESP_NO_SA], i != 2);
	assert_int_equal(list().last_in.counters.packets, 1);
}

static void test_numbers_and_counters_are_shared(void **state)
{
	struct natmux_sa_info info;

	(void)state;
	add(NATMUX_SA_OUT, SPI);
	add_policy();
	for (unsigned int i = 0; i < PLANES; i++)
		output(i, 1000 + i, i + 1);
	assert_int_equal(outlets[0].sequences[0], 1);
	assert_int_equal(outlets[1].sequences[0], 2);
	assert_int_equal(outlets[3].sequences[3], 10);
	info = list().last_out;
	assert_int_equal(info.sequence, 10);
	assert_int_equal(info.counters.packets, 10);
	assert_int_equal(info.counters.bytes, 10 * PACKET);
	assert_int_equal(info.used_ms, 1003);
	/* The same key again: it goes on, everywhere. */
	add(NATMUX_SA_OUT, SPI);
	output(2, 2000, 1);
	assert_int_equal(outlets[2].sequences[3], 11);
	assert_int_equal(list().last_out.counters.packets, 1);
}

static void test_limits_count_all(void **state)
{
	struct natmux_sa_config config = sa_config(NATMUX_SA_OUT, SPI);

	(void)state;
	config.soft.packets = 5;
	config.hard.bytes = 8 * PACKET;
	assert_int_equal(natmux_esp_sa_add(planes[0], 0, &config), 0);
	add_policy();
	for (unsigned int i = 0; i < 2 * PLANES; i++) {
		assert_int_equal(told(NATMUX_ESP_EVENT_SOFT), i >= 5);
		assert_int_equal(told(NATMUX_ESP_EVENT_HARD), 0);
		output(i % PLANES, 0, 1);
	}
	assert_int_equal(told(NATMUX_ESP_EVENT_SOFT), 1);
	assert_int_equal(told(NATMUX_ESP_EVENT_HARD), 1);
	assert_true(list().last_out.is_dead);
	for (unsigned int i = 0; i < PLANES; i++) {
		output(i, 0, 1);
		assert_int_equal(outlets[i].packets, 2);
		assert_int_equal(outlets[i].drops[NATMUX_DROP_OUT_NO_SA], 1);
	}
	assert_int_equal(told(NATMUX_ESP_EVENT_ACQUIRE), 1);
}

static void test_time_is_the_leaders(void **state)
{
	struct natmux_sa_config config = sa_config(NATMUX_SA_OUT, SPI);
	struct natmux_sa_config in = sa_config(NATMUX_SA_IN, SPI + 3);

	(void)state;
	config.soft.seconds = 1;
	config.hard.seconds = in.hard.seconds = 3;
	assert_int_equal(natmux_esp_sa_add(planes[0], 0, &config), 0);
	assert_int_equal(natmux_esp_sa_add(planes[0], 0, &in), 0);
	assert_int_equal(natmux_esp_next_deadline(planes[0]), 1000);
	assert_int_equal(natmux_esp_next_deadline(planes[1]), UINT64_MAX);
	assert_int_equal(natmux_esp_next_deadline(planes[3]), 3000);
	for (unsigned int i = PLANES; i-- > 0;)
		natmux_esp_timeout(planes[i], 3000);
	assert_int_equal(told(NATMUX_ESP_EVENT_SOFT), 1);
	assert_int_equal(told(NATMUX_ESP_EVENT_HARD), 2);
	assert_int_equal(outlets[0].events[NATMUX_ESP_EVENT_HARD], 1);
	assert_int_equal(outlets[3].events[NATMUX_ESP_EVENT_HARD], 1);
}

static void test_keepalives_know_of_others(void **state)
{
	(void)state;
	add(NATMUX_SA_OUT, SPI);
	add_policy();
	assert_int_equal(natmux_esp_next_deadline(planes[0]), 20000);
	output(2, 15000, 1);
	natmux_esp_timeout(planes[0], 20000);
	assert_int_equal(outlets[0].keepalives, 0);
	assert_int_equal(natmux_esp_next_deadline(planes[0]), 35000);
	for (unsigned int i = 0; i < PLANES; i++)
		natmux_esp_timeout(planes[i], 35000);
	assert_int_equal(outlets[0].keepalives, 1);
	for (unsigned int i = 1; i < PLANES; i++)
		assert_int_equal(outlets[i].keepalives, 0);
	natmux_esp_set_keepalive(planes[0], 35000, 0);
	assert_int_equal(natmux_esp_next_deadline(planes[0]), UINT64_MAX);
}

static void test_all_follow_a_peer(void **state)
{
	(void)state;
	add(NATMUX_SA_OUT, SPI + 1);
	add(NATMUX_SA_IN, SPI + 1);
	add_policy();
	output(0, 5000, 1);
	input(0, 1, 5000, 61000);
	assert_int_equal(outlets[1].events[NATMUX_ESP_EVENT_MOVED], 1);
	/* Whoever saw it goes there; the others when they are told. */
	for (unsigned int i = 0; i < PLANES; i++) {
		output(i, 5000, 1);
		assert_int_equal(outlets[i].path.remote.port, i == 1 ? 61000 : 4500);
	}
	natmux_esp_follow(planes[0], REQID + 1);
	output(3, 5000, 1);
	assert_int_equal(outlets[3].path.remote.port, 4500);
	natmux_esp_follow(planes[0], REQID);
	for (unsigned int i = 0; i < PLANES; i++) {
		output(i, 5000, 1);
		assert_int_equal(outlets[i].path.remote.port, 61000);
	}
	/* Back again, and all of them are asked. */
	output(2, 7000, 1);
	input(2, 1, 7000, 62000);
	natmux_esp_follow(planes[0], 0);
	for (unsigned int i = 0; i < PLANES; i++) {
		output(i, 7000, 1);
		assert_int_equal(outlets[i].path.remote.port, 62000);
	}
	assert_int_equal(list().last_out.path.remote.port, 62000);
}

static void test_audits_are_told_once(void **state)
{
	(void)state;
	add(NATMUX_SA_OUT, SPI);
	add_policy();
	output(0, 0, 1);
	for (unsigned int i = 0; i < PLANES; i++)
		input(0, i, 100, 4500);
	assert_int_equal(told(NATMUX_ESP_EVENT_AUDIT), 1);
	input(0, 2, 1100, 4500);
	assert_int_equal(told(NATMUX_ESP_EVENT_AUDIT), 2);
}

static void *work(void *user)
{
	unsigned int plane = (unsigned int)(uintptr_t)user;

	for (unsigned int i = 0; i < ROUNDS; i++)
		output(plane, i, BATCH);
	return NULL;
}

static void run_all(void)
{
	pthread_t threads[PLANES];

	for (uintptr_t i = 0; i < PLANES; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (unsigned int i = 0; i < PLANES; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void test_a_thread_in_each(void **state)
{
	static bool is_used[PLANES * ROUNDS * BATCH + 1];
	struct natmux_sa_config config = sa_config(NATMUX_SA_OUT, SPI);
	struct natmux_sa_info info;

	(void)state;
	memset(is_used, 0, sizeof(is_used));
	config.soft.packets = PLANES * ROUNDS * BATCH / 2;
	assert_int_equal(natmux_esp_sa_add(planes[0], 0, &config), 0);
	add_policy();
	run_all();
	for (unsigned int i = 0; i < PLANES; i++) {
		assert_int_equal(outlets[i].packets, ROUNDS * BATCH);
		for (uint64_t n = 0; n < outlets[i].packets; n++) {
			assert_false(is_used[outlets[i].sequences[n]]);
			is_used[outlets[i].sequences[n]] = true;
		}
	}
	info = list().last_out;
	assert_int_equal(info.counters.packets, PLANES * ROUNDS * BATCH);
	assert_int_equal(info.sequence, PLANES * ROUNDS * BATCH);
	assert_int_equal(told(NATMUX_ESP_EVENT_SOFT), 1);
}

/* The vector that reaches the limit is the last, but for those that were on their way. */
static void test_threads_and_a_hard_limit(void **state)
{
	struct natmux_sa_config config = sa_config(NATMUX_SA_OUT, SPI);
	uint64_t most = PLANES * ROUNDS * BATCH / 4, sent;

	(void)state;
	config.hard.packets = most;
	assert_int_equal(natmux_esp_sa_add(planes[0], 0, &config), 0);
	add_policy();
	run_all();
	sent = list().last_out.counters.packets;
	assert_in_range(sent, most, most + (PLANES - 1) * BATCH);
	assert_int_equal(told(NATMUX_ESP_EVENT_HARD), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_making),
		TEST(test_as_many_as_there_may_be),
		TEST(test_each_is_listed_once),
		TEST(test_policies_are_in_each),
		TEST(test_inbound_is_in_one),
		TEST(test_numbers_and_counters_are_shared),
		TEST(test_limits_count_all),
		TEST(test_time_is_the_leaders),
		TEST(test_keepalives_know_of_others),
		TEST(test_all_follow_a_peer),
		TEST(test_audits_are_told_once),
		TEST(test_a_thread_in_each),
		TEST(test_threads_and_a_hard_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
