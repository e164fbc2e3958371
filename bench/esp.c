/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario "esp": the user ESP plane in memory. */
#include <sodium.h>
#include <natmux/error.h>

#include "bench/console.h"
#include "bench/esp_row.h"
#include "bench/scenario.h"

enum { REPEAT = 5 };

struct esp_options {
	bool only_sealing, only_planes;
	const char *engine;
	struct nm_run_options run;
};

static int measure_all(struct nm_report *report, const struct esp_options *options)
{
	int err = 0;

	if (!options->only_planes)
		err = nm_esp_run_sealing(report, options->run.repeat);
	if (err == 0 && !options->only_sealing)
		err = nm_esp_run_planes(report, options->engine, options->run.repeat);
	return err;
}

static int run(int argc, char **argv)
{
	struct esp_options options = {.run.repeat = REPEAT};
	const struct nm_option table[] = {
		{"sealing", NM_OPTION_FLAG, NULL, "only seal and open, no planes",
			&options.only_sealing, 0, 0},
		{"planes", NM_OPTION_FLAG, NULL, "only planes", &options.only_planes, 0, 0},
		{"engine", NM_OPTION_TEXT, "NAME", "of the planes (the fastest)", &options.engine,
			0, 0},
	};
	struct nm_report *report;
	int err;

	switch (nm_options_parse("esp",
		"Nanoseconds that the ESP plane takes for one packet, in memory: sealing and\n"
		"opening beside the bare AEAD call, planes with many SAs beside one with a single\n"
		"SA.",
		table, sizeof(table) / sizeof(table[0]), &options.run, argc, argv)) {
	case NM_OPTIONS_OK: break;
	case NM_OPTIONS_HELP: return NM_EXIT_OK;
	case NM_OPTIONS_WRONG: return NM_EXIT_USAGE;
	}
	report = nm_report_open(&options.run, argc, argv, nm_esp_columns, NM_ESP_COLUMNS);
	if (!report)
		return NM_EXIT_FAILED;
	err = sodium_init() < 0 ? NATMUX_ESYSTEM : measure_all(report, &options);
	if (err < 0)
		nm_console_error("esp: %s", natmux_strerror(err));
	nm_report_note(report,
		"of bare: the library's AEAD call on the same text; train: packets of one SA in a "
		"row");
	nm_report_note(report,
		"memory: of one SA without its replay window; most of it is the engine's expanded "
		"key");
	return nm_report_close(report) == NM_EXIT_OK && err == 0 ? NM_EXIT_OK : NM_EXIT_FAILED;
}

const struct nm_scenario nm_scenario_esp = {
	.name = "esp",
	.summary = "the user ESP plane in memory, nanoseconds a packet",
	.run = run,
};
