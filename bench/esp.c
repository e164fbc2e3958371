/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenario "esp": the user ESP plane in memory. Sealing and opening beside the bare AEAD call of the
 * engine's library; whole planes with many SAs and policies beside one with a single SA. What is
 * compared takes turns.
 */
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "bench/alloc.h"
#include "bench/console.h"
#include "bench/report.h"
#include "bench/scenario.h"
#include "bench/sealing.h"
#include "bench/turns.h"
#include "bench/workload.h"

enum { REPEAT = 5, BUDGET_NS = 10000000, BULK = 1420, SMALL = 64 };

static const double GOAL_BULK = 0.85, GOAL_SMALL = 0.6, GOAL_SAS = 1.25;
enum { GOAL_SA_BYTES = 1024, MEMORY_SAS = 20000 };

enum {
	COLUMN_WHAT,
	COLUMN_ENGINE,
	COLUMN_SUITE,
	COLUMN_SIZE,
	COLUMN_TRAIN,
	COLUMN_SAS,
	COLUMN_POLICIES,
	COLUMN_ORDER,
	COLUMN_TIME,
	COLUMN_OF_RAW,
	COLUMN_OF_ONE,
	COLUMN_SA_BYTES,
	COLUMN_ALLOCATIONS,
	COLUMN_GOAL,
	COLUMN_GOAL_ALLOCATIONS,
	COLUMN_COUNT
};

static const struct nm_column columns[COLUMN_COUNT] = {
	[COLUMN_WHAT] = {"what", "what", NM_FIELD_TEXT, 0},
	[COLUMN_ENGINE] = {"engine", "engine", NM_FIELD_TEXT, 0},
	[COLUMN_SUITE] = {"suite", "suite", NM_FIELD_TEXT, 0},
	[COLUMN_SIZE] = {"bytes", "bytes", NM_FIELD_COUNT, 0},
	[COLUMN_TRAIN] = {"train", "train", NM_FIELD_COUNT, 0},
	[COLUMN_SAS] = {"sas", "SAs", NM_FIELD_COUNT, 0},
	[COLUMN_POLICIES] = {"policies", "policies", NM_FIELD_COUNT, 0},
	[COLUMN_ORDER] = {"order", "order", NM_FIELD_TEXT, 0},
	[COLUMN_TIME] = {"ns", "ns each", NM_FIELD_SPREAD, 0},
	[COLUMN_OF_RAW] = {"of_raw", "of bare", NM_FIELD_SPREAD, 2},
	[COLUMN_OF_ONE] = {"times_one_sa", "times one SA", NM_FIELD_SPREAD, 2},
	[COLUMN_SA_BYTES] = {"sa_bytes", "bytes an SA", NM_FIELD_REAL, 0},
	[COLUMN_ALLOCATIONS] = {"allocations", "allocs", NM_FIELD_COUNT, 0},
	[COLUMN_GOAL] = {"goal", "goal", NM_FIELD_GOAL, 0},
	[COLUMN_GOAL_ALLOCATIONS] = {"goal_allocations", "goal, allocs", NM_FIELD_GOAL, 0},
};

/* A row's samples, and what they are divided by. */
struct row {
	struct nm_field fields[COLUMN_COUNT];
	double ns[NM_OPTION_REPEAT_MAX], base_ns[NM_OPTION_REPEAT_MAX];
};

static struct nm_spread ratios(const double *above, const double *below, size_t n)
{
	double values[NM_OPTION_REPEAT_MAX];

	for (size_t i = 0; i < n; i++)
		values[i] = above[i] / below[i];
	return nm_spread_of(values, n);
}

static void report_row(struct nm_report *report, struct row *row, size_t n, uint64_t allocations)
{
	if (n == 0)
		return;
	row->fields[COLUMN_TIME].spread = nm_spread_of(row->ns, n);
	row->fields[COLUMN_ALLOCATIONS].count = allocations;
	row->fields[COLUMN_GOAL_ALLOCATIONS].goal =
		(struct nm_goal){NM_GOAL_AT_MOST, 0, (double)allocations};
	nm_report_row(report, row->fields);
}

