/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario "tunnel": natmux between two namespaces, beside plain veth and, asked for, its peers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "bench/console.h"
#include "bench/report.h"
#include "bench/scenario.h"
#include "bench/stopwatch.h"
#include "bench/tunnel.h"

enum {
	COLUMN_TRAFFIC,
	COLUMN_OFFLOADS,
	COLUMN_TUNNEL,
	COLUMN_RATE,
	COLUMN_UNIT,
	COLUMN_OF_PLAIN,
	COLUMN_LOSS,
	COLUMN_CPU,
	COLUMN_PER_CPU,
	COLUMN_OF_LIBIPSEC,
	COLUMN_RESIDENT,
	COLUMN_GOAL,
	COLUMN_GOAL_CPU,
	COLUMN_COUNT
};

static const struct nm_column columns[COLUMN_COUNT] = {
	[COLUMN_TRAFFIC] = {"traffic", "traffic", NM_FIELD_TEXT, 0},
	[COLUMN_OFFLOADS] = {"offloads", "offloads", NM_FIELD_TEXT, 0},
	[COLUMN_TUNNEL] = {"tunnel", "tunnel", NM_FIELD_TEXT, 0},
	[COLUMN_RATE] = {"rate", "received", NM_FIELD_SPREAD, 2},
	[COLUMN_UNIT] = {"unit", "", NM_FIELD_TEXT, 0},
	[COLUMN_OF_PLAIN] = {"of_plain", "of plain", NM_FIELD_SPREAD, 2},
	[COLUMN_LOSS] = {"loss_percent", "lost %", NM_FIELD_SPREAD, 0},
	[COLUMN_CPU] = {"cpu", "CPUs busy", NM_FIELD_SPREAD, 2},
	[COLUMN_PER_CPU] = {"gbit_per_cpu_s", "Gbit per CPU s", NM_FIELD_SPREAD, 2},
	[COLUMN_OF_LIBIPSEC] = {"of_libipsec", "times libipsec", NM_FIELD_SPREAD, 1},
	[COLUMN_RESIDENT] = {"resident_mib", "RSS, MiB", NM_FIELD_REAL, 1},
	[COLUMN_GOAL] = {"goal", "goal, of plain", NM_FIELD_GOAL, 0},
	[COLUMN_GOAL_CPU] = {"goal_cpu", "goal, times libipsec", NM_FIELD_GOAL, 0},
};

/* Of plain veth, by traffic: offloads off, on. 0: none. */
static const double goals[NM_TUNNEL_TRAFFICS][NM_TUNNEL_OFFLOADS] = {
	{0.35, 0.50}, {0, 0}, {0.40, 0.40}, {0, 0}, {0, 0}};

static const double GOAL_OF_LIBIPSEC = 3;

static double last_resident(
	const struct nm_tunnel_bench *bench, size_t kind, bool offloads, size_t traffic)
{
	double bytes = NAN;

	for (unsigned int round = 0; round < bench->rounds; round++) {
		const struct nm_tunnel_sample *sample =
			&bench->samples[kind][offloads][traffic][round];

		if (sample->is_known && sample->resident > 0)
			bytes = (double)sample->resident;
	}
	return bytes / (1 << 20);
}

static void set_goals(struct nm_field *fields, bool offloads, size_t traffic)
{
	const struct nm_spread *of_plain = &fields[COLUMN_OF_PLAIN].spread;
	const struct nm_spread *of_libipsec = &fields[COLUMN_OF_LIBIPSEC].spread;
	double goal = goals[traffic][offloads];

	if (goal > 0 && of_plain->n > 0)
		fields[COLUMN_GOAL].goal =
			(struct nm_goal){NM_GOAL_AT_LEAST, goal, of_plain->median};
	if (!nm_tunnel_traffics[traffic].is_udp && of_libipsec->n > 0)
		fields[COLUMN_GOAL_CPU].goal =
			(struct nm_goal){NM_GOAL_AT_LEAST, GOAL_OF_LIBIPSEC, of_libipsec->median};
}

static void report_cell(struct nm_report *report, const struct nm_tunnel_bench *bench, size_t kind,
	bool offloads, size_t traffic)
{
	struct nm_field fields[COLUMN_COUNT] = {
		[COLUMN_TRAFFIC] = {.text = nm_tunnel_traffics[traffic].name},
		[COLUMN_OFFLOADS] = {.text = offloads ? "on" : "off"},
		[COLUMN_TUNNEL] = {.text = nm_tunnel_kinds[kind]->name},
		[COLUMN_UNIT] = {.text = nm_tunnel_traffics[traffic].is_udp ? "kpps" : "Gbit/s"},
	};
	static const struct {
		unsigned int column;
		enum nm_tunnel_figure figure;
	} figures[] = {{COLUMN_RATE, NM_TUNNEL_RATE}, {COLUMN_OF_PLAIN, NM_TUNNEL_OF_PLAIN},
		{COLUMN_LOSS, NM_TUNNEL_LOSS}, {COLUMN_CPU, NM_TUNNEL_CPU},
		{COLUMN_PER_CPU, NM_TUNNEL_PER_CPU}, {COLUMN_OF_LIBIPSEC, NM_TUNNEL_OF_LIBIPSEC}};

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		fields[figures[i].column].spread =
			nm_tunnel_spread(bench, kind, offloads, traffic, figures[i].figure);
	if (fields[COLUMN_RATE].spread.n == 0)
		return;
	fields[COLUMN_RESIDENT].real = last_resident(bench, kind, offloads, traffic);
	if (kind == NM_TUNNEL_NATMUX)
		set_goals(fields, offloads, traffic);
	nm_report_row(report, fields);
}

