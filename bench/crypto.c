/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenario "crypto": engines by suite and size, each beside the bare call of its library. Sealing and
 * opening, engine and bare call take turns on the same packets.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <natmux/error.h>

#include "bench/console.h"
#include "bench/packets.h"
#include "bench/report.h"
#include "bench/scenario.h"
#include "bench/turns.h"
#include "esp/suite_kind.h"

enum { REPEAT = 5, BUDGET_NS = 8000000 };

static const struct nm_engine *const engines[NM_ENGINES_MAX] = {
	&nm_engine_ipsecmb, &nm_engine_openssl, &nm_engine_sodium};

static const uint32_t sizes[] = {64, 256, 1420};

/* One of each kind: the others differ by their key's length or the ICV's. */
static const enum natmux_suite usual[] = {NATMUX_SUITE_AES128GCM16, NATMUX_SUITE_AES256GCM16,
	NATMUX_SUITE_CHACHA20POLY1305, NATMUX_SUITE_AES128GMAC, NATMUX_SUITE_AES128_SHA1,
	NATMUX_SUITE_AES128_SHA256, NATMUX_SUITE_AES256_SHA512, NATMUX_SUITE_NULL_SHA256};

enum {
	COLUMN_SUITE,
	COLUMN_SIZE,
	COLUMN_ENGINE,
	COLUMN_SEAL,
	COLUMN_OPEN,
	COLUMN_RAW_SEAL,
	COLUMN_RAW_OPEN,
	COLUMN_SEAL_OF_RAW,
	COLUMN_OPEN_OF_RAW,
	COLUMN_COUNT
};

static const struct nm_column columns[COLUMN_COUNT] = {
	[COLUMN_SUITE] = {"suite", "suite", NM_FIELD_TEXT, 0},
	[COLUMN_SIZE] = {"bytes", "bytes", NM_FIELD_COUNT, 0},
	[COLUMN_ENGINE] = {"engine", "engine", NM_FIELD_TEXT, 0},
	[COLUMN_SEAL] = {"seal_ns", "seal, ns", NM_FIELD_SPREAD, 0},
	[COLUMN_OPEN] = {"open_ns", "open, ns", NM_FIELD_SPREAD, 0},
	[COLUMN_RAW_SEAL] = {"raw_seal_ns", "bare seal", NM_FIELD_SPREAD, 0},
	[COLUMN_RAW_OPEN] = {"raw_open_ns", "bare open", NM_FIELD_SPREAD, 0},
	[COLUMN_SEAL_OF_RAW] = {"seal_of_raw", "seal of bare", NM_FIELD_SPREAD, 2},
	[COLUMN_OPEN_OF_RAW] = {"open_of_raw", "open of bare", NM_FIELD_SPREAD, 2},
};

struct bench {
	const struct nm_engine *engine;
	void *key;
	const struct nm_raw_aead *raw;
	void *raw_key; /* NULL: this suite is no AEAD */
	struct nm_packets packets;
};

static void step_seal(void *user)
{
	struct bench *bench = user;

	bench->engine->seal(bench->key, bench->packets.jobs, NM_ENGINE_VECTOR);
}

static void step_open(void *user)
{
	struct bench *bench = user;

	bench->engine->open(bench->key, bench->packets.jobs, NM_ENGINE_VECTOR);
}

static void step_raw_seal(void *user)
{
	struct bench *bench = user;

	bench->raw->seal(bench->raw_key, bench->packets.calls, NM_ENGINE_VECTOR);
}

static void step_raw_open(void *user)
{
	struct bench *bench = user;

	bench->raw->open(bench->raw_key, bench->packets.calls, NM_ENGINE_VECTOR);
}

enum { SEAL, OPEN, RAW_SEAL, RAW_OPEN, STEPS };

