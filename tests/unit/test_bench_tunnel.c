/* SPDX-License-Identifier: Apache-2.0 */
/* What iperf3 and /proc print, read; rounds put together. Tunnels need root: tests/netns, tests/uml. */
#include "test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <natmux/error.h>

#include "bench/kernel_esp.h"
#include "bench/load.h"
#include "bench/tunnel.h"
#include "bench/usage.h"

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

static void test_kernel_needs_what_it_needs(void **state)
{
	static const struct nm_tunnel_setup setup = {.natmuxd = "/nonexistent/natmuxd"};
	const char *why = nm_kernel_esp_missing();

	(void)state;
	/* Without privileges it is that which is missing; one sentence in any case. */
	if (why)
		assert_true(why[0] != '\0' && !strchr(why, '\n'));
	assert_int_equal(!why, !nm_tunnel_kinds[NM_TUNNEL_XFRM]->missing(&setup));
	assert_non_null(nm_tunnel_kinds[NM_TUNNEL_KERNEL]->missing(&setup));
	if (!why)
		assert_string_equal(nm_tunnel_kinds[NM_TUNNEL_KERNEL]->missing(&setup),
			nm_tunnel_kinds[NM_TUNNEL_NATMUX]->missing(&setup));
}

static void test_busy_ticks(void **state)
{
	static const struct {
		const char *line;
		uint64_t ticks;
	} lines[] = {
		/* user nice system idle iowait irq softirq steal guest guest_nice */
		{"cpu  1 20 300 4000 50000 600000 7000000 80000000 9 9\n", 7600321},
		{"cpu  1 2 3 4 5 6 7", 19},
		{"cpu  18446744073709551615 0 0 4 5 0 0", UINT64_MAX},
		{"cpu  1 2 3 4 5 6", 0},
		{"cpu  1 2 3 4 5 6 x", 0},
		{"cpu0 1 2 3 4 5 6 7 8 9 10\n", 0},
		{"intr 1 2 3 4 5 6 7", 0},
		{"cpu", 0},
		{"", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_true(nm_usage_busy_ticks(lines[i].line) == lines[i].ticks);
}

static void test_usage_of_processes(void **state)
{
	const pid_t nobody = 1 << 30; /* above PID_MAX_LIMIT */
	double before = nm_usage_process_s(getpid()), machine = nm_usage_machine_s();

	(void)state;
	/* Work is waited for, not time: a machine that is busy otherwise may give us little of it. */
	while ((nm_usage_process_s(getpid()) < before + 0.05 || nm_usage_machine_s() <= machine) &&
		clock() < 2 * CLOCKS_PER_SEC)
		;
	if (nm_usage_process_s(getpid()) == 0) {
		print_message("skipped: /proc/PID/stat counts no time, as qemu-user has it\n");
		skip();
	}
	assert_true(nm_usage_process_s(getpid()) >= before + 0.05);
	assert_true(machine > 0);
	assert_true(nm_usage_machine_s() > machine);
	assert_true(nm_usage_resident(getpid()) > 100 << 10);
	assert_true(nm_usage_process_s(nobody) == 0);
	assert_true(nm_usage_resident(nobody) == 0);
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

static void test_packets_of_a_state(void **state)
{
	static const char text[] = "src 198.18.0.1 dst 198.18.0.2\n"
				   "\tlifetime config:\n"
				   "\t  limit: soft (INF)(bytes), hard (INF)(bytes)\n"
				   "\t  limit: soft (INF)(packets), hard 77(packets)\n"
				   "\tlifetime current:\n"
				   "\t  10056179(bytes), 109309(packets)\n"
				   "\t  add 2026-11-22 07:27:52 use 2026-11-22 07:27:53\n";
	static const char *const bad[] = {"", "lifetime current:", "lifetime current:\n 7(bytes)",
		"lifetime current:\n 7(bytes), (packets)", "9(bytes), 9(packets)",
		"lifetime config:\n 7(bytes), 7(packets)"};

	(void)state;
	assert_float_equal(nm_tunnel_state_packets(text), 109309, 1e-9);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_float_equal(nm_tunnel_state_packets(bad[i]), -1, 1e-9);
}

static void test_rounds_of_the_kernel(void **state)
{
	static const double packets[] = {1000, 2000, 4000};
	struct nm_tunnel_bench bench;
	const size_t traffic = 2; /* UDP of 64 bytes */

	(void)state;
	assert_int_equal(nm_tunnel_bench_init(&bench), 0);
	bench.rounds = 3;
	for (int i = 0; i < 3; i++) {
		/* In the last round nobody counted what the machine did without natmux. */
		bench.samples[NM_TUNNEL_XFRM][true][traffic][i] =
			(struct nm_tunnel_sample){.is_known = true,
				.carried = packets[i],
				.seconds = 1,
				.machine_s = i == 2 ? 0 : 1};
		bench.samples[NM_TUNNEL_KERNEL][true][traffic][i] = (struct nm_tunnel_sample){
			.is_known = true, .carried = 1000, .seconds = 2, .machine_s = 4};
	}
	/* In a second 1/2, 1/4 and 1/8 of it; by a second of the machine 1/4 and 1/8. */
	assert_float_equal(
		nm_tunnel_spread(&bench, NM_TUNNEL_KERNEL, true, traffic, NM_TUNNEL_OF_XFRM).median,
		0.25, 1e-9);
	assert_float_equal(
		nm_tunnel_spread(&bench, NM_TUNNEL_KERNEL, true, traffic, NM_TUNNEL_MACHINE).median,
		2, 1e-9);
	assert_float_equal(
		nm_tunnel_spread(&bench, NM_TUNNEL_KERNEL, true, traffic, NM_TUNNEL_PER_MACHINE)
			.median,
		0.25, 1e-9);
	assert_int_equal(
		nm_tunnel_spread(&bench, NM_TUNNEL_KERNEL, true, traffic, NM_TUNNEL_MACHINE_OF_XFRM)
			.n,
		2);
	assert_float_equal(
		nm_tunnel_spread(&bench, NM_TUNNEL_KERNEL, true, traffic, NM_TUNNEL_MACHINE_OF_XFRM)
			.median,
		0.1875, 1e-9);
	assert_int_equal(
		nm_tunnel_spread(&bench, NM_TUNNEL_KERNEL, true, traffic, NM_TUNNEL_OF_PLAIN).n, 0);
	nm_tunnel_bench_done(&bench);
}

static void test_what_is_wanted(void **state)
{
	struct nm_tunnel_bench bench;
	char name[48];

	(void)state;
	assert_int_equal(nm_tunnel_bench_init(&bench), 0);
	assert_int_equal(bench.baseline, NM_TUNNEL_PLAIN);
	for (size_t kind = 0; kind < NM_TUNNEL_KINDS; kind++)
		assert_int_equal(bench.wants_kind[kind], kind <= NM_TUNNEL_OPENVPN);
	bench.setup.workers = 4;
	assert_string_equal(
		nm_tunnel_name(&bench, NM_TUNNEL_WORKERS, name, sizeof(name)), "natmux, 4 workers");
	assert_string_equal(nm_tunnel_name(&bench, NM_TUNNEL_NATMUX, name, sizeof(name)), "natmux");
	nm_tunnel_bench_done(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load_is_read),
		cmocka_unit_test(test_load_that_is_none),
		cmocka_unit_test(test_programs_are_found),
		cmocka_unit_test(test_kernel_needs_what_it_needs),
		cmocka_unit_test(test_busy_ticks),
		cmocka_unit_test(test_usage_of_processes),
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_packets_of_a_state),
		cmocka_unit_test(test_rounds_of_the_kernel),
		cmocka_unit_test(test_what_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
