/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario "classify": what it costs to say what a datagram is. */
#include <stdio.h>
#include <unistd.h>

#include <natmux/classify.h>
#include <natmux/error.h>

#include "bench/console.h"
#include "bench/corpus.h"
#include "bench/pcap_file.h"
#include "bench/report.h"
#include "bench/scenario.h"
#include "bench/stopwatch.h"

enum {
	REPEAT = 11,
	BUDGET_NS = 10000000, /* of one measurement */
	HOT_SIZE = 32768,     /* bytes of datagrams: about a first-level cache */
	PARTS_MAX = 12,
};

struct subject {
	const char *text;
	struct nm_corpus_part parts[PARTS_MAX];
	size_t part_count;
	double goal_ns; /* in cache; 0: none */
};

static const struct subject subjects[] = {
	{"esp", {{NM_GEN_ESP, 64, 1}}, 1, 3},
	{"esp", {{NM_GEN_ESP, 1428, 1}}, 1, 3},
	{"ike", {{NM_GEN_IKE, 300, 1}}, 1, 3},
	{"keepalive", {{NM_GEN_KEEPALIVE, 1, 1}}, 1, 0},
	{"stun", {{NM_GEN_STUN, 28, 1}}, 1, 0},
	{"stun", {{NM_GEN_STUN, 100, 1}}, 1, 60},
	{"stun", {{NM_GEN_STUN, 500, 1}}, 1, 0},
	{"esp cookie", {{NM_GEN_SEQUENCE, 1428, 1}}, 1, 0},
	{"esp no-crc", {{NM_GEN_NO_CRC, 100, 1}}, 1, 0},
	{"esp bad-crc", {{NM_GEN_BAD_CRC, 100, 1}}, 1, 0},
	{"esp bad-crc", {{NM_GEN_BAD_CRC, 1428, 1}}, 1, 0},
	{"mixed, 90 % esp",
		{{NM_GEN_ESP, 64, 36}, {NM_GEN_ESP, 1428, 36}, {NM_GEN_IKE, 300, 2},
			{NM_GEN_KEEPALIVE, 1, 2}, {NM_GEN_STUN, 100, 4}},
		5, 0},
	{"mixed, all alike",
		{{NM_GEN_ESP, 64, 1}, {NM_GEN_ESP, 1428, 1}, {NM_GEN_IKE, 300, 1},
			{NM_GEN_KEEPALIVE, 1, 1}, {NM_GEN_STUN, 28, 1}, {NM_GEN_STUN, 100, 1},
			{NM_GEN_STUN, 500, 1}, {NM_GEN_SEQUENCE, 1428, 1}, {NM_GEN_NO_CRC, 100, 1},
			{NM_GEN_BAD_CRC, 100, 1}},
		10, 0},
};

enum { SUBJECT_COUNT = sizeof(subjects) / sizeof(subjects[0]) };

enum { COLUMN_WHAT, COLUMN_SIZE, COLUMN_DATA, COLUMN_TIME, COLUMN_GOAL, COLUMN_COUNT };

static const struct nm_column columns[COLUMN_COUNT] = {
	[COLUMN_WHAT] = {"datagram", "datagram", NM_FIELD_TEXT, 0},
	[COLUMN_SIZE] = {"bytes", "bytes", NM_FIELD_TEXT, 0},
	[COLUMN_DATA] = {"data", "data", NM_FIELD_TEXT, 0},
	[COLUMN_TIME] = {"ns", "ns, median [min max]", NM_FIELD_SPREAD, 2},
	[COLUMN_GOAL] = {"goal", "goal, ns", NM_FIELD_GOAL, 0},
};

typedef enum natmux_class (*classifier)(const uint8_t *data, size_t len);

struct pass {
	const struct nm_corpus *corpus;
	classifier classify;
};

/* What the loop itself costs: a call that reads nothing. */
static __attribute__((noinline)) enum natmux_class classify_nothing(const uint8_t *data, size_t len)
{
	__asm__ volatile("" : : "r"(data), "r"(len));
	return NATMUX_CLASS_ESP;
}

