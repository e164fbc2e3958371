/* SPDX-License-Identifier: Apache-2.0 */
/*
 * natmux_classify() against the rule written a second time. Every input is judged as it is, and once
 * more with cookie, length and CRC set right, which chance would not find.
 */
#include <stdlib.h>
#include <string.h>
#include "stun/check.h"
#include "../unit/slow_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const uint8_t *data, size_t size)
{
	enum natmux_class cls = natmux_classify(data, size);

	if (cls != slow_classify(data, size))
		abort();
	if (cls == NATMUX_CLASS_STUN && !nm_stun_is_well_formed(data, size))
		abort();
	if (nm_stun_is_bare_binding(data, size) && cls != NATMUX_CLASS_ESP)
		abort();
}

/* The last eight bytes become a FINGERPRINT, whatever they were to the attributes. */
static void mend(uint8_t *data, size_t size)
{
	nm_put16(data + 2, (uint16_t)(size - 20));
	nm_put32(data + 4, 0x2112a442);
	nm_put32(data + size - 8, 0x80280004);
	nm_put32(data + size - 4, slow_crc32(data, size - 8) ^ 0x5354554e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	judge(data, size);
	if (size < 28 || size > 65535)
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	mend(copy, size);
	judge(copy, size);
	free(copy);
	return 0;
}
