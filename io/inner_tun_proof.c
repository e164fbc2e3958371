/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves super-packets on the device itself, before it has an address: a packet socket sees what is
 * written as the kernel's network stack sees it, and what it sends is read as any sender's.
 */
#include "io/inner_tun_device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include "base/bytes.h"
#include "base/log.h"

enum {
	SEGMENT = 40,
	PAYLOAD = 2 * SEGMENT + 7, /* three segments, the last one shorter */
	READ_TRIES = 20, /* with 50 ms between them: one second for a worker of the kernel */
	OTHERS_MAX = 64, /* packets of other people that are looked at for ours */
	PROTO_TCP = 6,
	PROTO_UDP = 17,
};

_Static_assert(sizeof(struct natmux_offload) == 10, "is_sample() compares bytes");

struct proof {
	struct nm_inner_tun_queue *queue;
	int fd; /* packet socket, bound to the device */
	int index;
};

/* The header's checksum is wrong: the packet is discarded in silence (RFC 1122 3.2.1.2). */
static uint32_t put_ip4(uint8_t *ip, uint8_t protocol, uint32_t len)
{
	static const uint8_t header[20] = {
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 0, 0xde, 0xad, 192, 0, 2, 1, 192, 0, 2, 1};

	memcpy(ip, header, sizeof(header));
	nm_put16(ip + 2, (uint16_t)(sizeof(header) + len));
	ip[9] = protocol;
	return sizeof(header);
}

/* From and to ::1, which is discarded when it comes from outside (RFC 4291 2.5.3). */
static uint32_t put_ip6(uint8_t *ip, uint8_t protocol, uint32_t len)
{
	memset(ip, 0, 40);
	ip[0] = 0x60;
	nm_put16(ip + 4, (uint16_t)len);
	ip[6] = protocol;
	ip[7] = 64;
	ip[23] = 1;
	ip[39] = 1;
	return 40;
}

static uint32_t put_tcp(uint8_t *tcp)
{
	static const uint8_t header[20] = {0, 9, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0};

	memcpy(tcp, header, sizeof(header));
	return sizeof(header);
}

static uint32_t put_udp(uint8_t *udp)
{
	static const uint8_t header[8] = {0, 9, 0, 9, 0, 8 + PAYLOAD};

	memcpy(udp, header, sizeof(header));
	return sizeof(header);
}

void nm_inner_tun_sample_init(struct nm_inner_tun_sample *sample, enum natmux_offload_kind kind,
	enum natmux_family family)
{
	bool is_udp = kind == NATMUX_OFFLOAD_UDP, is_v6 = family == NATMUX_FAMILY_IPV6;
	uint8_t protocol = is_udp ? PROTO_UDP : PROTO_TCP;
	uint32_t transport_len = is_udp ? 8 : 20, start;

	memset(sample, 0, sizeof(*sample));
	start = (is_v6 ? put_ip6 : put_ip4)(sample->data, protocol, transport_len + PAYLOAD);
	(is_udp ? put_udp : put_tcp)(sample->data + start);
	sample->len = start + transport_len + PAYLOAD;
	for (uint32_t i = start + transport_len; i < sample->len; i++)
		sample->data[i] = (uint8_t)(i * 7);
	sample->protocol = is_v6 ? ETH_P_IPV6 : ETH_P_IP;
	sample->offload = (struct natmux_offload){
		.kind = (uint8_t)kind,
		.needs_checksum = 1,
		.header_len = (uint16_t)(start + transport_len),
		.segment = SEGMENT,
		.checksum_start = (uint16_t)start,
		.checksum_offset = is_udp ? 6 : 16,
	};
}

static bool is_sample(const struct nm_inner_tun_sample *sample, const uint8_t *data, size_t len,
	const struct natmux_offload *offload)
{
	return len == sample->len && memcmp(data, sample->data, len) == 0 &&
	       memcmp(offload, &sample->offload, sizeof(*offload)) == 0;
}

/* Writes the sample and looks at what the kernel makes of it. 0, or the errno. */
static int try_write(const struct proof *proof, struct nm_inner_tun_sample *sample)
{
	uint8_t seen[NM_VNET_LEN + sizeof(sample->data)] = {0};
	struct iovec out[2] = {{0}, {sample->data, sample->len}}, in = {seen, sizeof(seen)};
	struct msghdr msg = {.msg_iov = &in, .msg_iovlen = 1};
	struct natmux_offload offload;

	if (nm_inner_tun_put(proof->queue, &sample->offload, out, 2) < 0)
		return errno;
	for (int i = 0; i < OTHERS_MAX; i++) {
		ssize_t n = proof->queue->sys->recvmsg(proof->fd, &msg, 0);
		size_t len = n > NM_VNET_LEN ? (size_t)n - NM_VNET_LEN : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? ENOMSG : errno;
		/* A packet socket's header is in the host's order, always. */
		if (nm_vnet_decode(seen, false, seen + NM_VNET_LEN, (uint32_t)len, &offload) &&
			is_sample(sample, seen + NM_VNET_LEN, len, &offload))
			return 0;
	}
	return ENOMSG;
}

