/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, and help. */
#include "ctl/commands.h"

#include <string.h>

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
	{"sa", "add|del|list|flush|move|export [WORD VALUE]...",
		"SAs of esp = user and kernel: what went through them, new ones", nm_ctl_sa_help,
		nm_ctl_sa},
	{"policy", "add|del|list|flush [WORD VALUE]...",
		"policies of esp = user and kernel: what is sealed, and by which SA",
		nm_ctl_policy_help, nm_ctl_policy},
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