static void run_pass(void *user)
{
	const struct pass *pass = user;
	const struct nm_corpus *corpus = pass->corpus;
	classifier classify = pass->classify;
	unsigned int sum = 0;

	for (size_t i = 0; i < corpus->visits; i++) {
		const struct nm_corpus_item *item = &corpus->items[corpus->order[i]];

		sum += classify(corpus->memory + item->offset, item->len);
	}
	/* The sum is used, for all the compiler knows. */
	__asm__ volatile("" : : "r"(sum));
}

static struct nm_spread measure(
	const struct nm_corpus *corpus, classifier classify, unsigned int repeat)
{
	struct pass pass = {corpus, classify};
	double samples[NM_OPTION_REPEAT_MAX];
	size_t n = 0;

	run_pass(&pass);
	while (n < repeat && !nm_console_stopped())
		samples[n++] = nm_stopwatch_per_item(run_pass, &pass, corpus->visits, BUDGET_NS);
	return nm_spread_of(samples, n);
}

/* A figure for datagrams that are taken for something else would be a lie. */
static int check_classes(const struct nm_corpus *corpus, const struct subject *subject)
{
	static const enum natmux_class expected[NM_GEN_COUNT] = {
		[NM_GEN_ESP] = NATMUX_CLASS_ESP,
		[NM_GEN_IKE] = NATMUX_CLASS_IKE,
		[NM_GEN_KEEPALIVE] = NATMUX_CLASS_KEEPALIVE,
		[NM_GEN_STUN] = NATMUX_CLASS_STUN,
		[NM_GEN_SEQUENCE] = NATMUX_CLASS_ESP,
		[NM_GEN_NO_CRC] = NATMUX_CLASS_ESP,
		[NM_GEN_BAD_CRC] = NATMUX_CLASS_ESP,
	};

	if (subject->part_count > 1)
		return 0;
	for (size_t i = 0; i < corpus->count; i++) {
		const struct nm_corpus_item *item = &corpus->items[i];
		enum natmux_class cls = natmux_classify(corpus->memory + item->offset, item->len);

		if (cls != expected[subject->parts[0].kind]) {
			nm_console_error("a datagram made as \"%s\" is taken for %s", subject->text,
				natmux_class_name(cls));
			return NATMUX_EMALFORMED;
		}
	}
	return 0;
}

static void report_row(struct nm_report *report, const char *what, const char *size,
	const char *data, struct nm_spread spread, double goal_ns)
{
	struct nm_field fields[COLUMN_COUNT] = {
		[COLUMN_WHAT] = {.text = what},
		[COLUMN_SIZE] = {.text = size},
		[COLUMN_DATA] = {.text = data},
		[COLUMN_TIME] = {.spread = spread},
	};

	if (spread.n == 0)
		return;
	if (goal_ns > 0)
		fields[COLUMN_GOAL].goal =
			(struct nm_goal){NM_GOAL_AT_MOST, goal_ns, spread.median};
	nm_report_row(report, fields);
}

static int run_subject(struct nm_report *report, const struct subject *subject, bool is_hot,
	size_t memory_size, unsigned int repeat)
{
	struct nm_corpus corpus = {0};
	char size[16] = "-";
	int err = nm_corpus_generate(&corpus, subject->parts, subject->part_count, memory_size);

	if (err < 0) {
		nm_console_error("%s: %s", subject->text, natmux_strerror(err));
		return err;
	}
	nm_console_progress("classify: %s", subject->text);
	if (subject->part_count == 1)
		snprintf(size, sizeof(size), "%zu", subject->parts[0].len);
	err = check_classes(&corpus, subject);
	if (err == 0)
		report_row(report, subject->text, size, is_hot ? "in cache" : "in memory",
			measure(&corpus, natmux_classify, repeat), is_hot ? subject->goal_ns : 0);
	nm_corpus_done(&corpus);
	return err;
}

static int run_loop(struct nm_report *report, unsigned int repeat)
{
	static const struct nm_corpus_part part = {NM_GEN_ESP, 64, 1};
	struct nm_corpus corpus = {0};
	int err = nm_corpus_generate(&corpus, &part, 1, HOT_SIZE);

	if (err < 0)
		return err;
	report_row(report, "(the loop alone)", "-", "in cache",
		measure(&corpus, classify_nothing, repeat), 0);
	nm_corpus_done(&corpus);
	return 0;
}

