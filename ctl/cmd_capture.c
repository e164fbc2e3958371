/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl capture: asks for copies of datagrams and writes them to a file or as lines. */
#include "ctl/commands.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "ctl/capture_packet.h"
#include "ctl/client.h"
#include "ctl/pcap_file.h"
#include "ctl/print.h"

const char nm_ctl_capture_help[] =
	"  -C, --class LIST       ike, esp, stun, keepalive, runt with commas, or all (all)\n"
	"  -d, --direction DIR    in, out or both (both)\n"
	"  -c, --count N          ends after N datagrams\n"
	"  -S, --snaplen N        keeps N bytes of each datagram's payload (65535)\n"
	"  -w, --write FILE       a pcap file, \"-\" for stdout; without it, a line for each\n\n"
	"Goes on until Ctrl-C. Dropped datagrams are shown too. Only one capture runs at a time.\n";

struct capture {
	struct nm_ctl *ctl;
	struct nm_client client;
	struct nm_pcap *pcap; /* NULL: lines */
	struct nm_captured *packet;
	uint64_t captured, lost;
	bool is_pipe;
};

static void print_datagram(struct nm_ctl *ctl, const json_t *datagram)
{
	uint64_t us = nm_get_count(datagram, "time_us");
	bool is_sent = strcmp(nm_get_text(datagram, "direction"), "out") == 0;
	time_t seconds = (time_t)(us / 1000000);
	char text[16] = "-";
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(text, sizeof(text), "%H:%M:%S", &local);
	nm_print(ctl, "%s.%06u %-9s %s > %s, %llu bytes\n", text, (unsigned int)(us % 1000000),
		nm_get_text(datagram, "class"), nm_get_text(datagram, is_sent ? "local" : "remote"),
		nm_get_text(datagram, is_sent ? "remote" : "local"),
		(unsigned long long)nm_get_count(datagram, "length"));
}

static enum nm_ctl_exit show_datagram(struct capture *capture, const json_t *datagram)
{
	struct nm_ctl *ctl = capture->ctl;

	capture->captured++;
	if (!capture->pcap) {
		if (ctl->is_json)
			nm_ctl_print_json(ctl, datagram);
		else
			print_datagram(ctl, datagram);
		return fflush(ctl->out) == 0 ? NM_CTL_OK : NM_CTL_REFUSED;
	}
	if (nm_captured_decode(datagram, capture->packet) < 0) {
		nm_ctl_complain("natmuxd sent a datagram that cannot be");
		return NM_CTL_REFUSED;
	}
	nm_pcap_write(capture->pcap, capture->packet);
	if (capture->is_pipe && nm_pcap_flush(capture->pcap) < 0)
		return NM_CTL_REFUSED;
	return NM_CTL_OK;
}

/* One line of the stream. Sets `is_over` when it is the last one. */
static enum nm_ctl_exit show_line(struct capture *capture, const json_t *line, bool *is_over)
{
	const json_t *datagram = json_object_get(line, "datagram");

	capture->lost += nm_get_count(json_object_get(line, "lost"), "datagrams");
	if (json_object_get(line, "end")) {
		capture->lost = nm_get_count(json_object_get(line, "end"), "lost");
		*is_over = true;
	}
	return datagram ? show_datagram(capture, datagram) : NM_CTL_OK;
}

static enum nm_ctl_exit read_stream(struct capture *capture)
{
	enum nm_ctl_exit code = NM_CTL_OK;
	bool is_over = false;
	json_t *line;

	while (code == NM_CTL_OK && !is_over) {
		switch (nm_client_next(&capture->client, -1, &line)) {
		case NM_CLIENT_LINE:
			code = show_line(capture, line, &is_over);
			json_decref(line);
			break;
		case NM_CLIENT_INTERRUPTED: is_over = true; break;
		case NM_CLIENT_END:
			nm_ctl_complain("natmuxd has ended the capture");
			return NM_CTL_UNREACHABLE;
		case NM_CLIENT_FAILED: return NM_CTL_UNREACHABLE;
		}
	}
	return code;
}

static void on_signal(int number)
{
	(void)number;
}

/*
 * Ctrl-C ends the capture, not the program: the file has to be finished. The signals are blocked
 * but while the client waits, so that none comes in between.
 */
static void catch_signals(sigset_t *unblocked)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, unblocked);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void say_summary(const struct capture *capture)
{
	if (capture->ctl->is_json && capture->pcap && !capture->is_pipe)
		fprintf(capture->ctl->out, "{\"captured\":%llu,\"lost\":%llu}\n",
			(unsigned long long)capture->captured, (unsigned long long)capture->lost);
	else
		fprintf(stderr, "natmuxctl: %llu datagrams captured, %llu lost\n",
			(unsigned long long)capture->captured, (unsigned long long)capture->lost);
}

