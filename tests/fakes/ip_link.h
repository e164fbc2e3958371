/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody else may do to a device while we are using it. */
#ifndef IP_LINK_H
#define IP_LINK_H

#include <stdbool.h>

/* Runs `ip link delete`; whether it went well. */
bool ip_link_delete(const char *name);

#endif
