/* SPDX-License-Identifier: Apache-2.0 */
/* Labs, rounds and samples of the tunnels. */
#include "bench/tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <natmux/error.h>

#include "bench/console.h"
#include "bench/load.h"
#include "bench/stopwatch.h"

enum { ROUNDS = 3, SECONDS = 3 };

const struct nm_tunnel_traffic nm_tunnel_traffics[NM_TUNNEL_TRAFFICS] = {
	{"TCP 1 stream", false, 1, 0},
	{"TCP 8 streams", false, 8, 0},
	{"UDP 64 bytes", true, 1, 64},
	{"UDP 512 bytes", true, 1, 512},
	{"UDP 1400 bytes", true, 1, 1400},
};

int nm_tunnel_bench_init(struct nm_tunnel_bench *bench)
{
	memset(bench, 0, sizeof(*bench));
	memset(bench->wants_kind, true, sizeof(bench->wants_kind));
	memset(bench->wants_traffic, true, sizeof(bench->wants_traffic));
	memset(bench->wants_offloads, true, sizeof(bench->wants_offloads));
	bench->setup.natmuxd = "natmuxd";
	bench->rounds = ROUNDS;
	bench->seconds = SECONDS;
	bench->samples = calloc(nm_tunnel_kinds_len, sizeof(*bench->samples));
	return bench->samples ? 0 : NATMUX_ENOMEM;
}

void nm_tunnel_bench_done(struct nm_tunnel_bench *bench)
{
	for (size_t i = 0; i < nm_tunnel_kinds_len; i++)
		nm_lab_done(&bench->labs[i]);
	free(bench->samples);
	bench->samples = NULL;
}

static bool is_ready(const struct nm_tunnel_bench *bench, size_t kind)
{
	return bench->wants_kind[kind] && !bench->why_not[kind];
}

static void bring_up(struct nm_tunnel_bench *bench, size_t kind)
{
	const struct nm_tunnel_kind *ops = nm_tunnel_kinds[kind];
	struct nm_lab *lab = &bench->labs[kind];
	int err;

	if (!bench->wants_kind[kind])
		return;
	bench->why_not[kind] = ops->missing(&bench->setup);
	if (bench->why_not[kind])
		return;
	err = nm_lab_init(lab);
	if (err == 0)
		err = ops->start(lab, &bench->setup);
	bench->gateways[kind] = lab->children_len;
	if (err == 0)
		err = nm_load_serve(lab);
	if (err == 0)
		return;
	bench->why_not[kind] = "it did not come up";
	nm_lab_done(lab);
}

