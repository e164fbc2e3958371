/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the counters of /proc/net/xfrm_stat. */
#include "xfrm/stat.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <natmux/error.h>

#define X(name, text) {"Xfrm" #name, text},
static const struct {
	const char *name, *text;
} counters[] = {NM_XFRM_STAT_MAP(X)};
#undef X

/* Octets up to the first blank. */
static size_t word_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && !isspace((unsigned char)text[n]))
		n++;
	return n;
}

static bool parse_number(const char *text, size_t len, uint64_t *number)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned int digit = (unsigned int)(text[i] - '0');

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return len > 0;
}

static void count(struct nm_xfrm_stat *stat, const char *name, size_t len, uint64_t number)
{
	for (size_t i = 0; i < NM_XFRM_COUNTER_COUNT; i++)
		if (strlen(counters[i].name) == len && memcmp(counters[i].name, name, len) == 0) {
			stat->value[i] = number;
			stat->has |= UINT64_C(1) << i;
			return;
		}
	stat->unknown += number;
}

/* "XfrmInNoStates          \t12" */
static bool parse_line(const char *line, size_t len, struct nm_xfrm_stat *stat)
{
	size_t name = word_len(line, len), at = name;
	uint64_t number;

	while (at < len && isspace((unsigned char)line[at]))
		at++;
	if (name == 0 || !parse_number(line + at, len - at, &number))
		return false;
	count(stat, line, name, number);
	return true;
}

int nm_xfrm_stat_parse(const char *text, size_t len, struct nm_xfrm_stat *stat)
{
	struct nm_xfrm_stat got = {0};

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		if (!parse_line(text, line, &got))
			return NATMUX_EMALFORMED;
		line += end != NULL;
		text += line;
		len -= line;
	}
	*stat = got;
	return 0;
}

void nm_xfrm_stat_since(const struct nm_xfrm_stat *before, const struct nm_xfrm_stat *now,
	struct nm_xfrm_stat *difference)
{
	struct nm_xfrm_stat since = {.has = now->has};

	for (size_t i = 0; i < NM_XFRM_COUNTER_COUNT; i++)
		since.value[i] = now->value[i] < before->value[i]
					 ? now->value[i]
					 : now->value[i] - before->value[i];
	since.unknown =
		now->unknown < before->unknown ? now->unknown : now->unknown - before->unknown;
	*difference = since;
}

const char *nm_xfrm_counter_name(enum nm_xfrm_counter counter)
{
	return (unsigned int)counter < NM_XFRM_COUNTER_COUNT ? counters[counter].name : NULL;
}

const char *nm_xfrm_counter_text(enum nm_xfrm_counter counter)
{
	return (unsigned int)counter < NM_XFRM_COUNTER_COUNT ? counters[counter].text : NULL;
}
