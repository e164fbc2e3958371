/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes selectors. Which packets match one is esp/selector.c's business. */
#include "daemon/config/config_selector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

enum { WORDS_MAX = 10, WORD_SIZE = 64, IPPROTO_ICMP4 = 1, IPPROTO_ICMP6 = 58 };

static const struct {
	const char *name;
	uint8_t number;
	bool has_ports;
} protocols[] = {
	{"icmp", IPPROTO_ICMP4, false},
	{"tcp", 6, true},
	{"udp", 17, true},
	{"dccp", 33, true},
	{"ipv6-icmp", IPPROTO_ICMP6, false},
	{"sctp", 132, true},
	{"udplite", 136, true},
};

enum { PROTOCOLS = sizeof(protocols) / sizeof(protocols[0]) };

static const struct natmux_ports any_port = {0, UINT16_MAX};

static bool is_any_port(const struct natmux_ports *ports)
{
	return ports->min == 0 && ports->max == UINT16_MAX;
}

/* Decimal, without sign or leading zero, to the end of the text. */
static int parse_number(const char *text, unsigned long most, unsigned long *value)
{
	size_t len = strlen(text);

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len || (len > 1 && *text == '0'))
		return NATMUX_EINVAL;
	*value = strtoul(text, NULL, 10);
	return *value <= most ? 0 : NATMUX_EINVAL;
}

/* "500", "500-600", "any" */
static int parse_ports(char *text, struct natmux_ports *ports)
{
	char *dash = strchr(text, '-');
	unsigned long min, max;

	if (strcmp(text, "any") == 0) {
		*ports = any_port;
		return 0;
	}
	if (dash)
		*dash = '\0';
	if (parse_number(text, UINT16_MAX, &min) < 0 ||
		parse_number(dash ? dash + 1 : text, UINT16_MAX, &max) < 0 || min > max)
		return NATMUX_EINVAL;
	*ports = (struct natmux_ports){(uint16_t)min, (uint16_t)max};
	return 0;
}

static int parse_protocol(const char *text, uint8_t *protocol)
{
	unsigned long number;

	if (strcmp(text, "any") == 0) {
		*protocol = 0;
		return 0;
	}
	for (size_t i = 0; i < PROTOCOLS; i++)
		if (strcmp(protocols[i].name, text) == 0) {
			*protocol = protocols[i].number;
			return 0;
		}
	if (parse_number(text, UINT8_MAX, &number) < 0)
		return NATMUX_EINVAL;
	*protocol = (uint8_t)number;
	return 0;
}

/* An address alone is a prefix of its whole length. */
static int parse_prefix(const char *text, struct natmux_prefix *prefix)
{
	char whole[WORD_SIZE + 4];

	if (strchr(text, '/'))
		return natmux_prefix_parse(text, prefix);
	snprintf(whole, sizeof(whole), "%s/%s", text, strchr(text, ':') ? "128" : "32");
	return natmux_prefix_parse(whole, prefix);
}

/* What has been read so far. */
struct reading {
	struct natmux_selector selector;
	bool has_source, has_destination, has_protocol, has_source_ports, has_destination_ports;
};

static bool is_first(bool *has)
{
	bool first = !*has;

	*has = true;
	return first;
}

static int parse_pair(struct reading *reading, const char *word, char *value)
{
	struct natmux_selector *selector = &reading->selector;

	if (strcmp(word, "src") == 0 && is_first(&reading->has_source))
		return parse_prefix(value, &selector->source);
	if (strcmp(word, "dst") == 0 && is_first(&reading->has_destination))
		return parse_prefix(value, &selector->destination);
	if (strcmp(word, "proto") == 0 && is_first(&reading->has_protocol))
		return parse_protocol(value, &selector->protocol);
	if (strcmp(word, "sport") == 0 && is_first(&reading->has_source_ports))
		return parse_ports(value, &selector->source_ports);
	if (strcmp(word, "dport") == 0 && is_first(&reading->has_destination_ports))
		return parse_ports(value, &selector->destination_ports);
	return NATMUX_EINVAL;
}

