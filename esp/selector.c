/* SPDX-License-Identifier: Apache-2.0 */
/* Matching of packets and selectors, one by one. */
#include "esp/selector.h"

#include <string.h>

static bool prefix_matches(const struct natmux_prefix *prefix, const uint8_t *ip)
{
	unsigned int octets = prefix->bits / 8, rest = prefix->bits % 8;

	if (memcmp(prefix->base.ip, ip, octets) != 0)
		return false;
	return rest == 0 || ((prefix->base.ip[octets] ^ ip[octets]) & (0xff00 >> rest) & 0xff) == 0;
}

static bool is_any(const struct natmux_ports *ports)
{
	return ports->min == 0 && ports->max == UINT16_MAX;
}

static bool ports_match(const struct natmux_ports *ports, bool has_port, uint16_t port)
{
	return is_any(ports) || (has_port && port >= ports->min && port <= ports->max);
}

bool nm_selector_matches(const struct natmux_selector *selector, const struct nm_inner_info *info)
{
	return selector->source.base.family == info->family &&
	       (selector->protocol == 0 || selector->protocol == info->protocol) &&
	       prefix_matches(&selector->source, info->source) &&
	       prefix_matches(&selector->destination, info->destination) &&
	       ports_match(&selector->source_ports, info->has_ports, info->source_port) &&
	       ports_match(&selector->destination_ports, info->has_ports, info->destination_port);
}

/* Policies are found by what is left of a packet's address: bits behind the prefix never match. */
static bool has_zeros_behind(const struct natmux_prefix *prefix)
{
	if (prefix->bits % 8 && (prefix->base.ip[prefix->bits / 8] & 0xff >> prefix->bits % 8))
		return false;
	for (unsigned int i = (prefix->bits + 7) / 8; i < 16; i++)
		if (prefix->base.ip[i])
			return false;
	return true;
}

bool nm_selector_is_valid(const struct natmux_selector *selector)
{
	uint8_t family = selector->source.base.family;
	unsigned int most = family == NATMUX_FAMILY_IPV4 ? 32 : 128;

	return (family == NATMUX_FAMILY_IPV4 || family == NATMUX_FAMILY_IPV6) &&
	       selector->destination.base.family == family && selector->source.bits <= most &&
	       selector->destination.bits <= most && has_zeros_behind(&selector->source) &&
	       has_zeros_behind(&selector->destination) &&
	       selector->source_ports.min <= selector->source_ports.max &&
	       selector->destination_ports.min <= selector->destination_ports.max;
}
