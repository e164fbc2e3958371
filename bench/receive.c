/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenario "receive": what natmux receives, beside what the kernel gives at best and what libuv's
 * own UDP handle makes of it. All receivers take turns in every round, so that whatever else the
 * machine does meets all of them; ratios are taken within a round.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <natmux/error.h>

#include "bench/console.h"
#include "bench/netns.h"
#include "bench/receiver.h"
#include "bench/report.h"
#include "bench/scenario.h"
#include "bench/sender.h"
#include "bench/stopwatch.h"

enum {
	REPEAT = 11,
	WARM_UP_MS = 20,
	TAIL_MS = 10,   /* the sender outlives the measurement */
	DRAIN_MS = 500, /* for what is still in the queue afterwards */
};

static const struct nm_receiver_ops *const receivers[] = {
	&nm_receiver_bare,
	&nm_receiver_natmux,
	&nm_receiver_uv,
	&nm_receiver_uv_mmsg,
};

enum { BARE, NATMUX, UV, UV_MMSG, RECEIVER_COUNT };

static const uint32_t sizes[] = {64, 512, 1428};

enum { SIZE_COUNT = sizeof(sizes) / sizeof(sizes[0]), CELL_COUNT = 2 * SIZE_COUNT };

static const double GOAL_OF_BARE = 0.9, GOAL_OF_UV = 4;

enum {
	COLUMN_SIZE,
	COLUMN_SENDER,
	COLUMN_RECEIVER,
	COLUMN_RATE,
	COLUMN_CPU,
	COLUMN_SENT,
	COLUMN_LOSS,
	COLUMN_OF_BARE,
	COLUMN_OF_UV,
	COLUMN_GOAL_BARE,
	COLUMN_GOAL_UV,
	COLUMN_COUNT
};

static const struct nm_column columns[COLUMN_COUNT] = {
	[COLUMN_SIZE] = {"bytes", "bytes", NM_FIELD_COUNT, 0},
	[COLUMN_SENDER] = {"sender", "sender", NM_FIELD_TEXT, 0},
	[COLUMN_RECEIVER] = {"receiver", "receiver", NM_FIELD_TEXT, 0},
	[COLUMN_RATE] = {"received_mpps", "received, Mpps", NM_FIELD_SPREAD, 3},
	[COLUMN_CPU] = {"cpu_ns", "CPU ns each", NM_FIELD_SPREAD, 0},
	[COLUMN_SENT] = {"sent_mpps", "sent, Mpps", NM_FIELD_REAL, 3},
	[COLUMN_LOSS] = {"loss_percent", "lost %", NM_FIELD_REAL, 1},
	[COLUMN_OF_BARE] = {"of_bare", "of bare", NM_FIELD_SPREAD, 2},
	[COLUMN_OF_UV] = {"of_uv", "of uv_udp_t", NM_FIELD_SPREAD, 2},
	[COLUMN_GOAL_BARE] = {"goal_bare", "goal, of bare", NM_FIELD_GOAL, 0},
	[COLUMN_GOAL_UV] = {"goal_uv", "goal, of uv", NM_FIELD_GOAL, 0},
};

/* One measurement. */
struct sample {
	double rate, sent_rate; /* datagrams per second */
	double loss;            /* of 1 */
	double cpu_ns;          /* of the receiver, for a datagram */
};

struct cell {
	uint32_t size;
	bool is_gso;
	size_t rounds; /* in which all receivers were measured */
	struct sample samples[RECEIVER_COUNT][NM_OPTION_REPEAT_MAX];
};

struct bench {
	struct nm_sender *sender;
	struct natmux_addr local;
	uint32_t window_ms;
	struct cell *cells; /* CELL_COUNT of them */
	size_t cell_count;
	bool is_available[RECEIVER_COUNT];
};

struct moment {
	uint64_t now_ns, cpu_ns, count;
};

static struct moment look(const struct nm_receiver_ops *ops, const void *self)
{
	return (struct moment){nm_stopwatch_now_ns(), nm_stopwatch_cpu_ns(), ops->count(self)};
}

