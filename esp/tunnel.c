/* SPDX-License-Identifier: Apache-2.0 */
/* What the outer header takes from the inner one and gives back: DSCP (RFC 2983), ECN (RFC 6040). */
#include "base/bytes.h"
#include "esp/plane.h"
#include "wire/checksum.h"

enum { NOT_ECT = 0, ECT1 = 1, ECT0 = 2, CE = 3, ECN = 3 };

uint8_t nm_tunnel_outer_tos(const struct nm_sa *sa, uint8_t inner_tos)
{
	uint8_t dscp = sa->dscp < 0 ? inner_tos & (uint8_t)~ECN : (uint8_t)(sa->dscp << 2);

	/* RFC 6040 4.1, normal mode: the field is copied. */
	return dscp | (sa->no_ecn ? NOT_ECT : inner_tos & ECN);
}

static void write_tos(uint8_t *packet, const struct nm_inner_info *info, uint8_t tos)
{
	if (info->family == NATMUX_FAMILY_IPV6) {
		packet[0] = (uint8_t)(6 << 4 | tos >> 4);
		packet[1] = (uint8_t)((tos & 0x0f) << 4 | (packet[1] & 0x0f));
		return;
	}
	packet[1] = tos;
	nm_put16(packet + 10, 0);
	nm_sum_put(packet + 10, nm_sum_bytes(0, packet, info->transport));
}

bool nm_tunnel_set_ecn(uint8_t *packet, const struct nm_inner_info *info, uint8_t outer_tos)
{
	unsigned int inner = info->tos & ECN, outer = outer_tos & ECN;

	/* RFC 6040 4.2, figure 4. */
	if (outer == CE && inner == NOT_ECT)
		return false;
	if ((outer == CE && inner != CE) || (outer == ECT1 && inner == ECT0))
		write_tos(packet, info, (uint8_t)((info->tos & ~ECN) | outer));
	return true;
}
