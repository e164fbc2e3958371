/* SPDX-License-Identifier: Apache-2.0 */
/* ESP on its way out (RFC 4303 3.3): everything but what is in the inner packet and where it goes. */
#include "esp/seal.h"

#include <sodium.h>
#include <string.h>

#include "base/bytes.h"

_Static_assert(sizeof(((struct nm_iv_source *)0)->key) == crypto_stream_chacha20_KEYBYTES, "key");

void nm_iv_source_init(struct nm_iv_source *source, const struct natmux_random *random)
{
	random->fill(random->user, source->key, sizeof(source->key));
	source->counter = 0;
}

void nm_iv_source_done(struct nm_iv_source *source)
{
	sodium_memzero(source, sizeof(*source));
}

/*
 * RFC 4106 3.1, RFC 7634 2, RFC 4543 3.1: unique under the key, and the sequence number is, whoever
 * counts, from any base. RFC 3602 3: a block that cannot be foreseen.
 */
static void make_iv(
	const struct nm_sa *sa, struct nm_iv_source *source, uint64_t sequence, uint8_t *iv)
{
	uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];

	if (sa->iv_len == 8) {
		nm_put64(iv, sa->sequence->iv_base + sequence);
	} else if (sa->iv_len > 0) {
		nm_put64(nonce, source->counter++);
		crypto_stream_chacha20(iv, sa->iv_len, nonce, source->key);
	}
}

/* RFC 4303 2.4, 2.5, 2.6, 2.7: TFC padding, padding 1, 2, 3…, pad length, next header. */
static uint32_t make_trailer(const struct nm_sa *sa, const struct nm_seal_item *item)
{
	uint32_t text = item->len < sa->tfc_pad ? sa->tfc_pad : item->len;
	uint32_t end = nm_sa_text_len(sa, item->len);
	uint8_t *inner = nm_seal_inner(sa, item->packet);
	uint32_t pad = end - text - NM_ESP_TRAILER;

	if (text > item->len)
		memset(inner + item->len, 0, text - item->len);
	for (uint32_t i = 0; i < pad; i++)
		inner[text + i] = (uint8_t)(i + 1);
	inner[end - 2] = (uint8_t)pad;
	inner[end - 1] = item->next_header;
	return end;
}

bool nm_seal(
	struct nm_sa *sa, struct nm_iv_source *source, const struct nm_seal_item *items, size_t n)
{
	struct nm_engine_job jobs[NM_ENGINE_VECTOR];
	uint64_t sequence =
		nm_usage_is_dead(sa->usage) ? 0 : nm_sequence_take(sa->sequence, (uint32_t)n);
	uint64_t bytes = 0, dummies = 0;

	if (sequence == 0) {
		sa->counters.exhausted += n;
		return false;
	}
	for (size_t i = 0; i < n; i++, sequence++) {
		uint8_t *packet = items[i].packet;

		nm_put32(packet, sa->spi);
		nm_put32(packet + 4, (uint32_t)sequence);
		make_iv(sa, source, sequence, packet + NM_ESP_HEADER);
		jobs[i] = (struct nm_engine_job){
			.packet = packet,
			.len = make_trailer(sa, &items[i]),
			.seq_high = (uint32_t)(sequence >> 32),
		};
		if (items[i].next_header == NM_ESP_NO_NEXT_HEADER)
			dummies++;
		else
			bytes += items[i].len;
	}
	sa->engine->seal(sa->key, jobs, n);
	sa->counters.packets += n - dummies;
	sa->counters.dummy += dummies;
	sa->counters.bytes += bytes;
	return true;
}
