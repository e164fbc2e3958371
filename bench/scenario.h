/* SPDX-License-Identifier: Apache-2.0 */
/* A scenario: one thing natmux-bench can measure. main.c has the table of all of them. */
#ifndef NM_SCENARIO_H
#define NM_SCENARIO_H

struct nm_scenario {
	const char *name;
	const char *summary; /* one line for `natmux-bench --help` */
	/* argv[0] is the scenario's name. Returns the exit code, one of those below. */
	int (*run)(int argc, char **argv);
};

enum {
	NM_EXIT_OK = 0,
	NM_EXIT_FAILED = 1, /* something could not be measured, or was interrupted */
	NM_EXIT_USAGE = 2,
};

extern const struct nm_scenario nm_scenario_classify;
extern const struct nm_scenario nm_scenario_dispatch;
extern const struct nm_scenario nm_scenario_receive;
extern const struct nm_scenario nm_scenario_memory;
extern const struct nm_scenario nm_scenario_crypto;
extern const struct nm_scenario nm_scenario_esp;
extern const struct nm_scenario nm_scenario_tunnel;
extern const struct nm_scenario nm_scenario_compare;

#endif
