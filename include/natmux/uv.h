/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_UV_H
#define NATMUX_UV_H

#include <stdbool.h>
#include <uv.h>
#include <natmux/addr.h>
#include <natmux/log.h>
#include <natmux/train.h>

#ifdef __cplusplus
extern "C" {
#endif

struct natmux_mux;

/*
 * Ties a mux to UDP sockets on a libuv loop (libnatmux-uv): receives with recvmmsg and UDP_GRO,
 * sends with sendmmsg and UDP_SEGMENT, keeps the mux's deadline. All calls belong to the loop's
 * thread. The mux's clock is uv_now() of the loop: whoever calls into the mux passes that.
 */
struct natmux_uv;

enum { NATMUX_UV_LOCALS_MAX = 16, NATMUX_UV_FDS_MAX = 32 };

/* Start from natmux_uv_config_init(), which sets `size` and the defaults given here. */
struct natmux_uv_config {
	size_t size;                      /* sizeof(struct natmux_uv_config) */
	const struct natmux_addr *locals; /* one socket each; read during natmux_uv_new only */
	size_t locals_n;                  /* 1 to NATMUX_UV_LOCALS_MAX */
	const char *device;      /* NULL: interface that the sockets are bound to; read as locals */
	uint32_t receive_buffer; /* 4194304: bytes of socket buffer asked for; 0: system default */
	uint32_t send_buffer;    /* 4194304 */
	uint32_t budget;         /* 32: receive calls per wake-up of a socket; 1 to 65536 */
	bool use_gro, use_gso;   /* true: off by themselves where the kernel refuses them */
	/*
	 * true: IPsec policies of this host do not touch the port's own datagrams (needs
	 * CAP_NET_ADMIN, else goes on without). Costs 6-8 % of the receive rate over loopback.
	 */
	bool use_bypass;
	bool reuse_address, reuse_port; /* false: SO_REUSEADDR, SO_REUSEPORT */
	struct natmux_log log;          /* silent */
	/*
	 * NULL: `locals` are opened. Else the sockets themselves, UDP, bound and not blocking; two may
	 * have one address (SO_REUSEPORT), and then the first of them sends. Buffers, device, bypass
	 * and reuse are as they are, `locals` is not looked at. natmux_uv_new takes the sockets over
	 * and, whenever it fails but with NATMUX_EINVAL, closes them.
	 */
	const int *fds;
	size_t fds_n; /* 1 to NATMUX_UV_FDS_MAX, of 1 to NATMUX_UV_LOCALS_MAX addresses */
	/*
	 * NULL. A datagram of a train with `dont_fragment` was not sent: the path to `path->remote`
	 * takes `mtu` octets, IP header included, as far as the kernel knows. What
	 * natmux_esp_set_path_mtu() wants to hear. From within natmux_uv_send().
	 */
	void (*too_big)(void *user, const struct natmux_path *path, uint32_t mtu);
	void *too_big_user;
};

/* Fills in `size` and the defaults; `locals` is left for the caller. */
void natmux_uv_config_init(struct natmux_uv_config *config);

/*
 * Opens the sockets and starts receiving into `mux`, which must outlive the driver; the mux is told
 * the local addresses as bound (natmux_mux_set_locals). A wildcard address of a family that the
 * kernel lacks is left out when another address remains. Failures are logged, one line each.
 * NATMUX_EINVAL, NATMUX_EUNSUPPORTED (address family), NATMUX_EEXISTS (port in use),
 * NATMUX_ENOMEM, NATMUX_ESYSTEM. After a failure memory may be left that the loop frees when it
 * runs next.
 */
int natmux_uv_new(uv_loop_t *loop, struct natmux_mux *mux, const struct natmux_uv_config *config,
	struct natmux_uv **uv);

/*
 * Closes the sockets at once, so that the port is free when this returns, and frees the driver when
 * the loop runs next; then `done` (or NULL) is called with `user`. May be called from anywhere on
 * the loop's thread, a sink included; the driver must not be used again. NULL is fine: `done` is
 * called at once.
 */
void natmux_uv_free(struct natmux_uv *uv, void (*done)(void *user), void *user);

/*
 * Of the functions below all do nothing with a NULL driver.
 *
 * Sends trains, each from the socket that has its local address (of the remote's family when the
 * local address is bare). Drops are counted in the mux: PATH_LOCAL without such a socket, UDP_SEND
 * when the kernel does not take a datagram. natmux_mux_sent is the caller's to call, before.
 */
void natmux_uv_send(struct natmux_uv *uv, const struct natmux_train *trains, size_t n);

/*
 * Sends what the mux itself wants sent and looks at its next deadline anew. To be called after any
 * call into the mux that is not the driver's own (adding servers or peers, natmux_mux_sent);
 * allowed inside a sink.
 */
void natmux_uv_flush_output(struct natmux_uv *uv);

/* Switches GRO and GSO of all sockets; the status tells what became of it. */
void natmux_uv_set_offloads(struct natmux_uv *uv, bool use_gro, bool use_gso);

/* One socket, for status. New fields come at the end. */
struct natmux_uv_socket {
	struct natmux_addr local; /* as bound */
	bool has_gro, has_gso, has_bypass;
	const char *gro_why, *gso_why;        /* why it is off, or NULL */
	uint32_t receive_buffer, send_buffer; /* bytes, as granted */
	uint64_t recv_calls, send_calls;      /* recvmmsg, sendmmsg */
	uint64_t recv_errors;                 /* receive calls that failed */
	uint64_t kernel_drops; /* the socket's queue was full (as SO_RXQ_OVFL counts) */
	uint64_t truncated;    /* datagrams longer than the receive buffer */
	uint64_t send_drops;   /* datagrams that the kernel did not take */
	uint64_t gso_refused;  /* trains that had to be sent one by one */
};

/* Calls `each` for every socket; what it gets is borrowed for the call. */
void natmux_uv_sockets(const struct natmux_uv *uv,
	void (*each)(void *user, const struct natmux_uv_socket *socket), void *user);

#ifdef __cplusplus
}
#endif
#endif
