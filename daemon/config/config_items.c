/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the sections with a title that were read: as many as there may be. */
#include "daemon/config/config_items.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

/* Where every kind has its name and its line. */
#define HAS_HEAD(kind)                                                                             \
	static_assert(offsetof(struct kind, name) == 0 &&                                          \
			      offsetof(struct kind, line) == NM_CONFIG_NAME_SIZE,                  \
		#kind " begins with name and line")
HAS_HEAD(nm_config_peer);
HAS_HEAD(nm_config_server);
HAS_HEAD(nm_config_sa);
HAS_HEAD(nm_config_policy);

static int refuse_full(const struct nm_config_section *section, const char *title, uint32_t line,
	struct nm_config_report *report)
{
	char path[NM_CONFIG_KEY_SIZE];

	return nm_config_refuse(report, line, nm_config_key_path(section, title, NULL, path),
		"found more than %zu sections of this name, allowed is at most %zu",
		section->items_max, section->items_max);
}

/* Room for one more at the end of an array that doubles; NULL: out of memory, `array` stays. */
static void *grow(void *array, size_t len, size_t size)
{
	if ((len & (len - 1)) != 0)
		return array;
	return reallocarray(array, len > 0 ? 2 * len : 1, size);
}

int nm_config_item_add(struct nm_config *config, const struct nm_config_section *section,
	const char *title, uint32_t line, const union nm_config_item_value *item,
	struct nm_config_report *report)
{
	char *base = (char *)config, *items, *added;
	size_t len;

	memcpy(&items, base + section->items_offset, sizeof(items));
	memcpy(&len, base + section->items_len_offset, sizeof(len));
	if (len == section->items_max)
		return refuse_full(section, title, line, report);
	items = grow(items, len, section->item_size);
	if (!items)
		return NATMUX_ENOMEM;
	added = items + len * section->item_size;
	len++;
	memcpy(added, item, section->item_size);
	strcpy(added, title); /* fits: nm_config_name_is_good() */
	memcpy(added + NM_CONFIG_NAME_SIZE, &line, sizeof(line));
	memcpy(base + section->items_offset, &items, sizeof(items));
	memcpy(base + section->items_len_offset, &len, sizeof(len));
	return 0;
}
