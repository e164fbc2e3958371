/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl status: the daemon itself. */
#include "ctl/commands.h"

#include "ctl/print.h"

static void row(struct nm_ctl *ctl, const char *name, const char *text)
{
	nm_print(ctl, "  %-14s %s\n", name, text);
}

static void print_config(struct nm_ctl *ctl, const json_t *result)
{
	const json_t *config = json_object_get(result, "config");
	const json_t *flows = json_object_get(result, "flows");

	nm_print(ctl, "  %-14s %llu, attach %s, handoff %s, esp %s\n", "port",
		(unsigned long long)nm_get_count(config, "port"), nm_get_text(config, "attach"),
		nm_get_text(config, "handoff"), nm_get_text(config, "esp"));
	row(ctl, "configuration", nm_get_text(config, "file"));
	row(ctl, "capabilities", nm_get_text(result, "capabilities"));
	nm_print(ctl, "  %-14s %llu established, %llu answered, %llu new; at most %llu\n", "flows",
		(unsigned long long)nm_get_count(flows, "established"),
		(unsigned long long)nm_get_count(flows, "answered"),
		(unsigned long long)nm_get_count(flows, "new"),
		(unsigned long long)nm_get_count(config, "flows_max"));
}

static void print_join(struct nm_ctl *ctl, const json_t *join)
{
	char since[NM_PRINT_TEXT];

	if (!json_is_object(join))
		return;
	nm_print_duration(nm_get_count(join, "for_ms"), since);
	if (nm_get_bool(join, "joined"))
		nm_print(ctl, "  %-14s %s (process %llu, user number %llu) for %s\n", "joined",
			nm_get_text(join, "daemon"), (unsigned long long)nm_get_count(join, "pid"),
			(unsigned long long)nm_get_count(join, "uid"), since);
	else
		nm_print(
			ctl, "  %-14s for %s: %s\n", "not joined", since, nm_get_text(join, "why"));
}

static void print_mapped(struct nm_ctl *ctl, const json_t *entry)
{
	nm_print(ctl, "  %-14s %s, seen by %s for %s%s\n", "mapped address",
		nm_get_text(entry, "mapped"), nm_get_text(entry, "server"),
		nm_get_text(entry, "local"),
		nm_get_bool(entry, "answering") ? "" : ", which no longer answers");
}

static void print_all_mapped(struct nm_ctl *ctl, const json_t *list)
{
	if (json_array_size(list) == 0)
		row(ctl, "mapped address", "none known");
	for (size_t i = 0; i < json_array_size(list); i++)
		print_mapped(ctl, json_array_get(list, i));
}

static void add_socket(struct nm_table *table, const json_t *entry, bool has_workers)
{
	char text[NM_PRINT_TEXT];

	if (has_workers)
		nm_table_add(table, "%llu", (unsigned long long)nm_get_count(entry, "worker"));
	nm_table_add(table, "%s", nm_get_text(entry, "local"));
	nm_table_add(table, "%s", nm_get_bool(entry, "gro") ? "on" : "off");
	nm_table_add(table, "%s", nm_get_bool(entry, "gso") ? "on" : "off");
	nm_table_add(table, "%llu", (unsigned long long)nm_get_count(entry, "recv_calls"));
	nm_table_add(table, "%llu", (unsigned long long)nm_get_count(entry, "send_calls"));
	nm_table_add(table, "%s", nm_print_bytes(nm_get_count(entry, "receive_buffer"), text));
	nm_table_add(table, "%s", nm_print_bytes(nm_get_count(entry, "send_buffer"), text));
	nm_table_add(table, "%llu", (unsigned long long)nm_get_count(entry, "kernel_drops"));
}

static void print_reasons(struct nm_ctl *ctl, const json_t *entry)
{
	const char *local = nm_get_text(entry, "local");

	if (!nm_is_null(entry, "gro_why"))
		nm_print(ctl, "%s has no GRO: %s\n", local, nm_get_text(entry, "gro_why"));
	if (!nm_is_null(entry, "gso_why"))
		nm_print(ctl, "%s has no GSO: %s\n", local, nm_get_text(entry, "gso_why"));
}

static void print_sockets(struct nm_ctl *ctl, const json_t *list, bool has_workers)
{
	static const char *const heads[] = {">WORKER", "SOCKET", "GRO", "GSO", ">RECV CALLS",
		">SEND CALLS", ">RECV BUFFER", ">SEND BUFFER", ">LOST", NULL};
	struct nm_table table;

	nm_table_init(&table, has_workers ? heads : heads + 1);
	for (size_t i = 0; i < json_array_size(list); i++)
		add_socket(&table, json_array_get(list, i), has_workers);
	nm_table_done(&table, ctl);
	for (size_t i = 0; i < json_array_size(list); i++)
		print_reasons(ctl, json_array_get(list, i));
}

/* ESP of each worker, as it came and went, and what the device took and gave. */
static void print_workers(struct nm_ctl *ctl, const json_t *list)
{
	static const char *const heads[] = {
		">WORKER", ">RECEIVED", ">SENT", ">READ", ">WRITTEN", NULL};
	static const char *const members[][2] = {{"rx", "datagrams"}, {"tx", "datagrams"},
		{"read", "packets"}, {"written", "packets"}};
	struct nm_table table;

	nm_table_init(&table, heads);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);

		nm_table_add(&table, "%llu", (unsigned long long)nm_get_count(entry, "worker"));
		for (size_t j = 0; j < sizeof(members) / sizeof(members[0]); j++)
			nm_table_add(&table, "%llu",
				(unsigned long long)nm_get_count(
					json_object_get(entry, members[j][0]), members[j][1]));
	}
	nm_table_done(&table, ctl);
	fputc('\n', ctl->out);
}

