/* SPDX-License-Identifier: Apache-2.0 */
/* The one form of every complaint: "natmux.conf:12: key: found this, allowed is that". */
#ifndef NM_CONFIG_MESSAGE_H
#define NM_CONFIG_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

/* Where a message goes. The first one stays; later ones are consequences of it. */
struct nm_config_report {
	const char *name; /* of the file */
	char *text;       /* starts as "" */
	size_t size;
};

/* Line 0: none to name. `key` NULL: none to name. Always returns NATMUX_EINVAL. */
int nm_config_refuse(struct nm_config_report *report, uint32_t line, const char *key,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

enum { NM_CONFIG_QUOTE_SIZE = 80 };

/* What was found, between quotes, cut and with strange bytes as '?'. Returns `quoted`. */
const char *nm_config_quote(const char *text, char quoted[NM_CONFIG_QUOTE_SIZE]);

#endif
