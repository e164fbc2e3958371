/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a UDP socket with everything the shared port needs, and says exactly what went wrong. */
#include "io/udp_batch.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include "base/log.h"

/* What a person can do about it; "" when the error's own text says all there is. */
static const char *advice(const char *call, int error)
{
	switch (error) {
	case EADDRINUSE:
		return " (another program has the port, often an IKE daemon: see `natmuxctl "
		       "doctor`)";
	case EADDRNOTAVAIL: return " (no interface has this address: see `ip address`)";
	case EACCES: return " (ports below 1024 need CAP_NET_BIND_SERVICE)";
	case EPERM:
		return strcmp(call, "fchown") == 0 ? " (needs CAP_CHOWN)" : " (needs CAP_NET_RAW)";
	case ENODEV: return " (no such interface: see `ip link`)";
	case EAFNOSUPPORT: return " (this kernel does not have the address family)";
	case EMFILE:
	case ENFILE: return " (raise the limit of open files: LimitNOFILE= or `ulimit -n`)";
	default: return "";
	}
}

static int system_error(int error)
{
	switch (error) {
	case EAFNOSUPPORT: return NATMUX_EUNSUPPORTED;
	case EADDRINUSE: return NATMUX_EEXISTS;
	case ENOMEM:
	case ENOBUFS: return NATMUX_ENOMEM;
	default: return NATMUX_ESYSTEM;
	}
}

/* Logs that opening failed in `call`, with errno; returns the error for the caller. */
static int open_failed(struct nm_udp *udp, const char *call)
{
	char text[NATMUX_ADDR_TEXT];
	int error = errno;

	nm_log(&udp->log, NATMUX_LOG_ERROR, "UDP %s: %s: %s%s",
		natmux_addr_format(&udp->local, text), call, strerror(error), advice(call, error));
	return system_error(error);
}

void nm_udp_tell_refused(struct nm_udp *udp, enum natmux_log_level level, const char *call)
{
	char text[NATMUX_ADDR_TEXT];
	int error = errno;

	nm_log(&udp->log, level, "UDP %s: %s: %s; going on without",
		natmux_addr_format(&udp->local, text), call, strerror(error));
}

bool nm_udp_set_int(struct nm_udp *udp, int level, int name, int value)
{
	return udp->sys->setsockopt(udp->fd, level, name, &value, sizeof(value)) == 0;
}

struct option {
	int level, name, value;
	const char *call;
	bool is_needed;
	bool is_for_wildcard; /* a socket bound to one address knows where datagrams came to */
};

/*
 * DF is clear and large datagrams are fragmented (IP_PMTUDISC_DONT). RFC 7296 2 wants IKE
 * messages of 3000 bytes to work, and a NAT on the path often swallows the ICMP messages that path
 * MTU discovery lives on. Trains that want DF say so: nm_udp_set_df().
 */
static const struct option options4[] = {
	{IPPROTO_IP, IP_PKTINFO, 1, "setsockopt(IP_PKTINFO)", true, true},
	{IPPROTO_IP, IP_RECVTOS, 1, "setsockopt(IP_RECVTOS)", false, false},
	{IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, "setsockopt(IP_MTU_DISCOVER)", false,
		false},
};

static const struct option options6[] = {
	{IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "setsockopt(IPV6_RECVPKTINFO)", true, true},
	{IPPROTO_IPV6, IPV6_RECVTCLASS, 1, "setsockopt(IPV6_RECVTCLASS)", false, false},
	{IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT, "setsockopt(IPV6_MTU_DISCOVER)",
		false, false},
};

static int set_options(struct nm_udp *udp)
{
	bool is_v6 = udp->local.family == NATMUX_FAMILY_IPV6;
	const struct option *options = is_v6 ? options6 : options4;
	size_t n =
		is_v6 ? sizeof(options6) / sizeof(*options6) : sizeof(options4) / sizeof(*options4);

	for (const struct option *o = options; o < options + n; o++) {
		if (o->is_for_wildcard && !udp->is_wildcard)
			continue;
		if (nm_udp_set_int(udp, o->level, o->name, o->value))
			continue;
		if (o->is_needed)
			return open_failed(udp, o->call);
		nm_udp_tell_refused(udp, NATMUX_LOG_WARNING, o->call);
	}
	return 0;
}

