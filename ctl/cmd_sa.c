/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl sa: adds, deletes, flushes and exports SAs; listing them is cmd_sa_list.c's. */
#include "ctl/commands.h"

#include <getopt.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "ctl/key_input.h"
#include "ctl/print.h"
#include "ctl/words.h"

const char nm_ctl_sa_help[] =
	"  sa add dir in|out spi SPI suite SUITE key-file FILE [WORD VALUE]...\n"
	"      adds an SA, or replaces it at once. FILE holds the key's octets, in hexadecimal,\n"
	"      base64 or as they are, and must be secret; \"-\" is standard input. Words are the\n"
	"      keys of \"sa\" in natmux.conf(5), among them:\n"
	"        remote ADDR:PORT  local ADDR  reqid N  mode tunnel|transport  esn yes\n"
	"        replay-window N  roam yes|port-only|no  dscp N|copy  tfc-pad N\n"
	"        df copy|set|clear  too-big tell|cut  dummy SECONDS  resync yes|no\n"
	"        limit byte-soft|byte-hard|packet-soft|packet-hard|time-soft|time-hard N\n"
	"        sel src PREFIX dst PREFIX [proto P [sport PORTS] [dport PORTS]]\n"
	"      and where one goes on that was elsewhere: sequence N, inbound replay WINDOW:BITS\n"
	"  sa del dir in spi SPI; sa del dir out spi SPI remote ADDR\n"
	"  sa list [-v] [dir D] [spi SPI] [reqid N] [remote ADDR]\n"
	"  sa flush [dir D] [spi SPI] [reqid N] [remote ADDR]\n"
	"  sa move all user|kernel\n"
	"      takes all SAs and policies to the other plane while packets flow (both-planes = "
	"yes)\n"
	"  sa export --wireshark [--yes] [WORD VALUE]...\n"
	"      the keys as lines of Wireshark's esp_sa file, where export-keys = yes\n\n"
	"  -v, --verbose      list: everything about each SA, with how packets were reordered\n"
	"  -w, --wireshark    export: for Wireshark and tshark\n"
	"  -y, --yes          export: do not ask\n";

static void print_nothing(struct nm_ctl *ctl, const json_t *result)
{
	(void)ctl;
	(void)result;
}

/* Where an SA goes on is no key of natmux.conf: it stands beside "sa". */
static enum nm_ctl_exit take_numbers(json_t *sa, json_t *numbers)
{
	const char *sequence = json_string_value(json_object_get(sa, "sequence"));
	json_t *replay = json_object_get(sa, "replay");
	int64_t number;

	if (sequence && !nm_ctl_number("sa", "sequence", sequence, 0, INT64_MAX, &number))
		return NM_CTL_USAGE;
	if (sequence)
		json_object_set_new(numbers, "sequence", json_integer(number));
	if (replay)
		json_object_set(numbers, "replay", replay);
	json_object_del(sa, "sequence");
	json_object_del(sa, "replay");
	return NM_CTL_OK;
}

static enum nm_ctl_exit add(struct nm_ctl *ctl, int argc, char **argv)
{
	json_t *sa = json_object(), *request = json_object(), *key = NULL;
	const char *key_file;
	enum nm_ctl_exit code = nm_words_sa("sa", argv + 1, sa, &key_file);

	(void)argc;
	if (code == NM_CTL_OK)
		code = take_numbers(sa, request);
	if (code == NM_CTL_OK && !key_file)
		code = nm_ctl_usage("sa", "add wants a key: key-file FILE, or key-file -");
	if (code == NM_CTL_OK)
		code = nm_key_input(key_file, &key);
	if (code != NM_CTL_OK) {
		json_decref(sa);
		json_decref(request);
		return code;
	}
	json_object_set_new(request, "command", json_string("sa-add"));
	json_object_set_new(request, "sa", sa);
	json_object_set_new(request, "key", key);
	return nm_ctl_ask_and_print(ctl, request, print_nothing);
}

/* Commands that name SAs and say no more about them. */
static enum nm_ctl_exit ask(struct nm_ctl *ctl, json_t *request, char **argv,
	void (*print)(struct nm_ctl *ctl, const json_t *result))
{
	enum nm_ctl_exit code = nm_words_filter("sa", argv, request);

	if (code == NM_CTL_OK)
		return nm_ctl_ask_and_print(ctl, request, print);
	json_decref(request);
	return code;
}

static enum nm_ctl_exit ask_about(struct nm_ctl *ctl, const char *request_name, char **argv,
	void (*print)(struct nm_ctl *ctl, const json_t *result))
{
	return ask(ctl, json_pack("{s:s}", "command", request_name), argv, print);
}

