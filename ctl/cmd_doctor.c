/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl doctor: gathers, judges and shows; needs no daemon. */
#include "ctl/commands.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "ctl/doctor.h"
#include "ctl/print.h"

enum { LINE_WIDTH = 100 };

static enum nm_colour colour_of(enum nm_verdict verdict)
{
	switch (verdict) {
	case NM_VERDICT_OK: return NM_COLOUR_GOOD;
	case NM_VERDICT_WARN: return NM_COLOUR_WARN;
	case NM_VERDICT_NO: return NM_COLOUR_BAD;
	}
	return NM_COLOUR_PLAIN;
}

/* Breaks a sentence between words; all lines begin in one column. */
static void print_wrapped(struct nm_ctl *ctl, int indent, const char *mark, const char *text)
{
	int room = LINE_WIDTH - indent - (int)strlen(mark);

	while (*text) {
		int n = (int)strlen(text), cut = room;

		if (n > room) {
			while (cut > 0 && text[cut] != ' ')
				cut--;
			n = cut > 0 ? cut : room;
		}
		nm_print(ctl, "%*s%s%.*s\n", indent, "", mark, n, text);
		text += n + (text[n] == ' ');
		mark = *mark ? "   " : mark;
	}
}

static void print_row(
	struct nm_ctl *ctl, const char *kind, const struct nm_doctor_row *row, int width)
{
	char name[48];

	snprintf(name, sizeof(name), "%s%s%s", kind, *kind ? " " : "", row->name);
	fprintf(ctl->out, "%s%-4s%s  ", nm_colour(ctl, colour_of(row->verdict)),
		nm_verdict_name(row->verdict), nm_colour(ctl, NM_COLOUR_PLAIN));
	nm_print(ctl, "%-*s  %s\n", width, name, row->finding);
	print_wrapped(ctl, width + 8, "", row->why);
	print_wrapped(ctl, width + 8, "-> ", row->fix);
}

void nm_ctl_print_report(struct nm_ctl *ctl, const struct nm_doctor_report *report)
{
	enum { WIDTH = 14 };

	for (size_t i = 0; i < report->checks_n; i++)
		print_row(ctl, "", &report->checks[i], WIDTH);
	fputc('\n', ctl->out);
	for (size_t i = 0; i < report->modes_n; i++)
		print_row(ctl, report->modes[i].kind, &report->modes[i].row, WIDTH);
	nm_print(ctl, "\n%s\n",
		report->works ? "natmuxd will work here."
			      : "natmuxd will not work here until what is marked \"no\" above is "
				"mended.");
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *row_json(const struct nm_doctor_row *row)
{
	return json_pack("{s:s, s:o, s:s, s:o, s:o}", "name", row->name, "finding",
		text_or_null(row->finding), "verdict", nm_verdict_name(row->verdict), "why",
		text_or_null(row->why), "fix", text_or_null(row->fix));
}

json_t *nm_ctl_report_json(const struct nm_doctor_report *report)
{
	json_t *checks = json_array(), *modes = json_array();

	for (size_t i = 0; i < report->checks_n; i++)
		json_array_append_new(checks, row_json(&report->checks[i]));
	for (size_t i = 0; i < report->modes_n; i++) {
		const struct nm_doctor_mode *mode = &report->modes[i];
		json_t *json = row_json(&mode->row);

		json_object_set_new(json, "kind", json_string(mode->kind));
		json_object_set_new(json, "machine_allows", json_boolean(mode->machine_allows));
		json_array_append_new(modes, json);
	}
	return json_pack(
		"{s:b, s:o, s:o}", "works", (int)report->works, "checks", checks, "modes", modes);
}

static enum nm_ctl_exit examine(struct nm_ctl *ctl, struct nm_doctor_facts *facts, const char *root)
{
	struct nm_doctor_report report;
	json_t *json;

	nm_doctor_read_files(facts, root ? root : "");
	/* Another root is a test's: this machine's kernel is not the one described there. */
	if (!root)
		nm_doctor_probe(facts);
	nm_doctor_judge(facts, &report);
	if (ctl->is_json) {
		json = nm_ctl_report_json(&report);
		nm_ctl_print_json(ctl, json);
		json_decref(json);
	} else {
		nm_ctl_print_report(ctl, &report);
	}
	return report.works ? NM_CTL_OK : NM_CTL_REFUSED;
}

enum nm_ctl_exit nm_ctl_doctor(struct nm_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'},
		{"tun", required_argument, NULL, 't'},
		{"root", required_argument, NULL, 'r'}, /* for tests */
		{0},
	};
	struct nm_doctor_facts facts = {.port = 4500, .tun = "natmux0"};
	const char *root = NULL;
	int64_t port = 4500;
	int c;

	while ((c = getopt_long(argc, argv, "p:t:", options, NULL)) >= 0) {
		switch (c) {
		case 'p':
			if (!nm_ctl_number(argv[0], "--port", optarg, 1, 65535, &port))
				return NM_CTL_USAGE;
			break;
		case 't':
			if (!*optarg || strlen(optarg) >= sizeof(facts.tun) || strchr(optarg, '/'))
				return nm_ctl_usage(
					argv[0], "\"%s\" is no name of a network device", optarg);
			strcpy(facts.tun, optarg);
			break;
		case 'r': root = optarg; break;
		default: return nm_ctl_bad_option(argv);
		}
	}
	if (nm_ctl_no_arguments(argc, argv, optind) != NM_CTL_OK)
		return NM_CTL_USAGE;
	facts.port = (uint16_t)port;
	return examine(ctl, &facts, root);
}
