/* SPDX-License-Identifier: Apache-2.0 */
/* One record, two forms: the JSON lines are read back with jansson, the table as text. */
#include "test.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "bench/report.h"

static const struct nm_column columns[] = {
	{"what", "what", NM_FIELD_TEXT, 0},
	{"count", "count", NM_FIELD_COUNT, 0},
	{"real", "real", NM_FIELD_REAL, 2},
	{"ns", "ns", NM_FIELD_SPREAD, 1},
	{"goal", "goal", NM_FIELD_GOAL, 0},
};

enum { COLUMN_COUNT = ARRAY_SIZE(columns), TEXT_MAX = 16384 };

static char folder[] = "/tmp/natmux-report-XXXXXX";
static char path[64], out_path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/lines", folder);
	snprintf(out_path, sizeof(out_path), "%s/out", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	unlink(out_path);
	return rmdir(folder);
}

static void write_report(bool is_json)
{
	char *argv[] = {(char[]){"scenario"}, (char[]){"--x=\"y\""}};
	struct nm_run_options run = {.is_json = is_json, .save = path};
	struct nm_report *report = nm_report_open(&run, 2, argv, columns, COLUMN_COUNT);
	const struct nm_field full[COLUMN_COUNT] = {
		{.text = "a \"b\""},
		{.count = 12345678901},
		{.real = 2.346},
		{.spread = {1, 2.25, 4, 3}},
		{.goal = {NM_GOAL_AT_MOST, 3, 2.25}},
	};
	const struct nm_field empty[COLUMN_COUNT] = {
		{.text = NULL},
		{.count = 0},
		{.real = NAN},
		{.spread = {0, 0, 0, 0}},
		{.goal = {NM_GOAL_NONE, 0, 0}},
	};

	assert_non_null(report);
	nm_report_row(report, full);
	nm_report_row(report, empty);
	nm_report_note(report, "note %d", 1);
	assert_int_equal(nm_report_close(report), 0);
}

/* Writes the report with stdout in a file; returns what came there. */
static const char *capture(bool is_json)
{
	static char text[TEXT_MAX];
	int saved;
	FILE *file;

	unlink(path);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	assert_non_null(freopen(out_path, "w+", stdout));
	write_report(is_json);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	file = fopen(out_path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static json_t *read_line(FILE *file)
{
	json_t *line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL);

	assert_non_null(line);
	return line;
}

static void assert_member(const json_t *object, const char *key, const char *value)
{
	assert_string_equal(json_string_value(json_object_get(object, key)), value);
}

static void test_json_lines(void **state)
{
	FILE *file;
	json_t *run, *full, *empty, *note;

	(void)state;
	capture(true);
	file = fopen(path, "r");
	assert_non_null(file);
	run = read_line(file);
	full = read_line(file);
	empty = read_line(file);
	note = read_line(file);

	assert_member(run, "record", "run");
	assert_member(run, "scenario", "scenario");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(run, "command"), 1)), "--x=\"y\"");
	assert_non_null(json_object_get(json_object_get(run, "machine"), "cpu"));
	assert_non_null(json_object_get(json_object_get(run, "build"), "compiler"));
	assert_int_equal(json_string_length(json_object_get(run, "date")), 20);

	assert_member(full, "record", "result");
	assert_member(full, "what", "a \"b\"");
	assert_int_equal(json_integer_value(json_object_get(full, "count")), 12345678901);
	assert_true(fabs(json_real_value(json_object_get(full, "real")) - 2.346) < 1e-9);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(full, "ns"), "n")), 3);
	assert_true(json_is_true(json_object_get(json_object_get(full, "goal"), "met")));

	assert_true(json_is_null(json_object_get(empty, "what")));
	assert_true(json_is_null(json_object_get(empty, "real")));
	assert_true(json_is_null(json_object_get(empty, "ns")));
	assert_true(json_is_null(json_object_get(empty, "goal")));
	assert_member(note, "text", "note 1");
	json_decref(run);
	json_decref(full);
	json_decref(empty);
	json_decref(note);
	fclose(file);
}

static void test_json_on_stdout_is_what_is_saved(void **state)
{
	char saved[TEXT_MAX];
	const char *text = capture(true);
	FILE *file = fopen(path, "r");

	(void)state;
	assert_non_null(file);
	saved[fread(saved, 1, sizeof(saved) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, saved);
}

static void test_table(void **state)
{
	const char *text = capture(false);

	(void)state;
	assert_non_null(strstr(text, "what         count  real             ns  goal\n"
				     "a \"b\"  12345678901  2.35  2.2 [1.0 4.0]  <= 3: met\n"
				     "-                0     -              -  -\n"
				     "\nnote 1\n"));
	assert_null(strstr(text, "{"));
}

static void test_goals(void **state)
{
	static const struct {
		struct nm_goal goal;
		bool is_met;
	} cases[] = {
		{{NM_GOAL_AT_MOST, 3, 3}, true},
		{{NM_GOAL_AT_MOST, 3, 3.01}, false},
		{{NM_GOAL_AT_LEAST, 3, 3}, true},
		{{NM_GOAL_AT_LEAST, 3, 2.99}, false},
		{{NM_GOAL_AT_LEAST, 3, NAN}, false},
		{{NM_GOAL_AT_MOST, 3, NAN}, false},
		{{NM_GOAL_NONE, 0, 9}, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(nm_goal_is_met(&cases[i].goal), cases[i].is_met);
}

static void test_file_that_cannot_be_opened(void **state)
{
	char *argv[] = {(char[]){"scenario"}};
	struct nm_run_options run = {.save = "/nonexistent/folder/file"};

	(void)state;
	assert_null(nm_report_open(&run, 1, argv, columns, COLUMN_COUNT));
	assert_int_equal(nm_report_close(NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_lines),
		cmocka_unit_test(test_json_on_stdout_is_what_is_saved),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_goals),
		cmocka_unit_test(test_file_that_cannot_be_opened),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
