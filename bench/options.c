/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of a scenario's command line and its --help, both from the scenario's table. */
#include "bench/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/console.h"

enum { COMMON_COUNT = 3, HELP_COLUMN = 24 };

struct table {
	const char *scenario;
	const struct nm_option *own;
	size_t own_count;
	const struct nm_option *common;
};

static void print_option(const struct nm_option *option)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", option->name, option->arg ? " " : "",
		option->arg ? option->arg : "");
	printf("  %-*s %s\n", HELP_COLUMN, left, option->help);
}

static void print_help(const struct table *table, const char *about)
{
	printf("usage: natmux-bench %s [OPTION]...\n\n%s\n\noptions:\n", table->scenario, about);
	for (size_t i = 0; i < table->own_count; i++)
		print_option(&table->own[i]);
	for (size_t i = 0; i < COMMON_COUNT; i++)
		print_option(&table->common[i]);
	printf("  %-*s %s\n", HELP_COLUMN, "--help", "this text");
}

static bool has_name(const struct nm_option *option, const char *name, size_t len)
{
	return strncmp(option->name, name, len) == 0 && option->name[len] == '\0';
}

static const struct nm_option *find_option(const struct table *table, const char *name, size_t len)
{
	for (size_t i = 0; i < table->own_count; i++)
		if (has_name(&table->own[i], name, len))
			return &table->own[i];
	for (size_t i = 0; i < COMMON_COUNT; i++)
		if (has_name(&table->common[i], name, len))
			return &table->common[i];
	return NULL;
}

/* A finite decimal number in the option's range: what is allowed is said when it is not. */
static bool read_number(const struct nm_option *option, const char *text, double *number)
{
	bool is_whole = option->kind == NM_OPTION_NUMBER;
	char *end;

	errno = 0;
	*number = strtod(text, &end);
	if (end != text && *end == '\0' && errno == 0 && isfinite(*number) &&
		*number >= option->min && *number <= option->max &&
		(!is_whole || *number == floor(*number)))
		return true;
	nm_console_error("--%s: found \"%s\", allowed is a %snumber from %g to %g", option->name,
		text, is_whole ? "whole " : "", option->min, option->max);
	return false;
}

static bool set_value(const struct nm_option *option, const char *text)
{
	double number;

	switch (option->kind) {
	case NM_OPTION_FLAG: *(bool *)option->value = true; return true;
	case NM_OPTION_TEXT: *(const char **)option->value = text; return true;
	case NM_OPTION_NUMBER:
		if (!read_number(option, text, &number))
			return false;
		*(unsigned int *)option->value = (unsigned int)number;
		return true;
	case NM_OPTION_REAL:
		if (!read_number(option, text, &number))
			return false;
		*(double *)option->value = number;
		return true;
	}
	return false;
}

/* Takes the option at argv[*at] and moves `at` over its argument if that stands apart. */
static bool parse_option(const struct table *table, int argc, char **argv, int *at)
{
	const char *name = argv[*at] + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct nm_option *option = find_option(table, name, len);
	const char *text = equals ? equals + 1 : NULL;
	bool is_flag;

	if (!option) {
		nm_console_error("unknown option --%.*s; see natmux-bench %s --help", (int)len,
			name, table->scenario);
		return false;
	}
	is_flag = option->kind == NM_OPTION_FLAG;
	if (is_flag && text) {
		nm_console_error("--%s takes no argument", option->name);
		return false;
	}
	if (!is_flag && !text) {
		if (*at + 1 >= argc) {
			nm_console_error("--%s needs %s", option->name, option->arg);
			return false;
		}
		text = argv[++*at];
	}
	return set_value(option, text);
}

enum nm_options_result nm_options_parse(const char *scenario, const char *about,
	const struct nm_option *options, size_t n, struct nm_run_options *run, int argc,
	char **argv)
{
	char repeat_help[64];
	const struct nm_option common[COMMON_COUNT] = {
		{"repeat", NM_OPTION_NUMBER, "N", repeat_help, &run->repeat, 1,
			NM_OPTION_REPEAT_MAX},
		{"json", NM_OPTION_FLAG, NULL, "JSON lines instead of the table", &run->is_json, 0,
			0},
		{"save", NM_OPTION_TEXT, "FILE", "append the JSON lines to FILE as well",
			&run->save, 0, 0},
	};
	const struct table table = {scenario, options, n, common};

	snprintf(repeat_help, sizeof(repeat_help), "measure everything N times (%u)", run->repeat);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(&table, about);
			return NM_OPTIONS_HELP;
		}
		if (strncmp(argv[i], "--", 2) != 0) {
			nm_console_error(
				"found \"%s\" where an option is allowed; see natmux-bench "
				"%s --help",
				argv[i], scenario);
			return NM_OPTIONS_WRONG;
		}
		if (!parse_option(&table, argc, argv, &i))
			return NM_OPTIONS_WRONG;
	}
	return NM_OPTIONS_OK;
}
