/* SPDX-License-Identifier: Apache-2.0 */
/* SAs and policies of the configuration on their way into the plane, at start and reload. */
#ifndef NM_USER_SAS_H
#define NM_USER_SAS_H

#include "daemon/config.h"

/*
 * Makes the plane what `after` says where it differs from `before` (NULL: nothing): what is new or
 * changed comes first, then what is gone goes. An SA that changes and keeps its key goes on
 * counting. All or nothing: what the plane would refuse is found out before anything is changed,
 * and then `message` says what. What came another way (natmuxctl) stays, unless the file takes its
 * SPI, or its priority and selector. NATMUX_EINVAL, NATMUX_EUNSUPPORTED (no engine has the suite),
 * NATMUX_EFULL; NATMUX_ENOMEM can come too late for nothing.
 */
int nm_user_sas_apply(struct natmux_esp *esp, uint64_t now_ms, const struct nm_config *before,
	const struct nm_config *after, char *message, size_t size);

#endif
