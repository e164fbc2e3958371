/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of natmuxd. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>
#include "daemon/process/options.h"
#include "daemon/paths.h"

enum { ARGUMENTS_MAX = 6 };

static int read_options(
	const char *const arguments[ARGUMENTS_MAX], struct nm_options *options, char message[200])
{
	char *argv[ARGUMENTS_MAX + 2] = {(char *)"natmuxd"};
	int argc = 1;

	/* getopt_long() changes the order of the pointers, never the texts. */
	for (; argc <= ARGUMENTS_MAX && arguments[argc - 1]; argc++)
		argv[argc] = (char *)arguments[argc - 1];
	return nm_options_read(argc, argv, options, message, 200);
}

static void test_good(void **state)
{
	static const struct {
		const char *arguments[ARGUMENTS_MAX];
		enum nm_action action;
		const char *config_path;
		bool is_debug;
	} cases[] = {
		{{NULL}, NM_ACTION_RUN, NM_CONFIG_FILE, false},
		{{"-c", "x"}, NM_ACTION_RUN, "x", false},
		{{"-cx"}, NM_ACTION_RUN, "x", false},
		{{"--config", "x"}, NM_ACTION_RUN, "x", false},
		{{"--config=x", "-c", "y"}, NM_ACTION_RUN, "y", false},
		{{"--conf=x"}, NM_ACTION_RUN, "x", false},
		{{"-f"}, NM_ACTION_RUN, NM_CONFIG_FILE, false},
		{{"--foreground", "-d"}, NM_ACTION_RUN, NM_CONFIG_FILE, true},
		{{"-dfc", "x"}, NM_ACTION_RUN, "x", true},
		{{"--check"}, NM_ACTION_CHECK, NM_CONFIG_FILE, false},
		{{"--check", "-c", "x", "--debug"}, NM_ACTION_CHECK, "x", true},
		{{"--print"}, NM_ACTION_PRINT, NM_CONFIG_FILE, false},
		{{"--check", "--print"}, NM_ACTION_PRINT, NM_CONFIG_FILE, false},
		{{"-V"}, NM_ACTION_VERSION, NM_CONFIG_FILE, false},
		{{"--version"}, NM_ACTION_VERSION, NM_CONFIG_FILE, false},
		{{"-h"}, NM_ACTION_HELP, NM_CONFIG_FILE, false},
		{{"--help"}, NM_ACTION_HELP, NM_CONFIG_FILE, false},
		{{"--"}, NM_ACTION_RUN, NM_CONFIG_FILE, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_options options;
		char message[200];

		if (read_options(cases[i].arguments, &options, message) < 0)
			fail_msg("%zu: %s", i, message);
		assert_int_equal(options.action, cases[i].action);
		assert_string_equal(options.config_path, cases[i].config_path);
		assert_int_equal(options.is_debug, cases[i].is_debug);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *arguments[ARGUMENTS_MAX];
		const char *message;
	} cases[] = {
		{{"-c"}, "natmuxd: an argument is missing after -c (see natmuxd --help)"},
		{{"--config"},
			"natmuxd: an argument is missing after --config (see natmuxd --help)"},
		{{"-c", ""}, "natmuxd: a file name is missing after --config (see natmuxd --help)"},
		{{"--config="},
			"natmuxd: a file name is missing after --config (see natmuxd --help)"},
		{{"-x"}, "natmuxd: cannot make sense of -x (see natmuxd --help)"},
		{{"-dxf"}, "natmuxd: cannot make sense of -x (see natmuxd --help)"},
		{{"-d", "-dc"}, "natmuxd: an argument is missing after -dc (see natmuxd --help)"},
		{{"--daemon"}, "natmuxd: cannot make sense of --daemon (see natmuxd --help)"},
		{{"--check=yes"}, "natmuxd: cannot make sense of --check=yes (see natmuxd --help)"},
		{{"natmux.conf"},
			"natmuxd: takes no argument such as natmux.conf (see natmuxd --help)"},
		{{"--", "-c"}, "natmuxd: takes no argument such as -c (see natmuxd --help)"},
		{{"-f", "x", "-d"}, "natmuxd: takes no argument such as x (see natmuxd --help)"},
		{{""}, "natmuxd: takes no argument such as  (see natmuxd --help)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_options options, before;
		char message[200];

		memset(&options, 0xa5, sizeof(options));
		before = options;
		assert_int_equal(
			read_options(cases[i].arguments, &options, message), NATMUX_EINVAL);
		assert_string_equal(message, cases[i].message);
		assert_memory_equal(&options, &before, sizeof(options));
	}
}

/* Every option stands in the help and in the manual page. */
static void test_help(void **state)
{
	static const char *const names[] = {
		"config", "check", "print", "foreground", "debug", "version", "help"};
	const char *source = getenv("NATMUX_SOURCE");
	char path[512], page[20000] = "", *help = NULL;
	size_t len;
	FILE *file = open_memstream(&help, &len);

	(void)state;
	assert_non_null(file);
	nm_options_help(file);
	fclose(file);
	snprintf(path, sizeof(path), "%s/docs/natmuxd.8", source ? source : ".");
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(page, 1, sizeof(page) - 1, file) > 0);
	fclose(file);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char in_help[40], in_page[40];

		snprintf(in_help, sizeof(in_help), "--%s", names[i]);
		snprintf(in_page, sizeof(in_page), "Fl \\-%s", names[i]);
		assert_non_null(strstr(help, in_help));
		if (!strstr(page, in_page))
			fail_msg("natmuxd.8 lacks %s", in_page);
	}
	free(help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
