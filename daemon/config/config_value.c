/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of values: what each looks like in the file and how it is kept. Judges a value alone;
 * how values fit together is decided in config_check.c.
 */
#include "daemon/config/config_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum { PORT_OF_IKE = 500 };

/* Decimal digits only: libconfuse would read 010 as eight and 0x10 as sixteen. */
static int parse_u32(const struct nm_config_key *key, const char *text, uint32_t *value)
{
	size_t len = strlen(text);
	unsigned long long v;

	if (len == 0 || len > 10 || strspn(text, "0123456789") != len)
		return NATMUX_EINVAL;
	if (len > 1 && text[0] == '0')
		return NATMUX_EINVAL;
	v = strtoull(text, NULL, 10);
	if (v < key->min || v > key->max)
		return NATMUX_EINVAL;
	*value = (uint32_t)v;
	return 0;
}

static int parse_number(const struct nm_config_key *key, const char *text, void *field)
{
	return parse_u32(key, text, field);
}

static void format_number(
	const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	uint32_t value;

	(void)key;
	memcpy(&value, field, sizeof(value));
	snprintf(text, size, "%" PRIu32, value);
}

/* RFC 3948 2: encapsulation is never on port 500, where IKE has no marker. */
static int parse_port(const struct nm_config_key *key, const char *text, void *field)
{
	uint32_t value;
	uint16_t port;

	if (parse_u32(key, text, &value) < 0 || value == PORT_OF_IKE)
		return NATMUX_EINVAL;
	port = (uint16_t)value;
	memcpy(field, &port, sizeof(port));
	return 0;
}

static void format_port(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	uint16_t port;

	(void)key;
	memcpy(&port, field, sizeof(port));
	snprintf(text, size, "%u", port);
}

static const struct nm_config_word *find_word(const struct nm_config_key *key, const char *text)
{
	for (const struct nm_config_word *w = key->words; w->text; w++)
		if (strcmp(w->text, text) == 0)
			return w;
	return NULL;
}

static int parse_word(const struct nm_config_key *key, const char *text, void *field)
{
	const struct nm_config_word *word = find_word(key, text);

	if (!word || word->is_for_later)
		return NATMUX_EINVAL;
	memcpy(field, &word->value, sizeof(word->value));
	return 0;
}

static void format_word(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	int value;

	memcpy(&value, field, sizeof(value));
	*text = '\0';
	for (const struct nm_config_word *w = key->words; w->text; w++)
		if (w->value == value)
			snprintf(text, size, "%s", w->text);
}

static int parse_bool(const struct nm_config_key *key, const char *text, void *field)
{
	bool value = strcmp(text, "yes") == 0;

	(void)key;
	if (!value && strcmp(text, "no") != 0)
		return NATMUX_EINVAL;
	memcpy(field, &value, sizeof(value));
	return 0;
}

static void format_bool(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	bool value;

	(void)key;
	memcpy(&value, field, sizeof(value));
	snprintf(text, size, "%s", value ? "yes" : "no");
}

/* `key->max` is the field's size. */
static int keep_text(const struct nm_config_key *key, const char *text, void *field)
{
	size_t len = strlen(text);

	if (len >= key->max)
		return NATMUX_EINVAL;
	memset(field, 0, key->max);
	memcpy(field, text, len);
	return 0;
}

static void format_text(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	(void)key;
	snprintf(text, size, "%s", (const char *)field);
}

static bool is_name(const char *text)
{
	return *text && text[strspn(text, NAME_BYTES)] == '\0';
}