/* Seconds of processor time that a process with all its threads has had. */
static double cpu_seconds(pid_t pid)
{
	unsigned long long user = 0, system = 0;
	char path[64], line[1024] = "";
	const char *after;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	/* The second field, a name in brackets, may contain anything. */
	after = strrchr(line, ')');
	if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
			      &user, &system) != 2)
		return 0;
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static uint64_t resident(pid_t pid)
{
	unsigned long long total, pages = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	file = fopen(path, "r");
	if (file && fscanf(file, "%llu %llu", &total, &pages) != 2)
		pages = 0;
	if (file)
		fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Gateways are started side by side: those of A are the even ones. */
static void read_cpu(const struct nm_tunnel_bench *bench, size_t kind, double cpu_s[NM_LAB_SIDES])
{
	cpu_s[NM_LAB_A] = cpu_s[NM_LAB_B] = 0;
	for (size_t i = 0; i < bench->gateways[kind]; i++)
		cpu_s[i % NM_LAB_SIDES] += cpu_seconds(bench->labs[kind].children[i]);
}

static int measure(struct nm_tunnel_bench *bench, size_t kind,
	const struct nm_tunnel_traffic *traffic, struct nm_tunnel_sample *sample)
{
	const struct nm_load load = {
		.target = nm_tunnel_kinds[kind]->target,
		.is_udp = traffic->is_udp,
		.streams = traffic->streams,
		.size = traffic->size,
		.seconds = bench->seconds,
		.congestion = bench->congestion,
	};
	double before[NM_LAB_SIDES], after[NM_LAB_SIDES];
	struct nm_load_result result;
	int err;

	read_cpu(bench, kind, before);
	err = nm_load_run(&bench->labs[kind], &load, &result);
	if (err < 0)
		return err;
	read_cpu(bench, kind, after);
	*sample = (struct nm_tunnel_sample){
		.is_known = true,
		.bits = result.bits,
		.packets = result.packets,
		.loss = result.loss,
		.cpu_s = {after[NM_LAB_A] - before[NM_LAB_A], after[NM_LAB_B] - before[NM_LAB_B]},
		.seconds = result.seconds,
	};
	for (size_t i = 0; i < bench->gateways[kind]; i++) {
		uint64_t bytes = resident(bench->labs[kind].children[i]);

		if (bytes > sample->resident)
			sample->resident = bytes;
	}
	return 0;
}

/* Nobody shall always come after the same one. A test that fails leaves a gap, no more. */
static void measure_cell(struct nm_tunnel_bench *bench, bool offloads, size_t traffic,
	unsigned int round, const char *scenario)
{
	for (size_t i = 0; i < nm_tunnel_kinds_len && !nm_console_stopped(); i++) {
		size_t kind = (i + round) % nm_tunnel_kinds_len;

		if (!is_ready(bench, kind))
			continue;
		nm_console_progress("%s: round %u of %u, offloads %s, %s, %s", scenario, round + 1,
			bench->rounds, offloads ? "on" : "off", nm_tunnel_traffics[traffic].name,
			nm_tunnel_kinds[kind]->name);
		measure(bench, kind, &nm_tunnel_traffics[traffic],
			&bench->samples[kind][offloads][traffic][round]);
	}
}

static int set_offloads(struct nm_tunnel_bench *bench, bool are_on)
{
	for (size_t kind = 0; kind < nm_tunnel_kinds_len; kind++)
		if (is_ready(bench, kind) && nm_lab_set_offloads(&bench->labs[kind], are_on) < 0)
			return NATMUX_ESYSTEM;
	return 0;
}

static int run_round(struct nm_tunnel_bench *bench, unsigned int round, const char *scenario)
{
	for (unsigned int offloads = 0; offloads < NM_TUNNEL_OFFLOADS; offloads++) {
		if (!bench->wants_offloads[offloads])
			continue;
		if (set_offloads(bench, offloads) < 0)
			return NATMUX_ESYSTEM;
		for (size_t traffic = 0; traffic < NM_TUNNEL_TRAFFICS; traffic++)
			if (bench->wants_traffic[traffic])
				measure_cell(bench, offloads, traffic, round, scenario);
	}
	return 0;
}

int nm_tunnel_bench_run(struct nm_tunnel_bench *bench, const char *scenario)
{
	const char *missing = nm_load_missing();
	int err = 0;

	if (missing) {
		nm_console_error("%s", missing);
		return NATMUX_ESYSTEM;
	}
	for (size_t kind = 0; kind < nm_tunnel_kinds_len && !nm_console_stopped(); kind++) {
		nm_console_progress("%s: starting %s", scenario, nm_tunnel_kinds[kind]->name);
		bring_up(bench, kind);
	}
	if (!is_ready(bench, NM_TUNNEL_PLAIN))
		return NATMUX_ESYSTEM;
	for (unsigned int round = 0; err == 0 && round < bench->rounds && !nm_console_stopped();
		round++)
		err = run_round(bench, round, scenario);
	return err;
}

static double rate_of(const struct nm_tunnel_sample *sample, size_t traffic)
{
	return nm_tunnel_traffics[traffic].is_udp ? sample->packets / 1e3 : sample->bits / 1e9;
}

static double cpu_of(const struct nm_tunnel_sample *sample)
{
	return sample->cpu_s[NM_LAB_A] + sample->cpu_s[NM_LAB_B];
}

static double per_cpu(const struct nm_tunnel_sample *sample)
{
	double cpu_s = cpu_of(sample);

	return cpu_s > 0 ? sample->bits / 1e9 * sample->seconds / cpu_s : 0;
}

/* Below zero: not known in this round. */
static double figure_of(const struct nm_tunnel_bench *bench, size_t kind, bool offloads,
	size_t traffic, enum nm_tunnel_figure figure, unsigned int round)
{
	const struct nm_tunnel_sample *sample = &bench->samples[kind][offloads][traffic][round];
	const struct nm_tunnel_sample *base =
		&bench->samples[figure == NM_TUNNEL_OF_LIBIPSEC
					? NM_TUNNEL_LIBIPSEC
					: NM_TUNNEL_PLAIN][offloads][traffic][round];

	if (!sample->is_known)
		return -1;
	switch (figure) {
	case NM_TUNNEL_RATE: return rate_of(sample, traffic);
	case NM_TUNNEL_OF_PLAIN:
		return base->is_known ? rate_of(sample, traffic) / rate_of(base, traffic) : -1;
	case NM_TUNNEL_LOSS: return sample->loss * 100;
	case NM_TUNNEL_CPU: return cpu_of(sample) / sample->seconds;
	case NM_TUNNEL_PER_CPU: return cpu_of(sample) > 0 ? per_cpu(sample) : -1;
	case NM_TUNNEL_OF_LIBIPSEC:
		return base->is_known && per_cpu(base) > 0 && per_cpu(sample) > 0
			       ? per_cpu(sample) / per_cpu(base)
			       : -1;
	}
	return -1;
}

struct nm_spread nm_tunnel_spread(const struct nm_tunnel_bench *bench, size_t kind, bool offloads,
	size_t traffic, enum nm_tunnel_figure figure)
{
	double values[NM_TUNNEL_ROUNDS_MAX];
	size_t n = 0;

	for (unsigned int round = 0; round < bench->rounds; round++) {
		double value = figure_of(bench, kind, offloads, traffic, figure, round);

		if (value >= 0)
			values[n++] = value;
	}
	return nm_spread_of(values, n);
}
