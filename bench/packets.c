/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for packets. Their text is noise: no cipher's speed depends on it. */
#include "bench/packets.h"

#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "bench/gen.h"

enum { HEADER = 8 };

const uint8_t nm_packets_keymat[NATMUX_SUITE_KEY_MAX] = {0x4e, 0x41, 0x54, 0x6d, 0x75, 0x78};

int nm_packets_init(struct nm_packets *packets, enum natmux_suite suite, uint32_t len)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	uint32_t text = HEADER + info->iv_len;
	struct nm_gen gen = {0};
	size_t size;

	memset(packets, 0, sizeof(*packets));
	packets->stride = text + len + info->icv_len;
	size = (size_t)packets->stride * NM_ENGINE_VECTOR;
	packets->memory = malloc(size);
	if (!packets->memory)
		return NATMUX_ENOMEM;
	nm_gen_bytes(&gen, packets->memory, size);
	for (uint32_t i = 0; i < NM_ENGINE_VECTOR; i++) {
		uint8_t *packet = packets->memory + (size_t)i * packets->stride;

		packets->nonces[i][11] = (uint8_t)i;
		packets->jobs[i] = (struct nm_engine_job){.packet = packet, .len = len};
		packets->calls[i] = (struct nm_raw_call){
			.text = packet + text,
			.icv = packet + text + len,
			.nonce = packets->nonces[i],
			.aad = packet,
			.len = len,
		};
	}
	return 0;
}

void nm_packets_done(struct nm_packets *packets)
{
	free(packets->memory);
	packets->memory = NULL;
}