static const struct nm_turn_step steps[STEPS] = {
	[SEAL] = {step_seal, NM_ENGINE_VECTOR},
	[OPEN] = {step_open, NM_ENGINE_VECTOR},
	[RAW_SEAL] = {step_raw_seal, NM_ENGINE_VECTOR},
	[RAW_OPEN] = {step_raw_open, NM_ENGINE_VECTOR},
};

/* A figure for packets that did not open would be one of comparing. */
static int check_opened(const struct bench *bench, enum natmux_suite suite)
{
	for (unsigned int i = 0; i < NM_ENGINE_VECTOR; i++)
		if (!bench->packets.jobs[i].is_good) {
			nm_console_error("%s, %s: a packet did not open", bench->engine->name,
				natmux_suite_get(suite)->name);
			return NATMUX_EMALFORMED;
		}
	return 0;
}

static void report_row(struct nm_report *report, const struct bench *bench, enum natmux_suite suite,
	double (*samples)[NM_OPTION_REPEAT_MAX], size_t n)
{
	double seal_of_raw[NM_OPTION_REPEAT_MAX], open_of_raw[NM_OPTION_REPEAT_MAX];
	struct nm_field fields[COLUMN_COUNT] = {
		[COLUMN_SUITE] = {.text = natmux_suite_get(suite)->name},
		[COLUMN_SIZE] = {.count = bench->packets.jobs[0].len},
		[COLUMN_ENGINE] = {.text = bench->engine->name},
	};

	if (n == 0)
		return;
	for (size_t i = 0; bench->raw_key && i < n; i++) {
		seal_of_raw[i] = samples[RAW_SEAL][i] / samples[SEAL][i];
		open_of_raw[i] = samples[RAW_OPEN][i] / samples[OPEN][i];
	}
	fields[COLUMN_SEAL].spread = nm_spread_of(samples[SEAL], n);
	fields[COLUMN_OPEN].spread = nm_spread_of(samples[OPEN], n);
	if (bench->raw_key) {
		fields[COLUMN_RAW_SEAL].spread = nm_spread_of(samples[RAW_SEAL], n);
		fields[COLUMN_RAW_OPEN].spread = nm_spread_of(samples[RAW_OPEN], n);
		fields[COLUMN_SEAL_OF_RAW].spread = nm_spread_of(seal_of_raw, n);
		fields[COLUMN_OPEN_OF_RAW].spread = nm_spread_of(open_of_raw, n);
	}
	nm_report_row(report, fields);
}

static int measure(
	struct nm_report *report, struct bench *bench, enum natmux_suite suite, unsigned int repeat)
{
	static double samples[STEPS][NM_OPTION_REPEAT_MAX];
	size_t n = 0;
	int err = 0;

	for (; err == 0 && n < repeat && !nm_console_stopped(); n++) {
		double ns[STEPS];

		nm_turns_measure(steps, bench->raw_key ? STEPS : RAW_SEAL, bench, BUDGET_NS, ns);
		for (unsigned int i = 0; i < STEPS; i++)
			samples[i][n] = ns[i];
		err = check_opened(bench, suite);
	}
	if (err == 0)
		report_row(report, bench, suite, samples, n);
	return err;
}

/* CBC wants whole blocks. */
static uint32_t text_len(enum natmux_suite suite, uint32_t size)
{
	uint32_t align = natmux_suite_get(suite)->align;

	return (size + align - 1) / align * align;
}

static int run_size(struct nm_report *report, struct bench *bench, enum natmux_suite suite,
	uint32_t size, unsigned int repeat)
{
	int err = nm_packets_init(&bench->packets, suite, text_len(suite, size));

	if (err < 0)
		return err;
	err = measure(report, bench, suite, repeat);
	nm_packets_done(&bench->packets);
	return err;
}

static int run_engine(struct nm_report *report, const struct nm_engine *engine,
	enum natmux_suite suite, unsigned int repeat)
{
	struct bench bench = {.engine = engine, .raw = nm_raw_aead_find(engine->name)};
	size_t size = engine->key_size(suite);
	int err;

