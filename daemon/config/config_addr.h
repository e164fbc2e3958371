/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as values of keys, and what may be said about a single one. */
#ifndef NM_CONFIG_ADDR_H
#define NM_CONFIG_ADDR_H

#include "daemon/config/config.h"

/* 0.0.0.0 or ::. */
bool nm_config_addr_is_wildcard(const struct natmux_addr *addr);

/* The first address of an IPv4 or IPv6 block, or the last of an IPv4 one: nobody's own address. */
bool nm_config_addr_is_edge(const struct natmux_prefix *prefix, const struct natmux_addr *addr);

/* The same address, whatever the ports are. */
bool nm_config_addr_same_ip(const struct natmux_addr *a, const struct natmux_addr *b);

/* "100.64.0.0/24", "fd00::/64". */
const char *nm_config_prefix_format(const struct natmux_prefix *prefix, char *text, size_t size);

#endif
