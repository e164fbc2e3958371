/* SPDX-License-Identifier: Apache-2.0 */
/* Lays out tables, scales numbers and keeps foreign texts from the terminal's controls. */
#include "ctl/print.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* In place; all that a terminal could obey, C1 controls in UTF-8 (0xc2 0x80-0x9f) included. */
static void make_harmless(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
		if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			*c = c[1] = '?';
	}
}

void nm_print(struct nm_ctl *ctl, const char *format, ...)
{
	char *line, *text = NULL, *rest;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		return;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		make_harmless(line);
		fprintf(ctl->out, "%s%s", line, rest ? "\n" : "");
	}
	free(text);
}

void nm_print_text(struct nm_ctl *ctl, const char *text)
{
	nm_print(ctl, "%s", text);
}

const char *nm_colour(const struct nm_ctl *ctl, enum nm_colour colour)
{
	if (!ctl->has_colour)
		return "";
	switch (colour) {
	case NM_COLOUR_PLAIN: return "\033[0m";
	case NM_COLOUR_HEAD: return "\033[1m";
	case NM_COLOUR_GOOD: return "\033[32m";
	case NM_COLOUR_WARN: return "\033[33m";
	case NM_COLOUR_BAD: return "\033[31m";
	}
	return "";
}

void nm_table_init(struct nm_table *table, const char *const *heads)
{
	*table = (struct nm_table){.heads = heads};
	while (heads[table->columns])
		table->columns++;
}

void nm_table_add(struct nm_table *table, const char *format, ...)
{
	char *cell = NULL, **cells = table->cells;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&cell, format, args);
	va_end(args);
	if (n >= 0 && table->n == table->room) {
		size_t room = table->room > 0 ? table->room * 2 : 64;

		cells = reallocarray(table->cells, room, sizeof(*cells));
		if (cells) {
			table->cells = cells;
			table->room = room;
		}
	}
	if (n < 0 || !cells) {
		if (n >= 0)
			free(cell);
		table->failed = true;
		return;
	}
	make_harmless(cell);
	table->cells[table->n++] = cell;
}

/* Columns a UTF-8 text takes, near enough: its bytes that do not continue a character. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static bool is_right(const char *head)
{
	return head[0] == '>';
}

static const char *head_text(const char *head)
{
	return is_right(head) ? head + 1 : head;
}

static void print_cell(const struct nm_table *table, struct nm_ctl *ctl, size_t column,
	const char *text, size_t width)
{
	int pad = (int)(width - width_of(text));
	bool is_last = column + 1 == table->columns;

	if (is_right(table->heads[column]))
		fprintf(ctl->out, "%*s%s%s", pad, "", text, is_last ? "\n" : "  ");
	else if (is_last)
		fprintf(ctl->out, "%s\n", text);
	else
		fprintf(ctl->out, "%s%*s  ", text, pad, "");
}

static void print_table(const struct nm_table *table, struct nm_ctl *ctl)
{
	size_t widths[NM_TABLE_COLUMNS];

	for (size_t c = 0; c < table->columns; c++) {
		widths[c] = width_of(head_text(table->heads[c]));
		for (size_t i = c; i < table->n; i += table->columns)
			if (width_of(table->cells[i]) > widths[c])
				widths[c] = width_of(table->cells[i]);
	}
	fputs(nm_colour(ctl, NM_COLOUR_HEAD), ctl->out);
	for (size_t c = 0; c < table->columns; c++)
		print_cell(table, ctl, c, head_text(table->heads[c]), widths[c]);
	fputs(nm_colour(ctl, NM_COLOUR_PLAIN), ctl->out);
	for (size_t i = 0; i < table->n; i++)
		print_cell(table, ctl, i % table->columns, table->cells[i],
			widths[i % table->columns]);
}

void nm_table_done(struct nm_table *table, struct nm_ctl *ctl)
{
	if (table->failed)
		nm_ctl_complain("out of memory");
	else if (table->n > 0)
		print_table(table, ctl);
	for (size_t i = 0; i < table->n; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct nm_table){0};
}

const char *nm_get_text(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "-";
}

uint64_t nm_get_count(const json_t *json, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(json, key));

	return value > 0 ? (uint64_t)value : 0;
}

bool nm_get_bool(const json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key));
}

bool nm_is_null(const json_t *json, const char *key)
{
	const json_t *value = json_object_get(json, key);

	return !value || json_is_null(value);
}

const char *nm_print_bytes(uint64_t bytes, char text[NM_PRINT_TEXT])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1023.95 && unit < 6; unit++)
		value /= 1024;
	if (unit == 0)
		snprintf(text, NM_PRINT_TEXT, "%u B", (unsigned int)bytes);
	else
		snprintf(text, NM_PRINT_TEXT, "%.1f %s", value, units[unit]);
	return text;
}

const char *nm_print_duration(uint64_t ms, char text[NM_PRINT_TEXT])
{
	unsigned long long s = ms / 1000;

	if (ms < 1000)
		snprintf(text, NM_PRINT_TEXT, "%u ms", (unsigned int)ms);
	else if (s < 10)
		snprintf(text, NM_PRINT_TEXT, "%.1f s", (double)(ms / 100) / 10);
	else if (s < 120)
		snprintf(text, NM_PRINT_TEXT, "%llu s", s);
	else if (s < 7200)
		snprintf(text, NM_PRINT_TEXT, "%llu min", s / 60);
	else if (s < 172800)
		snprintf(text, NM_PRINT_TEXT, "%llu h", s / 3600);
	else
		snprintf(text, NM_PRINT_TEXT, "%llu d", s / 86400);
	return text;
}

const char *nm_print_scaled(double value, char text[NM_PRINT_TEXT])
{
	static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
	size_t unit = 0;

	for (; value >= 999.95 && unit < 6; unit++)
		value /= 1000;
	if (unit == 0)
		snprintf(text, NM_PRINT_TEXT, "%.0f", value);
	else
		snprintf(text, NM_PRINT_TEXT, "%.1f%s", value, units[unit]);
	return text;
}
