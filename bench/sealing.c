/* SPDX-License-Identifier: Apache-2.0 */
/* Two SAs and packets between them. */
#include "bench/sealing.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "bench/gen.h"
#include "bench/packets.h"

enum { SPI = 0x12345678 };

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	randombytes_buf(buf, len);
}

static int make_sa(struct nm_sealing *sealing, const struct nm_engine *engine,
	enum natmux_suite suite, enum natmux_sa_direction direction, struct nm_sa **sa)
{
	struct natmux_sa_config config;

	natmux_sa_config_init(&config);
	config.direction = direction;
	config.spi = SPI;
	config.suite = suite;
	config.key = nm_packets_keymat;
	config.key_len = natmux_suite_key_len(suite);
	config.has_esn = true; /* a long run needs more numbers than 2^32 */
	config.path.remote = (struct natmux_addr){
		.ip = {192, 0, 2, 2}, .port = 4500, .family = NATMUX_FAMILY_IPV4};
	return nm_sa_new(&config, engine, sealing->keys, NULL, 0, sa);
}

static int make_packets(struct nm_sealing *sealing, uint32_t len)
{
	uint32_t stride = nm_sa_sealed_len(sealing->out, len);
	uint32_t text = NM_ESP_HEADER + sealing->out->iv_len, icv = stride - sealing->out->icv_len;
	struct nm_gen gen = {0};

	sealing->memory = malloc((size_t)stride * NM_ENGINE_VECTOR);
	if (!sealing->memory)
		return NATMUX_ENOMEM;
	nm_gen_bytes(&gen, sealing->memory, (size_t)stride * NM_ENGINE_VECTOR);
	for (uint32_t i = 0; i < NM_ENGINE_VECTOR; i++) {
		uint8_t *packet = sealing->memory + (size_t)i * stride;

		sealing->seal[i] =
			(struct nm_seal_item){.packet = packet, .len = len, .next_header = 4};
		sealing->open[i] = (struct nm_open_item){.packet = packet, .len = stride};
		sealing->nonces[i][11] = (uint8_t)i;
		sealing->calls[i] = (struct nm_raw_call){
			.text = packet + text,
			.icv = packet + icv,
			.nonce = sealing->nonces[i],
			.aad = packet,
			.len = icv - text,
		};
	}
	return 0;
}

int nm_sealing_init(struct nm_sealing *sealing, const struct nm_engine *engine,
	enum natmux_suite suite, uint32_t len)
{
	const struct natmux_random random = {fill, NULL};
	int err = NATMUX_ENOMEM;

	memset(sealing, 0, sizeof(*sealing));
	nm_iv_source_init(&sealing->ivs, &random);
	sealing->keys = nm_secret_pool_new(engine->key_size(suite));
	if (sealing->keys)
		err = make_sa(sealing, engine, suite, NATMUX_SA_OUT, &sealing->out);
	if (err == 0)
		err = make_sa(sealing, engine, suite, NATMUX_SA_IN, &sealing->in);
	if (err == 0)
		err = make_packets(sealing, len);
	if (err < 0) {
		nm_sealing_done(sealing);
		return err;
	}
	sealing->raw = nm_raw_aead_find(engine->name);
	if (sealing->raw)
		sealing->raw_key = sealing->raw->open_key(suite, nm_packets_keymat);
	return 0;
}

void nm_sealing_done(struct nm_sealing *sealing)
{
	if (sealing->raw_key)
		sealing->raw->close_key(sealing->raw_key);
	nm_sa_free(sealing->out);
	nm_sa_free(sealing->in);
	nm_secret_pool_free(sealing->keys);
	nm_iv_source_done(&sealing->ivs);
	free(sealing->memory);
	memset(sealing, 0, sizeof(*sealing));
}

void nm_sealing_seal(struct nm_sealing *sealing)
{
	nm_seal(sealing->out, &sealing->ivs, sealing->seal, NM_ENGINE_VECTOR);
}

void nm_sealing_open(struct nm_sealing *sealing)
{
	nm_open(sealing->in, sealing->open, NM_ENGINE_VECTOR);
}

bool nm_sealing_is_good(const struct nm_sealing *sealing)
{
	for (unsigned int i = 0; i < NM_ENGINE_VECTOR; i++)
		if (sealing->open[i].verdict != NM_OPEN_GOOD)
			return false;
	return true;
}