/* Who else may bind the port, and where the socket is bound. */
static int set_sharing(struct nm_udp *udp, const struct nm_udp_config *config)
{
	/* Sockets in one group agree in this (udp_reuseport_add_sock() in the kernel). */
	if (udp->local.family == NATMUX_FAMILY_IPV6 &&
		!nm_udp_set_int(udp, IPPROTO_IPV6, IPV6_V6ONLY, !config->takes_ipv4))
		return open_failed(udp, "setsockopt(IPV6_V6ONLY)");
	if (config->device && *config->device &&
		udp->sys->setsockopt(udp->fd, SOL_SOCKET, SO_BINDTODEVICE, config->device,
			(socklen_t)strlen(config->device) + 1) < 0)
		return open_failed(udp, "setsockopt(SO_BINDTODEVICE)");
	udp->has_device = config->device && *config->device;
	if (config->reuse_address && !nm_udp_set_int(udp, SOL_SOCKET, SO_REUSEADDR, 1))
		return open_failed(udp, "setsockopt(SO_REUSEADDR)");
	if (config->reuse_port && !nm_udp_set_int(udp, SOL_SOCKET, SO_REUSEPORT, 1))
		return open_failed(udp, "setsockopt(SO_REUSEPORT)");
	if (config->owner && udp->sys->fchown(udp->fd, *config->owner, (gid_t)-1) < 0)
		return open_failed(udp, "fchown");
	return 0;
}

/*
 * The kernel gives a socket that has both options a way of its own through GRO, and does not take it
 * back when they go. What opens ESP there makes no trains; with UDP_GRO gone the socket takes none
 * that come from elsewhere; and a socket without UDP_ENCAP keeps what ESP leaves over.
 */
static int pass_esp_gro(struct nm_udp *udp)
{
	if (!nm_udp_set_int(udp, IPPROTO_UDP, UDP_GRO, 1)) {
		nm_udp_tell_refused(udp, NATMUX_LOG_WARNING, "setsockopt(UDP_GRO)");
		return 0;
	}
	if (!nm_udp_set_int(udp, IPPROTO_UDP, UDP_GRO, 0))
		return open_failed(udp, "setsockopt(UDP_GRO)");
	udp->status.has_esp_gro = true;
	return 0;
}

static int set_encap(struct nm_udp *udp, const struct nm_udp_config *config)
{
	int error = 0;

	if (!config->encap && !config->use_esp_gro)
		return 0;
	if (!nm_udp_set_int(udp, IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP))
		return open_failed(udp, "setsockopt(UDP_ENCAP)");
	if (config->use_esp_gro)
		error = pass_esp_gro(udp);
	if (error == 0 && !config->encap && !nm_udp_set_int(udp, IPPROTO_UDP, UDP_ENCAP, 0))
		return open_failed(udp, "setsockopt(UDP_ENCAP)");
	return error;
}

/*
 * Without it an IPsec policy that covers the wire addresses would swallow the IKE and STUN
 * messages of this very socket.
 */
static void set_bypass(struct nm_udp *udp)
{
	bool is_v6 = udp->local.family == NATMUX_FAMILY_IPV6;
	struct xfrm_userpolicy_info policy = {
		.action = XFRM_POLICY_ALLOW,
		.sel.family = is_v6 ? AF_INET6 : AF_INET,
	};
	static const uint8_t directions[] = {XFRM_POLICY_OUT, XFRM_POLICY_IN};

	for (size_t i = 0; i < sizeof(directions); i++) {
		policy.dir = directions[i];
		if (udp->sys->setsockopt(udp->fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
			    is_v6 ? IPV6_XFRM_POLICY : IP_XFRM_POLICY, &policy,
			    sizeof(policy)) == 0)
			continue;
		/* Kernels without XFRM need none; without CAP_NET_ADMIN it cannot be had. */
		nm_udp_tell_refused(udp, NATMUX_LOG_DEBUG,
			is_v6 ? "setsockopt(IPV6_XFRM_POLICY)" : "setsockopt(IP_XFRM_POLICY)");
		return;
	}
	udp->status.has_bypass = true;
}

