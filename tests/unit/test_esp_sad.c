/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger row E1. The SAs of a plane: found, replaced, deleted, counted. */
#include "test.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <natmux/error.h>

#include "esp/sad.h"

static const uint8_t hash_key[16] = {7};
static const uint8_t keymat[NATMUX_SUITE_KEY_MAX] = {1};
static struct nm_secret_pool *pool;
static struct nm_sad sad;

static int setup(void **state)
{
	(void)state;
	pool = nm_secret_pool_new(nm_engine_sodium.key_size(NATMUX_SUITE_CHACHA20POLY1305));
	return pool ? 0 : 1;
}

static int teardown(void **state)
{
	(void)state;
	nm_secret_pool_free(pool);
	return 0;
}

static struct natmux_addr remote_of(uint8_t last)
{
	return (struct natmux_addr){
		.ip = {192, 0, 2, last}, .port = 4500, .family = NATMUX_FAMILY_IPV4};
}

static struct nm_sa *make(
	enum natmux_sa_direction direction, uint32_t spi, uint8_t remote, uint32_t reqid)
{
	struct natmux_sa_config config;
	struct nm_sa *sa = NULL;

	natmux_sa_config_init(&config);
	config.direction = direction;
	config.spi = spi;
	config.suite = NATMUX_SUITE_CHACHA20POLY1305;
	config.key = keymat;
	config.key_len = natmux_suite_key_len(config.suite);
	config.path.remote = remote_of(remote);
	config.reqid = reqid;
	config.replay_window = 32;
	assert_int_equal(nm_sa_new(&config, &nm_engine_sodium, pool, NULL, 0, &sa), 0);
	return sa;
}

static void test_find_by_spi(void **state)
{
	struct nm_sa *in = make(NATMUX_SA_IN, 300, 1, 0), *out = make(NATMUX_SA_OUT, 300, 1, 5);
	struct natmux_addr other_port = remote_of(1), other = remote_of(2);

	(void)state;
	assert_int_equal(nm_sad_init(&sad, 4, hash_key), 0);
	assert_null(nm_sad_find(&sad, 300));
	assert_int_equal(nm_sad_add(&sad, in), 0);
	assert_int_equal(nm_sad_add(&sad, out), 0);
	/* One SPI in both directions, and a miss that was remembered, do not get in each other's way. */
	assert_ptr_equal(nm_sad_find(&sad, 300), in);
	assert_ptr_equal(nm_sad_find(&sad, 300), in);
	assert_null(nm_sad_find(&sad, 301));
	other_port.port = 9;
	assert_ptr_equal(nm_sad_find_out(&sad, 300, &other_port), out);
	assert_null(nm_sad_find_out(&sad, 300, &other));
	/* A peer that moved is still found as it was filed. */
	out->path.remote = other;
	assert_ptr_equal(nm_sad_find_out(&sad, 300, &other_port), out);
	assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 300, &other), NATMUX_ENOTFOUND);
	assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 300, &other_port), 0);
	assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_IN, 300, NULL), 0);
	assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_IN, 300, NULL), NATMUX_ENOTFOUND);
	assert_null(nm_sad_find(&sad, 300));
	assert_int_equal(sad.count, 0);
	nm_sad_done(&sad);
}

/* Two peers chose the same SPI: each has its own outbound SA (row N12). */
static void test_one_spi_two_peers(void **state)
{
	struct natmux_addr first = remote_of(1), second = remote_of(2);
	struct nm_sa *a = make(NATMUX_SA_OUT, 300, 1, 5), *b = make(NATMUX_SA_OUT, 300, 2, 6);

	(void)state;
	assert_int_equal(nm_sad_init(&sad, 4, hash_key), 0);
	assert_int_equal(nm_sad_add(&sad, a), 0);
	assert_int_equal(nm_sad_add(&sad, b), 0);
	assert_ptr_equal(nm_sad_find_out(&sad, 300, &first), a);
	assert_ptr_equal(nm_sad_find_out(&sad, 300, &second), b);
	nm_sad_done(&sad);
}

/* Make before break: the newest is used, and the one before it again when that goes. */
static void test_newest_of_a_reqid(void **state)
{
	struct nm_sa *a = make(NATMUX_SA_OUT, 300, 1, 5), *b = make(NATMUX_SA_OUT, 301, 1, 5);
	struct natmux_addr remote = remote_of(1);

	(void)state;
	assert_int_equal(nm_sad_init(&sad, 4, hash_key), 0);
	assert_null(nm_sad_find_reqid(&sad, 5));
	assert_int_equal(nm_sad_add(&sad, a), 0);
	assert_ptr_equal(nm_sad_find_reqid(&sad, 5), a);
	assert_int_equal(nm_sad_add(&sad, b), 0);
	assert_ptr_equal(nm_sad_find_reqid(&sad, 5), b);
	assert_null(nm_sad_find_reqid(&sad, 6));
	assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 301, &remote), 0);
	assert_ptr_equal(nm_sad_find_reqid(&sad, 5), a);
	assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 300, &remote), 0);
	assert_null(nm_sad_find_reqid(&sad, 5));
	nm_sad_done(&sad);
}

/* Whichever goes, the newest of those that are left has the traffic. */
static void test_newest_of_those_left(void **state)
{
	enum { MANY = 4 };
	struct natmux_addr remote = remote_of(1);

	(void)state;
	for (uint32_t first = 0; first < MANY; first++) {
		uint32_t newest = MANY - 1;

		assert_int_equal(nm_sad_init(&sad, MANY, hash_key), 0);
		for (uint32_t i = 0; i < MANY; i++)
			assert_int_equal(nm_sad_add(&sad, make(NATMUX_SA_OUT, 300 + i, 1, 5)), 0);
		assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 300 + first, &remote), 0);
		newest -= first == newest;
		assert_int_equal(nm_sad_find_reqid(&sad, 5)->spi, 300 + newest);
		assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 300 + newest, &remote), 0);
		newest = newest - 1 == first ? newest - 2 : newest - 1;
		assert_int_equal(nm_sad_find_reqid(&sad, 5)->spi, 300 + newest);
		nm_sad_done(&sad);
	}
}

