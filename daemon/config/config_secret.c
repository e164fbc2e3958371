/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the keys of SAs in, and keeps of them what a reload needs to know. */
#include "daemon/config/config_secret.h"

#include <sodium.h>
#include <stdio.h>
#include <natmux/error.h>

#include "base/secret.h"
#include "daemon/config/config_keys.h"

_Static_assert(NM_CONFIG_MARK_SIZE == crypto_generichash_BYTES_MIN, "size of the shortest digest");

void nm_config_mark_key(const uint8_t *key, size_t len, uint8_t mark[NM_CONFIG_MARK_SIZE])
{
	crypto_generichash(mark, NM_CONFIG_MARK_SIZE, key, len, NULL, 0);
}

static int read_one(struct nm_config *config, struct nm_config_sa *sa,
	int (*read_key)(const char *path, uint8_t *key, size_t len, char *message, size_t size),
	struct nm_config_report *report)
{
	const struct nm_config_section *section = nm_config_section_find("sa");
	const struct nm_config_key *key = nm_config_key_find(section, "key-file");
	char path[NM_CONFIG_KEY_SIZE], quoted[NM_CONFIG_QUOTE_SIZE], why[200] = "";

	sa->key_len = natmux_suite_key_len(sa->suite);
	sa->key = nm_secret_take(config->keys);
	if (!sa->key)
		return NATMUX_ENOMEM;
	if (read_key(sa->key_file, sa->key, sa->key_len, why, sizeof(why)) < 0)
		return nm_config_refuse(report, *nm_config_line(section, key, sa),
			nm_config_key_path(section, sa->name, key->name, path), "found %s: %s",
			nm_config_quote(sa->key_file, quoted), why);
	nm_config_mark_key(sa->key, sa->key_len, sa->key_mark);
	return 0;
}

int nm_config_read_keys(struct nm_config *config,
	int (*read_key)(const char *path, uint8_t *key, size_t len, char *message, size_t size),
	struct nm_config_report *report)
{
	int err = 0;

	if (config->sas_len == 0)
		return 0;
	config->keys = nm_secret_pool_new(NATMUX_SUITE_KEY_MAX);
	if (!config->keys)
		return NATMUX_ENOMEM;
	for (size_t i = 0; i < config->sas_len && err == 0; i++)
		err = read_one(config, &config->sas[i], read_key, report);
	return err;
}
