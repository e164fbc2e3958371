/* SPDX-License-Identifier: Apache-2.0 */
/* Sections with a title on their way into a configuration, for the reader only. */
#ifndef NM_CONFIG_ITEMS_H
#define NM_CONFIG_ITEMS_H

#include "daemon/config/config_keys.h"
#include "daemon/config/config_message.h"

/* One of any kind, as far as its keys are read. */
union nm_config_item_value {
	struct nm_config_peer peer;
	struct nm_config_server server;
	struct nm_config_sa sa;
	struct nm_config_policy policy;
};

/*
 * Adds a copy of `item` as the section `title`, which nm_config_name_is_good() and which begins in
 * `line`. NATMUX_EINVAL with a message for one too many, NATMUX_ENOMEM.
 */
int nm_config_item_add(struct nm_config *config, const struct nm_config_section *section,
	const char *title, uint32_t line, const union nm_config_item_value *item,
	struct nm_config_report *report);

#endif
