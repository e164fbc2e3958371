/* SPDX-License-Identifier: Apache-2.0 */
/* natmux-bench: finds the scenario asked for and runs it. */
#include <stdio.h>
#include <string.h>

#include <natmux/version.h>

#include "bench/console.h"
#include "bench/scenario.h"

static const struct nm_scenario *const scenarios[] = {
	&nm_scenario_classify,
	&nm_scenario_dispatch,
	&nm_scenario_receive,
	&nm_scenario_memory,
	&nm_scenario_crypto,
	&nm_scenario_esp,
	&nm_scenario_tunnel,
	&nm_scenario_compare,
};

enum { SCENARIO_COUNT = sizeof(scenarios) / sizeof(scenarios[0]) };

static void print_help(FILE *out)
{
	fputs("usage: natmux-bench SCENARIO [OPTION]...\n\n"
	      "Measures natmux and prints a table, or JSON lines.\n\nscenarios:\n",
		out);
	for (size_t i = 0; i < SCENARIO_COUNT; i++)
		fprintf(out, "  %-10s %s\n", scenarios[i]->name, scenarios[i]->summary);
	fputs("\nnatmux-bench SCENARIO --help   options of one scenario\n"
	      "natmux-bench --version         version\n\n"
	      "exit status: 0 measured, 1 could not be measured or interrupted, 2 wrong usage\n",
		out);
}

static const struct nm_scenario *find_scenario(const char *name)
{
	for (size_t i = 0; i < SCENARIO_COUNT; i++)
		if (strcmp(scenarios[i]->name, name) == 0)
			return scenarios[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct nm_scenario *scenario;

	if (argc < 2) {
		print_help(stderr);
		return NM_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return NM_EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("natmux-bench %s\n", natmux_version());
		return NM_EXIT_OK;
	}
	scenario = find_scenario(argv[1]);
	if (!scenario) {
		nm_console_error("no scenario \"%s\"; see natmux-bench --help", argv[1]);
		return NM_EXIT_USAGE;
	}
	nm_console_catch_signals();
	return scenario->run(argc - 1, argv + 1);
}