/* No '%': the kernel would take natmux%d as a pattern and choose a name itself. */
static int parse_tun(const struct nm_config_key *key, const char *text, void *field)
{
	if (!is_name(text) || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return NATMUX_EINVAL;
	return keep_text(key, text, field);
}

static int parse_device(const struct nm_config_key *key, const char *text, void *field)
{
	return *text ? parse_tun(key, text, field) : keep_text(key, text, field);
}

static int parse_user(const struct nm_config_key *key, const char *text, void *field)
{
	if (*text && !is_name(text))
		return NATMUX_EINVAL;
	return keep_text(key, text, field);
}

static int parse_path(const struct nm_config_key *key, const char *text, void *field)
{
	size_t len = strlen(text);

	if (len < 2 || text[0] != '/' || text[len - 1] == '/')
		return NATMUX_EINVAL;
	return keep_text(key, text, field);
}

bool nm_config_name_is_good(const char *name)
{
	return is_name(name) && strlen(name) < NM_CONFIG_NAME_SIZE;
}

bool nm_config_is_for_later(const struct nm_config_key *key, const char *text)
{
	const struct nm_config_word *word = key->words ? find_word(key, text) : NULL;

	return word && word->is_for_later;
}

/* "own", "yes or no", "relay, inject or unix": those of this version. */
static const char *list_words(const struct nm_config_key *key, char *text, size_t size)
{
	const struct nm_config_word *words[8];
	size_t n = 0, len = 0;

	for (const struct nm_config_word *w = key->words; w->text && n < 8; w++)
		if (!w->is_for_later)
			words[n++] = w;
	for (size_t i = 0; i < n && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s",
			i == 0      ? ""
			: i + 1 < n ? ", "
				    : " or ",
			words[i]->text);
	return text;
}

const char *nm_config_allowed(const struct nm_config_key *key, char text[NM_CONFIG_ALLOWED_SIZE])
{
	if (key->type->allowed)
		return key->type->allowed;
	if (key->words)
		return list_words(key, text, NM_CONFIG_ALLOWED_SIZE);
	snprintf(text, NM_CONFIG_ALLOWED_SIZE, "a number%s%s from %" PRIu32 " to %" PRIu32,
		key->unit ? " of " : "", key->unit ? key->unit : "", key->min, key->max);
	return text;
}

/* Between double quotes libconfuse takes a backslash away and the byte after it as it is. */
static const char *quote(const char *value, char text[NM_CONFIG_VALUE_SIZE])
{
	size_t len = 0;

	text[len++] = '"';
	for (const char *c = value; *c && len + 4 < NM_CONFIG_VALUE_SIZE; c++) {
		if (*c == '"' || *c == '\\')
			text[len++] = '\\';
		text[len++] = *c;
	}
	text[len++] = '"';
	text[len] = '\0';
	return text;
}

/* { "a", "b" } */
static const char *format_list(
	const struct nm_config_key *key, const char *base, char text[NM_CONFIG_VALUE_SIZE])
{
	const char *item = base + key->offset;
	size_t count, len = 0;

	memcpy(&count, base + key->len_offset, sizeof(count));
	text[0] = '\0';
	for (size_t i = 0; i < count && len < NM_CONFIG_VALUE_SIZE; i++, item += key->item_size) {
		char value[NM_CONFIG_VALUE_SIZE / 16];

		key->type->format(key, item, value, sizeof(value));
		len += (size_t)snprintf(text + len, NM_CONFIG_VALUE_SIZE - len, "%s\"%s\"%s",
			i > 0 ? ", " : "{ ", value, i + 1 < count ? "" : " }");
	}
	return text;
}

const char *nm_config_value_format(
	const struct nm_config_key *key, const void *base, char text[NM_CONFIG_VALUE_SIZE])
{
	char value[NM_CONFIG_VALUE_SIZE / 2];

	if (key->type->is_list)
		return format_list(key, base, text);
	key->type->format(key, (const char *)base + key->offset, value, sizeof(value));
	if (key->type->is_quoted)
		return quote(value, text);
	snprintf(text, NM_CONFIG_VALUE_SIZE, "%s", value);
	return text;
}

const struct nm_config_type nm_config_type_number = {parse_number, format_number, .allowed = NULL};
const struct nm_config_type nm_config_type_port = {parse_port, format_port,
	.allowed = "a number from 1 to 65535, but not 500 (RFC 3948: no encapsulation there)"};
const struct nm_config_type nm_config_type_word = {parse_word, format_word, .allowed = NULL};
const struct nm_config_type nm_config_type_bool = {parse_bool, format_bool, .allowed = "yes or no"};
const struct nm_config_type nm_config_type_tun = {parse_tun, format_text,
	.allowed = "an interface name: 1 to 15 letters, digits, '.', '_' or '-'",
	.is_quoted = true};
const struct nm_config_type nm_config_type_device = {parse_device, format_text,
	.allowed = "\"\" or an interface name: 1 to 15 letters, digits, '.', '_' or '-'",
	.is_quoted = true};
const struct nm_config_type nm_config_type_user = {parse_user, format_text,
	.allowed = "\"\" or a user name: 1 to 32 letters, digits, '.', '_' or '-'",
	.is_quoted = true};
const struct nm_config_type nm_config_type_path = {parse_path, format_text,
	.allowed = "an absolute path of a socket, at most 107 bytes", .is_quoted = true};
