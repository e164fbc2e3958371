/* SPDX-License-Identifier: Apache-2.0 */
/* What iperf3 prints, read; rounds put together. Tunnels themselves need root: see natmux-bench. */
#include "test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>

#include "bench/load.h"
#include "bench/tunnel.h"

static const char tcp[] = "{\"start\": {}, \"end\": {\"sum_sent\": {\"seconds\": 2.0,"
			  "\"bits_per_second\": 9e9}, \"sum_received\": {\"seconds\": 2.5,"
			  "\"bits_per_second\": 8e9}}}";
static const char udp[] = "{\"end\": {\"sum\": {\"seconds\": 2, \"bits_per_second\": 512000,"
			  "\"packets\": 2000, \"lost_packets\": 500, \"lost_percent\": 25}}}";

static void test_load_is_read(void **state)
{
	struct nm_load_result result;

	(void)state;
	assert_int_equal(nm_load_parse(tcp, false, &result), 0);
	assert_float_equal(result.bits, 8e9, 1);
	assert_float_equal(result.seconds, 2.5, 1e-9);
	assert_float_equal(result.packets, 0, 1e-9);
	assert_int_equal(nm_load_parse(udp, true, &result), 0);
	assert_float_equal(result.packets, 750, 1e-6);
	assert_float_equal(result.loss, 0.25, 1e-9);
	assert_float_equal(result.bits, 384000, 1e-3);
}

static void test_load_that_is_none(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "{}", "{\"end\": {}}",
		"{\"error\": \"unable to connect\", \"end\": {}}",
		"{\"end\": {\"sum_received\": {\"seconds\": 0, \"bits_per_second\": 1}}}",
		"{\"end\": {\"sum\": {\"seconds\": 1, \"bits_per_second\": 1}}}"};
	struct nm_load_result result = {.bits = 7};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(nm_load_parse(bad[i], false, &result), NATMUX_EMALFORMED);
		assert_int_equal(nm_load_parse(bad[i], true, &result), NATMUX_EMALFORMED);
	}
	assert_int_equal(nm_load_parse(tcp, true, &result), NATMUX_EMALFORMED);
	assert_int_equal(nm_load_parse(udp, false, &result), NATMUX_EMALFORMED);
	assert_float_equal(result.bits, 7, 1e-9);
}

static void test_programs_are_found(void **state)
{
	static const struct nm_tunnel_setup setup = {.natmuxd = "/nonexistent/natmuxd"};

	(void)state;
	assert_true(nm_load_has_program("sh"));
	assert_false(nm_load_has_program("no-such-program-anywhere"));
	for (size_t i = 0; i < NM_TUNNEL_KINDS; i++) {
		assert_non_null(nm_tunnel_kinds[i]->name);
		assert_non_null(nm_tunnel_kinds[i]->target);
	}
	assert_null(nm_tunnel_kinds[NM_TUNNEL_PLAIN]->missing(&setup));
	assert_non_null(nm_tunnel_kinds[NM_TUNNEL_NATMUX]->missing(&setup));
}

static double median(const struct nm_tunnel_bench *bench, size_t kind, enum nm_tunnel_figure figure)
{
	struct nm_spread spread = nm_tunnel_spread(bench, kind, true, 0, figure);

	return spread.n > 0 ? spread.median : -1;
}

static void test_rounds(void **state)
{
	struct nm_tunnel_bench bench;
	const size_t natmux = NM_TUNNEL_NATMUX, libipsec = NM_TUNNEL_LIBIPSEC;

	(void)state;
	assert_int_equal(nm_tunnel_bench_init(&bench), 0);
	bench.rounds = 3;
	assert_float_equal(median(&bench, natmux, NM_TUNNEL_RATE), -1, 1e-9);
	for (int i = 0; i < 3; i++) {
		/* In the second round plain veth failed, in the third libipsec. */
		bench.samples[NM_TUNNEL_PLAIN][true][0][i] =
			(struct nm_tunnel_sample){.is_known = i != 1, .bits = 10e9, .seconds = 1};
		bench.samples[natmux][true][0][i] = (struct nm_tunnel_sample){
			.is_known = true, .bits = (i + 4) * 1e9, .seconds = 2, .cpu_s = {1, 1}};
		bench.samples[libipsec][true][0][i] = (struct nm_tunnel_sample){
			.is_known = i != 2, .bits = 1e9, .seconds = 2, .cpu_s = {3, 1}};
	}
	assert_float_equal(median(&bench, natmux, NM_TUNNEL_RATE), 5, 1e-9);
	assert_float_equal(median(&bench, natmux, NM_TUNNEL_OF_PLAIN), 0.5, 1e-9);
	assert_float_equal(median(&bench, natmux, NM_TUNNEL_CPU), 1, 1e-9);
	assert_float_equal(median(&bench, natmux, NM_TUNNEL_PER_CPU), 5, 1e-9);
	assert_float_equal(median(&bench, natmux, NM_TUNNEL_OF_LIBIPSEC), 9, 1e-9);
	assert_float_equal(median(&bench, NM_TUNNEL_PLAIN, NM_TUNNEL_PER_CPU), -1, 1e-9);
	assert_float_equal(median(&bench, NM_TUNNEL_PLAIN, NM_TUNNEL_OF_LIBIPSEC), -1, 1e-9);
	nm_tunnel_bench_done(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load_is_read),
		cmocka_unit_test(test_load_that_is_none),
		cmocka_unit_test(test_programs_are_found),
		cmocka_unit_test(test_rounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
