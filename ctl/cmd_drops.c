/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl drops: each reason, how often, and what it means. */
#include "ctl/commands.h"

#include <getopt.h>
#include "ctl/print.h"

void nm_ctl_print_drops(struct nm_ctl *ctl, const json_t *result)
{
	static const char *const heads[] = {"REASON", ">COUNT", "MEANING", NULL};
	const json_t *list = json_object_get(result, "drops"), *drop;
	uint64_t kernel = nm_get_count(result, "kernel_drops");
	struct nm_table table;
	size_t i;

	nm_table_init(&table, heads);
	json_array_foreach(list, i, drop)
	{
		nm_table_add(&table, "%s", nm_get_text(drop, "reason"));
		nm_table_add(&table, "%llu", (unsigned long long)nm_get_count(drop, "count"));
		nm_table_add(&table, "%s", nm_get_text(drop, "text"));
	}
	nm_table_done(&table, ctl);
	if (json_array_size(list) == 0)
		nm_print(ctl, "natmuxd has dropped nothing\n");
	if (kernel > 0)
		nm_print(ctl,
			"%llu more were lost before natmuxd saw them: the kernel's queue was full "
			"(receive-buffer in natmux.conf)\n",
			(unsigned long long)kernel);
}

enum nm_ctl_exit nm_ctl_drops(struct nm_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'a'},
		{0},
	};
	bool all = false;
	int c;

	while ((c = getopt_long(argc, argv, "a", options, NULL)) >= 0) {
		if (c != 'a')
			return nm_ctl_bad_option(argv);
		all = true;
	}
	if (nm_ctl_no_arguments(argc, argv, optind) != NM_CTL_OK)
		return NM_CTL_USAGE;
	return nm_ctl_ask_and_print(ctl,
		json_pack("{s:s, s:b}", "command", "drops", "all", (int)all), nm_ctl_print_drops);
}
