/* SPDX-License-Identifier: Apache-2.0 */
/* The table is kept until the end, since its widths depend on all rows; JSON goes out at once. */
#include "bench/report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/console.h"
#include "bench/machine.h"
#include "bench/scenario.h"

enum { CELL_SIZE = 64, LINES_MAX = 512, NOTES_MAX = 16, NOTE_SIZE = 256 };

typedef char cell_text[CELL_SIZE];

struct nm_report {
	const struct nm_column *columns;
	size_t column_count;
	cell_text (*rows)[NM_REPORT_COLUMNS_MAX]; /* LINES_MAX of them */
	size_t row_count;
	char notes[NOTES_MAX][NOTE_SIZE];
	size_t note_count;
	char heading[512];
	bool is_json;
	FILE *save; /* or NULL */
	bool has_failed;
};

bool nm_goal_is_met(const struct nm_goal *goal)
{
	switch (goal->sense) {
	case NM_GOAL_NONE: return true;
	case NM_GOAL_AT_MOST: return goal->value <= goal->limit;
	case NM_GOAL_AT_LEAST: return goal->value >= goal->limit;
	}
	return false;
}

/* Steals `object`. */
static void write_json(struct nm_report *report, json_t *object)
{
	char *line = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;

	json_decref(object);
	if (!line) {
		report->has_failed = true;
		return;
	}
	if (report->is_json) {
		puts(line);
		fflush(stdout);
	}
	if (report->save && fprintf(report->save, "%s\n", line) < 0)
		report->has_failed = true;
	free(line);
}

static json_t *json_spread(const struct nm_spread *spread)
{
	if (spread->n == 0)
		return json_null();
	return json_pack("{s:f, s:f, s:f, s:I}", "median", spread->median, "min", spread->min,
		"max", spread->max, "n", (json_int_t)spread->n);
}

static json_t *json_goal(const struct nm_goal *goal)
{
	if (goal->sense == NM_GOAL_NONE)
		return json_null();
	return json_pack("{s:s, s:f, s:f, s:b}", "sense",
		goal->sense == NM_GOAL_AT_MOST ? "at-most" : "at-least", "limit", goal->limit,
		"value", goal->value, "met", (int)nm_goal_is_met(goal));
}

static json_t *json_field(enum nm_field_kind kind, const struct nm_field *field)
{
	switch (kind) {
	case NM_FIELD_TEXT: return field->text ? json_string(field->text) : json_null();
	case NM_FIELD_COUNT: return json_integer((json_int_t)field->count);
	case NM_FIELD_REAL: return isfinite(field->real) ? json_real(field->real) : json_null();
	case NM_FIELD_SPREAD: return json_spread(&field->spread);
	case NM_FIELD_GOAL: return json_goal(&field->goal);
	}
	return NULL;
}

static void format_goal(const struct nm_goal *goal, char *text)
{
	if (goal->sense == NM_GOAL_NONE)
		snprintf(text, CELL_SIZE, "-");
	else
		snprintf(text, CELL_SIZE, "%s %g: %s",
			goal->sense == NM_GOAL_AT_MOST ? "<=" : ">=", goal->limit,
			nm_goal_is_met(goal) ? "met" : "MISSED");
}

static void format_field(const struct nm_column *column, const struct nm_field *field, char *text)
{
	int decimals = column->decimals;

	snprintf(text, CELL_SIZE, "-");
	switch (column->kind) {
	case NM_FIELD_TEXT:
		if (field->text)
			snprintf(text, CELL_SIZE, "%s", field->text);
		break;
	case NM_FIELD_COUNT:
		snprintf(text, CELL_SIZE, "%llu", (unsigned long long)field->count);
		break;
	case NM_FIELD_REAL:
		if (isfinite(field->real))
			snprintf(text, CELL_SIZE, "%.*f", decimals, field->real);
		break;
	case NM_FIELD_SPREAD:
		if (field->spread.n > 0)
			snprintf(text, CELL_SIZE, "%.*f [%.*f %.*f]", decimals,
				field->spread.median, decimals, field->spread.min, decimals,
				field->spread.max);
		break;
	case NM_FIELD_GOAL: format_goal(&field->goal, text); break;
	}
}

static void write_run(
	struct nm_report *report, int argc, char **argv, const struct nm_machine *machine)
{
	json_t *command = json_array();

	for (int i = 0; i < argc; i++)
		json_array_append_new(command, json_string(argv[i]));
	write_json(report,
		json_pack("{s:s, s:s, s:o, s:s, s:{s:s, s:i, s:s}, s:{s:s, s:s, s:s, s:s}}",
			"record", "run", "scenario", argv[0], "command", command, "date",
			machine->date, "machine", "cpu", machine->cpu, "cores", (int)machine->cores,
			"kernel", machine->kernel, "build", "version", nm_build.version, "revision",
			nm_build.revision, "compiler", nm_build.compiler, "flags", nm_build.flags));
}

