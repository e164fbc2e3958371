/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, what they have in common, and help. */
#include "ctl/commands.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "ctl/client.h"

const struct nm_ctl_command nm_ctl_commands[] = {
	{"status", "", "what runs, on which sockets, since when",
		"Shows natmuxd's version, configuration and sockets, how many flows there are, "
		"and\n"
		"our own addresses as STUN servers see them.\n",
		nm_ctl_status},
	{"flows", "[--limit N]", "peers and their traffic, latest activity last",
		"  -n, --limit N    the N flows with the latest activity (4096, at most)\n",
		nm_ctl_flows},
	{"stats", "[--watch [SECONDS]]", "datagrams and bytes by class",
		"  -w, --watch [SECONDS]    again and again, with rates, until Ctrl-C (1 second)\n",
		nm_ctl_stats},
	{"drops", "[--all]", "datagrams that went no further, and why",
		"  -a, --all    reasons that never occurred, too\n", nm_ctl_drops},
	{"servers", "", "STUN servers and our addresses as they see them",
		"Shows each STUN server, asked from each local address of its family.\n",
		nm_ctl_servers},
	{"aliases", "", "alias addresses that the relay has given to peers",
		"The IKE daemon sees a peer under its alias; \"natmuxctl flows\" has the rest.\n",
		nm_ctl_aliases},
	{"events", "[--follow]", "what happened lately; with --follow, what happens",
		"  -f, --follow    the events kept (64 at most), then new ones until Ctrl-C\n",
		nm_ctl_events},
	{"sa", "add|del|list|flush|export [WORD VALUE]...",
		"SAs of esp = user: what went through them, new ones", nm_ctl_sa_help, nm_ctl_sa},
	{"policy", "add|del|list|flush [WORD VALUE]...",
		"policies of esp = user: what is sealed, and by which SA", nm_ctl_policy_help,
		nm_ctl_policy},
	{"metrics", "", "all counters as Prometheus text",
		"For a textfile collector, or behind any small HTTP server.\n", nm_ctl_metrics},
	{"reload", "", "has natmuxd read its configuration again",
		"natmuxd applies the whole difference, or nothing and says why: then the exit "
		"code\n"
		"is 1.\n",
		nm_ctl_reload},
	{"capture", "[--class LIST] [--direction in|out|both] [--count N] [--snaplen N] [-w FILE]",
		"copies of datagrams as they pass, to a pcap file", nm_ctl_capture_help,
		nm_ctl_capture},
	{"version", "", "versions of natmuxctl, natmuxd and the library",
		"natmuxctl --version asks no daemon.\n", nm_ctl_version},
	{"doctor", "[--port PORT] [--tun NAME]",
		"looks at this machine: what will work here, and why not",
		"Needs no daemon; finds out most as root. Exit code 1: nothing of this version "
		"will "
		"work.\n"
		"  -p, --port PORT    the UDP port to share (4500)\n"
		"  -t, --tun NAME     the TUN device to be used (natmux0)\n",
		nm_ctl_doctor},
	{"help", "[COMMAND]", "this list, or one command's options", "", nm_ctl_help},
	{0},
};

const struct nm_ctl_command *nm_ctl_find_command(const char *name)
{
	const struct nm_ctl_command *command;

	for (command = nm_ctl_commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

void nm_ctl_complain(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* The daemon's words are in it: nothing of them may steer the terminal. */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "natmuxctl: %s\n", text);
}

enum nm_ctl_exit nm_ctl_usage(const char *command, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	nm_ctl_complain("%s%s%s", command ? command : "", command ? ": " : "", text);
	fprintf(stderr, "\"natmuxctl %s%s--help\" says more.\n", command ? command : "",
		command ? " " : "");
	return NM_CTL_USAGE;
}

enum nm_ctl_exit nm_ctl_bad_option(char **argv)
{
	return nm_ctl_usage(
		argv[0], "unknown option, or one without its argument: \"%s\"", argv[optind - 1]);
}

enum nm_ctl_exit nm_ctl_no_arguments(int argc, char **argv, int first)
{
	if (argc > first && argv[first][0] == '-')
		return nm_ctl_usage(argv[0], "unknown option \"%s\"", argv[first]);
	if (argc > first)
		return nm_ctl_usage(argv[0], "\"%s\" is one word too many", argv[first]);
	return NM_CTL_OK;
}

bool nm_ctl_number(const char *command, const char *what, const char *text, int64_t min,
	int64_t max, int64_t *value)
{
	char *end;
	int64_t number = strtoll(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || strlen(text) > 18 || number < min ||
		number > max) {
		nm_ctl_usage(command,
			"%s is a whole number from %" PRId64 " to %" PRId64 ", not \"%s\"", what,
			min, max, text);
		return false;
	}
	*value = number;
	return true;
}

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

enum nm_ctl_exit nm_ctl_run_subcommand(
	struct nm_ctl *ctl, const struct nm_ctl_subcommand *subcommands, int argc, char **argv)
{
	if (argc < 2)
		return nm_ctl_usage(argv[0], "what shall it do?");
	for (; subcommands->name; subcommands++)
		if (strcmp(subcommands->name, argv[1]) == 0)
			return subcommands->run(ctl, argc - 1, argv + 1);
	return nm_ctl_usage(argv[0], "\"%s\" is nothing it can do", argv[1]);
}

static void print_all(struct nm_ctl *ctl)
{
	const struct nm_ctl_command *command;

	fputs("Usage: natmuxctl [-s SOCKET] [--json] COMMAND [ARGUMENTS]\n"
	      "Asks and steers natmuxd, which shares one UDP port among STUN, IKE and ESP.\n\n"
	      "Commands:\n",
		ctl->out);
	for (command = nm_ctl_commands; command->name; command++)
		fprintf(ctl->out, "  %-9s %s\n", command->name, command->summary);
	fputs("\nOptions, before the command:\n"
	      "  -s, --socket SOCKET  natmuxd's control socket (/run/natmux/control.sock)\n"
	      "  -j, --json           results as JSON, one object a line\n"
	      "  -h, --help           this text; after a command, that command's\n"
	      "  -V, --version        natmuxctl's version\n\n"
	      "Exit codes: 0 done, 1 refused or a problem found, 2 wrong usage, 3 no natmuxd.\n",
		ctl->out);
}

void nm_ctl_print_help(struct nm_ctl *ctl, const struct nm_ctl_command *command)
{
	if (!command) {
		print_all(ctl);
		return;
	}
	fprintf(ctl->out, "Usage: natmuxctl [-s SOCKET] [--json] %s%s%s\n%s: %s\n%s%s",
		command->name, command->arguments[0] ? " " : "", command->arguments, command->name,
		command->summary, command->help[0] ? "\n" : "", command->help);
}

enum nm_ctl_exit nm_ctl_help(struct nm_ctl *ctl, int argc, char **argv)
{
	const struct nm_ctl_command *command = NULL;

	if (argc > 2)
		return nm_ctl_usage(argv[0], "takes one command");
	if (argc == 2) {
		command = nm_ctl_find_command(argv[1]);
		if (!command)
			return nm_ctl_usage(NULL, "there is no command \"%s\"", argv[1]);
	}
	nm_ctl_print_help(ctl, command);
	return NM_CTL_OK;
}