struct buffer {
	int name, force_name;
	const char *text, *sysctl;
};

static const struct buffer receive_buffer = {
	SO_RCVBUF, SO_RCVBUFFORCE, "receive", "net.core.rmem_max"};
static const struct buffer send_buffer = {SO_SNDBUF, SO_SNDBUFFORCE, "send", "net.core.wmem_max"};

/* Returns the bytes granted. The kernel keeps twice the number asked for, for its own records. */
static uint32_t set_buffer(struct nm_udp *udp, const struct buffer *buffer, uint32_t asked)
{
	int value = asked > INT32_MAX / 2 ? INT32_MAX / 2 : (int)asked;
	socklen_t len = sizeof(value);
	char text[NATMUX_ADDR_TEXT];

	if (asked > 0 && !nm_udp_set_int(udp, SOL_SOCKET, buffer->force_name, value))
		(void)nm_udp_set_int(udp, SOL_SOCKET, buffer->name, value);
	if (udp->sys->getsockopt(udp->fd, SOL_SOCKET, buffer->name, &value, &len) < 0)
		return 0;
	value /= 2;
	if ((uint32_t)value < asked)
		nm_log(&udp->log, NATMUX_LOG_WARNING,
			"UDP %s: %s buffer is %d bytes, not %u: raise sysctl %s or give "
			"CAP_NET_ADMIN",
			natmux_addr_format(&udp->local, text), buffer->text, value, asked,
			buffer->sysctl);
	return (uint32_t)value;
}

/* Where the socket is bound, which the kernel may have had a say in. */
static int learn_local(struct nm_udp *udp)
{
	static const uint8_t zeros[16];
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (udp->sys->getsockname(udp->fd, (struct sockaddr *)&sa, &len) < 0)
		return open_failed(udp, "getsockname");
	if (natmux_addr_from_sockaddr((struct sockaddr *)&sa, len, &udp->local) < 0)
		return NATMUX_ESYSTEM;
	udp->is_wildcard = memcmp(udp->local.ip, zeros, sizeof(zeros)) == 0;
	udp->blank = (struct natmux_train){.flow = NATMUX_FLOW_NONE, .path.local = udp->local};
	return 0;
}

static int bind_local(struct nm_udp *udp)
{
	struct sockaddr_storage sa;
	socklen_t len = (socklen_t)natmux_addr_to_sockaddr(&udp->local, (struct sockaddr *)&sa);

	if (udp->sys->bind(udp->fd, (struct sockaddr *)&sa, len) < 0)
		return open_failed(udp, "bind");
	return learn_local(udp);
}

/* What opened and adopted sockets have in common. */
static int set_up(struct nm_udp *udp, const struct nm_udp_config *config)
{
	struct nm_udp_status *status = &udp->status;
	int error = set_options(udp);

	if (error < 0)
		return error;
	nm_udp_begin_drops(udp);
	status->receive_buffer = set_buffer(udp, &receive_buffer, config->receive_buffer);
	status->send_buffer = set_buffer(udp, &send_buffer, config->send_buffer);
	nm_udp_set_offloads(udp, config->use_gro, config->use_gso);
	return 0;
}

