/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of values that only SAs, policies and their plane have: SPI, suite, limits, selectors. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include <natmux/suite.h>

#include "daemon/config/config_selector.h"
#include "daemon/config/config_value.h"

enum { SPI_MIN = 256 /* RFC 4303 2.1: those below are reserved */, DSCP_MAX = 63 };

/* Digits to the end of the text, without sign or leading zero. */
static int parse_digits(const char *text, uint64_t most, uint64_t *value)
{
	size_t len = strlen(text);

	if (len == 0 || len > 19 || strspn(text, "0123456789") != len || (len > 1 && *text == '0'))
		return NATMUX_EINVAL;
	*value = strtoull(text, NULL, 10);
	return *value <= most ? 0 : NATMUX_EINVAL;
}

/* "4096" or "0x1000": ip(8) prints and takes SPIs in hexadecimal. */
static int parse_spi(const struct nm_config_key *key, const char *text, void *field)
{
	size_t len = strlen(text);
	uint64_t value;
	uint32_t spi;

	(void)key;
	if (strncmp(text, "0x", 2) == 0) {
		if (len < 3 || len > 10 || text[2 + strspn(text + 2, "0123456789abcdefABCDEF")])
			return NATMUX_EINVAL;
		value = strtoull(text + 2, NULL, 16);
	} else if (parse_digits(text, UINT32_MAX, &value) < 0) {
		return NATMUX_EINVAL;
	}
	if (value < SPI_MIN)
		return NATMUX_EINVAL;
	spi = (uint32_t)value;
	memcpy(field, &spi, sizeof(spi));
	return 0;
}

static void format_spi(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	uint32_t spi;

	(void)key;
	memcpy(&spi, field, sizeof(spi));
	snprintf(text, size, "0x%08" PRIx32, spi);
}

static int parse_suite(const struct nm_config_key *key, const char *text, void *field)
{
	enum natmux_suite suite;

	(void)key;
	if (natmux_suite_parse(text, &suite) < 0)
		return NATMUX_EINVAL;
	memcpy(field, &suite, sizeof(suite));
	return 0;
}

static void format_suite(
	const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	enum natmux_suite suite;

	(void)key;
	memcpy(&suite, field, sizeof(suite));
	snprintf(text, size, "%s", natmux_suite_get(suite)->name);
}

/* `key->max` is the field's size. */
static int parse_file(const struct nm_config_key *key, const char *text, void *field)
{
	size_t len = strlen(text);

	if (len < 2 || len >= key->max || text[0] != '/' || text[len - 1] == '/')
		return NATMUX_EINVAL;
	memset(field, 0, key->max);
	memcpy(field, text, len);
	return 0;
}

static int parse_engine(const struct nm_config_key *key, const char *text, void *field)
{
	static const char *const engines[] = {"", "ipsec-mb", "openssl", "sodium"};

	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
		if (strcmp(engines[i], text) == 0) {
			memset(field, 0, key->max);
			memcpy(field, text, strlen(text));
			return 0;
		}
	return NATMUX_EINVAL;
}

static void format_text(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	(void)key;
	snprintf(text, size, "%s", (const char *)field);
}

/* The control protocol's numbers end at 2^63 - 1. */
static int parse_count(const struct nm_config_key *key, const char *text, void *field)
{
	uint64_t value;

	(void)key;
	if (parse_digits(text, INT64_MAX, &value) < 0)
		return NATMUX_EINVAL;
	memcpy(field, &value, sizeof(value));
	return 0;
}

static void format_count(
	const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	uint64_t value;

	(void)key;
	memcpy(&value, field, sizeof(value));
	snprintf(text, size, "%" PRIu64, value);
}

static int parse_dscp(const struct nm_config_key *key, const char *text, void *field)
{
	uint64_t value;
	int16_t dscp = -1;

	(void)key;
	if (strcmp(text, "copy") != 0) {
		if (parse_digits(text, DSCP_MAX, &value) < 0)
			return NATMUX_EINVAL;
		dscp = (int16_t)value;
	}
	memcpy(field, &dscp, sizeof(dscp));
	return 0;
}

static void format_dscp(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	int16_t dscp;

	(void)key;
	memcpy(&dscp, field, sizeof(dscp));
	if (dscp < 0)
		snprintf(text, size, "copy");
	else
		snprintf(text, size, "%d", dscp);
}

static int parse_selector(const struct nm_config_key *key, const char *text, void *field)
{
	struct natmux_selector selector;

	(void)key;
	if (nm_selector_parse(text, &selector) < 0)
		return NATMUX_EINVAL;
	memcpy(field, &selector, sizeof(selector));
	return 0;
}

static void format_selector(
	const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	struct natmux_selector selector;
	char formatted[NM_SELECTOR_TEXT];

	(void)key;
	memcpy(&selector, field, sizeof(selector));
	snprintf(text, size, "%s", nm_selector_format(&selector, formatted));
}

const struct nm_config_type nm_config_type_spi = {parse_spi, format_spi,
	.allowed = "an SPI from 0x100 to 0xffffffff, such as 0x1000 or 4096"};
const struct nm_config_type nm_config_type_suite = {parse_suite, format_suite,
	.allowed = "a suite of natmux.conf(5), such as aes128gcm16, chacha20poly1305 or "
		   "aes256-sha256"};
const struct nm_config_type nm_config_type_file = {parse_file, format_text,
	.allowed = "an absolute path of a file, at most 255 bytes", .is_quoted = true,
	.is_discreet = true};
const struct nm_config_type nm_config_type_engine = {parse_engine, format_text,
	.allowed = "\"\", \"ipsec-mb\", \"openssl\" or \"sodium\"", .is_quoted = true};
const struct nm_config_type nm_config_type_count = {
	parse_count, format_count, .allowed = "a number from 0 to 9223372036854775807"};
const struct nm_config_type nm_config_type_dscp = {
	parse_dscp, format_dscp, .allowed = "copy or a number from 0 to 63"};
const struct nm_config_type nm_config_type_selector = {
	parse_selector, format_selector, .allowed = NM_SELECTOR_ALLOWED, .is_quoted = true};
const struct nm_config_type nm_config_type_selectors = {parse_selector, format_selector,
	.allowed = NM_SELECTOR_ALLOWED, .is_quoted = true, .is_list = true};
