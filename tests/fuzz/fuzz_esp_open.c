/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One inbound SA under an attacker who can record, change, cut, repeat and reorder, and under a peer who
 * seals whatever it likes. The first three octets choose suite, engine, ESN and window; then come
 * commands, each of which makes a packet. Nothing is taken that was not sealed, nothing twice, and every
 * packet is counted once.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "esp/open.h"
#include "esp/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PACKETS_MAX = 128, ROOM = 2048, INNER_LEN_MAX = 1500 };

struct packet {
	uint8_t *bytes; /* exactly `len` */
	uint32_t len;
	bool is_authentic;
	uint64_t sequence; /* of an authentic one */
};

struct run {
	const uint8_t *at;
	size_t left;
	struct nm_secret_pool *keys;
	struct nm_iv_source ivs;
	struct nm_sa *out, *in;
	struct packet packets[PACKETS_MAX];
	size_t count;
	uint64_t taken[PACKETS_MAX];
	size_t taken_len;
};

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static uint8_t next8(struct run *run)
{
	if (run->left == 0)
		return 0;
	run->left--;
	return *run->at++;
}

static uint32_t next16(struct run *run)
{
	uint32_t high = next8(run);

	return high << 8 | next8(run);
}

static void next_bytes(struct run *run, uint8_t *to, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		to[i] = next8(run);
}

static void no_random(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 7, len);
}

static void make_sas(struct run *run)
{
	static const struct nm_engine *const engines[] = {
		&nm_engine_openssl, &nm_engine_ipsecmb, &nm_engine_sodium};
	static const uint32_t windows[] = {0, 1, 32, 64, 100, 1024, 8192, 63};
	static const struct natmux_random random = {no_random, NULL};
	static const uint8_t key[NATMUX_SUITE_KEY_MAX] = {1, 2, 3};
	const struct nm_engine *engine = engines[next8(run) % 3];
	struct natmux_sa_config config;
	uint8_t flags;

	natmux_sa_config_init(&config);
	config.suite = (enum natmux_suite)(next8(run) % NATMUX_SUITE_COUNT);
	if (!engine->has_suite(config.suite))
		engine = &nm_engine_openssl;
	flags = next8(run);
	config.spi = 0x1000;
	config.key = key;
	config.key_len = natmux_suite_key_len(config.suite);
	config.has_esn = flags & 1;
	config.replay_window = windows[flags >> 1 & 7];
	config.sequence = flags & 16 ? UINT32_MAX - 20 : 0;
	config.tfc_pad = flags & 32 ? 100 : 0;
	must(natmux_addr_parse("192.0.2.1:4500", 0, &config.path.remote) == 0);
	run->keys = nm_secret_pool_new(engine->key_size(config.suite));
	nm_iv_source_init(&run->ivs, &random);
	config.direction = NATMUX_SA_IN;
	must(nm_sa_new(&config, engine, run->keys, NULL, 0, &run->in) == 0);
	config.direction = NATMUX_SA_OUT;
	must(nm_sa_new(&config, engine, run->keys, NULL, 0, &run->out) == 0);
}

static struct packet *add(struct run *run, const uint8_t *bytes, uint32_t len)
{
	struct packet *packet = &run->packets[run->count++];
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, len);
	*packet = (struct packet){.bytes = copy, .len = len};
	return packet;
}

static void seal(struct run *run)
{
	uint8_t room[ROOM] = {0};
	struct nm_seal_item item = {room, next16(run) % INNER_LEN_MAX, next8(run)};
	uint64_t sequence = nm_sequence_last(run->out->sequence) + 1;
	struct packet *packet;

	next_bytes(run, nm_seal_inner(run->out, room), item.len < 64 ? item.len : 64);
	if (!nm_seal(run->out, &run->ivs, &item, 1))
		return;
	packet = add(run, room, nm_sa_sealed_len(run->out, item.len));
	packet->is_authentic = true;
	packet->sequence = sequence;
}

/* A peer that writes its own trailer and counts as it likes. */
static void seal_anything(struct run *run)
{
	const struct nm_sa *sa = run->out;
	uint32_t text_len = (1 + next8(run) % 20) * (uint32_t)sa->align;
	uint64_t sequence = nm_sequence_last(sa->sequence) + next16(run) - 1000;
	uint8_t room[ROOM] = {0};
	struct nm_engine_job job = {room, text_len, (uint32_t)(sequence >> 32), false};
	struct packet *packet;

	nm_put32(room, sa->spi);
	nm_put32(room + 4, (uint32_t)sequence);
	next_bytes(run, room + NM_ESP_HEADER + sa->iv_len, text_len);
	sa->engine->seal(sa->key, &job, 1);
	packet = add(run, room, NM_ESP_HEADER + sa->iv_len + text_len + sa->icv_len);
	packet->is_authentic = true;
	packet->sequence = sa->has_esn ? sequence : (uint32_t)sequence;
}

