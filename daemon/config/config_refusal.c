/* SPDX-License-Identifier: Apache-2.0 */
/* Complaints about one key of an SA or a policy, with the value that was found and the line. */
#include "daemon/config/config_check.h"
#include "daemon/config/config_value.h"

/* The line of a key of an SA, or where the SA begins. */
static uint32_t sa_line(const struct nm_config_sa *sa, const char *key_name)
{
	const struct nm_config_section *section = nm_config_section_find("sa");
	const struct nm_config_key *key = nm_config_key_find(section, key_name);
	uint32_t line = sa->lines[key - section->keys];

	return line > 0 ? line : sa->line;
}

int nm_config_refuse_sa(const struct nm_config_sa *sa, const char *key_name, const char *allowed,
	struct nm_config_report *report)
{
	const struct nm_config_section *section = nm_config_section_find("sa");
	const struct nm_config_key *key = nm_config_key_find(section, key_name);
	char path[NM_CONFIG_KEY_SIZE], value[NM_CONFIG_VALUE_SIZE];

	nm_config_value_format(key, sa, value);
	return nm_config_refuse(report, sa_line(sa, key_name),
		nm_config_key_path(section, *sa->name ? sa->name : NULL, key_name, path),
		"found %.100s, allowed is %s", value, allowed);
}

int nm_config_refuse_policy(const struct nm_config_policy *policy, const char *key_name,
	const char *allowed, struct nm_config_report *report)
{
	const struct nm_config_section *section = nm_config_section_find("policy");
	const struct nm_config_key *key = nm_config_key_find(section, key_name);
	uint32_t line = policy->lines[key - section->keys];
	char path[NM_CONFIG_KEY_SIZE], value[NM_CONFIG_VALUE_SIZE];

	nm_config_value_format(key, policy, value);
	return nm_config_refuse(report, line > 0 ? line : policy->line,
		nm_config_key_path(section, *policy->name ? policy->name : NULL, key_name, path),
		"found %.160s, allowed is %s", value, allowed);
}