static struct nm_report *new_report(const struct nm_column *columns, size_t n)
{
	struct nm_report *report = calloc(1, sizeof(*report));

	if (!report)
		return NULL;
	report->rows = calloc(LINES_MAX, sizeof(*report->rows));
	if (!report->rows) {
		free(report);
		return NULL;
	}
	report->columns = columns;
	report->column_count = n;
	return report;
}

static void free_report(struct nm_report *report)
{
	if (report->save && fclose(report->save) != 0)
		report->has_failed = true;
	free(report->rows);
	free(report);
}

struct nm_report *nm_report_open(const struct nm_run_options *run, int argc, char **argv,
	const struct nm_column *columns, size_t n)
{
	struct nm_report *report = new_report(columns, n);
	struct nm_machine machine;

	if (!report) {
		nm_console_error("out of memory");
		return NULL;
	}
	report->is_json = run->is_json;
	if (run->save) {
		report->save = fopen(run->save, "a");
		if (!report->save) {
			nm_console_error("cannot open %s: %s", run->save, strerror(errno));
			free_report(report);
			return NULL;
		}
	}
	nm_machine_read(&machine);
	snprintf(report->heading, sizeof(report->heading),
		"%s, %u core%s, %s\nnatmux %s (%s), %s, %s\n%s\n", machine.cpu, machine.cores,
		machine.cores == 1 ? "" : "s", machine.kernel, nm_build.version, nm_build.revision,
		nm_build.compiler, nm_build.flags, machine.date);
	write_run(report, argc, argv, &machine);
	return report;
}

void nm_report_row(struct nm_report *report, const struct nm_field *fields)
{
	json_t *object = json_pack("{s:s}", "record", "result");

	for (size_t i = 0; i < report->column_count; i++)
		json_object_set_new(object, report->columns[i].key,
			json_field(report->columns[i].kind, &fields[i]));
	write_json(report, object);
	if (report->row_count == LINES_MAX)
		return;
	for (size_t i = 0; i < report->column_count; i++)
		format_field(&report->columns[i], &fields[i], report->rows[report->row_count][i]);
	report->row_count++;
}

void nm_report_note(struct nm_report *report, const char *format, ...)
{
	char note[NOTE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(note, sizeof(note), format, args);
	va_end(args);
	write_json(report, json_pack("{s:s, s:s}", "record", "note", "text", note));
	if (report->note_count < NOTES_MAX)
		memcpy(report->notes[report->note_count++], note, sizeof(note));
}

static int column_width(const struct nm_report *report, size_t column)
{
	size_t width = strlen(report->columns[column].title);

	for (size_t i = 0; i < report->row_count; i++) {
		size_t len = strlen(report->rows[i][column]);

		if (len > width)
			width = len;
	}
	return (int)width;
}

/* Text to the left, numbers to the right. */
static void print_cell(const struct nm_report *report, size_t column, const char *text, int width)
{
	bool is_last = column + 1 == report->column_count;

	switch (report->columns[column].kind) {
	case NM_FIELD_TEXT:
	case NM_FIELD_GOAL: printf("%-*s", is_last ? 0 : width, text); break;
	case NM_FIELD_COUNT:
	case NM_FIELD_REAL:
	case NM_FIELD_SPREAD: printf("%*s", width, text); break;
	}
	fputs(is_last ? "\n" : "  ", stdout);
}

static void print_table(const struct nm_report *report)
{
	int widths[NM_REPORT_COLUMNS_MAX];

	printf("%s\n", report->heading);
	for (size_t i = 0; i < report->column_count; i++)
		widths[i] = column_width(report, i);
	for (size_t i = 0; i < report->column_count; i++)
		print_cell(report, i, report->columns[i].title, widths[i]);
	for (size_t row = 0; row < report->row_count; row++)
		for (size_t i = 0; i < report->column_count; i++)
			print_cell(report, i, report->rows[row][i], widths[i]);
	if (report->note_count > 0)
		putchar('\n');
	for (size_t i = 0; i < report->note_count; i++)
		printf("%s\n", report->notes[i]);
}

int nm_report_close(struct nm_report *report)
{
	bool has_failed;

	if (!report)
		return NM_EXIT_FAILED;
	nm_console_progress("%s", "");
	if (nm_console_stopped())
		nm_report_note(report, "interrupted: the rest was not measured");
	if (!report->is_json)
		print_table(report);
	if (fflush(stdout) != 0 || ferror(stdout))
		report->has_failed = true;
	if (report->save && fclose(report->save) != 0)
		report->has_failed = true;
	report->save = NULL;
	has_failed = report->has_failed;
	if (has_failed)
		nm_console_error("the results could not be written");
	free_report(report);
	return has_failed || nm_console_stopped() ? NM_EXIT_FAILED : NM_EXIT_OK;
}
