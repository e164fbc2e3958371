/* SPDX-License-Identifier: Apache-2.0 */
/* For CPUs without a carry-less multiplication that we know how to use: slicing does it all. */
#include "stun/crc32.h"

bool nm_crc32_fold_usable(void)
{
	return false;
}

uint32_t nm_crc32_fold(uint32_t crc, const uint8_t *data, size_t len)
{
	return nm_crc32_slice(crc, data, len);
}
