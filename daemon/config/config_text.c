/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of natmux.conf: which may stand where, and that everything opened is closed. What the
 * words mean is libconfuse's and config_read.c's matter.
 */
#include "daemon/config/config_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

/* Outside quotes and comments. No '|' (libconfuse's way into another section), '+', '(' or '$'. */
#define WORD_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/%[]"

struct scan {
	struct nm_config_text *out;
	struct nm_config_report *report;
	char *at, *end;
	uint32_t line;
	char before;           /* last byte that was neither blank nor comment; 'a' for any word */
	bool is_list;          /* the last brace opened a list */
	uint32_t braces;       /* open ones */
	uint32_t opened[2];    /* their lines; deeper ones libconfuse refuses */
	uint32_t section_line; /* of the section we are in; 0: outside */
};

const char *nm_config_text_word(const char *text, uint32_t line, char word[NM_CONFIG_WORD_SIZE])
{
	size_t len;

	for (uint32_t at = 1; at < line && (text = strchr(text, '\n')) != NULL; at++)
		text++;
	word[0] = '\0';
	if (!text)
		return word;
	text += strspn(text, " \t");
	len = strspn(text, WORD_BYTES);
	if (len < NM_CONFIG_WORD_SIZE)
		snprintf(word, NM_CONFIG_WORD_SIZE, "%.*s", (int)len, text);
	return word;
}

/* Names the section, too, when the line lies inside of it. */
static int refuse(struct scan *s, const char *found, const char *allowed)
{
	char section[NM_CONFIG_WORD_SIZE] = "", word[NM_CONFIG_WORD_SIZE];
	char key[2 * NM_CONFIG_WORD_SIZE];

	if (s->section_line > 0 && s->section_line < s->line)
		nm_config_text_word(s->out->text, s->section_line, section);
	nm_config_text_word(s->out->text, s->line, word);
	snprintf(key, sizeof(key), "%s%s%s", section, *section && *word ? "." : "", word);
	return nm_config_refuse(
		s->report, s->line, *key ? key : NULL, "found %s, allowed is %s", found, allowed);
}

static int refuse_byte(struct scan *s, const char *allowed)
{
	unsigned char byte = (unsigned char)*s->at;
	char found[24];

	if (byte > 0x20 && byte < 0x7f)
		snprintf(found, sizeof(found), "\"%c\"", byte);
	else
		snprintf(found, sizeof(found), "byte 0x%02x", byte);
	return refuse(s, found, allowed);
}

static bool is_here(const struct scan *s, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(s->end - s->at) >= len && memcmp(s->at, text, len) == 0;
}

/* Blanks the byte here, unless it ends a line. */
static void blank(struct scan *s)
{
	if (*s->at == '\n')
		s->line++;
	else
		*s->at = ' ';
	s->at++;
}

static void skip_line_comment(struct scan *s)
{
	while (s->at < s->end && *s->at != '\n')
		blank(s);
}

static int skip_block_comment(struct scan *s)
{
	uint32_t begins = s->line;

	blank(s);
	blank(s);
	while (s->at < s->end && !is_here(s, "*/"))
		blank(s);
	if (s->at == s->end) {
		s->line = begins;
		return refuse(s, "a comment without end", "/* ... */");
	}
	blank(s);
	blank(s);
	return 0;
}

/* An escape of libconfuse's that gives the byte itself; the others make strange bytes. */
static int skip_escape(struct scan *s, char quote)
{
	if (s->end - s->at < 2 || (s->at[1] != '\\' && s->at[1] != quote))
		return refuse(
			s, "a backslash in a string", "one only before a backslash or that quote");
	s->at += 2;
	return 0;
}

static int skip_string(struct scan *s)
{
	char quote = *s->at;

	for (s->at++; s->at < s->end && *s->at != quote;) {
		if (*s->at == '\n')
			return refuse(s, "a string without end", "one that ends on its line");
		if (*s->at == '\\') {
			if (skip_escape(s, quote) < 0)
				return NATMUX_EINVAL;
			continue;
		}
		if (is_here(s, "${"))
			return refuse(s, "\"${\"", "text: the environment is not read");
		if ((unsigned char)*s->at < 0x20 || (unsigned char)*s->at > 0x7e)
			return refuse_byte(s, "printable ASCII");
		s->at++;
	}
	if (s->at == s->end)
		return refuse(s, "a string without end", "one that ends on its line");
	s->before = quote;
	s->at++;
	return 0;
}

static int open_brace(struct scan *s)
{
	struct nm_config_text *out = s->out;

	s->is_list = s->before == '=';
	if (!s->is_list && out->sections_len == NM_CONFIG_SECTIONS_MAX)
		return refuse(s, "one more section", "at most 2048");
	if (!s->is_list)
		out->section_lines[out->sections_len++] = s->section_line = s->line;
	if (s->braces < 2)
		s->opened[s->braces] = s->line;
	s->braces++;
	return 0;
}

static int close_brace(struct scan *s)
{
	if (s->braces == 0)
		return refuse(s, "\"}\"", "one only where a \"{\" is open");
	if (s->before == ',')
		return refuse(s, "\",\" before \"}\"", "a value after each \",\"");
	if (s->before == '{' && s->is_list)
		return refuse(s, "an empty list", "at least one value");
	if (--s->braces == 0)
		s->section_line = 0;
	return 0;
}

static int scan_mark(struct scan *s)
{
	/* libconfuse takes "relay|tun" = as a way into a section from outside. */
	if (*s->at == '=' && (s->before == '"' || s->before == '\''))
		return refuse(s, "a key between quotes", "a bare word");
	if (*s->at == '{' && open_brace(s) < 0)
		return NATMUX_EINVAL;
	if (*s->at == '}' && close_brace(s) < 0)
		return NATMUX_EINVAL;
	s->before = *s->at++;
	return 0;
}

/* One comment, string, mark, word or blank. */
static int scan_next(struct scan *s)
{
	if (*s->at == '#' || is_here(s, "//")) {
		skip_line_comment(s);
		return 0;
	}
	if (is_here(s, "/*"))
		return skip_block_comment(s);
	if (*s->at == '\n' || *s->at == ' ' || *s->at == '\t' || is_here(s, "\r\n")) {
		blank(s);
		return 0;
	}
	if (*s->at == '"' || *s->at == '\'')
		return skip_string(s);
	if (strchr("{}=,", *s->at))
		return scan_mark(s);
	if (!strchr(WORD_BYTES, *s->at))
		return refuse_byte(s, "a letter, a digit, a quote or one of _-.:/%[]={},");
	s->before = 'a';
	s->at++;
	return 0;
}

static int refuse_nul(struct scan *s, const char *nul)
{
	for (const char *c = s->at; c < nul; c++)
		s->line += *c == '\n';
	return refuse(s, "byte 0x00", "text");
}

int nm_config_text_clean(struct nm_config_text *text, size_t len, struct nm_config_report *report)
{
	struct scan s = {.out = text,
		.report = report,
		.at = text->text,
		.end = text->text + len,
		.line = 1};
	const char *nul = memchr(s.at, '\0', len);

	if (nul)
		return refuse_nul(&s, nul);
	while (s.at < s.end)
		if (scan_next(&s) < 0)
			return NATMUX_EINVAL;
	if (s.braces > 0) {
		s.line = s.opened[s.braces > 1];
		return refuse(&s, "\"{\" without \"}\"", "one \"}\" for each \"{\"");
	}
	return 0;
}
