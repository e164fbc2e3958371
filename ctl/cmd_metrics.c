/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl metrics: Prometheus text as the daemon made it. */
#include "ctl/commands.h"

#include "ctl/print.h"

static void print_metrics(struct nm_ctl *ctl, const json_t *result)
{
	nm_print_text(ctl, nm_get_text(result, "text"));
}

enum nm_ctl_exit nm_ctl_metrics(struct nm_ctl *ctl, int argc, char **argv)
{
	if (nm_ctl_no_arguments(argc, argv, 1) != NM_CTL_OK)
		return NM_CTL_USAGE;
	return nm_ctl_ask_and_print(ctl, json_pack("{s:s}", "command", "metrics"), print_metrics);
}
