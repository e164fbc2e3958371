/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl sa list: one row for each SA, or all that is known of it. */
#include "ctl/commands.h"

#include <string.h>
#include "ctl/print.h"

static unsigned long long count(const json_t *json, const char *key)
{
	return (unsigned long long)nm_get_count(json, key);
}

/* Why packets went no further, in the order in which they are looked at. */
static const struct {
	const char *member, *text;
} drops[] = {
	{"too_short", "too short"},
	{"late", "late"},
	{"duplicate", "duplicate"},
	{"bad_icv", "bad ICV"},
	{"replayed", "replayed"},
	{"bad_padding", "bad padding"},
	{"selector", "selector"},
	{"exhausted", "exhausted"},
};

enum { DROPS = sizeof(drops) / sizeof(drops[0]) };

static unsigned long long dropped(const json_t *counters)
{
	unsigned long long sum = 0;

	for (size_t i = 0; i < DROPS; i++)
		sum += count(counters, drops[i].member);
	return sum;
}

static const char *ago(const json_t *sa, const char *key, char text[NM_PRINT_TEXT])
{
	return nm_is_null(sa, key) ? "never" : nm_print_duration(nm_get_count(sa, key), text);
}

static void add_row(struct nm_table *table, const json_t *sa)
{
	const json_t *counters = json_object_get(sa, "counters");
	char text[NM_PRINT_TEXT];

	nm_table_add(table, "%s", nm_get_text(sa, "name"));
	nm_table_add(table, "%s", nm_get_text(sa, "direction"));
	nm_table_add(table, "%s", nm_get_text(sa, "spi"));
	nm_table_add(table, "%llu", count(sa, "reqid"));
	nm_table_add(table, "%s", nm_get_text(sa, "suite"));
	nm_table_add(table, "%s", nm_get_text(sa, "remote"));
	nm_table_add(table, "%llu", count(counters, "packets"));
	nm_table_add(table, "%s", nm_print_bytes(nm_get_count(counters, "bytes"), text));
	nm_table_add(table, "%llu", count(counters, "lost"));
	nm_table_add(table, "%llu", dropped(counters));
	nm_table_add(table, "%s", ago(sa, "used_ago_ms", text));
	nm_table_add(table, "%s", nm_get_bool(sa, "dead") ? "dead" : "alive");
}

/* What the kernel has dropped belongs to no SA that it could name. */
static void print_xfrm_stat(struct nm_ctl *ctl, const json_t *list)
{
	static const char *const heads[] = {"XFRM COUNTER", ">SINCE START", "WHY", NULL};
	struct nm_table table;
	const json_t *entry;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	nm_print(ctl, "\n");
	nm_table_init(&table, heads);
	json_array_foreach(list, i, entry)
	{
		nm_table_add(&table, "%s", nm_get_text(entry, "counter"));
		nm_table_add(&table, "%llu", count(entry, "count"));
		nm_table_add(&table, "%s", nm_get_text(entry, "why"));
	}
	nm_table_done(&table, ctl);
}

static void print_rest(struct nm_ctl *ctl, const json_t *result)
{
	size_t n = json_array_size(json_object_get(result, "sas"));

	if (n == 0)
		nm_print(ctl, "no SAs\n");
	else if (nm_get_count(result, "total") > n)
		nm_print(ctl, "%zu of %llu SAs\n", n, count(result, "total"));
	print_xfrm_stat(ctl, json_object_get(result, "xfrm_stat"));
}

void nm_ctl_print_sas(struct nm_ctl *ctl, const json_t *result)
{
	static const char *const heads[] = {"NAME", "DIR", "SPI", ">REQID", "SUITE", "PEER",
		">PACKETS", ">BYTES", ">LOST", ">DROPPED", ">USED", "STATE", NULL};
	const json_t *sa;
	struct nm_table table;
	size_t i;

	nm_table_init(&table, heads);
	json_array_foreach(json_object_get(result, "sas"), i, sa)
	{
		add_row(&table, sa);
	}
	nm_table_done(&table, ctl);
	print_rest(ctl, result);
}

static void print_limits(struct nm_ctl *ctl, const char *name, const json_t *limits)
{
	char bytes[NM_PRINT_TEXT];

	if (nm_get_count(limits, "bytes") == 0 && nm_get_count(limits, "packets") == 0 &&
		nm_get_count(limits, "seconds") == 0)
		return;
	nm_print(ctl, "  %-11s", name);
	if (nm_get_count(limits, "bytes") > 0)
		nm_print(ctl, " %s", nm_print_bytes(nm_get_count(limits, "bytes"), bytes));
	if (nm_get_count(limits, "packets") > 0)
		nm_print(ctl, " %llu packets", count(limits, "packets"));
	if (nm_get_count(limits, "seconds") > 0)
		nm_print(ctl, " %llu s", count(limits, "seconds"));
	nm_print(ctl, "\n");
}