static int open_bound(struct nm_udp *udp, const struct nm_udp_config *config)
{
	int error = set_sharing(udp, config);

	if (error == 0)
		error = set_encap(udp, config);
	if (error == 0)
		error = set_up(udp, config);
	if (error < 0)
		return error;
	if (config->use_bypass)
		set_bypass(udp);
	error = bind_local(udp);
	if (error < 0)
		return error;
	nm_udp_prove(udp);
	if (udp->gro_proof[0] || udp->gso_proof[0])
		nm_udp_set_offloads(udp, config->use_gro, config->use_gso);
	return 0;
}

static struct nm_udp *make(const struct nm_udp_config *config, struct nm_udp_batch *batch)
{
	struct nm_udp *udp = calloc(1, sizeof(*udp));

	if (!udp)
		return NULL;
	udp->sys = config->sys;
	udp->log = config->log;
	udp->batch = batch;
	udp->offer = NM_UDP_MESSAGES;
	udp->mtu_fd = -1;
	udp->too_big = config->too_big;
	udp->too_big_user = config->too_big_user;
	return udp;
}

int nm_udp_open(const struct nm_udp_config *config, const struct natmux_addr *local,
	struct nm_udp_batch *batch, struct nm_udp **udp)
{
	static const uint8_t zeros[16];
	struct nm_udp *u;
	int error;

	if (local->family != NATMUX_FAMILY_IPV4 && local->family != NATMUX_FAMILY_IPV6)
		return NATMUX_EINVAL;
	if (config->device && strlen(config->device) >= IFNAMSIZ)
		return NATMUX_EINVAL;
	u = make(config, batch);
	if (!u)
		return NATMUX_ENOMEM;
	u->local = *local;
	u->is_wildcard = memcmp(local->ip, zeros, sizeof(zeros)) == 0;
	u->fd = u->sys->socket(local->family == NATMUX_FAMILY_IPV6 ? AF_INET6 : AF_INET,
		SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	if (u->fd < 0) {
		error = open_failed(u, "socket");
		goto free_udp;
	}
	error = open_bound(u, config);
	if (error < 0)
		goto close_fd;
	nm_udp_open_mtu(u, config);
	*udp = u;
	return 0;

close_fd:
	u->sys->close(u->fd);
free_udp:
	free(u);
	return error;
}

int nm_udp_adopt(
	const struct nm_udp_config *config, int fd, struct nm_udp_batch *batch, struct nm_udp **udp)
{
	struct nm_udp *u = make(config, batch);
	int error;

	if (!u)
		return NATMUX_ENOMEM;
	u->fd = fd;
	error = learn_local(u);
	if (error == 0)
		error = set_up(u, config);
	if (error < 0)
		free(u);
	else
		*udp = u;
	return error;
}

void nm_udp_close(struct nm_udp *udp)
{
	if (!udp)
		return;
	if (udp->mtu_fd >= 0)
		udp->sys->close(udp->mtu_fd);
	udp->sys->close(udp->fd);
	free(udp);
}

int nm_udp_release(struct nm_udp *udp)
{
	int fd = udp->fd;

	if (udp->mtu_fd >= 0)
		udp->sys->close(udp->mtu_fd);
	free(udp);
	return fd;
}

int nm_udp_fd(const struct nm_udp *udp)
{
	return udp->fd;
}

const struct natmux_addr *nm_udp_local(const struct nm_udp *udp)
{
	return &udp->local;
}

const struct nm_udp_status *nm_udp_status(const struct nm_udp *udp)
{
	return &udp->status;
}

bool nm_udp_has_more(const struct nm_udp *udp)
{
	return udp->has_more;
}

void nm_udp_tell(struct nm_udp *udp, const char *call, int error)
{
	unsigned int bit = (unsigned int)error % 256;
	uint64_t mask = UINT64_C(1) << bit % 64;
	char text[NATMUX_ADDR_TEXT];

	if (udp->told[bit / 64] & mask)
		return;
	udp->told[bit / 64] |= mask;
	nm_log(&udp->log, NATMUX_LOG_WARNING, "UDP %s: %s: %s; from now on only counted",
		natmux_addr_format(&udp->local, text), call, strerror(error));
}
