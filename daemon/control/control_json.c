/* SPDX-License-Identifier: Apache-2.0 */
/* How addresses, counters and texts look in JSON; what is said about them is others' work. */
#include "daemon/control/control_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/planes/sa_plane.h"

json_t *nm_json_text(const char *text)
{
	json_t *json;
	char *copy;

	if (!text)
		return json_null();
	json = json_string(text);
	if (json)
		return json;
	/* A configuration file may hold any bytes; an answer that quotes it is still JSON. */
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

json_t *nm_json_addr(const struct natmux_addr *addr)
{
	char text[NATMUX_ADDR_TEXT];

	if (addr->family == NATMUX_FAMILY_NONE)
		return json_null();
	return json_string(natmux_addr_format(addr, text));
}

json_t *nm_json_count(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

json_t *nm_json_spi(uint32_t spi)
{
	char text[16];

	snprintf(text, sizeof(text), "0x%08" PRIx32, spi);
	return json_string(text);
}

json_t *nm_json_mark(const struct nm_sa_mark *mark)
{
	char text[32];

	if (mark->mask == UINT32_MAX)
		snprintf(text, sizeof(text), "0x%" PRIx32, mark->value);
	else
		snprintf(text, sizeof(text), "0x%" PRIx32 "/0x%" PRIx32, mark->value, mark->mask);
	return json_string(text);
}

const char *nm_json_direction(enum natmux_sa_direction direction)
{
	return direction == NATMUX_SA_IN ? "in" : "out";
}

json_t *nm_json_traffic(const struct natmux_count *count)
{
	return json_pack("{s:o, s:o}", "datagrams", nm_json_count(count->datagrams), "bytes",
		nm_json_count(count->bytes));
}

json_t *nm_json_classes(const struct natmux_count counts[NATMUX_CLASS_COUNT])
{
	json_t *json = json_object();

	for (int i = 0; i < NATMUX_CLASS_COUNT; i++)
		if (json_object_set_new(json, natmux_class_name((enum natmux_class)i),
			    nm_json_traffic(&counts[i])) < 0) {
			json_decref(json);
			return NULL;
		}
	return json;
}
