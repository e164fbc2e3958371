/* SPDX-License-Identifier: Apache-2.0 */
/* Whether values that are good alone fit together. */
#ifndef NM_CONFIG_CHECK_H
#define NM_CONFIG_CHECK_H

#include "daemon/config.h"
#include "daemon/config_message.h"

/* NATMUX_EINVAL with a message for the first thing that does not fit. */
int nm_config_check(const struct nm_config *config, struct nm_config_report *report);

#endif
