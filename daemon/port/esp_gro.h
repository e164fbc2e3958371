/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kernels open ESP in UDP where other packets are put together into trains (GRO), and leave
 * alone what is no ESP of theirs.
 */
#ifndef NM_ESP_GRO_H
#define NM_ESP_GRO_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the kernel of this release (uname -r) is known to do it right; of another it is not known. */
bool nm_esp_gro_is_in(const char *release);

/*
 * Whether an inbound SA of this SPI would get STUN messages, for GRO looks at the SPI alone: their
 * type and length are where ESP has it (RFC 8489 5, RFC 4303 2).
 */
bool nm_esp_gro_takes_stun(uint32_t spi);

#endif