static int send_sample(const struct proof *proof, struct nm_inner_tun_sample *sample)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
		.sll_protocol = htons(sample->protocol),
		.sll_ifindex = proof->index};
	uint8_t vnet[NM_VNET_LEN];
	struct iovec iov[2] = {{vnet, sizeof(vnet)}, {sample->data, sample->len}};
	struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = iov, .msg_iovlen = 2};

	nm_vnet_encode(&sample->offload, false, vnet);
	return proof->queue->sys->sendmsg(proof->fd, &msg, 0) < 0 ? errno : 0;
}

static bool comes_out(const struct proof *proof, const struct nm_inner_tun_sample *sample)
{
	struct natmux_inner packet;

	for (int i = 0; i < OTHERS_MAX; i++) {
		if (nm_inner_tun_read(proof->queue, &packet, 1) > 0) {
			if (is_sample(sample, packet.data, packet.len, &packet.offload))
				return true;
		} else if (!nm_inner_tun_has_more(proof->queue)) {
			return false;
		}
	}
	return false;
}

/*
 * Has the kernel send the sample and reads it. A persistent device that was up already sends
 * nothing until a worker of the kernel has noticed us. 0, or the errno.
 */
static int try_read(const struct proof *proof, struct nm_inner_tun_sample *sample)
{
	uint8_t byte;
	struct iovec iov = {&byte, sizeof(byte)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	for (int i = 0; i < READ_TRIES; i++) {
		int error;

		if (i > 0)
			(void)proof->queue->sys->recvmsg(proof->fd, &msg, 0); /* waits */
		error = send_sample(proof, sample);
		if (error != 0)
			return error;
		if (comes_out(proof, sample))
			return 0;
	}
	return ENOMSG;
}

static void judge(const struct proof *proof, enum natmux_offload_kind kind,
	enum natmux_family family, struct nm_inner_tun_offload *offload)
{
	struct nm_inner_tun_sample sample;
	int error;

	nm_inner_tun_sample_init(&sample, kind, family);
	error = offload->is_written ? try_write(proof, &sample) : 0;
	if (error != 0) {
		offload->is_written = false;
		nm_inner_tun_say_why(offload, "proof, write", error);
	}
	error = offload->is_read ? try_read(proof, &sample) : 0;
	if (error != 0) {
		offload->is_read = false;
		nm_inner_tun_say_why(offload, "proof, read", error);
	}
}

static void refuse(struct nm_inner_tun_offload *offload, const char *call, int error)
{
	if (!offload->is_read && !offload->is_written)
		return;
	offload->is_read = offload->is_written = false;
	nm_inner_tun_say_why(offload, call, error);
}

/* Bound to the device, every packet with its header. The failing call, or NULL. */
static const char *set_up(const struct proof *proof)
{
	const struct sockaddr_ll local = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = proof->index};
	/* What is written is there at once, unless the kernel hands it to another CPU first. */
	const struct timeval patience = {.tv_usec = 50 * 1000};
	const struct nm_sys *sys = proof->queue->sys;
	const int on = 1;

	if (sys->setsockopt(proof->fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0)
		return "proof, setsockopt(PACKET_VNET_HDR)";
	if (sys->setsockopt(proof->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return "proof, setsockopt(SO_RCVTIMEO)";
	if (sys->bind(proof->fd, (const struct sockaddr *)&local, sizeof(local)) < 0)
		return "proof, bind";
	return NULL;
}

void nm_inner_tun_prove(struct nm_inner_tun_queue *queue, int index)
{
	struct nm_inner_tun_status *status = &queue->status;
	struct proof proof = {.queue = queue, .index = index};
	const char *failed = "proof, socket(AF_PACKET)";

	proof.fd = queue->sys->socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (proof.fd >= 0)
		failed = set_up(&proof);
	if (failed) {
		int error = errno;

		refuse(&status->tso, failed, error);
		refuse(&status->uso, failed, error);
	} else {
		judge(&proof, NATMUX_OFFLOAD_TCP4, NATMUX_FAMILY_IPV4, &status->tso);
		judge(&proof, NATMUX_OFFLOAD_TCP6, NATMUX_FAMILY_IPV6, &status->tso);
		judge(&proof, NATMUX_OFFLOAD_UDP, NATMUX_FAMILY_IPV4, &status->uso);
		judge(&proof, NATMUX_OFFLOAD_UDP, NATMUX_FAMILY_IPV6, &status->uso);
	}
	if (proof.fd >= 0)
		queue->sys->close(proof.fd);
}
