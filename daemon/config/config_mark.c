/* SPDX-License-Identifier: Apache-2.0 */
/* Marks of packets (skb->mark), as ip-xfrm(8) writes them: a value, and which of its bits count. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_value.h"

/* "42" or "0x2a", as much of `text` as is that; NULL: none, or too large. */
static const char *parse_u32(const char *text, uint32_t *value)
{
	bool is_hex = strncmp(text, "0x", 2) == 0;
	const char *digits = is_hex ? text + 2 : text;
	size_t len = strspn(digits, is_hex ? "0123456789abcdefABCDEF" : "0123456789");
	uint64_t number;

	if (len == 0 || len > 10 || (!is_hex && len > 1 && *digits == '0'))
		return NULL;
	number = strtoull(digits, NULL, is_hex ? 16 : 10);
	if (number > UINT32_MAX)
		return NULL;
	*value = (uint32_t)number;
	return digits + len;
}

/* "0" alone is no mark; "0/0xff" is one. */
static int parse_mark(const struct nm_config_key *key, const char *text, void *field)
{
	struct nm_sa_mark mark = {.mask = UINT32_MAX};
	const char *rest = parse_u32(text, &mark.value);

	(void)key;
	if (rest && *rest == '/')
		rest = parse_u32(rest + 1, &mark.mask);
	else if (mark.value == 0)
		mark.mask = 0;
	if (!rest || *rest || (mark.value & ~mark.mask) != 0)
		return NATMUX_EINVAL;
	memcpy(field, &mark, sizeof(mark));
	return 0;
}

static void format_mark(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	struct nm_sa_mark mark;

	(void)key;
	memcpy(&mark, field, sizeof(mark));
	if (mark.mask == 0)
		snprintf(text, size, "0");
	else if (mark.mask == UINT32_MAX && mark.value > 0)
		snprintf(text, size, "0x%" PRIx32, mark.value);
	else
		snprintf(text, size, "0x%" PRIx32 "/0x%" PRIx32, mark.value, mark.mask);
}

const struct nm_config_type nm_config_type_mark = {parse_mark, format_mark,
	.allowed = "0, or a mark such as 0x2a or 0x2a/0xff, with no bits but those of its mask"};
