/* SPDX-License-Identifier: Apache-2.0 */
/* Judges kernels by their number and SPIs by what they look like. io/udp_open.c makes the sockets. */
#include "daemon/port/esp_gro.h"

#include <stddef.h>
#include <stdio.h>

#include "stun/proto.h"

/*
 * Linux 6.7 brought it. Until 6.12.30 it garbles IKE messages of some devices ("xfrm: Fix UDP GRO
 * handling for some corner cases"), from there to 6.12.40 it looks for the SPI in the wrong place
 * ("xfrm: Set transport header to fix UDP GRO handling"). Nothing that can be tried on the loopback
 * interface shows either.
 */
bool nm_esp_gro_is_in(const char *release)
{
	unsigned int major, minor, patch = 0;

	if (release[0] < '0' || release[0] > '9' ||
		sscanf(release, "%3u.%3u.%5u", &major, &minor, &patch) < 2)
		return false;
	if (major != 6)
		return major > 6;
	return minor >= 16 || (minor == 12 && patch >= 41);
}

bool nm_esp_gro_takes_stun(uint32_t spi)
{
	static const enum nm_stun_method methods[] = {NM_STUN_BINDING, NM_STUN_ALLOCATE};
	unsigned int type = spi >> 16, len = spi & 0xffff;

	if (type > 0x3fff || len % 4 != 0)
		return false;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (nm_stun_type_method((uint16_t)type) == methods[i])
			return true;
	return false;
}
