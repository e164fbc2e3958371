/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner packets to and from an open TUN device, and what becomes of super-packets when the kernel
 * changes its mind about them.
 */
#include "io/inner_tun_device.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>
#include "base/log.h"

/* What a refused super-packet was refused for. */
enum refusal {
	REFUSED_KIND,   /* the device takes none of its kind */
	REFUSED_PACKET, /* this one; others would pass */
	REFUSED_LINK,   /* nothing passes: the link is down */
};

static void note_error(struct nm_inner_tun_queue *queue, const char *call, int error)
{
	if (nm_tun_link_is_gone(error) && !queue->status.is_gone) {
		queue->status.is_gone = true;
		nm_tun_link_tell_gone(queue->link);
	}
	nm_tun_link_tell(queue->link, &queue->told, call, error);
}

/* Reads header and packet, the packet to `data`. 0: nothing waits, or the device failed. */
static size_t read_raw(struct nm_inner_tun_queue *queue, uint8_t *data)
{
	ssize_t n = queue->sys->read(
		queue->fd, data - queue->vnet_len, queue->vnet_len + NM_INNER_TUN_PACKET_MAX + 1);

	if (n > 0)
		return (size_t)n;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		queue->status.read.drops++;
		note_error(queue, "read", errno);
	}
	return 0;
}

/* Makes a packet of the `n` bytes that were read. False: it is none of those we asked for. */
static bool decode(const struct nm_inner_tun_queue *queue, uint8_t *data, size_t n,
	struct natmux_inner *packet)
{
	size_t len = n - queue->vnet_len;
	struct natmux_offload offload = {0};

	if (n <= queue->vnet_len || len > NM_INNER_TUN_PACKET_MAX)
		return false;
	if (queue->vnet_len > 0 && !nm_vnet_decode(data - queue->vnet_len, queue->is_le, data,
					   (uint32_t)len, &offload))
		return false;
	*packet = (struct natmux_inner){.data = data, .len = (uint32_t)len, .offload = offload};
	return true;
}

static bool is_super(const struct nm_inner_tun_queue *queue, const uint8_t *data, size_t n)
{
	const uint8_t *type = data - queue->vnet_len + offsetof(struct virtio_net_hdr, gso_type);

	return queue->vnet_len > 0 && n >= NM_VNET_LEN && *type != VIRTIO_NET_HDR_GSO_NONE;
}

/*
 * A super-packet came broken: all its segments are lost, and so would the next ones' be. The kernel
 * is to cut from now on, whatever the kind, for the header that names it is what is in doubt.
 */
static void distrust(struct nm_inner_tun_queue *queue)
{
	struct nm_inner_tun_status *status = &queue->status;

	if (!queue->is_open || (!status->tso.is_read && !status->uso.is_read))
		return;
	status->tso.is_read = status->uso.is_read = false;
	nm_inner_tun_say_why(&status->tso, "read", EBADMSG);
	nm_inner_tun_say_why(&status->uso, "read", EBADMSG);
	if (nm_inner_tun_set_offloads(queue) < 0)
		note_error(queue, "ioctl(TUNSETOFFLOAD)", errno);
	nm_log(&queue->link->log, NATMUX_LOG_WARNING,
		"TUN %s: a broken super-packet was read: the kernel is to make no more",
		queue->link->name);
}

static void count(
	struct nm_inner_tun_count *count, const struct natmux_offload *offload, size_t bytes)
{
	count->packets++;
	count->super_packets += offload->kind != NATMUX_OFFLOAD_NONE;
	count->bytes += bytes;
}

size_t nm_inner_tun_read(struct nm_inner_tun_queue *queue, struct natmux_inner *packets, size_t max)
{
	size_t used = 0, at = 0;

	queue->has_more = true;
	for (size_t reads = 0; reads < max && at < NM_INNER_TUN_SPAN; reads++) {
		uint8_t *data = queue->buffer + at + NATMUX_INNER_ROOM;
		size_t n = read_raw(queue, data);

		queue->has_more = n > 0;
		if (n == 0)
			break;
		if (!decode(queue, data, n, &packets[used])) {
			queue->status.read.drops++;
			if (is_super(queue, data, n))
				distrust(queue);
			continue;
		}
		count(&queue->status.read, &packets[used].offload, packets[used].len);
		at += (packets[used].len + 63) / 64 * 64 + 2 * NATMUX_INNER_ROOM;
		used++;
	}
	return used;
}

bool nm_inner_tun_has_more(const struct nm_inner_tun_queue *queue)
{
	return queue->has_more;
}

ssize_t nm_inner_tun_put(struct nm_inner_tun_queue *queue, const struct natmux_offload *offload,
	struct iovec *iov, int n)
{
	uint8_t vnet[NM_INNER_TUN_VNET_MAX] = {0};