/* From the middle, from either end, replaced, dead: what is left is in order. */
static void test_chain_of_a_reqid(void **state)
{
	struct natmux_addr remote = remote_of(1);
	struct nm_sa *sas[5];

	(void)state;
	assert_int_equal(nm_sad_init(&sad, 8, hash_key), 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(sas); i++) {
		sas[i] = make(NATMUX_SA_OUT, 300 + i, 1, 5);
		assert_int_equal(nm_sad_add(&sad, sas[i]), 0);
		assert_int_equal(nm_sad_add(&sad, make(NATMUX_SA_OUT, 400 + i, 1, 6)), 0);
		assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 400 + i, &remote), 0);
	}
	assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 302, &remote), 0);
	assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 304, &remote), 0);
	assert_ptr_equal(nm_sad_find_reqid(&sad, 5), sas[3]);
	/* The oldest comes again under another key, and is the newest. */
	sas[0] = make(NATMUX_SA_OUT, 300, 1, 5);
	assert_int_equal(nm_sad_add(&sad, sas[0]), 0);
	assert_ptr_equal(nm_sad_find_reqid(&sad, 5), sas[0]);
	/* The dead are passed over, while there is one that is alive. */
	sas[0]->own_usage.is_dead = true;
	assert_ptr_equal(nm_sad_find_reqid(&sad, 5), sas[3]);
	sas[3]->own_usage.is_dead = true;
	assert_ptr_equal(nm_sad_find_reqid(&sad, 5), sas[1]);
	sas[1]->own_usage.is_dead = true;
	assert_ptr_equal(nm_sad_find_reqid(&sad, 5), sas[0]);
	sas[3]->own_usage.is_dead = false;
	assert_ptr_equal(nm_sad_find_reqid(&sad, 5), sas[3]);
	assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 303, &remote), 0);
	assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 300, &remote), 0);
	assert_ptr_equal(nm_sad_find_reqid(&sad, 5), sas[1]);
	assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 301, &remote), 0);
	assert_null(nm_sad_find_reqid(&sad, 5));
	assert_int_equal(sad.count, 0);
	nm_sad_done(&sad);
}

/* All leave at once: none of them may cost a walk through the others. */
static void test_many_leave(void **state)
{
	enum { MANY = 20000 };
	struct natmux_addr remote = remote_of(1);

	(void)state;
	assert_int_equal(nm_sad_init(&sad, MANY, hash_key), 0);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(
			nm_sad_add(&sad, make(NATMUX_SA_OUT, 300 + i, 1, 1 + i % (MANY / 2))), 0);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_OUT, 300 + i, &remote), 0);
	assert_int_equal(sad.count, 0);
	nm_sad_done(&sad);
}

static void test_replace_and_full(void **state)
{
	struct nm_sa *extra = make(NATMUX_SA_IN, 999, 1, 0);

	(void)state;
	assert_int_equal(nm_sad_init(&sad, 3, hash_key), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(nm_sad_add(&sad, make(NATMUX_SA_IN, 300 + i, 1, 0)), 0);
	assert_int_equal(nm_sad_add(&sad, extra), NATMUX_EFULL);
	nm_sa_free(extra);
	/* Replacing needs no room. */
	for (uint32_t i = 0; i < 20; i++) {
		struct nm_sa *sa = make(NATMUX_SA_IN, 301, 1, 0);

		assert_int_equal(nm_sad_add(&sad, sa), 0);
		assert_ptr_equal(nm_sad_find(&sad, 301), sa);
	}
	assert_int_equal(sad.count, 3);
	nm_sad_done(&sad);
}

static void count_one(void *user, struct nm_sa *sa)
{
	assert_in_range(sa->spi, 1000, 1000 + 499);
	(*(uint32_t *)user)++;
}

static void test_random(void **state)
{
	struct nm_sa *there[500] = {0};
	uint32_t count = 0, seen = 0;

	(void)state;
	srand(3);
	assert_int_equal(nm_sad_init(&sad, 500, hash_key), 0);
	for (int step = 0; step < 5000; step++) {
		uint32_t i = (uint32_t)rand() % 500;

		if (there[i] && rand() % 2) {
			assert_int_equal(nm_sad_delete(&sad, NATMUX_SA_IN, 1000 + i, NULL), 0);
			there[i] = NULL;
			count--;
		} else {
			count += there[i] == NULL;
			there[i] = make(NATMUX_SA_IN, 1000 + i, 1, 0);
			assert_int_equal(nm_sad_add(&sad, there[i]), 0);
		}
		assert_ptr_equal(nm_sad_find(&sad, 1000 + i), there[i]);
	}
	nm_sad_each(&sad, count_one, &seen);
	assert_int_equal(seen, count);
	assert_int_equal(sad.count, count);
	nm_sad_done(&sad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_by_spi),
		cmocka_unit_test(test_one_spi_two_peers),
		cmocka_unit_test(test_newest_of_a_reqid),
		cmocka_unit_test(test_newest_of_those_left),
		cmocka_unit_test(test_chain_of_a_reqid),
		cmocka_unit_test(test_many_leave),
		cmocka_unit_test(test_replace_and_full),
		cmocka_unit_test(test_random),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, setup, teardown);
}
