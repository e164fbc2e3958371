/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that are one question to natmuxd and one answer. */
#include "ctl/client.h"
#include "ctl/ctl.h"

void nm_ctl_print_json(struct nm_ctl *ctl, const json_t *json)
{
	json_dumpf(json, ctl->out, JSON_COMPACT);
	fputc('\n', ctl->out);
}

enum nm_ctl_exit nm_ctl_ask_and_print(struct nm_ctl *ctl, json_t *request,
	void (*print)(struct nm_ctl *ctl, const json_t *result))
{
	struct nm_client client;
	json_t *result = NULL;
	enum nm_ctl_exit code = nm_client_open(&client, ctl->socket);

	if (code != NM_CTL_OK) {
		json_decref(request);
		return code;
	}
	code = nm_client_ask(&client, request, &result);
	nm_client_close(&client);
	if (code != NM_CTL_OK)
		return code;
	if (ctl->is_json)
		nm_ctl_print_json(ctl, result);
	else
		print(ctl, result);
	json_decref(result);
	return NM_CTL_OK;
}
