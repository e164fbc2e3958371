/* SPDX-License-Identifier: Apache-2.0 */
/* Translates selectors. Which packets they match is the kernel's business. */
#include "xfrm/selector.h"

#include <string.h>
#include <natmux/error.h>
#include "base/bytes.h"
#include "xfrm/attribute.h"

/* A block of ports that begins at a multiple of its size, which is a power of two. */
static int ports_from(const struct natmux_ports *ports, uint16_t *port, uint16_t *mask)
{
	uint32_t size = (uint32_t)ports->max - ports->min + 1;

	if (ports->min > ports->max)
		return NATMUX_EINVAL;
	if ((size & (size - 1)) != 0 || ports->min % size != 0)
		return NATMUX_EUNSUPPORTED;
	*port = ports->min;
	*mask = (uint16_t)(0x10000 - size);
	return 0;
}

static int ports_to(uint16_t port, uint16_t mask, struct natmux_ports *ports)
{
	uint32_t size = 0x10000 - (uint32_t)mask;

	if ((size & (size - 1)) != 0)
		return NATMUX_EUNSUPPORTED;
	ports->min = port & mask;
	ports->max = (uint16_t)(ports->min + size - 1);
	return 0;
}

int nm_xfrm_selector_from(const struct natmux_selector *selector, struct nm_xfrm_selector *kernel)
{
	struct nm_xfrm_selector made = {
		.source = selector->source,
		.destination = selector->destination,
		.protocol = selector->protocol,
	};
	int err = ports_from(&selector->source_ports, &made.source_port, &made.source_mask);

	if (err == 0)
		err = ports_from(&selector->destination_ports, &made.destination_port,
			&made.destination_mask);
	if (err < 0)
		return err;
	if (selector->source.base.family != selector->destination.base.family)
		return NATMUX_EINVAL;
	*kernel = made;
	return 0;
}

int nm_xfrm_selector_to(const struct nm_xfrm_selector *kernel, struct natmux_selector *selector)
{
	struct natmux_selector made = {
		.source = kernel->source,
		.destination = kernel->destination,
		.protocol = kernel->protocol,
	};
	int err = ports_to(kernel->source_port, kernel->source_mask, &made.source_ports);

	if (err == 0)
		err = ports_to(kernel->destination_port, kernel->destination_mask,
			&made.destination_ports);
	if (err < 0)
		return err;
	*selector = made;
	return 0;
}

static uint16_t be16_put(uint16_t value)
{
	uint8_t bytes[2];
	uint16_t be;

	nm_put16(bytes, value);
	memcpy(&be, bytes, sizeof(be));
	return be;
}

static uint16_t be16_get(const void *value)
{
	uint8_t bytes[2];

	memcpy(bytes, value, sizeof(bytes));
	return nm_get16(bytes);
}

void nm_xfrm_selector_put(const struct nm_xfrm_selector *selector, struct xfrm_selector *out)
{
	*out = (struct xfrm_selector){
		.dport = be16_put(selector->destination_port),
		.dport_mask = be16_put(selector->destination_mask),
		.sport = be16_put(selector->source_port),
		.sport_mask = be16_put(selector->source_mask),
		.family = nm_xfrm_family(&selector->destination.base),
		.prefixlen_d = selector->destination.bits,
		.prefixlen_s = selector->source.bits,
		.proto = selector->protocol,
		.ifindex = (int)selector->ifindex,
		.user = selector->user,
	};
	nm_xfrm_addr_put(&selector->destination.base, &out->daddr);
	nm_xfrm_addr_put(&selector->source.base, &out->saddr);
}

/*
 * Programs give prefixes with bits beyond their length, and the kernel keeps them. A state that it
 * made itself (ALLOCSPI) has prefixes and no family: any.
 */
static int prefix_get(
	const xfrm_address_t *in, uint16_t family, uint8_t bits, struct natmux_prefix *prefix)
{
	struct natmux_prefix got = {.bits = bits};
	size_t len = family == NM_AF_INET ? 4 : 16;
	int err;

	if (family == 0) {
		*prefix = (struct natmux_prefix){0};
		return 0;
	}
	if (bits > len * 8)
		return NATMUX_EMALFORMED;
	err = nm_xfrm_addr_get(in, family, &got.base);
	if (err < 0)
		return err;
	got.base.family = family == NM_AF_INET ? NATMUX_FAMILY_IPV4 : NATMUX_FAMILY_IPV6;
	for (size_t i = 0; i < len; i++) {
		size_t begin = i * 8;

		if (begin >= bits)
			got.base.ip[i] = 0;
		else if (bits - begin < 8)
			got.base.ip[i] &= (uint8_t)(0xff00 >> (bits - begin));
	}
	*prefix = got;
	return 0;
}

int nm_xfrm_selector_get(const struct xfrm_selector *in, struct nm_xfrm_selector *selector)
{
	struct nm_xfrm_selector got = {
		.protocol = in->proto,
		.source_port = be16_get(&in->sport),
		.source_mask = be16_get(&in->sport_mask),
		.destination_port = be16_get(&in->dport),
		.destination_mask = be16_get(&in->dport_mask),
		.ifindex = (uint32_t)in->ifindex,
		.user = in->user,
	};
	int err = prefix_get(&in->saddr, in->family, in->prefixlen_s, &got.source);

	if (err == 0)
		err = prefix_get(&in->daddr, in->family, in->prefixlen_d, &got.destination);
	if (err < 0)
		return err;
	*selector = got;
	return 0;
}
