/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario "memory": what natmuxd holds while it has nothing to do, and the library's size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <natmux/error.h>

#include "bench/console.h"
#include "bench/elf_size.h"
#include "bench/idle.h"
#include "bench/report.h"
#include "bench/scenario.h"

enum { REPEAT = 3, REST_MS = 500, FILE_MAX = 64 << 20 };

static const double GOAL_RESIDENT_KIB = 8192, GOAL_TEXT_KIB = 96;

enum { COLUMN_WHAT, COLUMN_SIZE, COLUMN_GOAL, COLUMN_COUNT };

static const struct nm_column columns[COLUMN_COUNT] = {
	[COLUMN_WHAT] = {"what", "what", NM_FIELD_TEXT, 0},
	[COLUMN_SIZE] = {"kib", "KiB, median [min max]", NM_FIELD_SPREAD, 1},
	[COLUMN_GOAL] = {"goal", "goal, KiB", NM_FIELD_GOAL, 0},
};

static void report_row(
	struct nm_report *report, const char *what, double *kib, size_t n, double goal_kib)
{
	struct nm_field fields[COLUMN_COUNT] = {
		[COLUMN_WHAT] = {.text = what},
		[COLUMN_SIZE] = {.spread = nm_spread_of(kib, n)},
	};

	if (goal_kib > 0)
		fields[COLUMN_GOAL].goal = (struct nm_goal){
			NM_GOAL_AT_MOST, goal_kib, fields[COLUMN_SIZE].spread.median};
	nm_report_row(report, fields);
}

static int run_idle(struct nm_report *report, const char *natmuxd, unsigned int repeat)
{
	double resident[NM_OPTION_REPEAT_MAX], anonymous[NM_OPTION_REPEAT_MAX];
	double share[NM_OPTION_REPEAT_MAX];
	size_t n = 0;

	for (; n < repeat && !nm_console_stopped(); n++) {
		struct nm_idle_memory memory;
		int err;

		nm_console_progress("memory: natmuxd, %zu of %u", n + 1, repeat);
		err = nm_idle_measure(natmuxd, REST_MS, &memory);
		if (err < 0)
			return err;
		resident[n] = (double)memory.resident;
		anonymous[n] = (double)memory.anonymous;
		share[n] = (double)memory.share;
	}
	if (n == 0)
		return 0;
	report_row(report, "natmuxd idle, resident", resident, n, GOAL_RESIDENT_KIB);
	report_row(report, "of that anonymous", anonymous, n, 0);
	report_row(report, "natmuxd idle, proportional share", share, n, 0);
	return 0;
}

/* The whole file; NULL when it cannot be read. */
static uint8_t *read_file(const char *path, size_t *len)
{
	uint8_t *bytes = NULL;
	FILE *file = fopen(path, "rb");
	long size = -1;

	if (file && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	if (size > 0 && size <= FILE_MAX && fseek(file, 0, SEEK_SET) == 0)
		bytes = malloc((size_t)size);
	if (bytes && fread(bytes, 1, (size_t)size, file) != (size_t)size) {
		free(bytes);
		bytes = NULL;
	}
	if (file)
		fclose(file);
	*len = (size_t)size;
	return bytes;
}

static int run_library(struct nm_report *report, const char *path)
{
	struct nm_elf_size size;
	double code, text, data;
	size_t len;
	uint8_t *bytes = read_file(path, &len);
	int err = bytes ? nm_elf_size(bytes, len, &size) : NATMUX_ESYSTEM;

	free(bytes);
	if (err < 0) {
		nm_console_error("%s: not a shared library that can be read", path);
		return err;
	}
	code = (double)size.code / 1024;
	text = (double)size.text / 1024;
	data = (double)size.data / 1024;
	report_row(report, "libnatmux, text", &text, 1, GOAL_TEXT_KIB);
	report_row(report, "of that code", &code, 1, 0);
	report_row(report, "libnatmux, data", &data, 1, 0);
	return 0;
}

static int run(int argc, char **argv)
{
	struct nm_run_options options = {.repeat = REPEAT};
	const char *natmuxd = "natmuxd", *library = NULL;
	const struct nm_option table[] = {
		{"natmuxd", NM_OPTION_TEXT, "PATH", "the natmuxd to start (natmuxd in $PATH)",
			&natmuxd, 0, 0},
		{"library", NM_OPTION_TEXT, "FILE", "libnatmux.so whose size to tell as well",
			&library, 0, 0},
	};
	struct nm_report *report;
	int err;

	switch (nm_options_parse("memory",
		"Memory of a natmuxd that has nothing to do, on loopback with the Unix handoff, "
		"and\n"
		"the size of the core library.",
		table, sizeof(table) / sizeof(table[0]), &options, argc, argv)) {
	case NM_OPTIONS_OK: break;
	case NM_OPTIONS_HELP: return NM_EXIT_OK;
	case NM_OPTIONS_WRONG: return NM_EXIT_USAGE;
	}
	report = nm_report_open(&options, argc, argv, columns, COLUMN_COUNT);
	if (!report)
		return NM_EXIT_FAILED;
	err = library ? run_library(report, library) : 0;
	if (run_idle(report, natmuxd, options.repeat) < 0)
		err = NATMUX_ESYSTEM;
	return nm_report_close(report) == NM_EXIT_OK && err == 0 ? NM_EXIT_OK : NM_EXIT_FAILED;
}

const struct nm_scenario nm_scenario_memory = {
	.name = "memory",
	.summary = "memory of an idle natmuxd, size of the library",
	.run = run,
};
