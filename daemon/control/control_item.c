/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an object by the table of natmux.conf's keys. What its values mean together is others' work. */
#include "daemon/control/control_item.h"

#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_message.h"
#include "daemon/config/config_new.h"
#include "daemon/config/config_value.h"
#include "daemon/server.h"

const struct nm_sa_plane *nm_control_sa_plane(struct nm_control_call *call)
{
	const struct nm_sa_plane *plane = nm_server_sa_plane(call->server);

	if (!plane)
		nm_control_fail(call, "failed",
			"this natmuxd has no SAs of its own: esp = user or esp = kernel in "
			"natmux.conf");
	return plane;
}

/* "replay_window" is the key replay-window. */
static const struct nm_config_key *find_key(
	const struct nm_config_section *section, const char *member)
{
	char name[32];

	if (strlen(member) >= sizeof(name) || strchr(member, '-'))
		return NULL;
	strcpy(name, member);
	for (char *c = name; *c; c++)
		*c = *c == '_' ? '-' : *c;
	return nm_config_key_find(section, name);
}

static int refuse_value(
	struct nm_control_call *call, const struct nm_config_key *key, const char *text)
{
	char quoted[NM_CONFIG_QUOTE_SIZE], allowed[NM_CONFIG_ALLOWED_SIZE];

	return nm_control_fail(call, "bad-argument", "%s: found %s, allowed is %s", key->name,
		key->type->is_discreet ? "something else" : nm_config_quote(text, quoted),
		nm_config_allowed(key, allowed));
}

/* The value as natmux.conf would have it; NULL: of no kind that it could be. */
static const char *text_of(const json_t *value, char number[24])
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_boolean(value))
		return json_is_true(value) ? "yes" : "no";
	if (!json_is_integer(value))
		return NULL;
	snprintf(number, 24, "%lld", (long long)json_integer_value(value));
	return number;
}

static int read_value(struct nm_control_call *call, const struct nm_config_key *key,
	const json_t *value, void *field)
{
	char number[24];
	const char *text = text_of(value, number);

	if (!text)
		return nm_control_fail(call, "bad-argument",
			"%s: must be a text, a whole number, true or false", key->name);
	return key->type->parse(key, text, field) < 0 ? refuse_value(call, key, text) : 0;
}

static int read_list(struct nm_control_call *call, const struct nm_config_key *key,
	const json_t *list, char *item)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list))
		return nm_control_fail(
			call, "bad-argument", "%s: must be a list of texts", key->name);
	if (n > key->max)
		return nm_control_fail(call, "bad-argument",
			"%s: found %zu %s, allowed is at most %u", key->name, n, key->unit,
			(unsigned int)key->max);
	for (size_t i = 0; i < n; i++)
		if (read_value(call, key, json_array_get(list, i),
			    item + key->offset + i * key->item_size) < 0)
			return NATMUX_EINVAL;
	memcpy(item + key->len_offset, &n, sizeof(n));
	return 0;
}

static int read_member(struct nm_control_call *call, const struct nm_config_section *section,
	const struct nm_config_key *key, const json_t *value, void *item)
{
	/* Given: what depends on it looks here. */
	*nm_config_line(section, key, item) = 1;
	if (key->type->is_list)
		return read_list(call, key, value, item);
	return read_value(call, key, value, nm_config_field(key, item));
}

static int complete(struct nm_control_call *call, const struct nm_config_section *section,
	const char *without, void *item)
{
	for (size_t i = 0; i < section->keys_len; i++) {
		const struct nm_config_key *key = &section->keys[i];
		char allowed[NM_CONFIG_ALLOWED_SIZE];

		if (*nm_config_line(section, key, item) > 0)
			continue;
		if (key->initial)
			nm_config_set_default(key, item);
		else if (!without || strcmp(key->name, without) != 0)
			return nm_control_fail(call, "bad-argument",
				"%s: found nothing, allowed is %s", key->name,
				nm_config_allowed(key, allowed));
	}
	return 0;
}

int nm_control_read_item(struct nm_control_call *call, const char *member, const char *section_name,
	const char *without, void *item)
{
	const struct nm_config_section *section = nm_config_section_find(section_name);
	const json_t *object = json_object_get(call->request, member);
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return nm_control_fail(call, "bad-argument", "\"%s\" must be an object", member);
	memset(item, 0, section->item_size);
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		const struct nm_config_key *key = find_key(section, name);

		if (!key || (without && strcmp(key->name, without) == 0))
			return nm_control_fail(call, "bad-argument",
				"\"%s\" does not know \"%.32s\"", member, name);
		if (read_member(call, section, key, value, item) < 0)
			return NATMUX_EINVAL;
	}
	if (complete(call, section, without, item) < 0)
		return NATMUX_EINVAL;
	/* A request has no lines to name in messages. */
	for (size_t i = 0; i < section->keys_len; i++)
		*nm_config_line(section, &section->keys[i], item) = 0;
	return 0;
}
