/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that gives each worker its SAs. It sees less than natmux_classify(): what it takes for
 * STUN goes to the first worker, which looks again and passes on what is another's.
 */
#include "dispatcher/spread.h"

#include <string.h>

#include "base/bytes.h"
#include "stun/proto.h"

enum { SPI_AT = 0, FIRST = 0, SPI_SAMPLE = 0x40ffee00 };

size_t nm_spread_program(uint32_t workers, struct nm_filter_step steps[static NM_SPREAD_STEPS])
{
	/* Jumps lead to the last step. Bytes that are not there end the program there as well. */
	const struct nm_filter_step program[NM_SPREAD_STEPS] = {
		/* RFC 3948 2.2: IKE has zeros where ESP has its SPI. */
		{NM_FILTER_LOAD_WORD, 0, 0, SPI_AT},
		{NM_FILTER_JUMP_EQUAL, 5, 0, 0},
		/* RFC 8489 5: no STUN without the cookie; RFC 4303 2.2: a sequence number, once. */
		{NM_FILTER_LOAD_WORD, 0, 0, NM_STUN_COOKIE_AT},
		{NM_FILTER_JUMP_EQUAL, 3, 0, NM_STUN_COOKIE},
		{NM_FILTER_LOAD_WORD, 0, 0, SPI_AT},
		{NM_FILTER_MODULO, 0, 0, workers},
		{NM_FILTER_RETURN_RESULT, 0, 0, 0},
		{NM_FILTER_RETURN, 0, 0, FIRST},
	};

	memcpy(steps, program, sizeof(program));
	return NM_SPREAD_STEPS;
}

static void put(struct nm_spread_sample *sample, const char *what, uint32_t first, uint32_t second,
	uint8_t len)
{
	sample->what = what;
	nm_put32(sample->payload, first);
	nm_put32(sample->payload + 4, second);
	nm_put32(sample->payload + 8, 0);
	sample->len = len;
	sample->worker = FIRST;
}

size_t nm_spread_samples(
	uint32_t workers, struct nm_spread_sample samples[static NM_SPREAD_SAMPLES])
{
	const uint32_t spi = SPI_SAMPLE + 1;
	size_t n = 0;

	put(&samples[n++], "IKE", 0, 1, 12);
	put(&samples[n++], "a STUN message", 0x00010000, NM_STUN_COOKIE, 12);
	put(&samples[n++], "ESP that looks like STUN", spi, NM_STUN_COOKIE, 12);
	put(&samples[n++], "a keepalive", UINT32_C(0xff) << 24, 0, 1);
	put(&samples[n++], "a runt", spi, 1, 7);
	for (uint32_t i = 0; i < workers && n < NM_SPREAD_SAMPLES; i++, n++) {
		put(&samples[n], "ESP", SPI_SAMPLE + i, 1, 8);
		samples[n].worker = (SPI_SAMPLE + i) % workers;
	}
	return n;
}
