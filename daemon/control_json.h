/* SPDX-License-Identifier: Apache-2.0 */
/* natmux's values as JSON, the same way in every answer. Each returns a new reference or NULL. */
#ifndef NM_CONTROL_JSON_H
#define NM_CONTROL_JSON_H

#include <jansson.h>
#include <natmux/addr.h>
#include <natmux/sa.h>
#include <natmux/stats.h>

/* A string; bytes that are not UTF-8 become '?', and NULL becomes null. */
json_t *nm_json_text(const char *text);

/* "192.0.2.1:4500", or null for no address. */
json_t *nm_json_addr(const struct natmux_addr *addr);

/* A counter. Jansson has no unsigned 64-bit number: it stops at 2^63 - 1. */
json_t *nm_json_count(uint64_t value);

/* "0x00001000" */
json_t *nm_json_spi(uint32_t spi);

/* "in", "out" */
const char *nm_json_direction(enum natmux_sa_direction direction);

/* {"datagrams":n,"bytes":n} */
json_t *nm_json_traffic(const struct natmux_count *count);

/* {"ike":{…},"esp":{…}, …}: an array indexed by class. */
json_t *nm_json_classes(const struct natmux_count counts[NATMUX_CLASS_COUNT]);

#endif
