/* SPDX-License-Identifier: Apache-2.0 */
/* Whole planes: the one that is measured, and one with a single SA and policy, in turns. */
#include <math.h>
#include <string.h>
#include <natmux/error.h>

#include "bench/alloc.h"
#include "bench/console.h"
#include "bench/esp_row.h"
#include "bench/turns.h"
#include "bench/workload.h"

enum { BUDGET_NS = 40000000, GOAL_SA_BYTES = 1024, GOAL_AT_SAS = 100000, MEMORY_SAS = 20000 };

static const double GOAL_SAS = 1.25;

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

static void begin_plane_row(
	struct nm_esp_row *row, const char *what, const struct nm_workload *workload)
{
	memset(row->fields, 0, sizeof(row->fields));
	row->fields[NM_ESP_WHAT].text = what;
	row->fields[NM_ESP_ENGINE].text = engine_name(workload->config.engine);
	row->fields[NM_ESP_SUITE].text = natmux_suite_get(workload->config.suite)->name;
	row->fields[NM_ESP_SIZE].count = workload->config.len;
	row->fields[NM_ESP_TRAIN].count = workload->config.train;
	row->fields[NM_ESP_SAS].count = workload->config.sas;
	row->fields[NM_ESP_POLICIES].count = workload->config.policies;
	row->fields[NM_ESP_ORDER].text = workload->config.is_random ? "random" : "in a row";
	row->fields[NM_ESP_SA_BYTES].real = NAN;
}

static void finish_plane_row(struct nm_esp_row *row, const struct nm_workload *many, size_t n)
{
	row->fields[NM_ESP_OF_ONE].spread = nm_esp_ratios(row->ns, row->base_ns, n);
	if (many->config.sas < GOAL_AT_SAS)
		return;
	row->fields[NM_ESP_GOAL].goal = (struct nm_goal){
		NM_GOAL_AT_MOST, GOAL_SAS, row->fields[NM_ESP_OF_ONE].spread.median};
}

static int measure_plane(struct nm_report *report, struct pair *pair, unsigned int repeat)
{
	static struct nm_esp_row rows[2];
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

		nm_turns_measure(steps, PLANE_STEPS, pair, BUDGET_NS, ns);
		rows[OUTPUT].ns[n] = ns[MANY_OUTPUT];
		rows[OUTPUT].base_ns[n] = ns[ONE_OUTPUT];
		rows[INPUT].ns[n] = ns[MANY_INPUT];
		rows[INPUT].base_ns[n] = ns[ONE_INPUT];
	}
	allocations = nm_alloc_count() - allocations;
	for (size_t i = 0; n > 0 && i < sizeof(directions) / sizeof(directions[0]); i++) {
		finish_plane_row(&rows[directions[i]], &pair->many, n);
		nm_esp_row_report(report, &rows[directions[i]], n, allocations);
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
		.len = NM_ESP_SMALL,
		.train = 1,
		.sas = MEMORY_SAS,
		.policies = 1,
	};
	struct nm_field fields[NM_ESP_COLUMNS] = {
		[NM_ESP_WHAT] = {.text = "memory"},
		[NM_ESP_ENGINE] = {.text = engine_name(engine)},
		[NM_ESP_SUITE] = {.text = natmux_suite_get(config.suite)->name},
		[NM_ESP_SAS] = {.count = config.sas},
	};
	static struct nm_workload workload;
	int err = nm_workload_init(&workload, &config);

	if (err < 0)
		return err;
	fields[NM_ESP_SA_BYTES].real = (double)workload.sa_bytes;
	fields[NM_ESP_GOAL].goal =
		(struct nm_goal){NM_GOAL_AT_MOST, GOAL_SA_BYTES, (double)workload.sa_bytes};
	nm_report_row(report, fields);
	nm_workload_done(&workload);
	return 0;
}

int nm_esp_run_planes(struct nm_report *report, const char *engine, unsigned int repeat)
{
	static const struct {
		uint32_t len, train;
	} shapes[] = {{NM_ESP_BULK, NM_WORKLOAD_TRAIN_MAX}, {NM_ESP_BULK, 1},
		{NM_ESP_SMALL, NM_WORKLOAD_TRAIN_MAX}, {NM_ESP_SMALL, 1}};
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
