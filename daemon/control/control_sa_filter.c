/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the words by which requests name SAs, as natmux.conf writes them. */
#include "daemon/control/control_sa_filter.h"

#include <natmux/error.h>

#include "daemon/config/config_addr.h"
#include "daemon/config/config_keys.h"
#include "daemon/config/config_value.h"

/* A text that is a value of this key of an SA; left alone when the request has none. */
static int get_value(struct nm_control_call *call, const char *name, void *field, bool *has)
{
	const struct nm_config_section *section = nm_config_section_find("sa");
	const struct nm_config_key *key = nm_config_key_find(section, name);
	char allowed[NM_CONFIG_ALLOWED_SIZE];
	const char *text = NULL;

	if (nm_control_get_text(call, name, &text) < 0)
		return NATMUX_EINVAL;
	*has = text != NULL;
	if (text && key->type->parse(key, text, field) < 0)
		return nm_control_fail(call, "bad-argument", "%s: allowed is %s", name,
			nm_config_allowed(key, allowed));
	return 0;
}

int nm_sa_filter_get(struct nm_control_call *call, struct nm_sa_filter *filter)
{
	*filter = (struct nm_sa_filter){.reqid = UINT64_MAX};
	if (get_value(call, "direction", &filter->direction, &filter->has_direction) < 0 ||
		get_value(call, "spi", &filter->spi, &filter->has_spi) < 0 ||
		get_value(call, "remote", &filter->remote, &filter->has_remote) < 0 ||
		nm_control_get_number(call, "reqid", 0, UINT32_MAX, &filter->reqid) < 0)
		return NATMUX_EINVAL;
	filter->has_reqid = filter->reqid != UINT64_MAX;
	return 0;
}

bool nm_sa_filter_matches(const struct nm_sa_filter *filter, const struct natmux_sa_info *info)
{
	return (!filter->has_direction || filter->direction == info->direction) &&
	       (!filter->has_spi || filter->spi == info->spi) &&
	       (!filter->has_reqid || filter->reqid == info->reqid) &&
	       (!filter->has_remote ||
		       nm_config_addr_same_ip(&filter->remote, &info->added_remote));
}
