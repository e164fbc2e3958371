/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxd: command line, configuration, exit status. */
#include <stdio.h>
#include <sodium.h>
#include <natmux/version.h>

#include "daemon/config/config.h"
#include "daemon/config_show.h"
#include "daemon/process/options.h"
#include "daemon/run.h"

static int run(const struct nm_options *options)
{
	char message[NM_CONFIG_MESSAGE_SIZE];
	struct nm_config *config;

	if (nm_config_read(options->config_path, &config, message, sizeof(message)) < 0) {
		fprintf(stderr, "natmuxd: %s\n", message);
		return NM_EXIT_CONFIG;
	}
	return nm_server_run(options, config) < 0 ? NM_EXIT_SYSTEM : NM_EXIT_OK;
}

int main(int argc, char **argv)
{
	char message[NM_CONFIG_MESSAGE_SIZE];
	struct nm_options options;

	if (nm_options_read(argc, argv, &options, message, sizeof(message)) < 0) {
		fprintf(stderr, "%s\n", message);
		return NM_EXIT_USAGE;
	}
	if (sodium_init() < 0) {
		fputs("natmuxd: libsodium does not work on this machine\n", stderr);
		return NM_EXIT_SYSTEM;
	}
	switch (options.action) {
	case NM_ACTION_HELP: nm_options_help(stdout); return NM_EXIT_OK;
	case NM_ACTION_VERSION: printf("natmuxd %s\n", natmux_version()); return NM_EXIT_OK;
	case NM_ACTION_CHECK:
	case NM_ACTION_PRINT:
		return (int)nm_config_show(
			options.config_path, options.action == NM_ACTION_PRINT, stdout, stderr);
	case NM_ACTION_RUN: break;
	}
	return run(&options);
}