/* Sealing and opening alone. */

static void step_seal(void *user)
{
	nm_sealing_seal(user);
}

static void step_open(void *user)
{
	nm_sealing_open(user);
}

static void step_raw_seal(void *user)
{
	const struct nm_sealing *sealing = user;

	sealing->raw->seal(sealing->raw_key, sealing->calls, NM_ENGINE_VECTOR);
}

static void step_raw_open(void *user)
{
	const struct nm_sealing *sealing = user;

	sealing->raw->open(sealing->raw_key, sealing->calls, NM_ENGINE_VECTOR);
}

enum { SEAL, OPEN, RAW_SEAL, RAW_OPEN, SEALING_STEPS };

static const struct nm_turn_step sealing_steps[SEALING_STEPS] = {
	[SEAL] = {step_seal, NM_ENGINE_VECTOR},
	[OPEN] = {step_open, NM_ENGINE_VECTOR},
	[RAW_SEAL] = {step_raw_seal, NM_ENGINE_VECTOR},
	[RAW_OPEN] = {step_raw_open, NM_ENGINE_VECTOR},
};

static void begin_row(struct row *row, const char *what, const struct nm_engine *engine,
	enum natmux_suite suite, uint32_t len)
{
	memset(row->fields, 0, sizeof(row->fields));
	row->fields[COLUMN_WHAT].text = what;
	row->fields[COLUMN_ENGINE].text = engine->name;
	row->fields[COLUMN_SUITE].text = natmux_suite_get(suite)->name;
	row->fields[COLUMN_SIZE].count = len;
	row->fields[COLUMN_TRAIN].count = NM_ENGINE_VECTOR;
	row->fields[COLUMN_SAS].count = 1;
	row->fields[COLUMN_ORDER].text = "-";
	row->fields[COLUMN_SA_BYTES].real = NAN;
}

/* The goals are for AES-GCM; ChaCha20-Poly1305 and the rest are shown beside it. */
static void set_sealing_goal(struct row *row, enum natmux_suite suite, uint32_t len)
{
	const struct nm_spread *of_raw = &row->fields[COLUMN_OF_RAW].spread;

	if (suite > NATMUX_SUITE_AES256GCM8 || of_raw->n == 0)
		return;
	if (len == BULK)
		row->fields[COLUMN_GOAL].goal =
			(struct nm_goal){NM_GOAL_AT_LEAST, GOAL_BULK, of_raw->median};
	if (len == SMALL)
		row->fields[COLUMN_GOAL].goal =
			(struct nm_goal){NM_GOAL_AT_LEAST, GOAL_SMALL, of_raw->median};
}

static int measure_sealing(struct nm_report *report, struct nm_sealing *sealing,
	const struct nm_engine *engine, enum natmux_suite suite, uint32_t len, unsigned int repeat)
{
	static struct row rows[2];
	uint64_t allocations = nm_alloc_count();
	size_t n = 0;

	begin_row(&rows[SEAL], "seal", engine, suite, len);
	begin_row(&rows[OPEN], "open", engine, suite, len);
	for (; n < repeat && !nm_console_stopped(); n++) {
		double ns[SEALING_STEPS];

		nm_turns_measure(sealing_steps, sealing->raw_key ? SEALING_STEPS : RAW_SEAL,
			sealing, BUDGET_NS, ns);
		for (unsigned int i = SEAL; i <= OPEN; i++) {
			rows[i].ns[n] = ns[i];
			rows[i].base_ns[n] = ns[RAW_SEAL + i];
		}
		nm_sealing_seal(sealing);
		nm_sealing_open(sealing);
		if (!nm_sealing_is_good(sealing))
			return NATMUX_EMALFORMED;
	}
	allocations = nm_alloc_count() - allocations;
	for (unsigned int i = SEAL; i <= OPEN; i++) {
		if (sealing->raw_key)
			rows[i].fields[COLUMN_OF_RAW].spread =
				ratios(rows[i].base_ns, rows[i].ns, n);
		set_sealing_goal(&rows[i], suite, len);
		report_row(report, &rows[i], n, allocations);
	}
	return 0;
}

