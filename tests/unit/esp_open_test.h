/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for nm_open(), sealed by hand, and what it has made of them. */
#ifndef ESP_OPEN_TEST_H
#define ESP_OPEN_TEST_H

#include "esp_test.h"

#include "tests/fakes/naive_esp.h"

enum { ROOM = 2048, VECTOR = NM_ENGINE_VECTOR };

static uint8_t packets[VECTOR][ROOM];
static struct nm_open_item items[VECTOR];

/* A packet with this number and text, whatever the text says. */
static inline void craft_text(const struct esp_tunnel *tunnel, size_t i, uint64_t sequence,
	const uint8_t *text, size_t text_len)
{
	uint8_t iv[NM_ESP_IV_MAX];
	struct naive_esp esp = {
		.suite = tunnel->in_config.suite,
		.keymat = esp_keymat(),
		.has_esn = tunnel->in_config.has_esn,
		.spi = ESP_SPI,
		.sequence = sequence,
		.iv = iv,
		.text = text,
		.text_len = text_len,
	};

	esp_fill(NULL, iv, sizeof(iv));
	items[i] = (struct nm_open_item){
		.packet = packets[i], .len = (uint32_t)naive_seal(&esp, packets[i])};
}

static inline void craft(const struct esp_tunnel *tunnel, size_t i, uint64_t sequence)
{
	static const uint8_t text[16] = {'h', 'e', 'l', 'l', 'o', 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 4};

	craft_text(tunnel, i, sequence, text, sizeof(text));
}

/* A window of 64 that has seen everything up to `last`. */
static inline void begin(
	struct esp_tunnel *tunnel, enum natmux_suite suite, bool has_esn, uint64_t last)
{
	esp_tunnel_config(tunnel, suite);
	tunnel->in_config.replay_window = 64;
	tunnel->out_config.has_esn = tunnel->in_config.has_esn = has_esn;
	tunnel->in_config.sequence = last;
	esp_tunnel_begin(tunnel);
}

/* All that a packet may not change. */
struct snapshot {
	struct nm_replay replay;
	uint64_t ring[256];
	struct natmux_path path;
	struct natmux_sa_counters counters;
};

static inline void take_snapshot(const struct nm_sa *sa, struct snapshot *snapshot)
{
	memset(snapshot, 0, sizeof(*snapshot));
	snapshot->replay = sa->replay;
	assert_in_range(nm_replay_bytes(sa->replay.size), 0, sizeof(snapshot->ring));
	if (sa->replay.size > 0)
		memcpy(snapshot->ring, sa->replay.ring, nm_replay_bytes(sa->replay.size));
	snapshot->path = sa->path;
	snapshot->counters = sa->counters;
}

/* `counter` counts `n` more, and nothing else is another. */
static inline void assert_only(
	const struct nm_sa *sa, const struct snapshot *before, const uint64_t *counter, uint64_t n)
{
	struct snapshot after;
	size_t at = (size_t)((const uint8_t *)counter - (const uint8_t *)&sa->counters);
	uint64_t count;

	take_snapshot(sa, &after);
	memcpy(&count, (uint8_t *)&after.counters + at, sizeof(count));
	count -= n;
	memcpy((uint8_t *)&after.counters + at, &count, sizeof(count));
	assert_memory_equal(&after, before, sizeof(after));
}

static inline void expect_one(struct esp_tunnel *tunnel, size_t i, enum nm_open_verdict verdict)
{
	nm_open(tunnel->in, &items[i], 1);
	assert_int_equal(items[i].verdict, verdict);
}

#endif
