/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of natmuxd: natmuxd(8). */
#ifndef NM_OPTIONS_H
#define NM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What natmuxd's exit status says. */
enum nm_exit {
	NM_EXIT_OK = 0,
	NM_EXIT_CONFIG = 1, /* the configuration file */
	NM_EXIT_USAGE = 2,  /* the command line */
	NM_EXIT_SYSTEM = 3, /* a socket, the TUN device, privileges: what the system refused */
};

enum nm_action {
	NM_ACTION_RUN,
	NM_ACTION_CHECK, /* read the configuration and say what it needs */
	NM_ACTION_PRINT, /* write the configuration in force, defaults and all */
	NM_ACTION_VERSION,
	NM_ACTION_HELP,
};

struct nm_options {
	enum nm_action action;   /* the last one asked for */
	const char *config_path; /* borrowed from argv, or the default */
	bool is_debug;           /* log-level = debug, whatever the file says */
};

/*
 * Reads the command line. Returns 0, or NATMUX_EINVAL with one line for people in `message`. Uses
 * getopt_long(3), which keeps its state in the process: not for two threads at a time.
 */
int nm_options_read(int argc, char **argv, struct nm_options *options, char *message, size_t size);

/* The text of --help. */
void nm_options_help(FILE *file);

#endif
