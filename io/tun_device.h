/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the tun*.c files: the fields of a TUN device. */
#ifndef NM_TUN_DEVICE_H
#define NM_TUN_DEVICE_H

#include <linux/virtio_net.h>
#include "io/tun.h"

/* Linux 6.2; the headers of Debian 12 do not name it. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum {
	NM_TUN_VNET = sizeof(struct virtio_net_hdr),
	NM_TUN_PACKET_MAX = NM_TUN_VNET + 65535,
	NM_TUN_BUFFER = 256 * 1024,
	NM_TUN_SUPER_MAX = 65535 - NM_PACKET_HEADER_MAX,
};

struct nm_tun {
	struct nm_tun_link link;
	int fd;
	bool has_vnet; /* a virtio_net_hdr goes before each packet */
	uint8_t *buffer;
	struct nm_tun_told told;
	struct nm_tun_status status;
};

/* One packet with its headers; -1 and errno as writev. */
ssize_t nm_tun_write_one(struct nm_tun *tun, const struct nm_packet *packet);

#endif