static enum nm_ctl_exit delete_sa(struct nm_ctl *ctl, int argc, char **argv)
{
	(void)argc;
	return ask_about(ctl, "sa-delete", argv + 1, print_nothing);
}

static void print_deleted(struct nm_ctl *ctl, const json_t *result)
{
	nm_print(ctl, "%llu deleted\n", (unsigned long long)nm_get_count(result, "deleted"));
}

static enum nm_ctl_exit flush(struct nm_ctl *ctl, int argc, char **argv)
{
	(void)argc;
	return ask_about(ctl, "sa-flush", argv + 1, print_deleted);
}

static void print_moved(struct nm_ctl *ctl, const json_t *result)
{
	nm_print(ctl, "%llu SAs and %llu policies moved\n",
		(unsigned long long)nm_get_count(result, "sas"),
		(unsigned long long)nm_get_count(result, "policies"));
}

/* One port has one plane's ESP: they go together. */
static enum nm_ctl_exit move(struct nm_ctl *ctl, int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[1], "all") != 0)
		return nm_ctl_usage("sa", "move wants \"all user\" or \"all kernel\"");
	return nm_ctl_ask_and_print(
		ctl, json_pack("{s:s, s:s}", "command", "sa-move", "plane", argv[2]), print_moved);
}

static enum nm_ctl_exit list(struct nm_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"verbose", no_argument, NULL, 'v'},
		{0},
	};
	bool is_verbose = false;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "v", options, NULL)) >= 0) {
		if (c != 'v')
			return nm_ctl_bad_option(argv);
		is_verbose = true;
	}
	return ask_about(ctl, "sa-list", argv + optind,
		is_verbose ? nm_ctl_print_sas_in_full : nm_ctl_print_sas);
}

void nm_ctl_print_export(struct nm_ctl *ctl, const json_t *result)
{
	const json_t *lines = json_object_get(result, "lines"), *line;
	uint64_t total = nm_get_count(result, "total"), left_out = nm_get_count(result, "left_out");
	size_t i;

	json_array_foreach(lines, i, line)
	{
		const char *text = json_string_value(line);

		nm_print(ctl, "%s\n", text ? text : "");
	}
	if (left_out > 0)
		nm_ctl_complain("%llu SAs have suites that Wireshark cannot decrypt",
			(unsigned long long)left_out);
	if (total > left_out + json_array_size(lines))
		nm_ctl_complain("%llu more SAs are not shown: ask for some, by reqid or remote",
			(unsigned long long)(total - left_out - json_array_size(lines)));
}

/* Whoever has the lines reads the traffic: nobody gets them by mistake. */
static enum nm_ctl_exit confirm(void)
{
	char answer[8] = "";

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		nm_ctl_complain("sa export shows the keys of all SAs: it needs --yes where nobody "
				"can be asked");
		return NM_CTL_REFUSED;
	}
	fputs("This shows the keys of all SAs. Whoever has them reads the traffic and forges it. "
	      "Go on? [y/N] ",
		stderr);
	if (!fgets(answer, sizeof(answer), stdin) ||
		(strcmp(answer, "y\n") != 0 && strcmp(answer, "Y\n") != 0)) {
		nm_ctl_complain("nothing was exported");
		return NM_CTL_REFUSED;
	}
	return NM_CTL_OK;
}

static enum nm_ctl_exit export_keys(struct nm_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"wireshark", no_argument, NULL, 'w'},
		{"yes", no_argument, NULL, 'y'},
		{0},
	};
	bool is_wireshark = false, is_sure = false;
	enum nm_ctl_exit code;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "wy", options, NULL)) >= 0) {
		switch (c) {
		case 'w': is_wireshark = true; break;
		case 'y': is_sure = true; break;
		default: return nm_ctl_bad_option(argv);
		}
	}
	if (!is_wireshark)
		return nm_ctl_usage("sa", "export wants --wireshark: there is no other format yet");
	code = is_sure ? NM_CTL_OK : confirm();
	if (code != NM_CTL_OK)
		return code;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return ask(ctl, json_pack("{s:s, s:s}", "command", "sa-export", "format", "wireshark"),
		argv + optind, nm_ctl_print_export);
}

enum nm_ctl_exit nm_ctl_sa(struct nm_ctl *ctl, int argc, char **argv)
{
	static const struct nm_ctl_subcommand subcommands[] = {
		{"add", add},
		{"del", delete_sa},
		{"delete", delete_sa},
		{"list", list},
		{"show", list},
		{"flush", flush},
		{"move", move},
		{"export", export_keys},
		{0},
	};

	return nm_ctl_run_subcommand(ctl, subcommands, argc, argv);
}