/* Several times the cache of one core; what several cores share may be far larger on a server. */
static size_t cold_size(unsigned int asked_mib)
{
	long level2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
	size_t size = (size_t)64 << 20;

	if (asked_mib > 0)
		return (size_t)asked_mib << 20;
	if (level2 > 0 && (size_t)level2 * 16 > size)
		size = (size_t)level2 * 16;
	return size < NM_CORPUS_MEMORY_MAX / 2 ? size : NM_CORPUS_MEMORY_MAX / 2;
}

static int run_generated(struct nm_report *report, unsigned int cold_mib, unsigned int repeat)
{
	size_t memory_size = cold_size(cold_mib);
	int err = run_loop(report, repeat);

	for (size_t i = 0; err == 0 && i < SUBJECT_COUNT && !nm_console_stopped(); i++)
		err = run_subject(report, &subjects[i], true, HOT_SIZE, repeat);
	for (size_t i = 0; err == 0 && i < SUBJECT_COUNT && !nm_console_stopped(); i++)
		err = run_subject(report, &subjects[i], false, memory_size, repeat);
	nm_report_note(report,
		"in memory: datagrams spread over %zu MiB, visited at random (caches: %ld KiB, %ld "
		"KiB, %ld KiB)",
		memory_size >> 20, sysconf(_SC_LEVEL1_DCACHE_SIZE) >> 10,
		sysconf(_SC_LEVEL2_CACHE_SIZE) >> 10, sysconf(_SC_LEVEL3_CACHE_SIZE) >> 10);
	return err;
}

static void note_classes(struct nm_report *report, const struct nm_corpus *corpus)
{
	size_t counts[NATMUX_CLASS_COUNT] = {0};

	for (size_t i = 0; i < corpus->count; i++)
		counts[natmux_classify(
			corpus->memory + corpus->items[i].offset, corpus->items[i].len)]++;
	for (unsigned int i = 0; i < NATMUX_CLASS_COUNT; i++)
		if (counts[i] > 0)
			nm_report_note(report, "%zu %s", counts[i], natmux_class_name(i));
}

static int run_pcap(struct nm_report *report, const char *path, unsigned int repeat)
{
	struct nm_corpus corpus = {0};
	char error[256];
	int err = nm_pcap_file_read(path, &corpus, error, sizeof(error));

	if (err == 0)
		err = nm_corpus_shuffle(&corpus);
	else
		nm_console_error("%s", error);
	if (err == 0) {
		report_row(report, "(the loop alone)", "-", "-",
			measure(&corpus, classify_nothing, repeat), 0);
		report_row(report, path, "-", "-", measure(&corpus, natmux_classify, repeat), 0);
		note_classes(report, &corpus);
	}
	nm_corpus_done(&corpus);
	return err;
}

static int run(int argc, char **argv)
{
	struct nm_run_options options = {.repeat = REPEAT};
	const char *pcap = NULL;
	unsigned int cold_mib = 0;
	const struct nm_option table[] = {
		{"pcap", NM_OPTION_TEXT, "FILE", "the UDP payloads of a pcap file instead", &pcap,
			0, 0},
		{"memory", NM_OPTION_NUMBER, "MIB",
			"size of what does not fit into caches (64 or 16 second-level caches)",
			&cold_mib, 1, NM_CORPUS_MEMORY_MAX >> 21},
	};
	struct nm_report *report;
	int err;

	switch (nm_options_parse("classify",
		"Nanoseconds that natmux_classify() takes for one datagram. Datagrams are visited "
		"in\n"
		"random order; the loop and the call are part of the figure.",
		table, sizeof(table) / sizeof(table[0]), &options, argc, argv)) {
	case NM_OPTIONS_OK: break;
	case NM_OPTIONS_HELP: return NM_EXIT_OK;
	case NM_OPTIONS_WRONG: return NM_EXIT_USAGE;
	}
	report = nm_report_open(&options, argc, argv, columns, COLUMN_COUNT);
	if (!report)
		return NM_EXIT_FAILED;
	err = pcap ? run_pcap(report, pcap, options.repeat)
		   : run_generated(report, cold_mib, options.repeat);
	return nm_report_close(report) == NM_EXIT_OK && err == 0 ? NM_EXIT_OK : NM_EXIT_FAILED;
}

const struct nm_scenario nm_scenario_classify = {
	.name = "classify",
	.summary = "nanoseconds to tell what a datagram is",
	.run = run,
};
