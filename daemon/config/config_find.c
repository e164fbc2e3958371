/* SPDX-License-Identifier: Apache-2.0 */
/* Finds keys, their fields and lines, and names them in messages. */
#include "daemon/config/config_keys.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "daemon/config/config_value.h"

const struct nm_config_section *nm_config_section_find(const char *name)
{
	for (size_t i = 0; i < nm_config_sections_len; i++)
		if (strcmp(nm_config_sections[i].name, name) == 0)
			return &nm_config_sections[i];
	return NULL;
}

const struct nm_config_key *nm_config_key_find(
	const struct nm_config_section *section, const char *name)
{
	for (size_t i = 0; i < section->keys_len; i++)
		if (strcmp(section->keys[i].name, name) == 0)
			return &section->keys[i];
	return NULL;
}

void *nm_config_field(const struct nm_config_key *key, void *base)
{
	return (char *)base + key->offset;
}

uint32_t *nm_config_line(
	const struct nm_config_section *section, const struct nm_config_key *key, void *base)
{
	/* lines_offset is that of a uint32_t array in the struct at `base`. */
	void *lines = (char *)base + section->lines_offset;

	return (uint32_t *)lines + (key - section->keys);
}

uint32_t nm_config_line_of(
	const struct nm_config *config, const char *section_name, const char *key_name)
{
	const struct nm_config_section *section = nm_config_section_find(section_name);
	const struct nm_config_key *key = nm_config_key_find(section, key_name);
	const void *lines = (const char *)config + section->offset + section->lines_offset;

	return ((const uint32_t *)lines)[key - section->keys];
}

bool nm_config_item_get(const struct nm_config *config, const struct nm_config_section *section,
	size_t n, struct nm_config_item *item)
{
	const char *items, *base = (const char *)config;
	size_t len;

	memcpy(&items, base + section->items_offset, sizeof(items));
	memcpy(&len, base + section->items_len_offset, sizeof(len));
	if (n >= len)
		return false;
	items += n * section->item_size;
	item->title = items;
	item->base = items;
	memcpy(&item->line, items + NM_CONFIG_NAME_SIZE, sizeof(item->line));
	return true;
}

const char *nm_config_key_path(const struct nm_config_section *section, const char *title,
	const char *key, char path[NM_CONFIG_KEY_SIZE])
{
	const char *dot = *section->name && key ? "." : "";

	/* A title is 31 bytes when it is good and may be anything when it is to be refused. */
	if (title)
		snprintf(path, NM_CONFIG_KEY_SIZE, "%s \"%.40s\"%s%.40s", section->name, title, dot,
			key ? key : "");
	else
		snprintf(path, NM_CONFIG_KEY_SIZE, "%s%s%.40s", section->name, dot, key ? key : "");
	return path;
}

/* Levenshtein's distance: insertions, deletions, replacements of one byte; case does not count. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[NM_CONFIG_KEY_SIZE];
	size_t a_len = strnlen(a, NM_CONFIG_KEY_SIZE - 1), b_len = strlen(b);

	for (unsigned int i = 0; i <= a_len; i++)
		row[i] = i;
	for (size_t j = 1; j <= b_len; j++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)j;
		for (size_t i = 1; i <= a_len; i++) {
			unsigned int best =
				diagonal + (tolower((unsigned char)a[i - 1]) != b[j - 1]);

			diagonal = row[i];
			best = best < row[i - 1] + 1 ? best : row[i - 1] + 1;
			row[i] = best < row[i] + 1 ? best : row[i] + 1;
		}
	}
	return row[a_len];
}

/* A key of the same section wins over an equally near one of another. */
static unsigned int score(const char *name, const char *candidate, bool is_same_section)
{
	return 2 * distance(name, candidate) + !is_same_section;
}

const char *nm_config_key_nearest(
	const struct nm_config_section *section, const char *name, char path[NM_CONFIG_KEY_SIZE])
{
	unsigned int best = UINT32_MAX;

	for (size_t s = 0; s < nm_config_sections_len; s++) {
		const struct nm_config_section *other = &nm_config_sections[s];
		unsigned int score_of_name = score(name, other->name, *section->name == '\0');

		if (*other->name && score_of_name < best) {
			best = score_of_name;
			nm_config_key_path(other, NULL, NULL, path);
		}
		for (size_t k = 0; k < other->keys_len; k++) {
			const char *key = other->keys[k].name;
			unsigned int score_of_key = score(name, key, other == section);

			if (score_of_key < best) {
				best = score_of_key;
				nm_config_key_path(other, NULL, key, path);
			}
		}
	}
	return path;
}
