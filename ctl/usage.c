/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a command line, or with anything else, said on stderr. */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

void nm_ctl_complain(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* The daemon's words are in it: nothing of them may steer the terminal. */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "natmuxctl: %s\n", text);
}

enum nm_ctl_exit nm_ctl_usage(const char *command, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	nm_ctl_complain("%s%s%s", command ? command : "", command ? ": " : "", text);
	fprintf(stderr, "\"natmuxctl %s%s--help\" says more.\n", command ? command : "",
		command ? " " : "");
	return NM_CTL_USAGE;
}

enum nm_ctl_exit nm_ctl_bad_option(char **argv)
{
	return nm_ctl_usage(
		argv[0], "unknown option, or one without its argument: \"%s\"", argv[optind - 1]);
}

enum nm_ctl_exit nm_ctl_no_arguments(int argc, char **argv, int first)
{
	if (argc > first && argv[first][0] == '-')
		return nm_ctl_usage(argv[0], "unknown option \"%s\"", argv[first]);
	if (argc > first)
		return nm_ctl_usage(argv[0], "\"%s\" is one word too many", argv[first]);
	return NM_CTL_OK;
}

bool nm_ctl_number(const char *command, const char *what, const char *text, int64_t min,
	int64_t max, int64_t *value)
{
	char *end;
	int64_t number = strtoll(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || strlen(text) > 18 || number < min ||
		number > max) {
		nm_ctl_usage(command,
			"%s is a whole number from %" PRId64 " to %" PRId64 ", not \"%s\"", what,
			min, max, text);
		return false;
	}
	*value = number;
	return true;
}

enum nm_ctl_exit nm_ctl_run_subcommand(
	struct nm_ctl *ctl, const struct nm_ctl_subcommand *subcommands, int argc, char **argv)
{
	if (argc < 2)
		return nm_ctl_usage(argv[0], "what shall it do?");
	for (; subcommands->name; subcommands++)
		if (strcmp(subcommands->name, argv[1]) == 0)
			return subcommands->run(ctl, argc - 1, argv + 1);
	return nm_ctl_usage(argv[0], "\"%s\" is nothing it can do", argv[1]);
}