	if (queue->vnet_len == 0)
		return queue->sys->writev(queue->fd, iov + 1, n - 1);
	nm_vnet_encode(offload, queue->is_le, vnet);
	iov[0] = (struct iovec){vnet, queue->vnet_len};
	return queue->sys->writev(queue->fd, iov, n);
}

/* Writes a packet that cannot do harm; 0, or the errno. */
static int offer(struct nm_inner_tun_queue *queue, enum natmux_offload_kind kind, bool is_super)
{
	enum natmux_family family =
		kind == NATMUX_OFFLOAD_TCP6 ? NATMUX_FAMILY_IPV6 : NATMUX_FAMILY_IPV4;
	static const struct natmux_offload single;
	struct nm_inner_tun_sample sample;
	struct iovec iov[2];

	nm_inner_tun_sample_init(&sample, kind, family);
	iov[1] = (struct iovec){sample.data, sample.len};
	return nm_inner_tun_put(queue, is_super ? &sample.offload : &single, iov, 2) < 0 ? errno
											 : 0;
}

/*
 * EIO is what a link that is down says to everything, EINVAL may be about the kind or about the one
 * packet: others are offered, which have nothing to do with what the peer sends.
 */
static enum refusal find_reason(struct nm_inner_tun_queue *queue, enum natmux_offload_kind kind)
{
	if (offer(queue, kind, true) == 0)
		return REFUSED_PACKET;
	return offer(queue, kind, false) == 0 ? REFUSED_KIND : REFUSED_LINK;
}

static struct nm_inner_tun_offload *offload_of(struct nm_inner_tun_queue *queue, uint8_t kind)
{
	return kind == NATMUX_OFFLOAD_UDP ? &queue->status.uso : &queue->status.tso;
}

void nm_inner_tun_say_why(struct nm_inner_tun_offload *offload, const char *call, int error)
{
	if (offload->why[0] == '\0')
		snprintf(offload->why, sizeof(offload->why), "%.48s: %.44s", call, strerror(error));
}

/* After an error for a super-packet: whether it is to be cut. */
static bool is_refused(struct nm_inner_tun_queue *queue, uint8_t kind, int error)
{
	struct nm_inner_tun_offload *offload = offload_of(queue, kind);

	if (kind == NATMUX_OFFLOAD_NONE || (error != EIO && error != EINVAL))
		return false;
	switch (find_reason(queue, kind)) {
	case REFUSED_PACKET: return true;
	case REFUSED_LINK: return false;
	case REFUSED_KIND: break;
	}
	offload->is_written = false;
	nm_inner_tun_say_why(offload, "write", error);
	nm_log(&queue->link->log, NATMUX_LOG_WARNING,
		"TUN %s: no more super-packets of %s are written: %s", queue->link->name,
		kind == NATMUX_OFFLOAD_UDP ? "UDP" : "TCP", strerror(error));
	return true;
}

/* Whether the device could take such a packet at all. */
static bool is_taken(struct nm_inner_tun_queue *queue, const struct natmux_offload *offload)
{
	if (offload->kind != NATMUX_OFFLOAD_NONE)
		return offload_of(queue, offload->kind)->is_written;
	return !offload->needs_checksum || queue->vnet_len > 0;
}

/* False: the packet is to be cut. */
static bool write_packet(struct nm_inner_tun_queue *queue, const struct natmux_gathered *packet)
{
	struct iovec iov[1 + NATMUX_GATHER_PARTS];
	size_t bytes = 0;
	int n = 1, error;

	if (!is_taken(queue, &packet->offload))
		return false;
	for (uint32_t i = 0; i < packet->parts_len; i++) {
		const struct natmux_gather_part *part = &packet->parts[i];

		iov[n++] = (struct iovec){(void *)part->data, part->len};
		bytes += part->len;
	}
	if (nm_inner_tun_put(queue, &packet->offload, iov, n) >= 0) {
		count(&queue->status.written, &packet->offload, bytes);
		return true;
	}
	error = errno;
	if (is_refused(queue, packet->offload.kind, error))
		return false;
	queue->status.written.drops++;
	note_error(queue, "write", error);
	return true;
}

size_t nm_inner_tun_write(
	struct nm_inner_tun_queue *queue, const struct natmux_gathered *packets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (write_packet(queue, &packets[i]))
			continue;
		queue->status.uncut++;
		return i;
	}
	return n;
}

int nm_inner_tun_fd(const struct nm_inner_tun_queue *queue)
{
	return queue->fd;
}

const struct nm_inner_tun_status *nm_inner_tun_status(const struct nm_inner_tun_queue *queue)
{
	return &queue->status;
}
