/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "bench/options.h"

enum { ARGS_MAX = 8 };

struct values {
	bool flag;
	const char *text;
	unsigned int number;
	double real;
	struct nm_run_options run;
};

/* `line`: arguments parted by one blank each. */
static enum nm_options_result parse(const char *line, struct values *values)
{
	const struct nm_option options[] = {
		{"flag", NM_OPTION_FLAG, NULL, "a flag", &values->flag, 0, 0},
		{"text", NM_OPTION_TEXT, "TEXT", "a text", &values->text, 0, 0},
		{"number", NM_OPTION_NUMBER, "N", "a number", &values->number, 2, 8},
		{"real", NM_OPTION_REAL, "R", "a real number", &values->real, 0.5, 9.5},
	};
	static char copy[256];
	char *argv[ARGS_MAX] = {(char[]){"scenario"}};
	int argc = 1;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	for (char *arg = strtok(copy, " "); arg && argc < ARGS_MAX; arg = strtok(NULL, " "))
		argv[argc++] = arg;
	return nm_options_parse(
		"scenario", "About.", options, ARRAY_SIZE(options), &values->run, argc, argv);
}

static void test_reads_every_kind(void **state)
{
	struct values values = {.number = 5, .run.repeat = 3};

	(void)state;
	assert_int_equal(parse("", &values), NM_OPTIONS_OK);
	assert_false(values.flag);
	assert_null(values.text);
	assert_int_equal(values.number, 5);
	assert_int_equal(values.run.repeat, 3);

	assert_int_equal(parse("--flag --text a --number 8 --real=0.5 --repeat=1000", &values),
		NM_OPTIONS_OK);
	assert_true(values.flag);
	assert_string_equal(values.text, "a");
	assert_int_equal(values.number, 8);
	assert_true(values.real == 0.5);
	assert_int_equal(values.run.repeat, 1000);

	assert_int_equal(parse("--json --save=x=y --text=", &values), NM_OPTIONS_OK);
	assert_true(values.run.is_json);
	assert_string_equal(values.run.save, "x=y");
	assert_string_equal(values.text, "");
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {"x", "-", "-x", "--", "--fla", "--flags", "--flag=1",
		"--flag x", "--text", "--number", "--number=", "--number 1", "--number 9",
		"--number 2.5", "--number x", "--number 3x", "--number -3", "--number nan",
		"--number inf", "--real 0.49", "--real 9.51", "--real 1e999", "--repeat 0",
		"--repeat 1001", "--json=yes", "--save", "--unknown --help"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct values values = {.number = 5, .real = 1, .run.repeat = 3};

		if (parse(bad[i], &values) != NM_OPTIONS_WRONG)
			fail_msg("accepted \"%s\"", bad[i]);
		assert_int_equal(values.number, 5);
		assert_true(values.real == 1);
		assert_int_equal(values.run.repeat, 3);
	}
}

static void test_help(void **state)
{
	struct values values = {.run.repeat = 3};

	(void)state;
	assert_int_equal(parse("--help", &values), NM_OPTIONS_HELP);
	assert_int_equal(parse("-h", &values), NM_OPTIONS_HELP);
	assert_int_equal(parse("--flag --help --unknown", &values), NM_OPTIONS_HELP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_every_kind),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
