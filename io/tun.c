/* SPDX-License-Identifier: Apache-2.0 */
/* Packets to and from an open TUN device. Looks at no byte of them. */
#include "io/tun_device.h"

#include <errno.h>
#include <string.h>

static void note(struct nm_tun *tun, const char *call, int error)
{
	if (nm_tun_link_is_gone(error) && !tun->status.is_gone) {
		tun->status.is_gone = true;
		nm_tun_link_tell_gone(&tun->link);
	}
	nm_tun_link_tell(&tun->link, &tun->told, call, error);
}

ssize_t nm_tun_write_one(struct nm_tun *tun, const struct nm_packet *packet)
{
	struct virtio_net_hdr vnet = {.gso_type = VIRTIO_NET_HDR_GSO_NONE};
	struct iovec iov[3] = {
		{&vnet, sizeof(vnet)},
		{(void *)packet->header, packet->header_len},
		{(void *)packet->payload, packet->len},
	};

	if (!tun->has_vnet)
		return tun->link.sys->writev(tun->fd, iov + 1, 2);
	if (packet->segment > 0) {
		vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		vnet.gso_size = packet->segment;
		vnet.hdr_len = packet->header_len;
		vnet.csum_start = packet->header_len - 8; /* the UDP header is the last */
		vnet.csum_offset = 6;
	}
	return tun->link.sys->writev(tun->fd, iov, 3);
}

static bool write_packet(struct nm_tun *tun, const struct nm_packet *packet)
{
	int error = EOPNOTSUPP;

	if (packet->segment == 0 || tun->status.has_super) {
		if (nm_tun_write_one(tun, packet) >= 0)
			return true;
		error = errno;
	}
	tun->status.write_errors++;
	note(tun, "write", error);
	return false;
}

size_t nm_tun_write(struct nm_tun *tun, const struct nm_packet *packets, size_t n)
{
	size_t taken = 0;

	for (size_t i = 0; i < n; i++)
		taken += write_packet(tun, &packets[i]);
	tun->status.written_packets += taken;
	return taken;
}

/*
 * Whether what was read is a whole packet with its checksums. The kernel was told with
 * TUNSETOFFLOAD 0 to make no other; one that came all the same could not be passed on.
 */
static bool is_whole(const struct nm_tun *tun, const uint8_t *data, size_t len)
{
	struct virtio_net_hdr vnet;

	if (!tun->has_vnet)
		return len > 0;
	if (len <= sizeof(vnet))
		return false;
	memcpy(&vnet, data, sizeof(vnet));
	return vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE &&
	       !(vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
}

/* Reads one packet to `data`; 0 when nothing waits or the device failed. */
static size_t read_raw(struct nm_tun *tun, uint8_t *data)
{
	ssize_t n = tun->link.sys->read(tun->fd, data, NM_TUN_PACKET_MAX);

	if (n >= 0)
		return (size_t)n;
	if (errno != EAGAIN && errno != EINTR) {
		tun->status.read_errors++;
		note(tun, "read", errno);
	}
	return 0;
}

size_t nm_tun_read(struct nm_tun *tun, struct nm_tun_packet *packets, size_t max)
{
	size_t skip = tun->has_vnet ? NM_TUN_VNET : 0, used = 0, at = 0;

	/* Packets lie one behind the other: what is read next is in the cache already. */
	while (used < max && at <= NM_TUN_BUFFER - NM_TUN_PACKET_MAX) {
		uint8_t *data = tun->buffer + at;
		size_t len = read_raw(tun, data);

		if (len == 0)
			break;
		if (!is_whole(tun, data, len)) {
			tun->status.read_errors++;
			continue;
		}
		packets[used++] = (struct nm_tun_packet){.data = data + skip, .len = len - skip};
		at += (len + 63) / 64 * 64;
	}
	tun->status.read_packets += used;
	return used;
}

static size_t port_write(void *user, const struct nm_packet *packets, size_t n)
{
	return nm_tun_write(user, packets, n);
}

struct nm_packet_port nm_tun_port(struct nm_tun *tun)
{
	return (struct nm_packet_port){
		.write = port_write,
		.user = tun,
		.super_max = tun->status.has_super ? NM_TUN_SUPER_MAX : 0,
	};
}

int nm_tun_fd(const struct nm_tun *tun)
{
	return tun->fd;
}

const char *nm_tun_name(const struct nm_tun *tun)
{
	return tun->link.name;
}

const struct nm_tun_status *nm_tun_status(const struct nm_tun *tun)
{
	return &tun->status;
}
