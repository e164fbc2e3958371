/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl policy: what becomes of packets that go out. */
#include "ctl/commands.h"

#include "ctl/print.h"
#include "ctl/words.h"

const char nm_ctl_policy_help[] =
	"  policy add SELECTOR [priority N] [action protect|bypass|discard] [reqid N]\n"
	"      adds a policy, or replaces the one of that priority and selector; a selector is\n"
	"        src PREFIX dst PREFIX [proto P [sport PORTS] [dport PORTS]]\n"
	"  policy del SELECTOR [priority N]\n"
	"  policy list\n"
	"  policy flush\n";

static enum nm_ctl_exit ask(struct nm_ctl *ctl, const char *name, char **argv,
	void (*print)(struct nm_ctl *ctl, const json_t *result))
{
	json_t *policy = json_object();
	enum nm_ctl_exit code = nm_words_policy("policy", argv, policy);

	if (code != NM_CTL_OK) {
		json_decref(policy);
		return code;
	}
	return nm_ctl_ask_and_print(
		ctl, json_pack("{s:s, s:o}", "command", name, "policy", policy), print);
}

static void print_added(struct nm_ctl *ctl, const json_t *result)
{
	if (nm_get_bool(result, "replaced"))
		nm_print(ctl, "replaced\n");
}

static enum nm_ctl_exit add(struct nm_ctl *ctl, int argc, char **argv)
{
	(void)argc;
	return ask(ctl, "policy-add", argv + 1, print_added);
}

static void print_nothing(struct nm_ctl *ctl, const json_t *result)
{
	(void)ctl;
	(void)result;
}

static enum nm_ctl_exit delete_policy(struct nm_ctl *ctl, int argc, char **argv)
{
	(void)argc;
	return ask(ctl, "policy-delete", argv + 1, print_nothing);
}

void nm_ctl_print_policies(struct nm_ctl *ctl, const json_t *result)
{
	static const char *const heads[] = {
		">PRIORITY", "NAME", "ACTION", ">REQID", "SELECTOR", NULL};
	const json_t *list = json_object_get(result, "policies"), *policy;
	struct nm_table table;
	size_t i;

	nm_table_init(&table, heads);
	json_array_foreach(list, i, policy)
	{
		nm_table_add(&table, "%llu", (unsigned long long)nm_get_count(policy, "priority"));
		nm_table_add(&table, "%s", nm_get_text(policy, "name"));
		nm_table_add(&table, "%s", nm_get_text(policy, "action"));
		nm_table_add(&table, "%llu", (unsigned long long)nm_get_count(policy, "reqid"));
		nm_table_add(&table, "%s", nm_get_text(policy, "selector"));
	}
	nm_table_done(&table, ctl);
	if (json_array_size(list) == 0)
		nm_print(ctl, "no policies: nothing goes out\n");
	else if (nm_get_count(result, "total") > json_array_size(list))
		nm_print(ctl, "the first %zu of %llu policies\n", json_array_size(list),
			(unsigned long long)nm_get_count(result, "total"));
}

static enum nm_ctl_exit list(struct nm_ctl *ctl, int argc, char **argv)
{
	if (nm_ctl_no_arguments(argc, argv, 1) != NM_CTL_OK)
		return NM_CTL_USAGE;
	return nm_ctl_ask_and_print(
		ctl, json_pack("{s:s}", "command", "policy-list"), nm_ctl_print_policies);
}

static void print_deleted(struct nm_ctl *ctl, const json_t *result)
{
	nm_print(ctl, "%llu deleted\n", (unsigned long long)nm_get_count(result, "deleted"));
}

static enum nm_ctl_exit flush(struct nm_ctl *ctl, int argc, char **argv)
{
	if (nm_ctl_no_arguments(argc, argv, 1) != NM_CTL_OK)
		return NM_CTL_USAGE;
	return nm_ctl_ask_and_print(
		ctl, json_pack("{s:s}", "command", "policy-flush"), print_deleted);
}

enum nm_ctl_exit nm_ctl_policy(struct nm_ctl *ctl, int argc, char **argv)
{
	static const struct nm_ctl_subcommand subcommands[] = {
		{"add", add},
		{"del", delete_policy},
		{"delete", delete_policy},
		{"list", list},
		{"show", list},
		{"flush", flush},
		{0},
	};

	return nm_ctl_run_subcommand(ctl, subcommands, argc, argv);
}
