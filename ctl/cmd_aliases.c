/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl aliases: under which address the IKE daemon sees which flow. */
#include "ctl/commands.h"

#include "ctl/print.h"

void nm_ctl_print_aliases(struct nm_ctl *ctl, const json_t *result)
{
	static const char *const heads[] = {"ALIAS", ">FLOW", "PEER", NULL};
	const json_t *list = json_object_get(result, "aliases"), *alias;
	struct nm_table table;
	size_t i;

	nm_table_init(&table, heads);
	json_array_foreach(list, i, alias)
	{
		nm_table_add(&table, "%s", nm_get_text(alias, "alias"));
		nm_table_add(&table, "%llu", (unsigned long long)nm_get_count(alias, "flow"));
		nm_table_add(&table, "%s", nm_get_text(alias, "peer"));
	}
	nm_table_done(&table, ctl);
	if (json_array_size(list) == 0)
		nm_print(ctl, "no alias addresses are given out\n");
}

enum nm_ctl_exit nm_ctl_aliases(struct nm_ctl *ctl, int argc, char **argv)
{
	if (nm_ctl_no_arguments(argc, argv, 1) != NM_CTL_OK)
		return NM_CTL_USAGE;
	return nm_ctl_ask_and_print(
		ctl, json_pack("{s:s}", "command", "aliases"), nm_ctl_print_aliases);
}
