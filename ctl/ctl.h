/* SPDX-License-Identifier: Apache-2.0 */
/* What every command of natmuxctl gets and returns, and the table of commands. */
#ifndef NM_CTL_H
#define NM_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes: natmuxctl(8). */
enum nm_ctl_exit {
	NM_CTL_OK = 0,
	NM_CTL_REFUSED = 1, /* the daemon said no, or a problem was found */
	NM_CTL_USAGE = 2,
	NM_CTL_UNREACHABLE = 3, /* no daemon, or it does not answer */
};

struct nm_ctl {
	const char *socket; /* path of the daemon's control socket */
	bool is_json;       /* --json: result objects, one a line, and nothing else */
	bool is_terminal;   /* `out` is one */
	bool has_colour;
	FILE *out;
};

struct nm_ctl_command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;   /* one line, lower case */
	const char *help;      /* lines for --help; each ends with a newline */
	/* argv[0] is the name for messages; getopt starts afresh. */
	enum nm_ctl_exit (*run)(struct nm_ctl *ctl, int argc, char **argv);
};

/* Ends with a row without a name. */
extern const struct nm_ctl_command nm_ctl_commands[];

const struct nm_ctl_command *nm_ctl_find_command(const char *name);

/* A line to stderr with the program's name in front. */
void nm_ctl_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Complains about a command line and says where to read on. Returns NM_CTL_USAGE. */
enum nm_ctl_exit nm_ctl_usage(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Complains about the option at which getopt stopped. Returns NM_CTL_USAGE. */
enum nm_ctl_exit nm_ctl_bad_option(char **argv);

/* Refuses words from argv[first] on. */
enum nm_ctl_exit nm_ctl_no_arguments(int argc, char **argv, int first);

/* A whole number from the command line; complains and returns false when it is none. */
bool nm_ctl_number(const char *command, const char *what, const char *text, int64_t min,
	int64_t max, int64_t *value);

/*
 * Sends `request` (taken over), prints the result by `print` or as JSON, and returns the exit
 * code. For all commands that are one question and one answer.
 */
enum nm_ctl_exit nm_ctl_ask_and_print(struct nm_ctl *ctl, json_t *request,
	void (*print)(struct nm_ctl *ctl, const json_t *result));

/* One of the words that may follow a command; lists of them end with a row without a name. */
struct nm_ctl_subcommand {
	const char *name;
	/* argv[0] is the word itself. */
	enum nm_ctl_exit (*run)(struct nm_ctl *ctl, int argc, char **argv);
};

/* Runs the one that argv[1] names, or complains. */
enum nm_ctl_exit nm_ctl_run_subcommand(
	struct nm_ctl *ctl, const struct nm_ctl_subcommand *subcommands, int argc, char **argv);

/* Prints the object on one line. */
void nm_ctl_print_json(struct nm_ctl *ctl, const json_t *json);

#endif
