/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the inner_tun*.c files: the fields of the device and its queues. */
#ifndef NM_INNER_TUN_DEVICE_H
#define NM_INNER_TUN_DEVICE_H

#include "io/inner_tun.h"
#include "io/inner_tun_vnet.h"

enum {
	NM_INNER_TUN_VNET_MAX = 64, /* of a header size that the kernel insists on */
	/* An IPv6 packet of the greatest length (RFC 8200 3); one octet more shows that it was cut. */
	NM_INNER_TUN_PACKET_MAX = 40 + 65535,
	NM_INNER_TUN_SPAN = 128 * 1024, /* a read begins no packet behind it */
	NM_INNER_TUN_BUFFER = NM_INNER_TUN_SPAN + NATMUX_INNER_ROOM + NM_INNER_TUN_PACKET_MAX + 1 +
			      NATMUX_INNER_ROOM,
};

/* Lies in front of its own buffer, in pages of its own: no two threads share a cache line. */
struct nm_inner_tun_queue {
	const struct nm_sys *sys;
	const struct nm_tun_link *link;
	int fd;
	uint8_t vnet_len; /* 0: no virtio_net_hdr goes before each packet */
	bool is_le;       /* its fields are little-endian, else in the host's order */
	bool has_more;
	bool is_open; /* the proof is over: what comes now is somebody's packet */
	struct nm_tun_told told;
	struct nm_inner_tun_status status;
	_Alignas(64) uint8_t buffer[NM_INNER_TUN_BUFFER];
};

struct nm_inner_tun {
	struct nm_tun_link link;
	char queues_why[NM_INNER_TUN_WHY];
	uint32_t queues_n;
	struct nm_inner_tun_queue *queues[];
};

/* A small super-packet whose IP header no kernel accepts: seen it is, but it goes no further. */
struct nm_inner_tun_sample {
	struct natmux_offload offload;
	uint16_t protocol; /* ETH_P_IP or ETH_P_IPV6 */
	uint32_t len;
	uint8_t data[160];
};

void nm_inner_tun_sample_init(struct nm_inner_tun_sample *sample, enum natmux_offload_kind kind,
	enum natmux_family family);

/* One packet with its header; -1 and errno as writev. */
ssize_t nm_inner_tun_put(struct nm_inner_tun_queue *queue, const struct natmux_offload *offload,
	struct iovec *iov, int n);

/*
 * Tries every kind of super-packet that the queue's status has on, both ways, on interface `index`,
 * which is up; what does not come out as it went in is off then.
 */
void nm_inner_tun_prove(struct nm_inner_tun_queue *queue, int index);

/* Tells the kernel which super-packets it may hand out: what the status has on. 0, or -1 and errno. */
int nm_inner_tun_set_offloads(struct nm_inner_tun_queue *queue);

/* Says why an offload is off; the first reason stays. */
void nm_inner_tun_say_why(struct nm_inner_tun_offload *offload, const char *call, int error);

#endif
