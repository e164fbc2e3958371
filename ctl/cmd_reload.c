/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl reload: the daemon's own words, whether it did or refused. */
#include "ctl/commands.h"

#include "ctl/print.h"

static void print_reload(struct nm_ctl *ctl, const json_t *result)
{
	const char *message = json_string_value(json_object_get(result, "message"));

	nm_print(ctl, "%s\n", message && *message ? message : "configuration applied");
}

enum nm_ctl_exit nm_ctl_reload(struct nm_ctl *ctl, int argc, char **argv)
{
	if (nm_ctl_no_arguments(argc, argv, 1) != NM_CTL_OK)
		return NM_CTL_USAGE;
	return nm_ctl_ask_and_print(ctl, json_pack("{s:s}", "command", "reload"), print_reload);
}
