/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors as text, in the words of `ip xfrm`:
 *
 *	src 10.0.0.0/8 dst 10.2.0.0/16 proto udp sport 500-600 dport 4500
 *
 * Each word once, in any order; src or dst has to be there, and what is left out is any of the
 * family of the other. A prefix without length is one address. Protocols are numbers, or the names
 * tcp, udp, udplite, sctp, dccp, icmp and ipv6-icmp; ports need one that has them. Files, the
 * control protocol and natmuxctl have this one form.
 */
#ifndef NM_CONFIG_SELECTOR_H
#define NM_CONFIG_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <natmux/sa.h>

/* Longest text of a selector, with its NUL: 2 * (4 + 43 + 1) + 4 + … */
enum { NM_SELECTOR_TEXT = 160 };

/* NATMUX_EINVAL for anything else. */
int nm_selector_parse(const char *text, struct natmux_selector *selector);

/* Writes the one text that means this selector. Returns `text`. */
char *nm_selector_format(const struct natmux_selector *selector, char text[NM_SELECTOR_TEXT]);

bool nm_selector_is_same(const struct natmux_selector *a, const struct natmux_selector *b);

#define NM_SELECTOR_ALLOWED                                                                        \
	"\"src PREFIX dst PREFIX [proto PROTOCOL [sport PORTS] [dport PORTS]]\", such as "         \
	"\"src 10.1.0.0/16 dst 10.2.0.0/16 proto udp dport 500-600\""

#endif
