/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a configuration in the form that the reader accepts. */
#include "daemon/config/config_value.h"

static void print_keys(
	const struct nm_config_section *section, const void *base, const char *indent, FILE *file)
{
	for (size_t i = 0; i < section->keys_len; i++) {
		char value[NM_CONFIG_VALUE_SIZE];

		if (*nm_config_value_format(&section->keys[i], base, value))
			fprintf(file, "%s%s = %s\n", indent, section->keys[i].name, value);
	}
}

static void print_section(
	const struct nm_config_section *section, const char *title, const void *base, FILE *file)
{
	char path[NM_CONFIG_KEY_SIZE];

	fprintf(file, "%s {\n", nm_config_key_path(section, title, NULL, path));
	print_keys(section, base, "\t", file);
	fprintf(file, "}\n");
}

static void print_items(
	const struct nm_config *config, const struct nm_config_section *section, FILE *file)
{
	struct nm_config_item item;

	for (size_t i = 0; nm_config_item_get(config, section, i, &item); i++)
		print_section(section, item.title, item.base, file);
}

void nm_config_print(const struct nm_config *config, FILE *file)
{
	print_keys(&nm_config_sections[0], config, "", file);
	for (size_t i = 1; i < nm_config_sections_len; i++) {
		const struct nm_config_section *section = &nm_config_sections[i];

		if (section->is_titled)
			print_items(config, section, file);
		else
			print_section(section, NULL, (const char *)config + section->offset, file);
	}
}