/* A copy of what was sealed is as good as it, however it came about. */
static void add_copy(struct run *run, const uint8_t *bytes, uint32_t len)
{
	struct packet *packet = add(run, bytes, len);

	for (const struct packet *old = run->packets; old < packet; old++) {
		if (old->is_authentic && old->len == len && memcmp(old->bytes, bytes, len) == 0) {
			packet->is_authentic = true;
			packet->sequence = old->sequence;
		}
	}
}

static void repeat(struct run *run)
{
	const struct packet *old = &run->packets[next8(run) % run->count];

	add_copy(run, old->bytes, old->len);
}

static void change(struct run *run)
{
	const struct packet *old = &run->packets[next8(run) % run->count];
	uint8_t room[ROOM], flip = next8(run);

	memcpy(room, old->bytes, old->len);
	if (old->len > 0)
		room[next16(run) % old->len] ^= flip;
	add_copy(run, room, old->len);
}

static void cut(struct run *run)
{
	const struct packet *old = &run->packets[next8(run) % run->count];

	if (old->len > 0)
		add_copy(run, old->bytes, next16(run) % old->len);
}

static void invent(struct run *run)
{
	uint8_t room[256];
	uint32_t len = next8(run);

	next_bytes(run, room, len);
	add_copy(run, room, len);
}

static void make_packets(struct run *run)
{
	while (run->left > 0 && run->count < PACKETS_MAX) {
		switch (next8(run) % 8) {
		case 0:
		case 1: seal(run); break;
		case 2: seal_anything(run); break;
		case 3:
			if (run->count > 0)
				repeat(run);
			break;
		case 4:
		case 5:
			if (run->count > 0)
				change(run);
			break;
		case 6:
			if (run->count > 0)
				cut(run);
			break;
		default: invent(run); break;
		}
	}
}

static void check_taken(
	struct run *run, const struct packet *packet, const struct nm_open_item *item)
{
	must(packet->is_authentic && item->sequence == packet->sequence);
	for (size_t i = 0; run->in->replay.size > 0 && i < run->taken_len; i++)
		must(run->taken[i] != item->sequence);
	run->taken[run->taken_len++] = item->sequence;
	if (item->verdict == NM_OPEN_BAD_PADDING)
		return;
	must(item->inner == packet->bytes + NM_ESP_HEADER + run->in->iv_len);
	must(item->inner + item->inner_len + NM_ESP_TRAILER + run->in->icv_len <=
		packet->bytes + packet->len);
	must((item->verdict == NM_OPEN_DUMMY) == (item->next_header == NM_ESP_NO_NEXT_HEADER));
}

static uint64_t refused(const struct natmux_sa_counters *counters)
{
	return counters->late + counters->duplicate + counters->replayed + counters->bad_icv +
	       counters->bad_padding + counters->too_short + counters->dummy;
}

static void open_vector(struct run *run, size_t first, size_t n)
{
	struct nm_open_item items[NM_ENGINE_VECTOR];
	uint64_t before = refused(&run->in->counters), good = 0, top = run->in->replay.top;

	for (size_t i = 0; i < n; i++)
		items[i] = (struct nm_open_item){.packet = run->packets[first + i].bytes,
			.len = run->packets[first + i].len};
	nm_open(run->in, items, n);
	for (size_t i = 0; i < n; i++) {
		if (items[i].verdict == NM_OPEN_GOOD || items[i].verdict == NM_OPEN_DUMMY ||
			items[i].verdict == NM_OPEN_BAD_PADDING)
			check_taken(run, &run->packets[first + i], &items[i]);
		good += items[i].verdict == NM_OPEN_GOOD;
	}
	must(refused(&run->in->counters) - before + good == n);
	must(run->in->replay.top >= top);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run run;

	if (size < 4 || sodium_init() < 0)
		return 0;
	run = (struct run){.at = data, .left = size};
	make_sas(&run);
	make_packets(&run);
	for (size_t first = 0, n; first < run.count; first += n) {
		n = 1 + (first * 7 + size) % NM_ENGINE_VECTOR;
		if (n > run.count - first)
			n = run.count - first;
		open_vector(&run, first, n);
	}
	for (size_t i = 0; i < run.count; i++)
		free(run.packets[i].bytes);
	nm_sa_free(run.in);
	nm_sa_free(run.out);
	nm_secret_pool_free(run.keys);
	return 0;
}
