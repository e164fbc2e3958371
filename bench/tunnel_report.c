/* SPDX-License-Identifier: Apache-2.0 */
/* Puts figures into rows and holds them against the goals. What they are is tunnel_bench.c's. */
#include "bench/tunnel_report.h"

#include <math.h>
#include <stdio.h>

#include "bench/stopwatch.h"

/* What all tables begin with; the first figure after the rate is each one's own. */
enum { TRAFFIC, OFFLOADS, TUNNEL, RATE, UNIT, FIRST, LOSS, SHARED };

#define SHARED_COLUMNS                                                                             \
	[TRAFFIC] = {"traffic", "traffic", NM_FIELD_TEXT, 0},                                      \
	[OFFLOADS] = {"offloads", "offloads", NM_FIELD_TEXT, 0},                                   \
	[TUNNEL] = {"tunnel", "tunnel", NM_FIELD_TEXT, 0},                                         \
	[RATE] = {"rate", "received", NM_FIELD_SPREAD, 2},                                         \
	[UNIT] = {"unit", "", NM_FIELD_TEXT, 0},                                                   \
	[LOSS] = {"loss_percent", "lost %", NM_FIELD_SPREAD, 0}

struct figure {
	unsigned int column;
	enum nm_tunnel_figure figure;
};

/* A table: its columns, where which figure goes, and what else a row has. */
struct view {
	const struct nm_column *columns;
	size_t n;
	const struct figure *figures;
	size_t figures_n;
	void (*finish)(struct nm_field *fields, const struct nm_tunnel_bench *bench, size_t kind,
		bool offloads, size_t traffic);
	const char *about;
};

/* ESP in user space. */

enum {
	USER_OF_PLAIN = FIRST,
	USER_CPU = SHARED,
	USER_PER_CPU,
	USER_OF_LIBIPSEC,
	USER_RESIDENT,
	USER_GOAL,
	USER_GOAL_CPU,
	USER_OF_ONE, /* only where there are workers */
	USER_COUNT
};

static const struct nm_column user_columns[USER_COUNT] = {
	SHARED_COLUMNS,
	[USER_OF_PLAIN] = {"of_plain", "of plain", NM_FIELD_SPREAD, 2},
	[USER_CPU] = {"cpu", "CPUs busy", NM_FIELD_SPREAD, 2},
	[USER_PER_CPU] = {"gbit_per_cpu_s", "Gbit per CPU s", NM_FIELD_SPREAD, 2},
	[USER_OF_LIBIPSEC] = {"of_libipsec", "times libipsec", NM_FIELD_SPREAD, 1},
	[USER_RESIDENT] = {"resident_mib", "RSS, MiB", NM_FIELD_REAL, 1},
	[USER_GOAL] = {"goal", "goal, of plain", NM_FIELD_GOAL, 0},
	[USER_GOAL_CPU] = {"goal_cpu", "goal, times libipsec", NM_FIELD_GOAL, 0},
	[USER_OF_ONE] = {"of_one", "times one worker", NM_FIELD_SPREAD, 2},
};

static const struct figure user_figures[] = {
	{RATE, NM_TUNNEL_RATE},
	{USER_OF_PLAIN, NM_TUNNEL_OF_PLAIN},
	{LOSS, NM_TUNNEL_LOSS},
	{USER_CPU, NM_TUNNEL_CPU},
	{USER_PER_CPU, NM_TUNNEL_PER_CPU},
	{USER_OF_LIBIPSEC, NM_TUNNEL_OF_LIBIPSEC},
	{USER_OF_ONE, NM_TUNNEL_OF_ONE},
};