static void step_until(const struct nm_receiver_ops *ops, void *self, uint64_t end_ns)
{
	while (nm_stopwatch_now_ns() < end_ns && !nm_console_stopped())
		ops->step(self);
}

/* Takes what the sender still sends and what waits in the queue. */
static int drain(const struct nm_receiver_ops *ops, void *self, struct nm_sender *sender,
	struct nm_sender_result *result)
{
	uint64_t end_ns = nm_stopwatch_now_ns() + DRAIN_MS * UINT64_C(1000000), before;
	bool is_finished = false;

	do {
		before = ops->count(self);
		ops->step(self);
		is_finished = is_finished || nm_sender_finished(sender, 0, result);
	} while ((!is_finished || ops->count(self) != before) && nm_stopwatch_now_ns() < end_ns);
	if (!is_finished && !nm_sender_finished(sender, DRAIN_MS, result))
		result->error = ETIMEDOUT;
	if (result->error != 0) {
		nm_console_error("the sender failed: %s", strerror(result->error));
		return NATMUX_ESYSTEM;
	}
	return 0;
}

static struct sample evaluate(const struct moment *begin, const struct moment *end,
	const struct nm_sender_result *sent, uint64_t received)
{
	double count = (double)(end->count - begin->count);
	double lost = sent->datagrams > received ? (double)(sent->datagrams - received) : 0;

	return (struct sample){
		.rate = count * 1e9 / (double)(end->now_ns - begin->now_ns),
		.sent_rate = (double)sent->datagrams * 1e9 / (double)sent->time_ns,
		.loss = sent->datagrams > 0 ? lost / (double)sent->datagrams : 0,
		.cpu_ns = count > 0 ? (double)(end->cpu_ns - begin->cpu_ns) / count : 0,
	};
}

static int measure_open(struct bench *bench, const struct nm_receiver_ops *ops, void *self,
	const struct nm_sender_order *order, struct sample *sample)
{
	struct nm_sender_result sent = {0};
	struct moment begin, end;
	int err = nm_sender_start(bench->sender, order);

	if (err < 0) {
		nm_console_error("the sender is gone");
		return err;
	}
	step_until(ops, self, nm_stopwatch_now_ns() + WARM_UP_MS * UINT64_C(1000000));
	begin = look(ops, self);
	step_until(ops, self, begin.now_ns + bench->window_ms * UINT64_C(1000000));
	end = look(ops, self);
	err = drain(ops, self, bench->sender, &sent);
	if (err == 0)
		*sample = evaluate(&begin, &end, &sent, ops->count(self));
	return err;
}

static int measure(struct bench *bench, const struct cell *cell, const struct nm_receiver_ops *ops,
	struct sample *sample)
{
	struct nm_sender_order order = {
		.size = cell->size,
		.is_gso = cell->is_gso,
		.time_ms = WARM_UP_MS + bench->window_ms + TAIL_MS,
	};
	void *self = ops->open(&bench->local, &order.destination);
	int err;

	if (!self)
		return NATMUX_ESYSTEM;
	err = measure_open(bench, ops, self, &order, sample);
	ops->close(self);
	return err;
}

/* Nobody shall always come after the same one: each round begins with another receiver. */
static int run_round(struct bench *bench, struct cell *cell, unsigned int round)
{
	for (unsigned int i = 0; i < RECEIVER_COUNT; i++) {
		unsigned int which = (i + round) % RECEIVER_COUNT;
		int err = 0;

		if (bench->is_available[which])
			err = measure(
				bench, cell, receivers[which], &cell->samples[which][cell->rounds]);
		if (err < 0)
			return err;
		if (nm_console_stopped())
			return 0;
	}
	cell->rounds++;
	return 0;
}