/* Bucket i: 2^i to 2^(i+1)-1 numbers behind the newest. */
static void print_reorder(struct nm_ctl *ctl, const json_t *list)
{
	const char *before = "  reordered   ";
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		json_int_t n = json_integer_value(entry);

		if (n <= 0 || i >= 31)
			continue;
		if (i == 0)
			nm_print(ctl, "%s%llu by 1", before, (unsigned long long)n);
		else
			nm_print(ctl, "%s%llu by %lu-%lu", before, (unsigned long long)n, 1UL << i,
				(1UL << (i + 1)) - 1);
		before = ", ";
	}
	if (*before == ',')
		nm_print(ctl, "\n");
}

static void print_counters(struct nm_ctl *ctl, const json_t *counters)
{
	char bytes[NM_PRINT_TEXT];

	nm_print(ctl, "  packets     %llu, %s; %llu lost, %llu dummies\n",
		count(counters, "packets"), nm_print_bytes(nm_get_count(counters, "bytes"), bytes),
		count(counters, "lost"), count(counters, "dummy"));
	if (dropped(counters) > 0) {
		const char *comma = " ";

		nm_print(ctl, "  dropped    ");
		for (size_t i = 0; i < DROPS; i++) {
			unsigned long long n = count(counters, drops[i].member);

			if (n == 0)
				continue;
			nm_print(ctl, "%s%s %llu", comma, drops[i].text, n);
			comma = ", ";
		}
		nm_print(ctl, "\n");
	}
	print_reorder(ctl, json_object_get(counters, "reorder"));
}

static void print_modes(struct nm_ctl *ctl, const json_t *sa)
{
	const json_t *dscp = json_object_get(sa, "dscp");
	bool is_in = strcmp(nm_get_text(sa, "direction"), "in") == 0;

	nm_print(ctl, "  suite       %s by %s, %s mode%s\n", nm_get_text(sa, "suite"),
		nm_get_text(sa, "engine"), nm_get_text(sa, "mode"),
		nm_get_bool(sa, "esn") ? ", ESN" : "");
	if (is_in) {
		nm_print(ctl, "  window      %llu packets, roam %s, resync %s\n",
			count(sa, "replay_window"), nm_get_text(sa, "roam"),
			nm_get_bool(sa, "resync") ? "yes" : "no");
		return;
	}
	nm_print(ctl, "  header      df %s, dscp ", nm_get_text(sa, "df"));
	if (json_is_integer(dscp))
		nm_print(ctl, "%llu", count(sa, "dscp"));
	else
		nm_print(ctl, "copy");
	nm_print(ctl, ", ecn %s\n", nm_get_bool(sa, "ecn") ? "yes" : "no");
	nm_print(ctl, "  path        MTU %llu, too-big %s, tfc-pad %llu, dummy %llu\n",
		count(sa, "path_mtu"), nm_get_text(sa, "too_big"), count(sa, "tfc_pad"),
		count(sa, "dummy"));
}

/* What only SAs of the kernel have, and few of them. */
static void print_kernel(struct nm_ctl *ctl, const json_t *sa)
{
	static const char *const texts[][2] = {
		{"mark", "mark"}, {"output_mark", "output-mark"}, {"offload", "offload"}};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (json_object_get(sa, texts[i][0]))
			nm_print(ctl, "  %-11s %s\n", texts[i][1], nm_get_text(sa, texts[i][0]));
	if (json_object_get(sa, "if_id"))
		nm_print(ctl, "  if-id       %llu\n", count(sa, "if_id"));
}

static void print_sa(struct nm_ctl *ctl, const json_t *sa)
{
	char age[NM_PRINT_TEXT], used[NM_PRINT_TEXT];
	const json_t *selector;
	size_t i;

	nm_print(ctl, "%s %s  reqid %llu  %s%s\n", nm_get_text(sa, "direction"),
		nm_get_text(sa, "spi"), count(sa, "reqid"), nm_get_text(sa, "name"),
		nm_get_bool(sa, "dead") ? "  (dead)" : "");
	nm_print(
		ctl, "  peer        %s at %s", nm_get_text(sa, "remote"), nm_get_text(sa, "local"));
	if (strcmp(nm_get_text(sa, "remote"), nm_get_text(sa, "added_remote")) != 0)
		nm_print(ctl, ", added as %s", nm_get_text(sa, "added_remote"));
	nm_print(ctl, "\n");
	print_modes(ctl, sa);
	print_kernel(ctl, sa);
	nm_print(ctl, "  sequence    %llu\n", count(sa, "sequence"));
	nm_print(ctl, "  added       %s ago, used %s%s\n", ago(sa, "age_ms", age),
		ago(sa, "used_ago_ms", used), nm_is_null(sa, "used_ago_ms") ? "" : " ago");
	print_limits(ctl, "soft", json_object_get(sa, "soft"));
	print_limits(ctl, "hard", json_object_get(sa, "hard"));
	json_array_foreach(json_object_get(sa, "selectors"), i, selector)
	{
		const char *text = json_string_value(selector);

		nm_print(ctl, "  selector    %s\n", text ? text : "-");
	}
	print_counters(ctl, json_object_get(sa, "counters"));
}

void nm_ctl_print_sas_in_full(struct nm_ctl *ctl, const json_t *result)
{
	const json_t *sa;
	size_t i;

	json_array_foreach(json_object_get(result, "sas"), i, sa)
	{
		print_sa(ctl, sa);
	}
	print_rest(ctl, result);
}
