/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing and opening alone, and the bare call of the engine's library: they take turns. */
#include <math.h>
#include <string.h>
#include <natmux/error.h>

#include "bench/alloc.h"
#include "bench/console.h"
#include "bench/esp_row.h"
#include "bench/sealing.h"
#include "bench/turns.h"

enum { BUDGET_NS = 10000000 };

static const double GOAL_BULK = 0.85, GOAL_SMALL = 0.6;

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

static void begin_row(struct nm_esp_row *row, const char *what, const struct nm_engine *engine,
	enum natmux_suite suite, uint32_t len)
{
	memset(row->fields, 0, sizeof(row->fields));
	row->fields[NM_ESP_WHAT].text = what;
	row->fields[NM_ESP_ENGINE].text = engine->name;
	row->fields[NM_ESP_SUITE].text = natmux_suite_get(suite)->name;
	row->fields[NM_ESP_SIZE].count = len;
	row->fields[NM_ESP_TRAIN].count = NM_ENGINE_VECTOR;
	row->fields[NM_ESP_SAS].count = 1;
	row->fields[NM_ESP_ORDER].text = "-";
	row->fields[NM_ESP_SA_BYTES].real = NAN;
}

/* The goals are for AES-GCM; ChaCha20-Poly1305 and the rest are shown beside it. */
static void set_sealing_goal(struct nm_esp_row *row, enum natmux_suite suite, uint32_t len)
{
	const struct nm_spread *of_raw = &row->fields[NM_ESP_OF_RAW].spread;

	if (suite > NATMUX_SUITE_AES256GCM8 || of_raw->n == 0)
		return;
	if (len == NM_ESP_BULK)
		row->fields[NM_ESP_GOAL].goal =
			(struct nm_goal){NM_GOAL_AT_LEAST, GOAL_BULK, of_raw->median};
	if (len == NM_ESP_SMALL)
		row->fields[NM_ESP_GOAL].goal =
			(struct nm_goal){NM_GOAL_AT_LEAST, GOAL_SMALL, of_raw->median};
}

static int measure_sealing(struct nm_report *report, struct nm_sealing *sealing,
	const struct nm_engine *engine, enum natmux_suite suite, uint32_t len, unsigned int repeat)
{
	static struct nm_esp_row rows[2];
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
			rows[i].fields[NM_ESP_OF_RAW].spread =
				nm_esp_ratios(rows[i].base_ns, rows[i].ns, n);
		set_sealing_goal(&rows[i], suite, len);
		nm_esp_row_report(report, &rows[i], n, allocations);
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

int nm_esp_run_sealing(struct nm_report *report, unsigned int repeat)
{
	static const struct nm_engine *const engines[NM_ENGINES_MAX] = {
		&nm_engine_ipsecmb, &nm_engine_openssl, &nm_engine_sodium};
	static const enum natmux_suite suites[] = {NATMUX_SUITE_AES128GCM16,
		NATMUX_SUITE_AES256GCM16, NATMUX_SUITE_CHACHA20POLY1305,
		NATMUX_SUITE_AES128_SHA256};
	static const uint32_t sizes[] = {NM_ESP_SMALL, 256, NM_ESP_BULK};
	int err = 0;

	for (size_t s = 0; s < sizeof(suites) / sizeof(suites[0]); s++)
		for (size_t e = 0; e < NM_ENGINES_MAX; e++)
			for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
				if (err == 0 && !nm_console_stopped())
					err = run_sealing(
						report, engines[e], suites[s], sizes[i], repeat);
	return err;
}
