/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl flows: one row for each peer that natmux keeps. */
#include "ctl/commands.h"

#include <getopt.h>
#include "ctl/print.h"

static void add_ago(struct nm_table *table, const json_t *flow, const char *key)
{
	char text[NM_PRINT_TEXT];

	nm_table_add(table, "%s",
		nm_is_null(flow, key) ? "never" : nm_print_duration(nm_get_count(flow, key), text));
}

static void add_flow(struct nm_table *table, const json_t *flow)
{
	const json_t *rx = json_object_get(flow, "rx"), *tx = json_object_get(flow, "tx");
	const json_t *esp = json_object_get(rx, "esp");
	char bytes[NM_PRINT_TEXT];

	nm_table_add(table, "%llu", (unsigned long long)nm_get_count(flow, "flow"));
	nm_table_add(table, "%s", nm_get_text(flow, "peer"));
	nm_table_add(table, "%s", nm_get_text(flow, "state"));
	nm_table_add(table, "%s", nm_get_text(flow, "remote"));
	nm_table_add(table, "%s", nm_get_text(flow, "local"));
	nm_table_add(table, "%llu",
		(unsigned long long)nm_get_count(json_object_get(rx, "ike"), "datagrams"));
	nm_table_add(table, "%llu", (unsigned long long)nm_get_count(esp, "datagrams"));
	nm_table_add(table, "%s", nm_print_bytes(nm_get_count(esp, "bytes"), bytes));
	nm_table_add(table, "%llu", (unsigned long long)nm_get_count(tx, "datagrams"));
	add_ago(table, flow, "rx_ago_ms");
	add_ago(table, flow, "tx_ago_ms");
	add_ago(table, flow, "age_ms");
}

void nm_ctl_print_flows(struct nm_ctl *ctl, const json_t *result)
{
	static const char *const heads[] = {">FLOW", "PEER", "STATE", "REMOTE", "LOCAL", ">IKE IN",
		">ESP IN", ">ESP BYTES", ">OUT", ">HEARD", ">SENT", ">AGE", NULL};
	const json_t *list = json_object_get(result, "flows");
	struct nm_table table;

	nm_table_init(&table, heads);
	for (size_t i = 0; i < json_array_size(list); i++)
		add_flow(&table, json_array_get(list, i));
	nm_table_done(&table, ctl);
	if (json_array_size(list) == 0)
		nm_print(ctl, "no flows: no peer has sent IKE yet, and none is configured\n");
	else if (nm_get_count(result, "total") > json_array_size(list))
		nm_print(ctl, "the %zu of %llu flows with the latest activity\n",
			json_array_size(list), (unsigned long long)nm_get_count(result, "total"));
}

enum nm_ctl_exit nm_ctl_flows(struct nm_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"limit", required_argument, NULL, 'n'},
		{0},
	};
	int64_t limit = 4096;
	int c;

	while ((c = getopt_long(argc, argv, "n:", options, NULL)) >= 0) {
		if (c != 'n')
			return nm_ctl_bad_option(argv);
		if (!nm_ctl_number(argv[0], "--limit", optarg, 1, 4096, &limit))
			return NM_CTL_USAGE;
	}
	if (nm_ctl_no_arguments(argc, argv, optind) != NM_CTL_OK)
		return NM_CTL_USAGE;
	return nm_ctl_ask_and_print(ctl,
		json_pack("{s:s, s:I}", "command", "flows", "limit", (json_int_t)limit),
		nm_ctl_print_flows);
}