static bool has_ports(uint8_t protocol)
{
	for (size_t i = 0; i < PROTOCOLS; i++)
		if (protocols[i].number == protocol)
			return protocols[i].has_ports;
	return false;
}

/* What one word says about another. */
static int complete(struct reading *reading)
{
	struct natmux_selector *selector = &reading->selector;

	if (!reading->has_source && !reading->has_destination)
		return NATMUX_EINVAL;
	if (!reading->has_source)
		selector->source.base.family = selector->destination.base.family;
	if (!reading->has_destination)
		selector->destination.base.family = selector->source.base.family;
	if (selector->source.base.family != selector->destination.base.family)
		return NATMUX_EINVAL;
	if (is_any_port(&selector->source_ports) && is_any_port(&selector->destination_ports))
		return 0;
	return has_ports(selector->protocol) ? 0 : NATMUX_EINVAL;
}

/* The word here, and the blanks behind it. False: there is none, or it is too long. */
static bool take_word(const char **text, char word[WORD_SIZE])
{
	size_t len = strcspn(*text, " ");

	if (len == 0 || len >= WORD_SIZE)
		return false;
	memcpy(word, *text, len);
	word[len] = '\0';
	*text += len;
	*text += strspn(*text, " ");
	return true;
}

int nm_selector_parse(const char *text, struct natmux_selector *selector)
{
	struct reading reading = {
		.selector = {.source_ports = any_port, .destination_ports = any_port}};
	char word[WORD_SIZE], value[WORD_SIZE];

	text += strspn(text, " ");
	while (*text)
		if (!take_word(&text, word) || !take_word(&text, value) ||
			parse_pair(&reading, word, value) < 0)
			return NATMUX_EINVAL;
	if (complete(&reading) < 0)
		return NATMUX_EINVAL;
	*selector = reading.selector;
	return 0;
}

static size_t put_prefix(char *text, const char *word, const struct natmux_prefix *prefix)
{
	char addr[NATMUX_ADDR_TEXT];

	return (size_t)sprintf(
		text, "%s %s/%u", word, natmux_addr_format(&prefix->base, addr), prefix->bits);
}

static size_t put_ports(char *text, const char *word, const struct natmux_ports *ports)
{
	if (is_any_port(ports))
		return 0;
	if (ports->min == ports->max)
		return (size_t)sprintf(text, " %s %u", word, ports->min);
	return (size_t)sprintf(text, " %s %u-%u", word, ports->min, ports->max);
}

static size_t put_protocol(char *text, uint8_t protocol)
{
	if (protocol == 0)
		return 0;
	for (size_t i = 0; i < PROTOCOLS; i++)
		if (protocols[i].number == protocol)
			return (size_t)sprintf(text, " proto %s", protocols[i].name);
	return (size_t)sprintf(text, " proto %u", protocol);
}

char *nm_selector_format(const struct natmux_selector *selector, char text[NM_SELECTOR_TEXT])
{
	size_t len = put_prefix(text, "src", &selector->source);

	text[len++] = ' ';
	len += put_prefix(text + len, "dst", &selector->destination);
	len += put_protocol(text + len, selector->protocol);
	len += put_ports(text + len, "sport", &selector->source_ports);
	put_ports(text + len, "dport", &selector->destination_ports);
	return text;
}

static bool is_same_prefix(const struct natmux_prefix *a, const struct natmux_prefix *b)
{
	return natmux_addr_equal(&a->base, &b->base) && a->bits == b->bits;
}

static bool is_same_ports(const struct natmux_ports *a, const struct natmux_ports *b)
{
	return a->min == b->min && a->max == b->max;
}

bool nm_selector_is_same(const struct natmux_selector *a, const struct natmux_selector *b)
{
	return is_same_prefix(&a->source, &b->source) &&
	       is_same_prefix(&a->destination, &b->destination) && a->protocol == b->protocol &&
	       is_same_ports(&a->source_ports, &b->source_ports) &&
	       is_same_ports(&a->destination_ports, &b->destination_ports);
}