static int run_rounds(struct bench *bench, unsigned int repeat)
{
	for (unsigned int round = 0; round < repeat; round++)
		for (size_t i = 0; i < bench->cell_count; i++) {
			int err;

			nm_console_progress("receive: round %u of %u, %u bytes%s", round + 1,
				repeat, bench->cells[i].size,
				bench->cells[i].is_gso ? ", GSO" : "");
			err = run_round(bench, &bench->cells[i], round);
			if (err < 0 || nm_console_stopped())
				return err;
		}
	return 0;
}

typedef double (*measure_of)(const struct cell *cell, unsigned int which, size_t round);

static double rate_of(const struct cell *cell, unsigned int which, size_t round)
{
	return cell->samples[which][round].rate / 1e6;
}

static double sent_of(const struct cell *cell, unsigned int which, size_t round)
{
	return cell->samples[which][round].sent_rate / 1e6;
}

static double loss_of(const struct cell *cell, unsigned int which, size_t round)
{
	return cell->samples[which][round].loss * 100;
}

static double cpu_of(const struct cell *cell, unsigned int which, size_t round)
{
	return cell->samples[which][round].cpu_ns;
}

static double ratio(const struct cell *cell, unsigned int which, unsigned int other, size_t round)
{
	double base = cell->samples[other][round].rate;

	return base > 0 ? cell->samples[which][round].rate / base : 0;
}

static double of_bare(const struct cell *cell, unsigned int which, size_t round)
{
	return ratio(cell, which, BARE, round);
}

static double of_uv(const struct cell *cell, unsigned int which, size_t round)
{
	return ratio(cell, which, UV, round);
}

static struct nm_spread spread_of(const struct cell *cell, unsigned int which, measure_of of)
{
	double values[NM_OPTION_REPEAT_MAX];

	for (size_t round = 0; round < cell->rounds; round++)
		values[round] = of(cell, which, round);
	return nm_spread_of(values, cell->rounds);
}

static void report_row(struct nm_report *report, const struct bench *bench, const struct cell *cell,
	unsigned int which)
{
	struct nm_field fields[COLUMN_COUNT] = {
		[COLUMN_SIZE] = {.count = cell->size},
		[COLUMN_SENDER] = {.text = cell->is_gso ? "GSO" : "plain"},
		[COLUMN_RECEIVER] = {.text = receivers[which]->name},
		[COLUMN_RATE] = {.spread = spread_of(cell, which, rate_of)},
		[COLUMN_CPU] = {.spread = spread_of(cell, which, cpu_of)},
		[COLUMN_SENT] = {.real = spread_of(cell, which, sent_of).median},
		[COLUMN_LOSS] = {.real = spread_of(cell, which, loss_of).median},
		[COLUMN_OF_BARE] = {.spread = spread_of(cell, which, of_bare)},
	};

	if (bench->is_available[UV])
		fields[COLUMN_OF_UV].spread = spread_of(cell, which, of_uv);
	if (which == NATMUX && cell->size != 512)
		fields[COLUMN_GOAL_BARE].goal = (struct nm_goal){
			NM_GOAL_AT_LEAST, GOAL_OF_BARE, fields[COLUMN_OF_BARE].spread.median};
	if (which == NATMUX && cell->is_gso)
		fields[COLUMN_GOAL_UV].goal = (struct nm_goal){
			NM_GOAL_AT_LEAST, GOAL_OF_UV, fields[COLUMN_OF_UV].spread.median};
	nm_report_row(report, fields);
}

static void report_rows(struct nm_report *report, const struct bench *bench)
{
	for (size_t i = 0; i < bench->cell_count; i++)
		for (unsigned int which = 0; which < RECEIVER_COUNT; which++)
			if (bench->cells[i].rounds > 0 && bench->is_available[which])
				report_row(report, bench, &bench->cells[i], which);
}

static void check_available(struct nm_report *report, struct bench *bench)
{
	for (unsigned int i = 0; i < RECEIVER_COUNT; i++) {
		bench->is_available[i] = receivers[i]->open != NULL;
		if (!bench->is_available[i])
			nm_report_note(report, "%s: not measured, built without libuv",
				receivers[i]->name);
	}
}