static void report_all(struct nm_report *report, const struct nm_tunnel_bench *bench)
{
	/* What is best known comes first: offloads as the kernel has them. */
	for (unsigned int i = 0; i < NM_TUNNEL_OFFLOADS; i++)
		for (size_t traffic = 0; traffic < NM_TUNNEL_TRAFFICS; traffic++)
			for (size_t kind = 0; kind < nm_tunnel_kinds_len; kind++)
				report_cell(report, bench, kind, i == 0, traffic);
	for (size_t kind = 0; kind < nm_tunnel_kinds_len; kind++)
		if (bench->wants_kind[kind] && bench->why_not[kind])
			nm_report_note(report, "%s: not measured, %s", nm_tunnel_kinds[kind]->name,
				bench->why_not[kind]);
	nm_report_note(report,
		"everything on this machine's processors, iperf3 too; %u s a test, all tunnels in "
		"turns; load average %.2f",
		bench->seconds, nm_stopwatch_load());
}

struct tunnel_options {
	const char *offloads, *traffic, *congestion, *natmuxd;
	bool has_peers;
	unsigned int seconds;
	struct nm_run_options run;
};

/* "on", "off" or nothing; a part of a traffic's name. */
static bool choose(struct nm_tunnel_bench *bench, const struct tunnel_options *options)
{
	bool found = !options->traffic;

	bench->rounds = options->run.repeat;
	bench->seconds = options->seconds;
	bench->congestion = options->congestion;
	bench->setup.natmuxd = options->natmuxd;
	for (size_t kind = NM_TUNNEL_LIBIPSEC; kind < nm_tunnel_kinds_len; kind++)
		bench->wants_kind[kind] = options->has_peers;
	if (options->offloads) {
		bench->wants_offloads[true] = strcmp(options->offloads, "on") == 0;
		bench->wants_offloads[false] = strcmp(options->offloads, "off") == 0;
	}
	for (size_t i = 0; options->traffic && i < NM_TUNNEL_TRAFFICS; i++) {
		bench->wants_traffic[i] =
			strcasestr(nm_tunnel_traffics[i].name, options->traffic) != NULL;
		found |= bench->wants_traffic[i];
	}
	if (!found)
		nm_console_error("--traffic: found \"%s\", allowed are words of \"TCP 1 stream\", "
				 "\"UDP 64 bytes\" and so on",
			options->traffic);
	if (!bench->wants_offloads[true] && !bench->wants_offloads[false])
		nm_console_error(
			"--offloads: found \"%s\", allowed are on and off", options->offloads);
	return found && (bench->wants_offloads[true] || bench->wants_offloads[false]);
}

static int run(int argc, char **argv)
{
	struct tunnel_options options = {.natmuxd = "natmuxd", .seconds = 3, .run.repeat = 3};
	const struct nm_option table[] = {
		{"peers", NM_OPTION_FLAG, NULL, "other tunnels beside it, where installed",
			&options.has_peers, 0, 0},
		{"seconds", NM_OPTION_NUMBER, "S", "of one test (3)", &options.seconds, 1, 600},
		{"offloads", NM_OPTION_TEXT, "WORD", "of veth: on or off (both)", &options.offloads,
			0, 0},
		{"traffic", NM_OPTION_TEXT, "TEXT", "only what has this in its name (TCP, UDP 64)",
			&options.traffic, 0, 0},
		{"natmuxd", NM_OPTION_TEXT, "PATH", "the natmuxd to run (natmuxd)",
			&options.natmuxd, 0, 0},
		{"congestion", NM_OPTION_TEXT, "WORD", "control of TCP, such as cubic",
			&options.congestion, 0, 0},
	};
	static struct nm_tunnel_bench bench;
	struct nm_report *report;
	int err;

	switch (nm_options_parse("tunnel",
		"iperf3 through natmux between two network namespaces, and through plain veth.\n"
		"Needs root, ip(8) and iperf3(1).",
		table, sizeof(table) / sizeof(table[0]), &options.run, argc, argv)) {
	case NM_OPTIONS_OK: break;
	case NM_OPTIONS_HELP: return NM_EXIT_OK;
	case NM_OPTIONS_WRONG: return NM_EXIT_USAGE;
	}
	if (options.run.repeat > NM_TUNNEL_ROUNDS_MAX)
		options.run.repeat = NM_TUNNEL_ROUNDS_MAX;
	if (nm_tunnel_bench_init(&bench) < 0)
		return NM_EXIT_FAILED;
	if (!choose(&bench, &options)) {
		nm_tunnel_bench_done(&bench);
		return NM_EXIT_USAGE;
	}
	report = nm_report_open(&options.run, argc, argv, columns, COLUMN_COUNT);
	if (!report) {
		nm_tunnel_bench_done(&bench);
		return NM_EXIT_FAILED;
	}
	err = nm_tunnel_bench_run(&bench, "tunnel");
	report_all(report, &bench);
	nm_tunnel_bench_done(&bench);
	return nm_report_close(report) == NM_EXIT_OK && err == 0 ? NM_EXIT_OK : NM_EXIT_FAILED;
}

const struct nm_scenario nm_scenario_tunnel = {
	.name = "tunnel",
	.summary = "throughput of a tunnel between two namespaces",
	.run = run,
};
