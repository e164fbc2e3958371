/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and lowers the MSS option of a SYN. What fits is the plane's knowledge. */
#include "esp/mss.h"

#include <string.h>

#include "base/bytes.h"

enum {
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_CHECKSUM = 16,
	SYN = 0x02,
	OPTION_END = 0, /* RFC 9293 3.1 */
	OPTION_NONE = 1,
	OPTION_MSS = 2,
	MSS_LEN = 4,
};

bool nm_mss_is_syn(const uint8_t *packet, const struct nm_inner_info *info)
{
	return info->protocol == NM_PROTO_TCP && !info->is_fragment &&
	       info->len - info->transport >= NM_TCP_MIN &&
	       (packet[info->transport + TCP_FLAGS] & SYN);
}

/* The option's value, or NULL: the header is not whole, there is none, or the options are broken. */
static uint8_t *find_mss(uint8_t *tcp, uint32_t len)
{
	uint32_t header_len = (tcp[TCP_OFFSET] >> 4) * 4u, at = NM_TCP_MIN;

	if (header_len > len)
		return NULL;
	while (at < header_len && tcp[at] != OPTION_END) {
		if (tcp[at] == OPTION_NONE) {
			at++;
			continue;
		}
		if (at + 2 > header_len || tcp[at + 1] < 2 || at + tcp[at + 1] > header_len)
			return NULL;
		if (tcp[at] == OPTION_MSS)
			return tcp[at + 1] == MSS_LEN ? tcp + at + 2 : NULL;
		at += tcp[at + 1];
	}
	return NULL;
}

/* RFC 1624 3, equation 3. */
static uint16_t add_difference(uint16_t checksum, uint16_t before, uint16_t after)
{
	uint32_t sum = (uint16_t)~checksum + (uint32_t)(uint16_t)~before + after;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The option's value becomes `mss`, and the checksum what it was but for that. */
static void put_mss(uint8_t *tcp, uint8_t *value, uint16_t mss)
{
	/* An option may begin anywhere: its two octets are one word of the sum, or parts of two. */
	uint8_t *words = value - ((value - tcp) & 1);
	size_t len = words == value ? 2 : 4;
	uint16_t checksum = nm_get16(tcp + TCP_CHECKSUM);
	uint8_t before[4];

	memcpy(before, words, len);
	nm_put16(value, mss);
	for (size_t i = 0; i < len; i += 2)
		checksum = add_difference(checksum, nm_get16(before + i), nm_get16(words + i));
	nm_put16(tcp + TCP_CHECKSUM, checksum);
}

bool nm_mss_clamp(
	uint8_t *packet, const struct nm_inner_info *info, uint32_t mtu, bool has_checksum)
{
	uint32_t ip_len = info->family == NATMUX_FAMILY_IPV4 ? NM_IP4_MIN : NM_IP6_LEN;
	uint8_t *tcp = packet + info->transport, *value;
	uint32_t most;

	if (!nm_mss_is_syn(packet, info) || mtu < ip_len + NM_TCP_MIN + 1)
		return false;
	value = find_mss(tcp, (uint32_t)info->len - info->transport);
	most = mtu - ip_len - NM_TCP_MIN;
	if (!value || nm_get16(value) <= most)
		return false;
	if (has_checksum)
		put_mss(tcp, value, (uint16_t)most);
	else
		nm_put16(value, (uint16_t)most);
	return true;
}
