/* SPDX-License-Identifier: Apache-2.0 */
/* natmux's values as JSON, the same way in every answer. Each returns a new reference or NULL. */
#ifndef NM_CONTROL_JSON_H
#define NM_CONTROL_JSON_H

#include <jansson.h>
#include <natmux/addr.h>
#include <natmux/sa.h>
#include <natmux/stats.h>

struct nm_sa_mark;

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

/* "0x2a", or "0x2a/0xff" where not all bits count. */
json_t *nm_json_mark(const struct nm_sa_mark *mark);

/* Every counter of struct natmux_sa_counters that is one number. */
#define NM_SA_COUNTER_MAP(X)                                                                       \
	X(packets)                                                                                 \
	X(bytes)                                                                                   \
	X(lost)                                                                                    \
	X(late)                                                                                    \
	X(duplicate)                                                                               \
	X(replayed)                                                                                \
	X(bad_icv)                                                                                 \
	X(bad_padding)                                                                             \
	X(selector)                                                                                \
	X(too_short)                                                                               \
	X(dummy)                                                                                   \
	X(exhausted)

enum nm_sa_counter {
#define X(name) NM_SA_COUNTER_##name,
	NM_SA_COUNTER_MAP(X)
#undef X
		NM_SA_COUNTERS
};

/* The `i`th of them, by its name in the struct. */
const char *nm_sa_counter_name(size_t i);
uint64_t nm_sa_counter(const struct natmux_sa_counters *counters, size_t i);

/* {"datagrams":n,"bytes":n} */
json_t *nm_json_traffic(const struct natmux_count *count);

/* {"ike":{…},"esp":{…}, …}: an array indexed by class. */
json_t *nm_json_classes(const struct natmux_count counts[NATMUX_CLASS_COUNT]);

#endif
