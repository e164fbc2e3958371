/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario "dispatch": the way of datagrams through the mux, in memory, and what it allocates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <natmux/error.h>

#include "bench/alloc.h"
#include "bench/console.h"
#include "bench/gen.h"
#include "bench/port.h"
#include "bench/report.h"
#include "bench/scenario.h"
#include "bench/stopwatch.h"

enum {
	REPEAT = 9,
	BUDGET_NS = 10000000,
	TRAINS = 8192, /* of one pass, in random order of flows */
	BATCH = 64,    /* trains of one natmux_mux_input() */
	/* Received data that lies in the cache at a time, as the sockets hand it over. */
	DATA_SIZE = 512 * 1024,
	BUFFERS_MAX = BATCH,
};

enum subject_kind { SUBJECT_ESP, SUBJECT_IKE, SUBJECT_STUN, SUBJECT_ANSWERED, SUBJECT_MIXED };

struct subject {
	const char *text;
	enum subject_kind kind;
	uint32_t len;
	uint32_t count; /* datagrams of a train */
};

static const struct subject subjects[] = {
	{"esp", SUBJECT_ESP, 1428, 1},
	{"esp", SUBJECT_ESP, 1428, 8},
	{"esp", SUBJECT_ESP, 1428, 40},
	{"esp", SUBJECT_ESP, 64, 40},
	{"ike", SUBJECT_IKE, 300, 1},
	{"stun to the agent", SUBJECT_STUN, 100, 1},
	{"stun answered", SUBJECT_ANSWERED, 64, 1},
	{"mixed, 90 % esp", SUBJECT_MIXED, 300, 1},
};

static const uint32_t flow_counts[] = {1, 100, 4000};

enum {
	SUBJECT_COUNT = sizeof(subjects) / sizeof(subjects[0]),
	FLOW_COUNTS = sizeof(flow_counts) / sizeof(flow_counts[0]),
};

enum {
	COLUMN_WHAT,
	COLUMN_SIZE,
	COLUMN_TRAIN,
	COLUMN_FLOWS,
	COLUMN_DATAGRAM,
	COLUMN_TRAIN_TIME,
	COLUMN_ALLOCATIONS,
	COLUMN_GOAL,
	COLUMN_COUNT
};

static const struct nm_column columns[COLUMN_COUNT] = {
	[COLUMN_WHAT] = {"datagram", "datagram", NM_FIELD_TEXT, 0},
	[COLUMN_SIZE] = {"bytes", "bytes", NM_FIELD_COUNT, 0},
	[COLUMN_TRAIN] = {"train", "train", NM_FIELD_COUNT, 0},
	[COLUMN_FLOWS] = {"flows", "flows", NM_FIELD_COUNT, 0},
	[COLUMN_DATAGRAM] = {"ns", "ns each", NM_FIELD_SPREAD, 2},
	[COLUMN_TRAIN_TIME] = {"train_ns", "ns a train", NM_FIELD_SPREAD, 1},
	[COLUMN_ALLOCATIONS] = {"allocations", "allocations", NM_FIELD_COUNT, 0},
	[COLUMN_GOAL] = {"goal", "goal, allocations", NM_FIELD_GOAL, 0},
};

struct bench {
	struct nm_port port;
	struct natmux_train *trains; /* TRAINS of them */
	uint8_t *data;
};

static enum nm_gen_kind kind_of(enum subject_kind kind, uint64_t dice)
{
	switch (kind) {
	case SUBJECT_IKE: return NM_GEN_IKE;
	case SUBJECT_STUN:
	case SUBJECT_ANSWERED: return NM_GEN_STUN;
	case SUBJECT_ESP: return NM_GEN_ESP;
	case SUBJECT_MIXED: break;
	}
	switch (dice % 20) {
	case 0: return NM_GEN_IKE;
	case 1: return NM_GEN_STUN;
	default: return NM_GEN_ESP;
	}
}

/* Buffers with a train of datagrams in each; returns how many. */
static uint32_t fill_data(struct bench *bench, const struct subject *subject)
{
	uint32_t train_len = subject->len * subject->count, buffers = DATA_SIZE / train_len;
	struct nm_gen gen = {0};

	if (buffers > BUFFERS_MAX)
		buffers = BUFFERS_MAX;
	for (uint32_t i = 0; i < buffers * subject->count; i++)
		if (nm_gen_datagram(&gen, kind_of(subject->kind, i),
			    bench->data + (size_t)i * subject->len, subject->len) < 0)
			return 0;
	return buffers;
}

static int prepare(struct bench *bench, const struct subject *subject, uint32_t flows)
{
	uint32_t buffers = fill_data(bench, subject), len = subject->len * subject->count;
	struct nm_gen gen = {1};

	if (buffers == 0)
		return NATMUX_ERANGE;
	for (uint32_t i = 0; i < TRAINS; i++) {
		uint64_t dice = nm_gen_number(&gen);
		struct natmux_train *train = &bench->trains[i];

		*train = (struct natmux_train){
			.data = bench->data + (size_t)(dice >> 32) % buffers * len,
			.len = len,
			.segment = subject->len,
			.flow = NATMUX_FLOW_NONE,
		};
		nm_port_path((uint32_t)dice % flows, &train->path);
	}
	return nm_port_establish(&bench->port, flows);
}

