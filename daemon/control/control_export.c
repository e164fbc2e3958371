/* SPDX-License-Identifier: Apache-2.0 */
/* Keys on their way out, for those who have to read captures; only where the configuration says so. */
#include "daemon/control/control_commands.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config.h"
#include "daemon/control/control_item.h"
#include "daemon/control/control_json.h"
#include "daemon/control/control_sa_filter.h"
#include "daemon/server.h"

enum { LINE_SIZE = 512, HEX_SIZE = 2 + 2 * NATMUX_SUITE_KEY_MAX + 1 };

/* "0x…"; "" for no octets. */
static const char *hex(const uint8_t *octets, size_t len, char text[HEX_SIZE])
{
	text[0] = '\0';
	if (len > 0) {
		memcpy(text, "0x", 2);
		sodium_bin2hex(text + 2, HEX_SIZE - 2, octets, len);
	}
	return text;
}

/* Wireshark's words for a suite (its table esp_sa). False: it cannot decrypt that one. */
static bool wireshark_words(
	const struct natmux_suite_info *suite, const char **cipher, const char **auth)
{
	static const struct {
		const char *part, *cipher, *auth;
	} words[] = {
		{"gcm16", "AES-GCM with 16 octet ICV [RFC4106]", "NULL"},
		{"gcm12", "AES-GCM with 12 octet ICV [RFC4106]", "NULL"},
		{"gcm8", "AES-GCM with 8 octet ICV [RFC4106]", "NULL"},
		{"-sha1", "AES-CBC [RFC3602]", "HMAC-SHA-1-96 [RFC2404]"},
		{"-sha256", "AES-CBC [RFC3602]", "HMAC-SHA-256-128 [RFC4868]"},
		{"-sha384", "AES-CBC [RFC3602]", "HMAC-SHA-384-192 [RFC4868]"},
		{"-sha512", "AES-CBC [RFC3602]", "HMAC-SHA-512-256 [RFC4868]"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strstr(suite->name, words[i].part))
			continue;
		*cipher = suite->key_len > 0 ? words[i].cipher : "NULL";
		*auth = words[i].auth;
		return true;
	}
	return false;
}

/* The salt is part of the cipher's key there. Addresses change on their way through NATs: "*". */
static bool wireshark_line(const struct natmux_sa_info *info, char line[LINE_SIZE])
{
	const struct natmux_suite_info *suite = natmux_suite_get(info->suite);
	size_t cipher_len = (size_t)suite->key_len + suite->salt_len;
	char cipher_key[HEX_SIZE], auth_key[HEX_SIZE];
	const char *cipher, *auth;

	if (!info->key || !wireshark_words(suite, &cipher, &auth))
		return false;
	snprintf(line, LINE_SIZE,
		"\"%s\",\"*\",\"*\",\"0x%08" PRIx32 "\",\"%s\",\"%s\",\"%s\",\"%s\"",
		info->path.remote.family == NATMUX_FAMILY_IPV6 ? "IPv6" : "IPv4", info->spi, cipher,
		hex(info->key, cipher_len, cipher_key), auth,
		hex(info->key + cipher_len, suite->auth_len, auth_key));
	sodium_memzero(cipher_key, sizeof(cipher_key));
	sodium_memzero(auth_key, sizeof(auth_key));
	return true;
}

struct export
{
	json_t *lines;
	struct nm_sa_filter filter;
	uint64_t left_out, total;
};

static void export_sa(void *user, const struct nm_sa_seen *sa)
{
	struct export *export = user;
	char line[LINE_SIZE];

	if (!nm_sa_filter_matches(&export->filter, sa->info))
		return;
	/* A line is some hundred octets, and waits in memory until its reader has it. */
	if (++export->total > NM_CONTROL_SAS_MAX)
		return;
	if (!wireshark_line(sa->info, line)) {
		export->left_out++;
		return;
	}
	json_array_append_new(export->lines, json_string(line));
	sodium_memzero(line, sizeof(line));
}

/* Of the plane that has the SAs now: with both-planes they may have moved, and keys are kept anyway. */
static bool exports_keys(const struct nm_config *config, const struct nm_sa_plane *plane)
{
	return strcmp(plane->ops->name, "kernel") == 0 ? config->kernel_plane.export_keys
						       : config->user_plane.export_keys;
}

int nm_control_sa_export(struct nm_control_call *call)
{
	const struct nm_sa_plane *plane = nm_control_sa_plane(call);
	const char *format = "wireshark";
	struct export export = {.left_out = 0};

	if (!plane || nm_control_get_text(call, "format", &format) < 0 ||
		nm_sa_filter_get(call, &export.filter) < 0)
		return NATMUX_EINVAL;
	if (strcmp(format, "wireshark") != 0)
		return nm_control_fail(call, "bad-argument", "\"format\" must be wireshark");
	if (!exports_keys(nm_server_config(call->server), plane))
		return nm_control_fail(call, "failed",
			"natmuxd has not kept the keys: export-keys = yes in natmux.conf");
	export.lines = json_array();
	nm_sa_plane_each(plane, export_sa, &export);
	call->result = json_pack("{s:o, s:o, s:o}", "lines", export.lines, "left_out",
		nm_json_count(export.left_out), "total", nm_json_count(export.total));
	return 0;
}
