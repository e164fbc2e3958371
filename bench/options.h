/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines as tables: what a scenario accepts is what its --help shows. */
#ifndef NM_BENCH_OPTIONS_H
#define NM_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum nm_option_kind {
	NM_OPTION_FLAG,   /* value: bool * */
	NM_OPTION_TEXT,   /* value: const char **, borrowed from argv */
	NM_OPTION_NUMBER, /* value: unsigned int *, a whole number of min to max */
	NM_OPTION_REAL,   /* value: double *, min to max */
};

struct nm_option {
	const char *name; /* without "--" */
	enum nm_option_kind kind;
	const char *arg; /* what --help calls the argument; NULL for a flag */
	const char *help;
	void *value; /* keeps its default where the option is absent */
	double min, max;
};

/* What every scenario accepts. */
struct nm_run_options {
	bool is_json;
	const char *save;    /* file that gets the JSON lines as well, or NULL */
	unsigned int repeat; /* set to the scenario's default before parsing */
};

enum { NM_OPTION_REPEAT_MAX = 1000 };

enum nm_options_result {
	NM_OPTIONS_OK,
	NM_OPTIONS_HELP,  /* --help was asked for and printed on stdout */
	NM_OPTIONS_WRONG, /* said on stderr what was found and what is allowed */
};

/*
 * Reads argv[1..] as "--name VALUE", "--name=VALUE" and "--flag". `about` opens the help text.
 * Values read before a mistake stay set.
 */
enum nm_options_result nm_options_parse(const char *scenario, const char *about,
	const struct nm_option *options, size_t n, struct nm_run_options *run, int argc,
	char **argv);

#endif
