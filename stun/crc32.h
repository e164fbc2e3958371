/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32 as FINGERPRINT uses it (RFC 8489 14.7; ISO-HDLC, ITU V.42): polynomial 0x04c11db7, bits
 * reflected, start and result inverted. The check value of "123456789" is 0xcbf43926.
 */
#ifndef NM_STUN_CRC32_H
#define NM_STUN_CRC32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t nm_crc32(const uint8_t *data, size_t len);

/*
 * The two ways to compute it, for the tests: both carry the inverted register from call to call.
 * `nm_crc32_fold` wants at least NM_CRC32_FOLD_MIN bytes and a CPU for which _usable says true.
 */
enum { NM_CRC32_FOLD_MIN = 32 };

uint32_t nm_crc32_slice(uint32_t crc, const uint8_t *data, size_t len);
bool nm_crc32_fold_usable(void);
uint32_t nm_crc32_fold(uint32_t crc, const uint8_t *data, size_t len);

#endif
