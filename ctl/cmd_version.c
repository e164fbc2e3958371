/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl version: both ends of the control socket. */
#include "ctl/commands.h"

#include <natmux/version.h>
#include "ctl/client.h"
#include "ctl/print.h"

enum nm_ctl_exit nm_ctl_version(struct nm_ctl *ctl, int argc, char **argv)
{
	struct nm_client client;
	json_t *result = NULL;
	enum nm_ctl_exit code;

	if (nm_ctl_no_arguments(argc, argv, 1) != NM_CTL_OK)
		return NM_CTL_USAGE;
	code = nm_client_open(&client, ctl->socket);
	if (code == NM_CTL_OK) {
		code = nm_client_ask(&client, json_pack("{s:s}", "command", "version"), &result);
		nm_client_close(&client);
	}
	if (!result)
		result = json_object();
	json_object_set_new(result, "natmuxctl", json_string(NATMUX_VERSION));
	if (ctl->is_json)
		nm_ctl_print_json(ctl, result);
	else
		nm_print(ctl, "natmuxctl %s\nnatmuxd   %s\nlibrary   %s\n", NATMUX_VERSION,
			nm_get_text(result, "natmuxd"), nm_get_text(result, "library"));
	json_decref(result);
	return code;
}
