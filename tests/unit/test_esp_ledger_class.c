/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows A4 and A6 of docs/conformance.md: DSCP, ECN and TTL, inside and outside. Each test begins with
 * the ids of its rows.
 */
#include "esp_ledger_test.h"

enum { NOT_ECT = 0, ECT1 = 1, ECT0 = 2, CE = 3 };

/* RFC 4301 4.4.1.1, 5.1: two SAs may differ by DSCP; no packet is refused for its own. */
static void test_a4_any_dscp(void **state)
{
	struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI),
				in = sa_config(NATMUX_SA_IN, SPI);
	struct natmux_selector all = selector_of("0.0.0.0/0", "0.0.0.0/0", 0, 0);

	(void)state;
	in.selectors = &all;
	in.selectors_len = 1;
	start(&out, &in);
	for (unsigned int dscp = 0; dscp < 64; dscp++) {
		struct inner_spec spec = plain(4, UDP);
		struct natmux_train *train;

		trains_n = wire_len = 0;
		spec.tos = (uint8_t)(dscp << 2);
		train = send_spec(&spec);
		train->tos = (uint8_t)((63 - dscp) << 2); /* remarked on the way */
		receive(train, 0);
		assert_int_equal(delivered_n, dscp + 1);
		assert_int_equal(delivered[1], dscp << 2); /* RFC 2983 4.1: the inner one stays */
	}
	stop();
}

/* RFC 4301 5.1.2.1, RFC 6040 4.1: the outer header's class; -1: copied. */
static void test_a6_outer_class(void **state)
{
	static const struct {
		int16_t dscp;
		bool no_ecn;
		uint8_t inner, outer;
	} cases[] = {
		{-1, false, 46 << 2 | ECT0, 46 << 2 | ECT0},
		{-1, false, 46 << 2 | CE, 46 << 2 | CE},
		{-1, false, NOT_ECT, NOT_ECT},
		{10, false, 46 << 2 | ECT1, 10 << 2 | ECT1},
		{0, false, 46 << 2, 0},
		{63, true, 46 << 2 | CE, 63 << 2},
		{-1, true, 46 << 2 | ECT0, 46 << 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI);
		struct natmux_sa_config in = sa_config(NATMUX_SA_IN, SPI);

		out.dscp = cases[i].dscp;
		out.no_ecn = cases[i].no_ecn;
		start(&out, &in);
		for (uint8_t family = 4; family <= 6; family += 2) {
			struct inner_spec spec = plain(family, UDP);

			spec.tos = cases[i].inner;
			assert_int_equal(send_spec(&spec)->tos, cases[i].outer);
		}
		stop();
	}
}

enum { GONE = 9 };

/* RFC 6040 4.2, figure 4, as it stands there: inner by outer. */
static const uint8_t figure4[4][4] = {
	/*           Not-ECT  ECT(1)  ECT(0)  CE: outer */
	[NOT_ECT] = {NOT_ECT, NOT_ECT, NOT_ECT, GONE},
	[ECT1] = {ECT1, ECT1, ECT1, CE},
	[ECT0] = {ECT0, ECT1, ECT0, CE},
	[CE] = {CE, CE, CE, CE},
};

static void check_ecn(uint8_t family, uint8_t inner, uint8_t outer, uint8_t want)
{
	struct inner_spec spec = plain(family, UDP);
	struct natmux_train *train;

	forget();
	spec.tos = (uint8_t)(0x48 | inner);
	train = send_spec(&spec);
	train->tos = outer;
	receive(train, 0);
	assert_int_equal(delivered_n, want != GONE);
	assert_int_equal(drops[NATMUX_DROP_ESP_ECN], want == GONE);
	if (want == GONE)
		return;
	/* DSCP as it was, header checksum right. */
	assert_int_equal(family == 4 ? delivered[1] : (nm_get16(delivered) >> 4 & 0xff),
		(unsigned int)(0x48 | want));
	assert_true(inner_is_right(delivered, delivered_len));
}

static void test_a6_ecn_comes_in(void **state)
{
	struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI),
				in = sa_config(NATMUX_SA_IN, SPI);

	(void)state;
	for (int no_ecn = 0; no_ecn < 2; no_ecn++) {
		in.no_ecn = no_ecn;
		start(&out, &in);
		for (uint8_t family = 4; family <= 6; family += 2)
			for (uint8_t inner = 0; inner < 4; inner++)
				for (uint8_t outer = 0; outer < 4; outer++)
					check_ecn(family, inner, outer,
						no_ecn ? inner : figure4[inner][outer]);
		stop();
	}
}

/* RFC 4301 5.1.2.1: the hop limit is its sender's; who forwards into the device has decremented it. */
static void test_a6_ttl_stays(void **state)
{
	(void)state;
	start_plain();
	for (uint8_t family = 4; family <= 6; family += 2) {
		struct inner_spec spec = plain(family, UDP);

		spec.ttl = 17;
		receive(send_spec(&spec), 0);
		assert_int_equal(delivered[family == 4 ? 8 : 7], 17);
	}
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a4_any_dscp),
		cmocka_unit_test(test_a6_outer_class),
		cmocka_unit_test(test_a6_ecn_comes_in),
		cmocka_unit_test(test_a6_ttl_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