static int run_sealing(struct nm_report *report, const struct nm_engine *engine,
	enum natmux_suite suite, uint32_t len, unsigned int repeat)
{
	struct nm_sealing sealing;
	int err;

	if (!engine->has_suite(suite))
		return 0;
	nm_console_progress(
		"esp: %s, %s, %u bytes", engine->name, natmux_suite_get(suite)->name, len);
	err = nm_sealing_init(&sealing, engine, suite, len);
	if (err < 0)
		return err;
	err = measure_sealing(report, &sealing, engine, suite, len, repeat);
	nm_sealing_done(&sealing);
	return err;
}

static int run_all_sealing(struct nm_report *report, unsigned int repeat)
{
	static const struct nm_engine *const engines[NM_ENGINES_MAX] = {
		&nm_engine_ipsecmb, &nm_engine_openssl, &nm_engine_sodium};
	static const enum natmux_suite suites[] = {NATMUX_SUITE_AES128GCM16,
		NATMUX_SUITE_AES256GCM16, NATMUX_SUITE_CHACHA20POLY1305,
		NATMUX_SUITE_AES128_SHA256};
	static const uint32_t sizes[] = {SMALL, 256, BULK};
	int err = 0;

	for (size_t s = 0; s < sizeof(suites) / sizeof(suites[0]); s++)
		for (size_t e = 0; e < NM_ENGINES_MAX; e++)
			for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
				if (err == 0 && !nm_console_stopped())
					err = run_sealing(
						report, engines[e], suites[s], sizes[i], repeat);
	return err;
}

/* Whole planes: the one that is measured, and one with a single SA and policy. */

struct pair {
	struct nm_workload many, one;
};

static void prepare_output(void *user)
{
	struct pair *pair = user;

	nm_workload_prepare_output(&pair->many);
	nm_workload_prepare_output(&pair->one);
}

static void many_output(void *user)
{
	nm_workload_output(&((struct pair *)user)->many);
}

static void one_output(void *user)
{
	nm_workload_output(&((struct pair *)user)->one);
}

static void prepare_many_input(void *user)
{
	nm_workload_prepare_input(&((struct pair *)user)->many);
}

static void many_input(void *user)
{
	nm_workload_input(&((struct pair *)user)->many);
}

static void prepare_one_input(void *user)
{
	nm_workload_prepare_input(&((struct pair *)user)->one);
}

static void one_input(void *user)
{
	nm_workload_input(&((struct pair *)user)->one);
}

enum {
	PREPARE_OUTPUT,
	MANY_OUTPUT,
	ONE_OUTPUT,
	PREPARE_MANY_INPUT,
	MANY_INPUT,
	PREPARE_ONE_INPUT,
	ONE_INPUT,
	PLANE_STEPS
};

static const enum { OUTPUT, INPUT } directions[] = {OUTPUT, INPUT};

static int check_complete(const struct nm_workload *workload)
{
	if (workload->dropped == 0 && workload->sent > 0 && workload->delivered > 0)
		return 0;
	nm_console_error("esp: %llu packets dropped, %llu sealed, %llu opened",
		(unsigned long long)workload->dropped, (unsigned long long)workload->sent,
		(unsigned long long)workload->delivered);
	return NATMUX_EMALFORMED;
}

static const char *engine_name(const char *engine)
{
	return engine ? engine : "fastest";
}

static void begin_plane_row(struct row *row, const char *what, const struct nm_workload *workload)
{
	memset(row->fields, 0, sizeof(row->fields));
	row->fields[COLUMN_WHAT].text = what;
	row->fields[COLUMN_ENGINE].text = engine_name(workload->config.engine);
	row->fields[COLUMN_SUITE].text = natmux_suite_get(workload->config.suite)->name;
	row->fields[COLUMN_SIZE].count = workload->config.len;
	row->fields[COLUMN_TRAIN].count = workload->config.train;
	row->fields[COLUMN_SAS].count = workload->config.sas;
	row->fields[COLUMN_POLICIES].count = workload->config.policies;
	row->fields[COLUMN_ORDER].text = workload->config.is_random ? "random" : "in a row";
	row->fields[COLUMN_SA_BYTES].real = NAN;
}

