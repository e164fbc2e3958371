/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a packet is what a selector means (RFC 4301 4.4.1.1). */
#ifndef NM_SELECTOR_H
#define NM_SELECTOR_H

#include <natmux/sa.h>
#include "esp/inner.h"

/*
 * A packet without ports (a protocol that has none, a later fragment) matches only a selector of
 * all ports: what cannot be judged is not let through (RFC 4301 7, the strictest of the three ways).
 */
bool nm_selector_matches(const struct natmux_selector *selector, const struct nm_inner_info *info);

/*
 * Whether a selector makes sense: one family, prefixes no longer than its addresses, ranges that do
 * not end before they begin. Matching reads as many octets as a prefix has, and trusts that number.
 */
bool nm_selector_is_valid(const struct natmux_selector *selector);

#endif
