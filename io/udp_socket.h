/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A UDP socket that receives and sends packet trains: recvmmsg with UDP_GRO, sendmmsg with
 * UDP_SEGMENT, every datagram with its local address. Nothing is allocated after nm_udp_open.
 */
#ifndef NM_UDP_SOCKET_H
#define NM_UDP_SOCKET_H

#include <stdbool.h>
#include <natmux/log.h>
#include <natmux/train.h>
#include "io/sys.h"

struct nm_udp;

/*
 * Memory that calls of nm_udp_recv and nm_udp_send work in, shared by all sockets of one thread.
 * About 4 MiB of addresses; resident are only the pages that datagrams have touched.
 */
struct nm_udp_batch;

int nm_udp_batch_new(const struct nm_sys *sys, struct nm_udp_batch **batch); /* NATMUX_ENOMEM */
void nm_udp_batch_free(struct nm_udp_batch *batch);                          /* NULL is fine */

struct nm_udp_config {
	const struct nm_sys *sys;
	struct natmux_log log;
	const char *device;      /* interface to bind to; NULL or "": any */
	uint32_t receive_buffer; /* bytes of socket buffer asked for; 0: the system's default */
	uint32_t send_buffer;
	bool use_gro, use_gso;
	/*
	 * Let no IPsec policy touch the socket's datagrams. The kernel then takes its long way for
	 * each of them: 6-8 % of the receive rate over loopback.
	 */
	bool use_bypass;
	bool reuse_address, reuse_port;
	/*
	 * UDP_ENCAP_ESPINUDP: the kernel keeps ESP for its own states (RFC 3948 3.1), and drops what
	 * belongs to none. IPv6 since Linux 5.8.
	 */
	bool encap;
	/*
	 * The kernel opens ESP where it would put other datagrams together (GRO), and makes no trains
	 * of what comes to this socket, whatever the device does. With and without `encap`: of a
	 * reuseport group all sockets need it, for there GRO asks no program. Where the kernel does
	 * not have it nothing changes. Not together with `use_gro`.
	 */
	bool use_esp_gro;
	/*
	 * NULL: nobody wants to know. A datagram with DF was longer than the path to `path->remote`
	 * takes, as far as the kernel knows: `mtu` octets, headers included. IPv4; called from
	 * nm_udp_send(), at most once.
	 */
	void (*too_big)(void *user, const struct natmux_path *path, uint32_t mtu);
	void *too_big_user;
	/*
	 * User that the socket shall belong to, for sockets share a port with those of their own
	 * user only (SO_REUSEPORT). NULL: who we are. Another needs CAP_CHOWN.
	 */
	const uint32_t *owner;
	/*
	 * An IPv6 socket without IPV6_V6ONLY, beside one like it. For a port where IPv4 has sockets of
	 * its own: what came here would be shown with addresses ::ffff:a.b.c.d.
	 */
	bool takes_ipv4;
};

/* What became of the wishes, and counters. Live, but for kernel_drops. */
struct nm_udp_status {
	bool has_gro, has_gso;
	bool has_esp_gro;                     /* the kernel took it; older ones do nothing then */
	bool has_bypass;                      /* IPsec policies leave this socket alone */
	char gro_why[80], gso_why[80];        /* why it is off; "" while it is on */
	uint32_t receive_buffer, send_buffer; /* bytes, as granted */
	uint64_t recv_calls, send_calls;      /* recvmmsg and sendmmsg */
	uint64_t recv_errors;                 /* receive calls that failed */
	uint64_t kernel_drops; /* the socket's queue was full (as SO_RXQ_OVFL counts) */
	uint64_t truncated;    /* datagrams longer than the receive buffer */
	uint64_t send_drops;   /* datagrams that the kernel did not take */
	uint64_t gso_refused;  /* trains that had to be sent one by one */
};

/*
 * Opens a socket bound to `local` (an address or a wildcard; port 0: the kernel chooses). Failures
 * are logged as one line with call, address and what can be done.
 * NATMUX_EINVAL (no family, long device name), NATMUX_EUNSUPPORTED (the kernel lacks the family),
 * NATMUX_EEXISTS (port in use), NATMUX_ENOMEM, NATMUX_ESYSTEM. `batch` is borrowed for life.
 */
int nm_udp_open(const struct nm_udp_config *config, const struct natmux_addr *local,
	struct nm_udp_batch *batch, struct nm_udp **udp);
void nm_udp_close(struct nm_udp *udp); /* NULL is fine */

/* Gives the descriptor away, and frees the rest. */
int nm_udp_release(struct nm_udp *udp);

/*
 * The same for a socket that is open and bound, and not blocking; `device`, `use_bypass` and the
 * last four of the configuration are not looked at. The socket is taken over when this returns 0.
 */
int nm_udp_adopt(const struct nm_udp_config *config, int fd, struct nm_udp_batch *batch,
	struct nm_udp **udp);

/* Switches GRO and GSO on or off; what the kernel refuses stays off, and the status says why. */
void nm_udp_set_offloads(struct nm_udp *udp, bool use_gro, bool use_gso);

int nm_udp_fd(const struct nm_udp *udp);
const struct natmux_addr *nm_udp_local(const struct nm_udp *udp); /* as bound */
const struct nm_udp_status *nm_udp_status(const struct nm_udp *udp);

/* How well the socket suits a path: 0 not at all, 1 any of the family, 2 wildcard, 3 its own. */
int nm_udp_suits(const struct nm_udp *udp, const struct natmux_path *path);

/* Brings kernel_drops up to date. */
void nm_udp_ask_drops(struct nm_udp *udp);

/*
 * One recvmmsg: writes up to `max` trains and returns how many. Their bytes are borrowed from the
 * batch until the next nm_udp_recv on any of its sockets. `local` of a datagram that came to a
 * multicast or broadcast address is what a reply should leave from, or the bare family.
 */
size_t nm_udp_recv(struct nm_udp *udp, struct natmux_train *trains, size_t max);

/* Whether the last nm_udp_recv may have left datagrams in the socket's queue. */
bool nm_udp_has_more(const struct nm_udp *udp);

/*
 * Sends trains of this socket's family; the order is kept. Never waits: what the kernel does not
 * take is dropped. Returns the number of dropped datagrams, which are counted in send_drops too.
 */
uint64_t nm_udp_send(struct nm_udp *udp, const struct natmux_train *trains, size_t n);

#endif
