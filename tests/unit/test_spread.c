/* SPDX-License-Identifier: Apache-2.0 */
/* The program that spreads ESP over workers: over payloads of every kind, and over all small numbers. */
#include "test.h"

#include "base/bytes.h"
#include "dispatcher/spread.h"
#include "tests/fakes/run_filter.h"

static uint32_t goes_to(uint32_t workers, const void *payload, size_t len)
{
	struct nm_filter_step steps[NM_SPREAD_STEPS];
	size_t n = nm_spread_program(workers, steps);

	return run_filter(steps, n, payload, len, 1);
}

static const struct payload {
	const char *what;
	size_t len;
	uint8_t bytes[16];
	uint32_t of_two, of_three, of_sixteen;
} payloads[] = {
	{"nothing at all", 0, {0}, 0, 0, 0},
	{"a keepalive", 1, {0xff}, 0, 0, 0},
	{"an SPI that is cut short", 3, {1, 2, 3}, 0, 0, 0},
	{"an SPI and nothing else", 4, {1, 2, 3, 5}, 0, 0, 0},
	{"a number that is cut short", 7, {1, 2, 3, 5, 0, 0, 0}, 0, 0, 0},
	{"IKE", 12, {0, 0, 0, 0, 1, 2, 3, 5}, 0, 0, 0},
	{"the marker and nothing else", 4, {0}, 0, 0, 0},
	{"an IKE SPI that is the cookie", 12, {0, 0, 0, 0, 0x21, 0x12, 0xa4, 0x42}, 0, 0, 0},
	{"a Binding request", 12, {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, 0, 0, 0},
	{"ESP with sequence 0x2112a442", 12, {0xc1, 2, 3, 5, 0x21, 0x12, 0xa4, 0x42}, 0, 0, 0},
	{"ESP, one sequence earlier", 12, {0, 0, 1, 1, 0x21, 0x12, 0xa4, 0x41}, 1, 2, 1},
	{"ESP, one sequence later", 12, {0, 0, 1, 1, 0x21, 0x12, 0xa4, 0x43}, 1, 2, 1},
	{"the cookie of the other end", 12, {0, 0, 1, 1, 0x42, 0xa4, 0x12, 0x21}, 1, 2, 1},
	{"an SPI that is the cookie", 12, {0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 1}, 0, 2, 2},
	{"the lowest SPI", 8, {0, 0, 1, 0, 0, 0, 0, 1}, 0, 1, 0},
	{"SPI 0x1001", 8, {0, 0, 0x10, 1, 0, 0, 0, 1}, 1, 2, 1},
	{"SPI 0x1002", 8, {0, 0, 0x10, 2, 0, 0, 0, 1}, 0, 0, 2},
	{"the highest SPI", 8, {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1}, 1, 0, 15},
};

static void test_payloads(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		const struct payload *p = &payloads[i];

		if (goes_to(1, p->bytes, p->len) != 0 ||
			goes_to(2, p->bytes, p->len) != p->of_two ||
			goes_to(3, p->bytes, p->len) != p->of_three ||
			goes_to(16, p->bytes, p->len) != p->of_sixteen)
			fail_msg("%s", p->what);
	}
}

static void test_every_remainder(void **state)
{
	uint8_t payload[8] = {0};

	(void)state;
	payload[7] = 1;
	for (uint32_t workers = 1; workers <= 64; workers++)
		for (uint32_t spi = 256; spi < 1024; spi++) {
			nm_put32(payload, spi);
			assert_int_equal(goes_to(workers, payload, sizeof(payload)), spi % workers);
		}
}

/* What a kernel is tried with must be what the program says, and reach every worker. */
static void test_samples(void **state)
{
	(void)state;
	for (uint32_t workers = 1; workers <= 16; workers++) {
		struct nm_spread_sample samples[NM_SPREAD_SAMPLES];
		size_t n = nm_spread_samples(workers, samples), reached = 0;

		assert_int_equal(n, 5 + workers); /* and no more than there is room for */
		assert_in_range(n, 6, NM_SPREAD_SAMPLES);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(goes_to(workers, samples[i].payload, samples[i].len),
				samples[i].worker);
			reached |= (size_t)1 << samples[i].worker;
		}
		if (workers <= 16)
			assert_int_equal(reached, ((size_t)1 << workers) - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_every_remainder),
		cmocka_unit_test(test_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
