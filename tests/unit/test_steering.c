/* SPDX-License-Identifier: Apache-2.0 */
/* The program of a reuseport group, over payloads of every kind. */
#include "test.h"

#include "dispatcher/steering.h"
#include "tests/fakes/run_filter.h"

enum { TUN = 7, WAN = 3 };

static const struct payload {
	const char *what;
	size_t len;
	uint8_t bytes[32];
	uint32_t goes_to;
} payloads[] = {
	{"a Binding request", 20, {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, NM_STEERING_NATMUX},
	{"a Binding success", 20, {1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, NM_STEERING_NATMUX},
	{"ESP with sequence 0x2112a442", 32, {0xc1, 2, 3, 4, 0x21, 0x12, 0xa4, 0x42},
		NM_STEERING_NATMUX},
	{"the cookie and not a byte more", 8, {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42},
		NM_STEERING_NATMUX},
	{"an IKE SPI that is the cookie", 32, {0, 0, 0, 0, 0x21, 0x12, 0xa4, 0x42},
		NM_STEERING_NATMUX},
	{"ESP", 32, {0xc1, 2, 3, 4, 0, 0, 0, 1}, NM_STEERING_OWNER},
	{"ESP, one sequence earlier", 32, {0xc1, 2, 3, 4, 0x21, 0x12, 0xa4, 0x41},
		NM_STEERING_OWNER},
	{"ESP, one sequence later", 32, {0xc1, 2, 3, 4, 0x21, 0x12, 0xa4, 0x43}, NM_STEERING_OWNER},
	{"the cookie of the other end", 32, {0, 1, 0, 0, 0x42, 0xa4, 0x12, 0x21},
		NM_STEERING_OWNER},
	{"an SPI that is the cookie", 32, {0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 1}, NM_STEERING_OWNER},
	{"the cookie in the next word", 32, {0, 1, 0, 0, 0, 0, 0, 1, 0x21, 0x12, 0xa4, 0x42},
		NM_STEERING_OWNER},
	{"IKE", 32, {0, 0, 0, 0, 1, 2, 3, 4}, NM_STEERING_OWNER},
	{"a keepalive", 1, {0xff}, NM_STEERING_OWNER},
	{"nothing at all", 0, {0}, NM_STEERING_OWNER},
	{"a cookie cut short", 7, {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, NM_STEERING_OWNER},
};

static uint32_t goes_to(uint32_t tun, const struct payload *payload, uint32_t interface)
{
	struct nm_filter_step steps[NM_STEERING_STEPS];
	size_t n = nm_steering_program(tun, steps);

	assert_in_range(n, 1, NM_STEERING_STEPS);
	return run_filter(steps, n, payload->bytes, payload->len, interface);
}

static void test_payloads(void **state)
{
	(void)state;
	for (const struct payload *p = payloads; p < payloads + ARRAY_SIZE(payloads); p++) {
		print_message("%s\n", p->what);
		assert_int_equal(goes_to(0, p, WAN), p->goes_to);
		assert_int_equal(goes_to(TUN, p, WAN), p->goes_to);
	}
}

/* Else natmux would get again, and inject again, what it has injected. */
static void test_injected(void **state)
{
	(void)state;
	for (const struct payload *p = payloads; p < payloads + ARRAY_SIZE(payloads); p++) {
		print_message("%s\n", p->what);
		assert_int_equal(goes_to(TUN, p, TUN), NM_STEERING_OWNER);
		assert_int_equal(goes_to(TUN, p, TUN + 1), p->goes_to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_injected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
