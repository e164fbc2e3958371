/* SPDX-License-Identifier: Apache-2.0 */
/* Whether values that are good alone fit together. */
#ifndef NM_CONFIG_CHECK_H
#define NM_CONFIG_CHECK_H

#include "daemon/config/config.h"
#include "daemon/config/config_message.h"

/* NATMUX_EINVAL with a message for the first thing that does not fit. */
int nm_config_check(const struct nm_config *config, struct nm_config_report *report);

/* The part about SAs, policies and their plane: config_check_esp.c. */
int nm_config_check_esp(const struct nm_config *config, struct nm_config_report *report);

/* What is wrong with one SA or policy by itself: what natmuxctl brings is judged so, too. */
int nm_config_check_sa(const struct nm_config *config, const struct nm_config_sa *sa,
	struct nm_config_report *report);
int nm_config_check_policy(const struct nm_config *config, const struct nm_config_policy *policy,
	struct nm_config_report *report);

/* The part of these that depends on whether esp is kernel: config_check_kernel.c. */
int nm_config_check_kernel_sa(const struct nm_config *config, const struct nm_config_sa *sa,
	struct nm_config_report *report);
int nm_config_check_kernel_policy(const struct nm_config *config,
	const struct nm_config_policy *policy, struct nm_config_report *report);

/* "found VALUE, allowed is …" of a key. NATMUX_EINVAL. */
int nm_config_refuse_sa(const struct nm_config_sa *sa, const char *key_name, const char *allowed,
	struct nm_config_report *report);
int nm_config_refuse_policy(const struct nm_config_policy *policy, const char *key_name,
	const char *allowed, struct nm_config_report *report);

/* Whether an address of that family is listened on; "IPv4", "IPv6". */
bool nm_config_listens_on(const struct nm_config *config, uint8_t family);
const char *nm_config_family_name(uint8_t family);

#endif
