/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload would change, and whether a running natmuxd can. Compares values as the file
 * writes them, so that a new kind of value needs nothing here.
 */
#include <inttypes.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_message.h"
#include "daemon/config/config_value.h"

struct walk {
	const struct nm_config *before, *after;
	void (*each)(void *user, const struct nm_config_change *change);
	void *user;
};

static void compare_key(const struct walk *walk, const struct nm_config_section *section,
	const struct nm_config_key *key)
{
	const char *before_base = (const char *)walk->before + section->offset;
	const char *after_base = (const char *)walk->after + section->offset;
	char before[NM_CONFIG_VALUE_SIZE], after[NM_CONFIG_VALUE_SIZE], path[NM_CONFIG_KEY_SIZE];

	nm_config_value_format(key, before_base, before);
	nm_config_value_format(key, after_base, after);
	if (strcmp(before, after) == 0)
		return;
	walk->each(walk->user,
		&(struct nm_config_change){.kind = NM_CONFIG_CHANGED,
			.key = nm_config_key_path(section, NULL, key->name, path),
			.before = before,
			.after = after,
			.line = nm_config_line_of(walk->after, section->name, key->name),
			.needs_restart = !key->is_live});
}

/* All keys of a section with a title in one line. */
static const char *format_item(
	const struct nm_config_section *section, const void *item, char text[NM_CONFIG_VALUE_SIZE])
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < section->keys_len && len < NM_CONFIG_VALUE_SIZE; i++) {
		char value[NM_CONFIG_VALUE_SIZE];

		if (!*nm_config_value_format(&section->keys[i], item, value))
			continue;
		len += (size_t)snprintf(text + len, NM_CONFIG_VALUE_SIZE - len, "%s%s = %.200s",
			i > 0 ? " " : "", section->keys[i].name, value);
	}
	return text;
}

static bool find_item(const struct nm_config *config, const struct nm_config_section *section,
	const char *title, struct nm_config_item *item)
{
	for (size_t i = 0; nm_config_item_get(config, section, i, item); i++)
		if (strcmp(item->title, title) == 0)
			return true;
	return false;
}

/* Whether a key file holds what it held before. Only SAs have one. */
static bool is_same_secret(
	const struct nm_config_section *section, const void *before, const void *after)
{
	const struct nm_config_sa *a = before, *b = after;

	if (strcmp(section->name, "sa") != 0)
		return true;
	return memcmp(a->key_mark, b->key_mark, sizeof(a->key_mark)) == 0;
}

bool nm_config_item_is_same(
	const struct nm_config_section *section, const void *before, const void *after)
{
	for (size_t i = 0; i < section->keys_len; i++) {
		char before_text[NM_CONFIG_VALUE_SIZE], after_text[NM_CONFIG_VALUE_SIZE];

		nm_config_value_format(&section->keys[i], before, before_text);
		nm_config_value_format(&section->keys[i], after, after_text);
		if (strcmp(before_text, after_text) != 0)
			return false;
	}
	return is_same_secret(section, before, after);
}

/* `before` or `after` is NULL for one that comes or goes. */
static void tell_item(const struct walk *walk, const struct nm_config_section *section,
	const char *title, const struct nm_config_item *before, const struct nm_config_item *after)
{
	char before_text[NM_CONFIG_VALUE_SIZE], after_text[NM_CONFIG_VALUE_SIZE];
	char path[NM_CONFIG_KEY_SIZE];
	struct nm_config_change change = {.kind = NM_CONFIG_CHANGED};

	if (before && after && nm_config_item_is_same(section, before->base, after->base))
		return;
	change.key = nm_config_key_path(section, title, NULL, path);
	if (before)
		change.before = format_item(section, before->base, before_text);
	else
		change.kind = NM_CONFIG_ADDED;
	if (after) {
		change.after = format_item(section, after->base, after_text);
		change.line = after->line;
	} else {
		change.kind = NM_CONFIG_REMOVED;
	}
	walk->each(walk->user, &change);
}

/* What has a title comes and goes in a running natmuxd: none of it needs a restart. */
static void compare_items(const struct walk *walk, const struct nm_config_section *section)
{
	struct nm_config_item before, after;

	for (size_t i = 0; nm_config_item_get(walk->before, section, i, &before); i++) {
		bool is_kept = find_item(walk->after, section, before.title, &after);

		tell_item(walk, section, before.title, &before, is_kept ? &after : NULL);
	}
	for (size_t i = 0; nm_config_item_get(walk->after, section, i, &after); i++)
		if (!find_item(walk->before, section, after.title, &before))
			tell_item(walk, section, after.title, NULL, &after);
}

void nm_config_difference(const struct nm_config *before, const struct nm_config *after,
	void (*each)(void *user, const struct nm_config_change *change), void *user)
{
	struct walk walk = {.before = before, .after = after, .each = each, .user = user};

	for (size_t i = 0; i < nm_config_sections_len; i++) {
		const struct nm_config_section *section = &nm_config_sections[i];

		if (section->is_titled)
			compare_items(&walk, section);
		for (size_t k = 0; !section->is_titled && k < section->keys_len; k++)
			compare_key(&walk, section, &section->keys[k]);
	}
}

struct refusal {
	struct nm_config_report report;
	int err;
};

static void refuse_restart(void *user, const struct nm_config_change *change)
{
	struct refusal *refusal = user;

	if (change->needs_restart)
		refusal->err = nm_config_refuse(&refusal->report, change->line, change->key,
			"found %.120s, allowed in a reload is %.120s as it runs: restart natmuxd "
			"for "
			"another (nothing was changed)",
			change->after, change->before);
}

int nm_config_reload_check(
	const struct nm_config *before, const struct nm_config *after, char *message, size_t size)
{
	struct refusal refusal = {.report = {.name = after->name, .text = message, .size = size}};

	if (size > 0)
		message[0] = '\0';
	nm_config_difference(before, after, refuse_restart, &refusal);
	return refusal.err;
}