	bench.key = aligned_alloc(64, size);
	if (!bench.key)
		return NATMUX_ENOMEM;
	memset(bench.key, 0, size);
	err = engine->key_init(bench.key, suite, false, nm_packets_keymat);
	if (err == 0 && bench.raw)
		bench.raw_key = bench.raw->open_key(suite, nm_packets_keymat);
	nm_console_progress("crypto: %s, %s", engine->name, natmux_suite_get(suite)->name);
	for (size_t i = 0; err == 0 && i < sizeof(sizes) / sizeof(sizes[0]); i++)
		err = run_size(report, &bench, suite, sizes[i], repeat);
	if (bench.raw_key)
		bench.raw->close_key(bench.raw_key);
	engine->key_done(bench.key);
	free(bench.key);
	return err;
}

static int run_suite(struct nm_report *report, enum natmux_suite suite, unsigned int repeat)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < NM_ENGINES_MAX && !nm_console_stopped(); i++)
		if (engines[i]->has_suite(suite))
			err = run_engine(report, engines[i], suite, repeat);
	return err;
}

struct crypto_options {
	bool is_all;
	const char *suite;
	struct nm_run_options run;
};

static int run_suites(struct nm_report *report, const struct crypto_options *options)
{
	enum natmux_suite only;
	int err = 0;

	if (options->suite && natmux_suite_parse(options->suite, &only) == 0)
		return run_suite(report, only, options->run.repeat);
	for (unsigned int i = 0; err == 0 && options->is_all && i < NATMUX_SUITE_COUNT; i++)
		err = run_suite(report, (enum natmux_suite)i, options->run.repeat);
	for (size_t i = 0; err == 0 && !options->is_all && i < sizeof(usual) / sizeof(usual[0]);
		i++)
		err = run_suite(report, usual[i], options->run.repeat);
	return err;
}

static bool suite_is_known(const char *word)
{
	enum natmux_suite suite;

	if (!word || natmux_suite_parse(word, &suite) == 0)
		return true;
	nm_console_error("--suite: found \"%s\", allowed are words such as aes128gcm16, "
			 "chacha20poly1305, aes256-sha256",
		word);
	return false;
}

static int run(int argc, char **argv)
{
	struct crypto_options options = {.run.repeat = REPEAT};
	const struct nm_option table[] = {
		{"all", NM_OPTION_FLAG, NULL, "every suite, not one of each kind", &options.is_all,
			0, 0},
		{"suite", NM_OPTION_TEXT, "SUITE", "only this one", &options.suite, 0, 0},
	};
	struct nm_report *report;
	int err;

	switch (nm_options_parse("crypto",
		"Nanoseconds that an engine takes to seal and to open one packet, and the bare\n"
		"AEAD call of the same library on the same packets, turn by turn.",
		table, sizeof(table) / sizeof(table[0]), &options.run, argc, argv)) {
	case NM_OPTIONS_OK: break;
	case NM_OPTIONS_HELP: return NM_EXIT_OK;
	case NM_OPTIONS_WRONG: return NM_EXIT_USAGE;
	}
	if (!suite_is_known(options.suite))
		return NM_EXIT_USAGE;
	report = nm_report_open(&options.run, argc, argv, columns, COLUMN_COUNT);
	if (!report)
		return NM_EXIT_FAILED;
	err = sodium_init() < 0 ? NATMUX_ESYSTEM : run_suites(report, &options);
	if (err < 0)
		nm_console_error("crypto: %s", natmux_strerror(err));
	nm_report_note(report, "bytes: text that is encrypted; vectors of %d packets, in cache",
		NM_ENGINE_VECTOR);
	return nm_report_close(report) == NM_EXIT_OK && err == 0 ? NM_EXIT_OK : NM_EXIT_FAILED;
}

const struct nm_scenario nm_scenario_crypto = {
	.name = "crypto",
	.summary = "nanoseconds to seal and open, by engine, suite and size",
	.run = run,
};
