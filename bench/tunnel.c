/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario "tunnel": what was asked for on the command line, measured and shown. */
#include <string.h>
#include <natmux/error.h>

#include "bench/console.h"
#include "bench/kernel_esp.h"
#include "bench/scenario.h"
#include "bench/tunnel.h"
#include "bench/tunnel_report.h"

enum { WORKERS_MAX = 16 };

struct tunnel_options {
	const char *plane, *offloads, *traffic, *congestion, *natmuxd;
	bool has_peers;
	unsigned int seconds, workers;
	struct nm_run_options run;
};

/* Which of the tunnels. */
static bool choose_kinds(struct nm_tunnel_bench *bench, const struct tunnel_options *options)
{
	bool is_kernel = strcmp(options->plane, "kernel") == 0;

	if (!is_kernel && strcmp(options->plane, "user") != 0) {
		nm_console_error(
			"--plane: found \"%s\", allowed are user and kernel", options->plane);
		return false;
	}
	if (is_kernel && (options->has_peers || options->workers > 1)) {
		nm_console_error(
			"--plane kernel has no %s", options->has_peers ? "--peers" : "--workers");
		return false;
	}
	for (size_t kind = NM_TUNNEL_PLAIN; kind < NM_TUNNEL_KINDS; kind++)
		bench->wants_kind[kind] = false;
	bench->baseline = is_kernel ? NM_TUNNEL_XFRM : NM_TUNNEL_PLAIN;
	bench->wants_kind[bench->baseline] = true;
	bench->wants_kind[is_kernel ? NM_TUNNEL_KERNEL : NM_TUNNEL_NATMUX] = true;
	for (size_t kind = NM_TUNNEL_LIBIPSEC; kind <= NM_TUNNEL_OPENVPN; kind++)
		bench->wants_kind[kind] = options->has_peers;
	bench->wants_kind[NM_TUNNEL_WORKERS] = options->workers > 1;
	bench->setup.workers = options->workers;
	return true;
}

/* "on", "off" or nothing. */
static bool choose_offloads(struct nm_tunnel_bench *bench, const char *offloads)
{
	if (!offloads)
		return true;
	bench->wants_offloads[true] = strcmp(offloads, "on") == 0;
	bench->wants_offloads[false] = strcmp(offloads, "off") == 0;
	if (bench->wants_offloads[true] || bench->wants_offloads[false])
		return true;
	nm_console_error("--offloads: found \"%s\", allowed are on and off", offloads);
	return false;
}

/* A part of a traffic's name. */
static bool choose_traffic(struct nm_tunnel_bench *bench, const char *traffic)
{
	bool found = !traffic;

	for (size_t i = 0; traffic && i < NM_TUNNEL_TRAFFICS; i++) {
		bench->wants_traffic[i] = strcasestr(nm_tunnel_traffics[i].name, traffic) != NULL;
		found |= bench->wants_traffic[i];
	}
	if (!found)
		nm_console_error("--traffic: found \"%s\", allowed are words of \"TCP 1 stream\", "
				 "\"UDP 64 bytes\" and so on",
			traffic);
	return found;
}

static bool choose(struct nm_tunnel_bench *bench, const struct tunnel_options *options)
{
	bench->rounds = options->run.repeat < NM_TUNNEL_ROUNDS_MAX ? options->run.repeat
								   : NM_TUNNEL_ROUNDS_MAX;
	bench->seconds = options->seconds;
	bench->congestion = options->congestion;
	bench->setup.natmuxd = options->natmuxd;
	return choose_kinds(bench, options) && choose_offloads(bench, options->offloads) &&
	       choose_traffic(bench, options->traffic);
}

/* Measures what was chosen. Returns the exit code. */
static int measure(
	struct nm_tunnel_bench *bench, const struct nm_run_options *run, int argc, char **argv)
{
	const char *missing = bench->baseline == NM_TUNNEL_XFRM ? nm_kernel_esp_missing() : NULL;
	struct nm_report *report;
	int err;

	if (missing) {
		nm_console_error("%s", missing);
		return NM_EXIT_FAILED;
	}
	report = nm_tunnel_report_open(bench, run, argc, argv);
	if (!report)
		return NM_EXIT_FAILED;
	err = nm_tunnel_bench_run(bench, "tunnel");
	nm_tunnel_report_rows(report, bench);
	return nm_report_close(report) == NM_EXIT_OK && err == 0 ? NM_EXIT_OK : NM_EXIT_FAILED;
}

static int run(int argc, char **argv)
{
	struct tunnel_options options = {
		.plane = "user", .natmuxd = "natmuxd", .seconds = 3, .workers = 1, .run.repeat = 3};
	const struct nm_option table[] = {
		{"plane", NM_OPTION_TEXT, "WORD", "of ESP: user or kernel (user)", &options.plane,
			0, 0},
		{"workers", NM_OPTION_NUMBER, "N", "natmuxd with N workers beside one with one",
			&options.workers, 1, WORKERS_MAX},
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
	int code = NM_EXIT_USAGE;

	switch (nm_options_parse("tunnel",
		"iperf3 through natmux between two network namespaces, and through plain veth; "
		"with\n"
		"--plane kernel through the kernel's ESP, with natmuxd and without.\n"
		"Needs root, ip(8) and iperf3(1).",
		table, sizeof(table) / sizeof(table[0]), &options.run, argc, argv)) {
	case NM_OPTIONS_OK: break;
	case NM_OPTIONS_HELP: return NM_EXIT_OK;
	case NM_OPTIONS_WRONG: return NM_EXIT_USAGE;
	}
	if (nm_tunnel_bench_init(&bench) < 0)
		return NM_EXIT_FAILED;
	if (choose(&bench, &options))
		code = measure(&bench, &options.run, argc, argv);
	nm_tunnel_bench_done(&bench);
	return code;
}

const struct nm_scenario nm_scenario_tunnel = {
	.name = "tunnel",
	.summary = "throughput of a tunnel between two namespaces",
	.run = run,
};