static enum nm_ctl_exit run_capture(struct capture *capture, json_t *request, const char *path)
{
	json_t *result = NULL;
	sigset_t unblocked;
	enum nm_ctl_exit code = nm_client_ask(&capture->client, request, &result);

	json_decref(result);
	if (code != NM_CTL_OK)
		return code;
	/* The file is made only now: a refused capture must not empty the last one's. */
	if (path && nm_pcap_open(path, &capture->pcap) < 0)
		return NM_CTL_REFUSED;
	catch_signals(&unblocked);
	capture->client.unblock = &unblocked;
	code = read_stream(capture);
	if (capture->pcap && nm_pcap_close(capture->pcap) < 0)
		code = NM_CTL_REFUSED;
	say_summary(capture);
	return code;
}

/* "ike,esp" into ["ike","esp"], "all" into NULL. The daemon judges the names. */
static enum nm_ctl_exit add_classes(const char *command, json_t *request, const char *list)
{
	json_t *classes = json_array();
	char *copy = strdup(list), *rest = copy, *name;
	bool all = false, has_empty = !copy;

	while (copy && (name = strsep(&rest, ","))) {
		all |= strcmp(name, "all") == 0;
		has_empty |= !*name;
		json_array_append_new(classes, json_string(name));
	}
	free(copy);
	if (has_empty) {
		json_decref(classes);
		return nm_ctl_usage(command, "\"%s\" is no list of classes", list);
	}
	if (all)
		json_decref(classes);
	else
		json_object_set_new(request, "classes", classes);
	return NM_CTL_OK;
}

static enum nm_ctl_exit add_number(
	const char *command, json_t *request, const char *key, const char *text, long max)
{
	int64_t value;

	if (!nm_ctl_number(command, key, text, 1, max, &value))
		return NM_CTL_USAGE;
	json_object_set_new(request, key, json_integer(value));
	return NM_CTL_OK;
}

static enum nm_ctl_exit read_options(int argc, char **argv, json_t *request, const char **path)
{
	static const struct option options[] = {
		{"class", required_argument, NULL, 'C'},
		{"direction", required_argument, NULL, 'd'},
		{"count", required_argument, NULL, 'c'},
		{"snaplen", required_argument, NULL, 'S'},
		{"write", required_argument, NULL, 'w'},
		{0},
	};
	enum nm_ctl_exit code = NM_CTL_OK;
	int c;

	while (code == NM_CTL_OK &&
		(c = getopt_long(argc, argv, "C:d:c:S:w:", options, NULL)) >= 0) {
		switch (c) {
		case 'C': code = add_classes(argv[0], request, optarg); break;
		case 'd': json_object_set_new(request, "direction", json_string(optarg)); break;
		case 'c': code = add_number(argv[0], request, "count", optarg, 1000000000); break;
		case 'S': code = add_number(argv[0], request, "snaplen", optarg, 65535); break;
		case 'w': *path = optarg; break;
		default: code = nm_ctl_bad_option(argv);
		}
	}
	if (code == NM_CTL_OK)
		code = nm_ctl_no_arguments(argc, argv, optind);
	if (code == NM_CTL_OK && *path && strcmp(*path, "-") == 0 && isatty(STDOUT_FILENO))
		code = nm_ctl_usage(argv[0], "a terminal cannot show a pcap file: pipe it");
	return code;
}

enum nm_ctl_exit nm_ctl_capture(struct nm_ctl *ctl, int argc, char **argv)
{
	json_t *request = json_pack("{s:s}", "command", "capture");
	struct capture capture = {.ctl = ctl};
	const char *path = NULL;
	enum nm_ctl_exit code = read_options(argc, argv, request, &path);

	if (code == NM_CTL_OK)
		code = nm_client_open(&capture.client, ctl->socket);
	if (code != NM_CTL_OK) {
		json_decref(request);
		return code;
	}
	capture.is_pipe = path && strcmp(path, "-") == 0;
	capture.packet = malloc(sizeof(*capture.packet));
	if (capture.packet) {
		code = run_capture(&capture, request, path);
	} else {
		nm_ctl_complain("out of memory");
		json_decref(request);
		code = NM_CTL_REFUSED;
	}
	free(capture.packet);
	nm_client_close(&capture.client);
	return code;
}