/* Of plain veth, by traffic: offloads off, on. 0: none. */
static const double user_goals[NM_TUNNEL_TRAFFICS][NM_TUNNEL_OFFLOADS] = {
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

static void set_goal(struct nm_field *field, double limit, const struct nm_spread *spread)
{
	if (limit > 0 && spread->n > 0)
		field->goal = (struct nm_goal){NM_GOAL_AT_LEAST, limit, spread->median};
}

static void finish_user(struct nm_field *fields, const struct nm_tunnel_bench *bench, size_t kind,
	bool offloads, size_t traffic)
{
	fields[USER_RESIDENT].real = last_resident(bench, kind, offloads, traffic);
	if (kind != NM_TUNNEL_NATMUX && kind != NM_TUNNEL_WORKERS)
		fields[USER_OF_ONE].spread.n = 0;
	if (kind != NM_TUNNEL_NATMUX)
		return;
	set_goal(&fields[USER_GOAL], user_goals[traffic][offloads], &fields[USER_OF_PLAIN].spread);
	if (!nm_tunnel_traffics[traffic].is_udp)
		set_goal(
			&fields[USER_GOAL_CPU], GOAL_OF_LIBIPSEC, &fields[USER_OF_LIBIPSEC].spread);
}

/* ESP in the kernel. */

enum {
	KERNEL_CARRIED = FIRST,
	KERNEL_OF_XFRM = SHARED,
	KERNEL_MACHINE,
	KERNEL_PER_MACHINE,
	KERNEL_MACHINE_OF_XFRM,
	KERNEL_GATEWAYS,
	KERNEL_GOAL,
	KERNEL_GOAL_MACHINE,
	KERNEL_COUNT
};

static const struct nm_column kernel_columns[KERNEL_COUNT] = {
	SHARED_COLUMNS,
	[KERNEL_CARRIED] = {"carried", "kpps carried", NM_FIELD_SPREAD, 2},
	[KERNEL_OF_XFRM] = {"of_xfrm", "of ip xfrm", NM_FIELD_SPREAD, 3},
	[KERNEL_MACHINE] = {"machine_cpu", "CPUs busy", NM_FIELD_SPREAD, 2},
	[KERNEL_PER_MACHINE] = {"per_machine_s", "k per CPU s", NM_FIELD_SPREAD, 2},
	[KERNEL_MACHINE_OF_XFRM] = {"machine_of_xfrm", "of ip xfrm", NM_FIELD_SPREAD, 3},
	[KERNEL_GATEWAYS] = {"cpu", "natmuxd's CPUs", NM_FIELD_SPREAD, 2},
	[KERNEL_GOAL] = {"goal", "goal, carried", NM_FIELD_GOAL, 0},
	[KERNEL_GOAL_MACHINE] = {"goal_machine", "goal, per CPU s", NM_FIELD_GOAL, 0},
};

static const struct figure kernel_figures[] = {
	{RATE, NM_TUNNEL_RATE},
	{KERNEL_CARRIED, NM_TUNNEL_CARRIED},
	{KERNEL_OF_XFRM, NM_TUNNEL_OF_XFRM},
	{LOSS, NM_TUNNEL_LOSS},
	{KERNEL_MACHINE, NM_TUNNEL_MACHINE},
	{KERNEL_PER_MACHINE, NM_TUNNEL_PER_MACHINE},
	{KERNEL_MACHINE_OF_XFRM, NM_TUNNEL_MACHINE_OF_XFRM},
	{KERNEL_GATEWAYS, NM_TUNNEL_CPU},
};

static const double GOAL_OF_XFRM = 0.97;

static void finish_kernel(struct nm_field *fields, const struct nm_tunnel_bench *bench, size_t kind,
	bool offloads, size_t traffic)
{
	(void)bench;
	(void)offloads;
	(void)traffic;
	if (kind != NM_TUNNEL_KERNEL)
		return;
	set_goal(&fields[KERNEL_GOAL], GOAL_OF_XFRM, &fields[KERNEL_OF_XFRM].spread);
	set_goal(
		&fields[KERNEL_GOAL_MACHINE], GOAL_OF_XFRM, &fields[KERNEL_MACHINE_OF_XFRM].spread);
}

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct view view_of(const struct nm_tunnel_bench *bench)
{
	if (bench->baseline == NM_TUNNEL_XFRM)
		return (struct view){kernel_columns, KERNEL_COUNT, kernel_figures,
			LENGTH(kernel_figures), finish_kernel,
			"ratios round by round; CPU seconds are the whole machine's"};
	return (struct view){user_columns, bench->setup.workers > 1 ? USER_COUNT : USER_OF_ONE,
		user_figures, LENGTH(user_figures), finish_user,
		"everything on this machine's processors, iperf3 too"};
}

static void report_cell(struct nm_report *report, const struct nm_tunnel_bench *bench, size_t kind,
	bool offloads, size_t traffic)
{
	const struct view view = view_of(bench);
	char name[48];
	struct nm_field fields[NM_REPORT_COLUMNS_MAX] = {
		[TRAFFIC] = {.text = nm_tunnel_traffics[traffic].name},
		[OFFLOADS] = {.text = offloads ? "on" : "off"},
		[TUNNEL] = {.text = nm_tunnel_name(bench, kind, name, sizeof(name))},
		[UNIT] = {.text = nm_tunnel_traffics[traffic].is_udp ? "kpps" : "Gbit/s"},
	};

	for (size_t i = 0; i < view.figures_n; i++)
		fields[view.figures[i].column].spread =
			nm_tunnel_spread(bench, kind, offloads, traffic, view.figures[i].figure);
	if (fields[RATE].spread.n == 0)
		return;
	view.finish(fields, bench, kind, offloads, traffic);
	nm_report_row(report, fields);
}

struct nm_report *nm_tunnel_report_open(const struct nm_tunnel_bench *bench,
	const struct nm_run_options *run, int argc, char **argv)
{
	const struct view view = view_of(bench);

	return nm_report_open(run, argc, argv, view.columns, view.n);
}

void nm_tunnel_report_rows(struct nm_report *report, const struct nm_tunnel_bench *bench)
{
	/* What is best known comes first: offloads as the kernel has them. */
	for (unsigned int i = 0; i < NM_TUNNEL_OFFLOADS; i++)
		for (size_t traffic = 0; traffic < NM_TUNNEL_TRAFFICS; traffic++)
			for (size_t kind = 0; kind < NM_TUNNEL_KINDS; kind++)
				report_cell(report, bench, kind, i == 0, traffic);
	for (size_t kind = 0; kind < NM_TUNNEL_KINDS; kind++)
		if (bench->wants_kind[kind] && bench->why_not[kind])
			nm_report_note(report, "%s: not measured, %s", nm_tunnel_kinds[kind]->name,
				bench->why_not[kind]);
	nm_report_note(report, "%s; %u s a test, all tunnels in turns; load average %.2f",
		view_of(bench).about, bench->seconds, nm_stopwatch_load());
}