static int make_cells(struct bench *bench, unsigned int only_size)
{
	bench->cells = calloc(CELL_COUNT, sizeof(*bench->cells));
	if (!bench->cells)
		return NATMUX_ENOMEM;
	for (size_t i = 0; i < CELL_COUNT; i++) {
		uint32_t size = only_size ? only_size : sizes[i / 2];

		if (only_size && i >= 2)
			break;
		bench->cells[bench->cell_count].size = size;
		bench->cells[bench->cell_count++].is_gso = i % 2;
	}
	return 0;
}

static int make_network(struct bench *bench, bool own_netns, bool is_ipv6)
{
	int err = nm_sender_new(own_netns, &bench->sender);

	if (err < 0)
		return err;
	if (own_netns)
		return nm_netns_connect(nm_sender_pid(bench->sender), is_ipv6, &bench->local);
	return natmux_addr_parse(is_ipv6 ? "::1" : "127.0.0.1", 0, &bench->local);
}

static void note_conditions(struct nm_report *report, bool own_netns, int cpu)
{
	nm_report_note(report,
		"%s; sender on its first processor, receiver on processor %d; load average %.2f",
		own_netns ? "two network namespaces and a veth pair" : "loopback", cpu,
		nm_stopwatch_load());
}

struct receive_options {
	bool own_netns, is_ipv6;
	double seconds;
	unsigned int size;
	struct nm_run_options run;
};

static int measure_all(
	struct nm_report *report, struct bench *bench, const struct receive_options *options)
{
	int err = make_cells(bench, options->size);

	if (err == 0)
		err = make_network(bench, options->own_netns, options->is_ipv6);
	if (err < 0)
		return err;
	note_conditions(report, options->own_netns, nm_stopwatch_pin(1));
	check_available(report, bench);
	bench->window_ms = (uint32_t)ceil(options->seconds * 1000 / options->run.repeat);
	err = run_rounds(bench, options->run.repeat);
	report_rows(report, bench);
	return err;
}

static int run(int argc, char **argv)
{
	struct receive_options options = {.seconds = 1, .run.repeat = REPEAT};
	const struct nm_option table[] = {
		{"netns", NM_OPTION_FLAG, NULL,
			"two fresh network namespaces instead of loopback (root)",
			&options.own_netns, 0, 0},
		{"ipv6", NM_OPTION_FLAG, NULL, "IPv6 instead of IPv4", &options.is_ipv6, 0, 0},
		{"seconds", NM_OPTION_REAL, "S", "time for each row of the table (1)",
			&options.seconds, 0.01, 600},
		{"size", NM_OPTION_NUMBER, "BYTES", "one datagram size instead of 64, 512, 1428",
			&options.size, NM_SENDER_SIZE_MIN, NM_SENDER_SIZE_MAX},
	};
	struct bench bench = {0};
	struct nm_report *report;
	int err;

	switch (nm_options_parse("receive",
		"Datagrams received in a second: natmux beside a bare recvmmsg+UDP_GRO sink and\n"
		"libuv's uv_udp_t. The sender is a process of its own, with and without UDP GSO.",
		table, sizeof(table) / sizeof(table[0]), &options.run, argc, argv)) {
	case NM_OPTIONS_OK: break;
	case NM_OPTIONS_HELP: return NM_EXIT_OK;
	case NM_OPTIONS_WRONG: return NM_EXIT_USAGE;
	}
	report = nm_report_open(&options.run, argc, argv, columns, COLUMN_COUNT);
	if (!report)
		return NM_EXIT_FAILED;
	err = measure_all(report, &bench, &options);
	nm_sender_free(bench.sender);
	free(bench.cells);
	return nm_report_close(report) == NM_EXIT_OK && err == 0 ? NM_EXIT_OK : NM_EXIT_FAILED;
}

const struct nm_scenario nm_scenario_receive = {
	.name = "receive",
	.summary = "datagrams received in a second, beside other receivers",
	.run = run,
};
