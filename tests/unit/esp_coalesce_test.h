/* SPDX-License-Identifier: Apache-2.0 */
/* Packets into the machine that puts them together, under the eyes of coalesce_check.h. */
#ifndef ESP_COALESCE_TEST_H
#define ESP_COALESCE_TEST_H

#include "test.h"

#include "base/bytes.h"
#include "tests/fakes/coalesce_check.h"
#include "tests/fakes/inner_packets.h"

enum { TCP = 6, UDP = 17 };

static struct coalesce_check check;

static inline void add_bytes(const uint8_t *packet, size_t len)
{
	assert_true(coalesce_check_add(&check, packet, len));
}

static inline void add(const struct inner_spec *spec)
{
	static uint8_t packet[INNER_MAX + 100];

	add_bytes(packet, inner_build(spec, packet));
}

static inline void end(void)
{
	const char *wrong = coalesce_check_end(&check);

	if (wrong)
		fail_msg("%s", wrong);
}

/* What comes behind it: the next octets, the next identification. */
static inline struct inner_spec next_of(const struct inner_spec *spec)
{
	struct inner_spec next = *spec;

	next.sequence += spec->payload_len;
	next.id++;
	next.seed = (uint8_t)(spec->seed + 5);
	return next;
}

#endif