static void finish_plane_row(struct row *row, const struct nm_workload *many, size_t n)
{
	row->fields[COLUMN_OF_ONE].spread = ratios(row->ns, row->base_ns, n);
	if (many->config.sas == 1)
		return;
	row->fields[COLUMN_GOAL].goal = (struct nm_goal){
		NM_GOAL_AT_MOST, GOAL_SAS, row->fields[COLUMN_OF_ONE].spread.median};
}

static int measure_plane(struct nm_report *report, struct pair *pair, unsigned int repeat)
{
	static struct row rows[2];
	const uint64_t packets = nm_workload_packets(&pair->many);
	const struct nm_turn_step steps[PLANE_STEPS] = {
		[PREPARE_OUTPUT] = {prepare_output, 1},
		[MANY_OUTPUT] = {many_output, packets},
		[ONE_OUTPUT] = {one_output, packets},
		[PREPARE_MANY_INPUT] = {prepare_many_input, 1},
		[MANY_INPUT] = {many_input, packets},
		[PREPARE_ONE_INPUT] = {prepare_one_input, 1},
		[ONE_INPUT] = {one_input, packets},
	};
	uint64_t allocations = nm_alloc_count();
	size_t n = 0;

	begin_plane_row(&rows[OUTPUT], "output", &pair->many);
	begin_plane_row(&rows[INPUT], "input", &pair->many);
	for (; n < repeat && !nm_console_stopped(); n++) {
		double ns[PLANE_STEPS];

		nm_turns_measure(steps, PLANE_STEPS, pair, 4 * (uint64_t)BUDGET_NS, ns);
		rows[OUTPUT].ns[n] = ns[MANY_OUTPUT];
		rows[OUTPUT].base_ns[n] = ns[ONE_OUTPUT];
		rows[INPUT].ns[n] = ns[MANY_INPUT];
		rows[INPUT].base_ns[n] = ns[ONE_INPUT];
	}
	allocations = nm_alloc_count() - allocations;
	for (size_t i = 0; n > 0 && i < sizeof(directions) / sizeof(directions[0]); i++) {
		finish_plane_row(&rows[directions[i]], &pair->many, n);
		report_row(report, &rows[directions[i]], n, allocations);
	}
	return n > 0 ? check_complete(&pair->many) : 0;
}

static int run_plane(
	struct nm_report *report, const struct nm_workload_config *config, unsigned int repeat)
{
	static struct pair pair;
	struct nm_workload_config one = *config;
	int err;

	nm_console_progress("esp: plane, %u bytes, %u SAs, %u policies", config->len, config->sas,
		config->policies);
	one.sas = one.policies = 1;
	err = nm_workload_init(&pair.many, config);
	if (err < 0)
		return err;
	err = nm_workload_init(&pair.one, &one);
	if (err == 0)
		err = measure_plane(report, &pair, repeat);
	nm_workload_done(&pair.one);
	nm_workload_done(&pair.many);
	return err;
}

/* To be called before others have left free memory behind that an SA would use. */
static int run_memory(struct nm_report *report, const char *engine)
{
	const struct nm_workload_config config = {
		.engine = engine,
		.suite = NATMUX_SUITE_AES128GCM16,
		.len = SMALL,
		.train = 1,
		.sas = MEMORY_SAS,
		.policies = 1,
	};
	struct nm_field fields[COLUMN_COUNT] = {
		[COLUMN_WHAT] = {.text = "memory"},
		[COLUMN_ENGINE] = {.text = engine_name(engine)},
		[COLUMN_SUITE] = {.text = natmux_suite_get(config.suite)->name},
		[COLUMN_SAS] = {.count = config.sas},
	};
	static struct nm_workload workload;
	int err = nm_workload_init(&workload, &config);

	if (err < 0)
		return err;
	fields[COLUMN_SA_BYTES].real = (double)workload.sa_bytes;
	fields[COLUMN_GOAL].goal =
		(struct nm_goal){NM_GOAL_AT_MOST, GOAL_SA_BYTES, (double)workload.sa_bytes};
	nm_report_row(report, fields);
	nm_workload_done(&workload);
	return 0;
}

