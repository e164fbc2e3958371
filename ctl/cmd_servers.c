/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl servers: what each STUN server says of each of our addresses. */
#include "ctl/commands.h"

#include "ctl/print.h"

static const char *state_of(const json_t *server)
{
	if (nm_get_bool(server, "answering"))
		return "answers";
	return nm_get_count(server, "answers") > 0 ? "lost" : "silent";
}

void nm_ctl_print_servers(struct nm_ctl *ctl, const json_t *result)
{
	static const char *const heads[] = {"NAME", "SERVER", "LOCAL", "MAPPED", "STATE", ">RTT",
		">ASKED", ">ANSWERS", ">TIMEOUTS", ">CHANGES", ">NEXT", NULL};
	const json_t *list = json_object_get(result, "servers"), *server;
	char rtt[NM_PRINT_TEXT], next[NM_PRINT_TEXT];
	static const char *const counts[] = {"requests", "answers", "timeouts", "changes"};
	struct nm_table table;
	size_t i;

	nm_table_init(&table, heads);
	json_array_foreach(list, i, server)
	{
		nm_table_add(&table, "%s", nm_get_text(server, "name"));
		nm_table_add(&table, "%s", nm_get_text(server, "remote"));
		nm_table_add(&table, "%s", nm_get_text(server, "local"));
		nm_table_add(&table, "%s", nm_get_text(server, "mapped"));
		nm_table_add(&table, "%s", state_of(server));
		nm_table_add(&table, "%s",
			nm_get_count(server, "answers") > 0
				? nm_print_duration(nm_get_count(server, "rtt_ms"), rtt)
				: "-");
		for (size_t c = 0; c < 4; c++)
			nm_table_add(&table, "%llu",
				(unsigned long long)nm_get_count(server, counts[c]));
		nm_table_add(
			&table, "%s", nm_print_duration(nm_get_count(server, "next_ms"), next));
	}
	nm_table_done(&table, ctl);
	if (json_array_size(list) == 0)
		nm_print(ctl, "no STUN servers: natmux.conf has none\n");
}

enum nm_ctl_exit nm_ctl_servers(struct nm_ctl *ctl, int argc, char **argv)
{
	if (nm_ctl_no_arguments(argc, argv, 1) != NM_CTL_OK)
		return NM_CTL_USAGE;
	return nm_ctl_ask_and_print(
		ctl, json_pack("{s:s}", "command", "servers"), nm_ctl_print_servers);
}
