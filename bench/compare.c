/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario "compare": every tunnel that is installed here, one row each. */
#include <math.h>
#include <stdio.h>
#include <natmux/error.h>

#include "bench/report.h"
#include "bench/scenario.h"
#include "bench/stopwatch.h"
#include "bench/tunnel.h"

enum {
	COLUMN_TUNNEL,
	COLUMN_CELLS, /* offloads on, then off; traffic by traffic */
	COLUMN_PER_CPU = COLUMN_CELLS + NM_TUNNEL_OFFLOADS * NM_TUNNEL_TRAFFICS,
	COLUMN_RATE,
	COLUMN_COUNT
};

static const struct nm_column columns[COLUMN_COUNT] = {
	[COLUMN_TUNNEL] = {"tunnel", "of plain veth", NM_FIELD_TEXT, 0},
	[COLUMN_CELLS] = {"tcp1", "TCP 1", NM_FIELD_REAL, 2},
	[COLUMN_CELLS + 1] = {"tcp8", "TCP 8", NM_FIELD_REAL, 2},
	[COLUMN_CELLS + 2] = {"udp64", "UDP 64", NM_FIELD_REAL, 2},
	[COLUMN_CELLS + 3] = {"udp512", "512", NM_FIELD_REAL, 2},
	[COLUMN_CELLS + 4] = {"udp1400", "1400", NM_FIELD_REAL, 2},
	[COLUMN_CELLS + 5] = {"tcp1_off", "no offloads: TCP 1", NM_FIELD_REAL, 2},
	[COLUMN_CELLS + 6] = {"tcp8_off", "TCP 8", NM_FIELD_REAL, 2},
	[COLUMN_CELLS + 7] = {"udp64_off", "UDP 64", NM_FIELD_REAL, 2},
	[COLUMN_CELLS + 8] = {"udp512_off", "512", NM_FIELD_REAL, 2},
	[COLUMN_CELLS + 9] = {"udp1400_off", "1400", NM_FIELD_REAL, 2},
	[COLUMN_PER_CPU] = {"gbit_per_cpu_s", "Gbit per CPU s", NM_FIELD_REAL, 2},
	[COLUMN_RATE] = {"tcp1_gbit", "TCP 1, Gbit/s", NM_FIELD_REAL, 2},
};

static double median(const struct nm_tunnel_bench *bench, size_t kind, bool offloads,
	size_t traffic, enum nm_tunnel_figure figure)
{
	struct nm_spread spread = nm_tunnel_spread(bench, kind, offloads, traffic, figure);

	return spread.n > 0 ? spread.median : NAN;
}

static void report_tunnel(
	struct nm_report *report, const struct nm_tunnel_bench *bench, size_t kind)
{
	struct nm_field fields[COLUMN_COUNT] = {
		[COLUMN_TUNNEL] = {.text = nm_tunnel_kinds[kind]->name}};

	if (!bench->wants_kind[kind])
		return;
	if (bench->why_not[kind]) {
		nm_report_note(report, "%s: not measured, %s", nm_tunnel_kinds[kind]->name,
			bench->why_not[kind]);
		return;
	}
	for (size_t i = 0; i < NM_TUNNEL_OFFLOADS * NM_TUNNEL_TRAFFICS; i++)
		fields[COLUMN_CELLS + i].real = median(bench, kind, i < NM_TUNNEL_TRAFFICS,
			i % NM_TUNNEL_TRAFFICS, NM_TUNNEL_OF_PLAIN);
	fields[COLUMN_PER_CPU].real = median(bench, kind, true, 0, NM_TUNNEL_PER_CPU);
	fields[COLUMN_RATE].real = median(bench, kind, true, 0, NM_TUNNEL_RATE);
	nm_report_row(report, fields);
}

static int run(int argc, char **argv)
{
	static struct nm_tunnel_bench bench;
	struct nm_run_options options = {.repeat = 3};
	unsigned int seconds = 2;
	const char *natmuxd = "natmuxd";
	const struct nm_option table[] = {
		{"seconds", NM_OPTION_NUMBER, "S", "of one test (2)", &seconds, 1, 600},
		{"natmuxd", NM_OPTION_TEXT, "PATH", "the natmuxd to run (natmuxd)", &natmuxd, 0, 0},
	};
	struct nm_report *report;
	int err;

	switch (nm_options_parse("compare",
		"natmux beside strongSwan's kernel-libipsec, wireguard-go and OpenVPN, as far as\n"
		"they are installed: received traffic as a part of what plain veth carries in the\n"
		"same round, medians. TCP in bits, UDP in packets. See natmux-bench tunnel.",
		table, sizeof(table) / sizeof(table[0]), &options, argc, argv)) {
	case NM_OPTIONS_OK: break;
	case NM_OPTIONS_HELP: return NM_EXIT_OK;
	case NM_OPTIONS_WRONG: return NM_EXIT_USAGE;
	}
	if (nm_tunnel_bench_init(&bench) < 0)
		return NM_EXIT_FAILED;
	report = nm_report_open(&options, argc, argv, columns, COLUMN_COUNT);
	if (!report) {
		nm_tunnel_bench_done(&bench);
		return NM_EXIT_FAILED;
	}
	bench.rounds =
		options.repeat < NM_TUNNEL_ROUNDS_MAX ? options.repeat : NM_TUNNEL_ROUNDS_MAX;
	bench.seconds = seconds;
	bench.setup.natmuxd = natmuxd;
	err = nm_tunnel_bench_run(&bench, "compare");
	for (size_t kind = 0; kind < NM_TUNNEL_KINDS; kind++)
		report_tunnel(report, &bench, kind);
	nm_report_note(report,
		"first five columns: veth as the kernel makes it; next five: its offloads all off; "
		"last two: TCP 1 with offloads; load average %.2f",
		nm_stopwatch_load());
	nm_tunnel_bench_done(&bench);
	return nm_report_close(report) == NM_EXIT_OK && err == 0 ? NM_EXIT_OK : NM_EXIT_FAILED;
}

const struct nm_scenario nm_scenario_compare = {
	.name = "compare",
	.summary = "tunnels of all houses, in one table",
	.run = run,
};
