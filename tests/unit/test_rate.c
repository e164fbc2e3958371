/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <natmux/addr.h>

#include "base/bytes.h"
#include "base/rate.h"

static unsigned int take_all(struct nm_bucket *bucket, uint32_t per_s, uint32_t burst, uint64_t now)
{
	unsigned int n = 0;

	while (nm_bucket_take(bucket, per_s, burst, now))
		n++;
	return n;
}

static void test_bucket(void **state)
{
	struct nm_bucket bucket;

	(void)state;
	nm_bucket_init(&bucket, 5, 1000);
	assert_int_equal(take_all(&bucket, 10, 5, 1000), 5);
	assert_int_equal(take_all(&bucket, 10, 5, 1099), 0);
	assert_int_equal(take_all(&bucket, 10, 5, 1100), 1);
	assert_int_equal(take_all(&bucket, 10, 5, 1400), 3);
	assert_int_equal(
		take_all(&bucket, 10, 5, 1000), 0); /* a clock that goes back gives nothing */
	assert_int_equal(take_all(&bucket, 10, 5, 1400), 0);
	assert_int_equal(take_all(&bucket, 10, 5, UINT64_MAX), 5);
}

static void test_bucket_fractions_are_kept(void **state)
{
	struct nm_bucket bucket;
	unsigned int n;

	(void)state;
	nm_bucket_init(&bucket, 3, 0);
	n = take_all(&bucket, 3, 3, 0);
	for (uint64_t now = 1; now <= 10000; now++)
		n += take_all(&bucket, 3, 3, now);
	assert_int_equal(n, 3 + 30);
}

static void test_bucket_zero(void **state)
{
	struct nm_bucket bucket;

	(void)state;
	nm_bucket_init(&bucket, 5, 0);
	assert_int_equal(take_all(&bucket, 0, 5, 0), 0);
	assert_int_equal(take_all(&bucket, 0, 0, 99999), 0);
}

static const struct nm_rate_prefix rate = {.per_s = 1, .burst = 2, .bits4 = 24, .bits6 = 52};

static bool take(struct nm_rate_table *table, const char *text, uint64_t now)
{
	struct natmux_addr addr;

	assert_int_equal(natmux_addr_parse(text, 1, &addr), 0);
	return nm_rate_table_take(table, &rate, &addr, now);
}

static void test_prefixes(void **state)
{
	struct nm_rate_table *table = nm_rate_table_new(16, (const uint8_t[16]){1});

	(void)state;
	assert_true(take(table, "192.0.2.1:1", 0));
	assert_true(take(table, "192.0.2.255:2", 0));
	assert_false(take(table, "192.0.2.7", 0));
	assert_true(take(table, "192.0.3.7", 0));
	assert_true(take(table, "2001:db8:0:1fff::", 0));
	assert_true(take(table, "2001:db8:0:1000::9", 0));
	assert_false(take(table, "2001:db8:0:1234::", 0));
	assert_true(take(table, "2001:db8:0:2000::", 0));
	assert_true(take(table, "192.0.2.7", 1000));
	nm_rate_table_free(table);
}

/* Ten thousand prefixes through 64 buckets: a depleted one is the last to make room. */
static void test_flood_of_prefixes(void **state)
{
	struct nm_rate_table *table = nm_rate_table_new(16, (const uint8_t[16]){2});
	struct natmux_addr addr = {.family = NATMUX_FAMILY_IPV4};
	unsigned int admitted = 0, victim = 0;

	(void)state;
	take(table, "192.0.2.1", 0);
	take(table, "192.0.2.1", 0);
	for (uint32_t i = 0; i < 10000; i++) {
		nm_put32(addr.ip, 0x0a000000 + (i << 8));
		admitted += nm_rate_table_take(table, &rate, &addr, 0);
	}
	for (int i = 0; i < 100; i++)
		victim += take(table, "192.0.2.1", 0);
	assert_int_equal(
		admitted, 10000); /* each its first token: the bucket for all bounds that */
	assert_true(victim <= 2);
	nm_rate_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_bucket_fractions_are_kept),
		cmocka_unit_test(test_bucket_zero),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_flood_of_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
