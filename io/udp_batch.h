/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the udp_*.c files: a socket's fields and the memory of one batch of messages. */
#ifndef NM_UDP_BATCH_H
#define NM_UDP_BATCH_H

#include <netinet/in.h>
#include <netinet/udp.h>
#include "io/udp_socket.h"

/* glibc before 2.32 does not name them. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	NM_UDP_MESSAGES = 64, /* of one system call */
	NM_UDP_IOVS = 256,
	NM_UDP_MESSAGE_IOVS = 64,

	/* UDP_MAX_SEGMENTS of every kernel since 4.18; newer ones take 128. */
	NM_UDP_SEGMENTS = 64,
	NM_UDP_PAYLOAD_MAX = 65507, /* 65535 - 20 IPv4 - 8 UDP; IPv6 would allow 20 more */

	NM_UDP_BUFFER = 65536, /* GRO's largest train (GRO_LEGACY_MAX_SIZE) */
	/*
	 * Buffers that lie 64 KiB apart begin in the same cache set: with an odd multiple of a
	 * full-sized datagram's cache lines between them, 42 begin in different ones.
	 */
	NM_UDP_STRIDE = NM_UDP_BUFFER + 1536,
};

/* Room for the control messages of one datagram: pktinfo, TOS, drop count, GRO or GSO size. */
struct nm_udp_control {
	_Alignas(struct cmsghdr)
		uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)) +
			      CMSG_SPACE(sizeof(uint32_t))];
};

struct nm_udp_rx {
	struct mmsghdr msgs[NM_UDP_MESSAGES];
	struct iovec iovs[NM_UDP_MESSAGES];
	struct sockaddr_in6 names[NM_UDP_MESSAGES];
	struct nm_udp_control controls[NM_UDP_MESSAGES];
	uint8_t *buffers; /* NM_UDP_MESSAGES of NM_UDP_STRIDE bytes */
};

/* What sendmmsg does not need to know about a message. */
struct nm_udp_parcel {
	const struct natmux_train *train; /* whose path and TOS it has */
	uint32_t unit;                    /* bytes of each datagram but the last */
	uint32_t bytes, datagrams;
	size_t plain_control; /* bytes of control messages without UDP_SEGMENT */
};

struct nm_udp_tx {
	struct mmsghdr msgs[NM_UDP_MESSAGES];
	struct iovec iovs[NM_UDP_IOVS];
	struct sockaddr_in6 names[NM_UDP_MESSAGES];
	struct nm_udp_control controls[NM_UDP_MESSAGES];
	struct nm_udp_parcel parcels[NM_UDP_MESSAGES];
	unsigned int n, iovs_n;

	/* For a refused train: its datagrams as messages of their own. */
	struct mmsghdr singles[NM_UDP_SEGMENTS];
	struct iovec single_iovs[NM_UDP_SEGMENTS];
};

struct nm_udp_batch {
	const struct nm_sys *sys;
	struct nm_udp_rx rx;
	struct nm_udp_tx tx;
};

struct nm_udp {
	const struct nm_sys *sys;
	struct natmux_log log;
	struct nm_udp_batch *batch;
	struct natmux_addr local;
	int fd;
	int mtu_fd;  /* what the kernel knows of paths is asked by it: udp_df.c; -1: nobody asks */
	bool has_df; /* DF is set on what is sent */
	bool has_asked; /* in this call of nm_udp_send() */
	void (*too_big)(void *user, const struct natmux_path *path, uint32_t mtu);
	void *too_big_user;
	bool is_wildcard;
	bool has_device; /* it was bound to one when it was opened */
	bool has_more;
	unsigned int offer;                /* buffers for the next receive call */
	struct natmux_train blank;         /* what all received trains have in common */
	char gro_proof[80], gso_proof[80]; /* what failed at start; "": nothing did */
	bool has_meminfo;                  /* drops can be asked for; else SO_RXQ_OVFL tells them */
	uint32_t drops_seen;               /* the kernel's own count, which is of 32 bits */
	unsigned int gso_refusals;         /* in a row */
	uint64_t told[4];                  /* bit per errno: the log has it */
	struct nm_udp_status status;
};

/* Makes a used slot ready for the next one: undoes what the kernel has written into it. */
static inline void nm_udp_slot_again(struct nm_udp_rx *rx, unsigned int slot)
{
	struct msghdr *msg = &rx->msgs[slot].msg_hdr;

	msg->msg_namelen = sizeof(rx->names[slot]);
	msg->msg_controllen = sizeof(rx->controls[slot]);
	msg->msg_flags = 0;
}

/* udp_open.c: whether the kernel took an option. */
bool nm_udp_set_int(struct nm_udp *udp, int level, int name, int value);
/* Logs that it did not, with errno, and that we go on. */
void nm_udp_tell_refused(struct nm_udp *udp, enum natmux_log_level level, const char *call);

/* udp_drops.c: finds out how the kernel tells of datagrams that found the socket's queue full. */
void nm_udp_begin_drops(struct nm_udp *udp);
/* Takes in the kernel's count of them. */
void nm_udp_count_overflow(struct nm_udp *udp, uint32_t drops);

/* Logs a failed call the first time it fails with this errno, so that no flood reaches the log. */
void nm_udp_tell(struct nm_udp *udp, const char *call, int error);

/*
 * udp_df.c: DF of what is sent from now on. UDP knows it by socket, not by datagram, so that a change
 * is a system call.
 */
void nm_udp_set_df(struct nm_udp *udp, bool has_df);
/* Opens the socket that asks; without it nobody hears of paths. */
void nm_udp_open_mtu(struct nm_udp *udp, const struct nm_udp_config *config);
/* A datagram with DF did not fit the path: tells what would. */
void nm_udp_tell_too_big(struct nm_udp *udp, const struct natmux_path *path);

/* udp_proof.c: tries UDP_SEGMENT and UDP_GRO on a bound socket, those that are on. */
void nm_udp_prove(struct nm_udp *udp);

/* udp_offload.c: a train came that is none, UDP_GRO goes off for good. */
void nm_udp_stop_gro(struct nm_udp *udp);

#endif
