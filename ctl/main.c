/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl: reads the options before the command and hands over to it. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <natmux/version.h>
#include "ctl/commands.h"
#include "daemon/control/json_wipe.h"

/* Colours for a terminal only, and not where NO_COLOR (no-color.org) is set to anything. */
static bool wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

/* People write --json where they think of it: after the command it means the same. */
static int take_json(struct nm_ctl *ctl, int argc, char **argv)
{
	int kept = 1;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0)
			ctl->is_json = true;
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return kept;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static enum nm_ctl_exit run(struct nm_ctl *ctl, int argc, char **argv)
{
	const struct nm_ctl_command *command = nm_ctl_find_command(argv[0]);

	if (!command)
		return nm_ctl_usage(NULL, "there is no command \"%s\"", argv[0]);
	if (asks_for_help(argc, argv)) {
		nm_ctl_print_help(ctl, command);
		return NM_CTL_OK;
	}
	argc = take_json(ctl, argc, argv);
	optind = 0; /* glibc: start afresh */
	return command->run(ctl, argc, argv);
}

/* Reads the options before the command. A code to exit with, or -1 to go on at optind. */
static int read_options(struct nm_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	opterr = 0; /* what is wrong we say ourselves, under one name */
	while ((c = getopt_long(argc, argv, "+s:jhV", options, NULL)) >= 0) {
		switch (c) {
		case 's': ctl->socket = optarg; break;
		case 'j': ctl->is_json = true; break;
		case 'h': nm_ctl_print_help(ctl, NULL); return NM_CTL_OK;
		case 'V': fprintf(ctl->out, "natmuxctl %s\n", NATMUX_VERSION); return NM_CTL_OK;
		default:
			return nm_ctl_usage(NULL,
				"unknown option, or one without its argument: \"%s\"",
				argv[optind - 1]);
		}
	}
	return -1;
}

/* A full disk or a closed pipe must not look like success. */
static enum nm_ctl_exit flush(struct nm_ctl *ctl, enum nm_ctl_exit code)
{
	if (fflush(ctl->out) == 0 && !ferror(ctl->out))
		return code;
	nm_ctl_complain("cannot write the output: %s", strerror(errno));
	return code == NM_CTL_OK ? NM_CTL_REFUSED : code;
}

int main(int argc, char **argv)
{
	struct nm_ctl ctl = {.socket = "/run/natmux/control.sock", .out = stdout};
	int code;

	nm_json_wipe();
	ctl.is_terminal = isatty(STDOUT_FILENO);
	ctl.has_colour = ctl.is_terminal && wants_colour();
	code = read_options(&ctl, argc, argv);
	if (code >= 0)
		return flush(&ctl, (enum nm_ctl_exit)code);
	if (optind == argc) {
		nm_ctl_usage(NULL, "what shall it do? \"natmuxctl help\" lists the commands");
		return NM_CTL_USAGE;
	}
	return flush(&ctl, run(&ctl, argc - optind, argv + optind));
}
