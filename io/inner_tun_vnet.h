/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the inner_tun*.c files: struct virtio_net_hdr from and to struct natmux_offload. */
#ifndef NM_INNER_TUN_VNET_H
#define NM_INNER_TUN_VNET_H

#include <endian.h>
#include <stdbool.h>
#include <linux/virtio_net.h>
#include <natmux/inner.h>

/* Linux 6.2; the headers of Debian 12 do not name it. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum { NM_VNET_LEN = sizeof(struct virtio_net_hdr) };

/* A field of the header from or to the host's order; legacy headers are in that order already. */
static inline uint16_t nm_vnet16(bool is_le, uint16_t value)
{
	return is_le ? htole16(value) : value;
}

/*
 * Reads the header that came with a packet of `len` octets. False, and nothing written: a kind that
 * we did not ask for, or one that contradicts the packet. For true every place that `offload` names
 * lies in the packet.
 */
bool nm_vnet_decode(const uint8_t vnet[static NM_VNET_LEN], bool is_le, const uint8_t *data,
	uint32_t len, struct natmux_offload *offload);

void nm_vnet_encode(
	const struct natmux_offload *offload, bool is_le, uint8_t vnet[static NM_VNET_LEN]);

#endif