static void run_pass(void *user)
{
	struct bench *bench = user;

	for (uint32_t i = 0; i < TRAINS; i += BATCH)
		nm_port_input(&bench->port, bench->trains + i, BATCH);
}

/* What a pass must bring out: without that a figure would measure how fast things are dropped. */
static int check_pass(struct bench *bench, const struct subject *subject)
{
	uint64_t expected = (uint64_t)TRAINS * subject->count, got = 0;

	memset(bench->port.datagrams, 0, sizeof(bench->port.datagrams));
	bench->port.sent = 0;
	run_pass(bench);
	for (unsigned int i = 0; i < NATMUX_CLASS_COUNT; i++)
		got += bench->port.datagrams[i];
	if (subject->kind == SUBJECT_ANSWERED)
		got = bench->port.sent;
	if (got == expected)
		return 0;
	nm_console_error("dispatch: of %llu datagrams \"%s\" only %llu came out",
		(unsigned long long)expected, subject->text, (unsigned long long)got);
	return NATMUX_EMALFORMED;
}

static void measure(struct nm_report *report, struct bench *bench, const struct subject *subject,
	uint32_t flows, unsigned int repeat)
{
	double per_datagram[NM_OPTION_REPEAT_MAX], per_train[NM_OPTION_REPEAT_MAX];
	uint64_t allocations = nm_alloc_count();
	struct nm_field fields[COLUMN_COUNT] = {
		[COLUMN_WHAT] = {.text = subject->text},
		[COLUMN_SIZE] = {.count = subject->len},
		[COLUMN_TRAIN] = {.count = subject->count},
		[COLUMN_FLOWS] = {.count = flows},
	};
	size_t n = 0;

	for (; n < repeat && !nm_console_stopped(); n++) {
		per_train[n] = nm_stopwatch_per_item(run_pass, bench, TRAINS, BUDGET_NS);
		per_datagram[n] = per_train[n] / subject->count;
	}
	if (n == 0)
		return;
	allocations = nm_alloc_count() - allocations;
	fields[COLUMN_DATAGRAM].spread = nm_spread_of(per_datagram, n);
	fields[COLUMN_TRAIN_TIME].spread = nm_spread_of(per_train, n);
	fields[COLUMN_ALLOCATIONS].count = allocations;
	fields[COLUMN_GOAL].goal = (struct nm_goal){NM_GOAL_AT_MOST, 0, (double)allocations};
	nm_report_row(report, fields);
}

static int run_subject(struct nm_report *report, struct bench *bench, const struct subject *subject,
	uint32_t flows, unsigned int repeat)
{
	int err = nm_port_init(&bench->port);

	if (err < 0)
		return err;
	nm_console_progress("dispatch: %s, %u flows", subject->text, flows);
	err = prepare(bench, subject, flows);
	if (err == 0)
		err = check_pass(bench, subject);
	if (err == 0)
		measure(report, bench, subject, flows, repeat);
	nm_port_done(&bench->port);
	return err;
}

static int run_all(struct nm_report *report, unsigned int repeat)
{
	struct bench bench = {0};
	int err = 0;

	bench.trains = calloc(TRAINS, sizeof(*bench.trains));
	bench.data = calloc(1, DATA_SIZE);
	if (!bench.trains || !bench.data)
		err = NATMUX_ENOMEM;
	for (size_t i = 0; err == 0 && i < SUBJECT_COUNT; i++)
		for (size_t j = 0; err == 0 && j < FLOW_COUNTS && !nm_console_stopped(); j++)
			err = run_subject(report, &bench, &subjects[i], flow_counts[j], repeat);
	if (err < 0)
		nm_console_error("dispatch: %s", natmux_strerror(err));
	free(bench.trains);
	free(bench.data);
	return err;
}

static int run(int argc, char **argv)
{
	struct nm_run_options options = {.repeat = REPEAT};
	struct nm_report *report;
	int err;

	switch (nm_options_parse("dispatch",
		"Nanoseconds from natmux_mux_input() to a sink that counts, for trains as UDP_GRO\n"
		"delivers them, and allocations on the way. No sockets, no clock.",
		NULL, 0, &options, argc, argv)) {
	case NM_OPTIONS_OK: break;
	case NM_OPTIONS_HELP: return NM_EXIT_OK;
	case NM_OPTIONS_WRONG: return NM_EXIT_USAGE;
	}
	report = nm_report_open(&options, argc, argv, columns, COLUMN_COUNT);
	if (!report)
		return NM_EXIT_FAILED;
	err = run_all(report, options.repeat);
	nm_report_note(report,
		"train: datagrams in one train; trains come %d at a time, flows in random order",
		BATCH);
	return nm_report_close(report) == NM_EXIT_OK && err == 0 ? NM_EXIT_OK : NM_EXIT_FAILED;
}

const struct nm_scenario nm_scenario_dispatch = {
	.name = "dispatch",
	.summary = "nanoseconds and allocations on the way through the mux",
	.run = run,
};
