/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table for getopt_long(3), the short options and the help text. */
#include "daemon/process/options.h"

#include <getopt.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/paths.h"

struct row {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;
};

/* getopt's value of an option without a letter: no char is one. */
enum { CHECK = 256, PRINT, ROWS = 7 };

static const struct row rows[ROWS] = {
	{'c', "config", "FILE", "read FILE instead of " NM_CONFIG_FILE},
	{0, "check", NULL, "say whether the configuration is good and what it needs, and exit"},
	{0, "print", NULL, "write the configuration with all defaults, and exit"},
	{'f', "foreground", NULL, "the only way natmuxd runs; accepted for compatibility"},
	{'d', "debug", NULL, "log everything, whatever log-level says"},
	{'V', "version", NULL, "print the version, and exit"},
	{'h', "help", NULL, "print this, and exit"},
};

static int value_of(const struct row *row)
{
	if (row->letter)
		return row->letter;
	return strcmp(row->name, "check") == 0 ? CHECK : PRINT;
}

/* The colon in front keeps getopt silent and tells a missing argument from an unknown option. */
static void make_tables(char letters[static 2 * ROWS + 2], struct option longs[static ROWS + 1])
{
	*letters++ = ':';
	for (size_t i = 0; i < ROWS; i++) {
		longs[i] = (struct option){.name = rows[i].name,
			.has_arg = rows[i].argument ? required_argument : no_argument,
			.val = value_of(&rows[i])};
		if (!rows[i].letter)
			continue;
		*letters++ = rows[i].letter;
		if (rows[i].argument)
			*letters++ = ':';
	}
	*letters = '\0';
	longs[ROWS] = (struct option){0};
}

static int refuse(char *message, size_t size, const char *what, const char *argument)
{
	snprintf(message, size, "natmuxd: %s %.100s (see natmuxd --help)", what, argument);
	return NATMUX_EINVAL;
}

/* An unknown letter may stand among good ones, which only optopt tells. */
static int refuse_option(char *message, size_t size, char **argv)
{
	char letter[3] = {'-', (char)optopt, '\0'};
	bool is_letter = optopt > ' ' && optopt < CHECK;

	return refuse(message, size, "cannot make sense of", is_letter ? letter : argv[optind - 1]);
}

static int apply(int value, struct nm_options *options)
{
	switch (value) {
	case 'c': options->config_path = optarg; return 0;
	case 'd': options->is_debug = true; return 0;
	case 'f': return 0;
	case 'V': options->action = NM_ACTION_VERSION; return 0;
	case 'h': options->action = NM_ACTION_HELP; return 0;
	case CHECK: options->action = NM_ACTION_CHECK; return 0;
	case PRINT: options->action = NM_ACTION_PRINT; return 0;
	default: return NATMUX_EINVAL;
	}
}

int nm_options_read(int argc, char **argv, struct nm_options *options, char *message, size_t size)
{
	struct nm_options result = {.config_path = NM_CONFIG_FILE};
	struct option longs[ROWS + 1];
	char letters[2 * ROWS + 2];
	int value;

	make_tables(letters, longs);
	optind = 0; /* glibc: begin anew */
	while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (value == ':')
			return refuse(
				message, size, "an argument is missing after", argv[optind - 1]);
		if (apply(value, &result) < 0)
			return refuse_option(message, size, argv);
	}
	if (optind < argc)
		return refuse(message, size, "takes no argument such as", argv[optind]);
	if (!*result.config_path)
		return refuse(message, size, "a file name is missing after", "--config");
	*options = result;
	return 0;
}

void nm_options_help(FILE *file)
{
	fputs("Usage: natmuxd [OPTION]...\n"
	      "Shares one UDP port between STUN, IKE and ESP.\n\n",
		file);
	for (size_t i = 0; i < ROWS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "--%s%s%s", rows[i].name, rows[i].argument ? "=" : "",
			rows[i].argument ? rows[i].argument : "");
		if (rows[i].letter)
			fprintf(file, "  -%c, %-16s %s\n", rows[i].letter, name, rows[i].help);
		else
			fprintf(file, "      %-16s %s\n", name, rows[i].help);
	}
	fputs("\nExit status: 0 well, 1 configuration, 2 command line, 3 system.\n"
	      "See natmuxd(8), natmux.conf(5) and natmuxctl(8).\n",
		file);
}
