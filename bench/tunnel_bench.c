/* SPDX-License-Identifier: Apache-2.0 */
/* Labs, rounds and samples of the tunnels. */
#include "bench/tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "bench/console.h"
#include "bench/load.h"
#include "bench/usage.h"

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
	memset(bench->wants_kind, true, NM_TUNNEL_OPENVPN + 1);
	memset(bench->wants_traffic, true, sizeof(bench->wants_traffic));
	memset(bench->wants_offloads, true, sizeof(bench->wants_offloads));
	bench->setup = (struct nm_tunnel_setup){.natmuxd = "natmuxd", .workers = 1};
	bench->baseline = NM_TUNNEL_PLAIN;
	bench->rounds = ROUNDS;
	bench->seconds = SECONDS;
	bench->samples = calloc(NM_TUNNEL_KINDS, sizeof(*bench->samples));
	return bench->samples ? 0 : NATMUX_ENOMEM;
}

void nm_tunnel_bench_done(struct nm_tunnel_bench *bench)
{
	for (size_t i = 0; i < NM_TUNNEL_KINDS; i++)
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

/* Gateways are started side by side: those of A are the even ones. */
static void read_cpu(const struct nm_tunnel_bench *bench, size_t kind, double cpu_s[NM_LAB_SIDES])
{
	cpu_s[NM_LAB_A] = cpu_s[NM_LAB_B] = 0;
	for (size_t i = 0; i < bench->gateways[kind]; i++)
		cpu_s[i % NM_LAB_SIDES] += nm_usage_process_s(bench->labs[kind].children[i]);
}

/* Packets that have come out of it; below zero: not known. */
static double read_carried(struct nm_tunnel_bench *bench, size_t kind)
{
	const struct nm_tunnel_kind *ops = nm_tunnel_kinds[kind];

	return ops->carried ? ops->carried(&bench->labs[kind]) : -1;
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
	double before[NM_LAB_SIDES], after[NM_LAB_SIDES], machine_s;
	double carried = read_carried(bench, kind);
	struct nm_load_result result;
	int err;

	read_cpu(bench, kind, before);
	machine_s = nm_usage_machine_s();
	err = nm_load_run(&bench->labs[kind], &load, &result);
	if (err < 0)
		return err;
	machine_s = nm_usage_machine_s() - machine_s;
	read_cpu(bench, kind, after);
	carried = carried >= 0 ? read_carried(bench, kind) - carried : 0;
	*sample = (struct nm_tunnel_sample){
		.is_known = true,
		.bits = result.bits,
		.packets = result.packets,
		.loss = result.loss,
		.cpu_s = {after[NM_LAB_A] - before[NM_LAB_A], after[NM_LAB_B] - before[NM_LAB_B]},
		.machine_s = machine_s,
		.carried = carried,
		.seconds = result.seconds,
	};
	for (size_t i = 0; i < bench->gateways[kind]; i++) {
		uint64_t bytes = nm_usage_resident(bench->labs[kind].children[i]);

		if (bytes > sample->resident)
			sample->resident = bytes;
	}
	return 0;
}

/* Nobody shall always come after the same one. A test that fails leaves a gap, no more. */
static void measure_cell(struct nm_tunnel_bench *bench, bool offloads, size_t traffic,
	unsigned int round, const char *scenario)
{
	size_t kinds[NM_TUNNEL_KINDS] = {0}, n = 0;

	for (size_t kind = 0; kind < NM_TUNNEL_KINDS; kind++)
		if (is_ready(bench, kind))
			kinds[n++] = kind;
	for (size_t i = 0; i < n && !nm_console_stopped(); i++) {
		size_t kind = kinds[(i + round) % n];

		nm_console_progress("%s: round %u of %u, offloads %s, %s, %s", scenario, round + 1,
			bench->rounds, offloads ? "on" : "off", nm_tunnel_traffics[traffic].name,
			nm_tunnel_kinds[kind]->name);
		measure(bench, kind, &nm_tunnel_traffics[traffic],
			&bench->samples[kind][offloads][traffic][round]);
	}
}

static int set_offloads(struct nm_tunnel_bench *bench, bool are_on)
{
	for (size_t kind = 0; kind < NM_TUNNEL_KINDS; kind++)
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
	for (size_t kind = 0; kind < NM_TUNNEL_KINDS && !nm_console_stopped(); kind++) {
		if (bench->wants_kind[kind])
			nm_console_progress(
				"%s: starting %s", scenario, nm_tunnel_kinds[kind]->name);
		bring_up(bench, kind);
	}
	if (!is_ready(bench, bench->baseline))
		return NATMUX_ESYSTEM;
	for (unsigned int round = 0; err == 0 && round < bench->rounds && !nm_console_stopped();
		round++)
		err = run_round(bench, round, scenario);
	return err;
}

const char *nm_tunnel_name(
	const struct nm_tunnel_bench *bench, size_t kind, char *name, size_t size)
{
	if (kind == NM_TUNNEL_WORKERS)
		snprintf(name, size, "natmux, %u workers", bench->setup.workers);
	else
		snprintf(name, size, "%s", nm_tunnel_kinds[kind]->name);
	return name;
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

/* Below zero: not known. */
static double plain_figure(
	const struct nm_tunnel_sample *sample, size_t traffic, enum nm_tunnel_figure figure)
{
	if (!sample->is_known)
		return -1;
	switch (figure) {
	case NM_TUNNEL_RATE: return rate_of(sample, traffic);
	case NM_TUNNEL_LOSS: return sample->loss * 100;
	case NM_TUNNEL_CPU: return cpu_of(sample) / sample->seconds;
	case NM_TUNNEL_PER_CPU: return cpu_of(sample) > 0 ? per_cpu(sample) : -1;
	case NM_TUNNEL_MACHINE: return sample->machine_s / sample->seconds;
	case NM_TUNNEL_CARRIED:
		return sample->carried > 0 ? sample->carried / 1e3 / sample->seconds : -1;
	case NM_TUNNEL_PER_MACHINE:
		return sample->carried > 0 && sample->machine_s > 0
			       ? sample->carried / 1e3 / sample->machine_s
			       : -1;
	case NM_TUNNEL_OF_PLAIN:
	case NM_TUNNEL_OF_ONE:
	case NM_TUNNEL_OF_XFRM:
	case NM_TUNNEL_MACHINE_OF_XFRM:
	case NM_TUNNEL_OF_LIBIPSEC: break;
	}
	return -1;
}

static const struct {
	bool is_ratio;
	enum nm_tunnel_figure figure;
	size_t of;
} ratios[] = {
	[NM_TUNNEL_OF_PLAIN] = {true, NM_TUNNEL_RATE, NM_TUNNEL_PLAIN},
	[NM_TUNNEL_OF_ONE] = {true, NM_TUNNEL_RATE, NM_TUNNEL_NATMUX},
	[NM_TUNNEL_OF_XFRM] = {true, NM_TUNNEL_CARRIED, NM_TUNNEL_XFRM},
	[NM_TUNNEL_MACHINE_OF_XFRM] = {true, NM_TUNNEL_PER_MACHINE, NM_TUNNEL_XFRM},
	[NM_TUNNEL_OF_LIBIPSEC] = {true, NM_TUNNEL_PER_CPU, NM_TUNNEL_LIBIPSEC},
};

/* Below zero: not known in this round. */
static double figure_of(const struct nm_tunnel_bench *bench, size_t kind, bool offloads,
	size_t traffic, enum nm_tunnel_figure figure, unsigned int round)
{
	const struct nm_tunnel_sample *sample = &bench->samples[kind][offloads][traffic][round];
	const struct nm_tunnel_sample *base;
	double value, of;

	if (!ratios[figure].is_ratio)
		return plain_figure(sample, traffic, figure);
	base = &bench->samples[ratios[figure].of][offloads][traffic][round];
	value = plain_figure(sample, traffic, ratios[figure].figure);
	of = plain_figure(base, traffic, ratios[figure].figure);
	return value >= 0 && of > 0 ? value / of : -1;
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