static int run_all_planes(struct nm_report *report, const char *engine, unsigned int repeat)
{
	static const struct {
		uint32_t len, train;
	} shapes[] = {{BULK, NM_WORKLOAD_TRAIN_MAX}, {BULK, 1}, {SMALL, NM_WORKLOAD_TRAIN_MAX},
		{SMALL, 1}};
	static const struct {
		uint32_t sas, policies;
		bool is_random;
	} tables[] = {{1, 1, false}, {1, 10000, false}, {100, 100, true}, {10000, 10000, false},
		{10000, 10000, true}, {100000, 10000, false}, {100000, 10000, true}};
	int err = run_memory(report, engine);

	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
			struct nm_workload_config config = {
				.engine = engine,
				.suite = NATMUX_SUITE_AES128GCM16,
				.len = shapes[i].len,
				.train = shapes[i].train,
				.sas = tables[t].sas,
				.policies = tables[t].policies,
				.is_random = tables[t].is_random,
			};

			if (err == 0 && !nm_console_stopped())
				err = run_plane(report, &config, repeat);
		}
	return err;
}

struct esp_options {
	bool only_sealing, only_planes;
	const char *engine;
	struct nm_run_options run;
};

static int measure_all(struct nm_report *report, const struct esp_options *options)
{
	int err = 0;

	if (!options->only_planes)
		err = run_all_sealing(report, options->run.repeat);
	if (err == 0 && !options->only_sealing)
		err = run_all_planes(report, options->engine, options->run.repeat);
	return err;
}

static int run(int argc, char **argv)
{
	struct esp_options options = {.run.repeat = REPEAT};
	const struct nm_option table[] = {
		{"sealing", NM_OPTION_FLAG, NULL, "only seal and open, no planes",
			&options.only_sealing, 0, 0},
		{"planes", NM_OPTION_FLAG, NULL, "only planes", &options.only_planes, 0, 0},
		{"engine", NM_OPTION_TEXT, "NAME", "of the planes (the fastest)", &options.engine,
			0, 0},
	};
	struct nm_report *report;
	int err;

	switch (nm_options_parse("esp",
		"Nanoseconds that the ESP plane takes for one packet, in memory: sealing and\n"
		"opening beside the bare AEAD call, planes with many SAs beside one with a single\n"
		"SA.",
		table, sizeof(table) / sizeof(table[0]), &options.run, argc, argv)) {
	case NM_OPTIONS_OK: break;
	case NM_OPTIONS_HELP: return NM_EXIT_OK;
	case NM_OPTIONS_WRONG: return NM_EXIT_USAGE;
	}
	report = nm_report_open(&options.run, argc, argv, columns, COLUMN_COUNT);
	if (!report)
		return NM_EXIT_FAILED;
	err = sodium_init() < 0 ? NATMUX_ESYSTEM : measure_all(report, &options);
	if (err < 0)
		nm_console_error("esp: %s", natmux_strerror(err));
	nm_report_note(report,
		"of bare: the library's AEAD call on the same text; train: packets of one SA in a "
		"row");
	nm_report_note(report,
		"memory: of one SA without its replay window; most of it is the engine's expanded "
		"key");
	return nm_report_close(report) == NM_EXIT_OK && err == 0 ? NM_EXIT_OK : NM_EXIT_FAILED;
}

const struct nm_scenario nm_scenario_esp = {
	.name = "esp",
	.summary = "the user ESP plane in memory, nanoseconds a packet",
	.run = run,
};