static void print_user_plane(struct nm_ctl *ctl, const json_t *plane)
{
	if (!json_is_object(plane))
		return;
	nm_print(ctl, "  %-14s %s, MTU %llu%s; %llu of %llu SAs, %llu of %llu policies%s\n",
		"user plane", nm_get_text(plane, "tun"),
		(unsigned long long)nm_get_count(plane, "mtu"),
		nm_get_bool(plane, "gone") ? ", which somebody deleted" : "",
		(unsigned long long)nm_get_count(plane, "sas"),
		(unsigned long long)nm_get_count(plane, "sas_max"),
		(unsigned long long)nm_get_count(plane, "policies"),
		(unsigned long long)nm_get_count(plane, "policies_max"),
		nm_get_bool(plane, "export_keys") ? "; keys are kept for export" : "");
	nm_print(ctl, "  %-14s TSO %s%s%s, USO %s%s%s\n", "",
		nm_get_bool(plane, "tso") ? "on" : "off", nm_is_null(plane, "tso_why") ? "" : ": ",
		nm_is_null(plane, "tso_why") ? "" : nm_get_text(plane, "tso_why"),
		nm_get_bool(plane, "uso") ? "on" : "off", nm_is_null(plane, "uso_why") ? "" : ": ",
		nm_is_null(plane, "uso_why") ? "" : nm_get_text(plane, "uso_why"));
	if (!nm_is_null(plane, "workers_why"))
		nm_print(ctl, "  %-14s %zu worker%s only: %s\n", "",
			json_array_size(json_object_get(plane, "workers")),
			json_array_size(json_object_get(plane, "workers")) == 1 ? "" : "s",
			nm_get_text(plane, "workers_why"));
	if (nm_get_bool(plane, "bare"))
		nm_print(ctl, "  %-14s %llu packets of bare ESP\n", "",
			(unsigned long long)nm_get_count(plane, "bare_packets"));
}

static void print_words(struct nm_ctl *ctl, const char *before, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *word = json_string_value(json_array_get(list, i));

		nm_print(ctl, "%s%s", i == 0 ? before : ", ", word ? word : "-");
	}
}

static void print_steering(struct nm_ctl *ctl, const json_t *steering)
{
	if (!json_is_object(steering))
		return;
	if (nm_get_bool(steering, "steered"))
		nm_print(ctl, "  %-14s ESP stays in the kernel; what comes here goes back by %s\n",
			"steering", nm_get_text(steering, "tun"));
	else
		nm_print(ctl, "  %-14s off, all ESP goes through here and back by %s: %s\n",
			"steering", nm_get_text(steering, "tun"), nm_get_text(steering, "why"));
	if (nm_get_bool(steering, "esp_gro"))
		nm_print(ctl,
			"  %-14s ESP GRO on, where esp4_offload and esp6_offload are loaded\n", "");
	else
		nm_print(
			ctl, "  %-14s ESP GRO off: %s\n", "", nm_get_text(steering, "esp_gro_why"));
}

static void print_kernel_plane(struct nm_ctl *ctl, const json_t *plane)
{
	if (!json_is_object(plane))
		return;
	nm_print(ctl, "  %-14s %llu of %llu SAs, %llu of %llu policies%s\n", "kernel plane",
		(unsigned long long)nm_get_count(plane, "sas"),
		(unsigned long long)nm_get_count(plane, "sas_max"),
		(unsigned long long)nm_get_count(plane, "policies"),
		(unsigned long long)nm_get_count(plane, "policies_max"),
		nm_get_bool(plane, "keep") ? "; they stay when natmuxd ends" : "");
	nm_print(ctl, "  %-14s", "");
	print_words(ctl, " has ", json_object_get(plane, "features"));
	print_words(ctl, "; lacks ", json_object_get(plane, "missing"));
	nm_print(ctl, "\n  %-14s %llu events; times that some were lost: %llu\n", "",
		(unsigned long long)nm_get_count(plane, "events"),
		(unsigned long long)nm_get_count(plane, "losses"));
}

void nm_ctl_print_status(struct nm_ctl *ctl, const json_t *result)
{
	const json_t *workers = json_object_get(json_object_get(result, "user_plane"), "workers");
	bool has_workers = json_array_size(workers) > 1;
	char up[NM_PRINT_TEXT];

	nm_print(ctl, "natmuxd %s, process %llu, running for %s\n", nm_get_text(result, "version"),
		(unsigned long long)nm_get_count(result, "pid"),
		nm_print_duration(nm_get_count(result, "uptime_ms"), up));
	print_config(ctl, result);
	print_join(ctl, json_object_get(result, "join"));
	print_user_plane(ctl, json_object_get(result, "user_plane"));
	print_kernel_plane(ctl, json_object_get(result, "kernel_plane"));
	print_steering(ctl, json_object_get(result, "steering"));
	print_all_mapped(ctl, json_object_get(result, "mapped"));
	fputc('\n', ctl->out);
	if (has_workers)
		print_workers(ctl, workers);
	print_sockets(ctl, json_object_get(result, "sockets"), has_workers);
}

enum nm_ctl_exit nm_ctl_status(struct nm_ctl *ctl, int argc, char **argv)
{
	if (nm_ctl_no_arguments(argc, argv, 1) != NM_CTL_OK)
		return NM_CTL_USAGE;
	return nm_ctl_ask_and_print(
		ctl, json_pack("{s:s}", "command", "status"), nm_ctl_print_status);
}
