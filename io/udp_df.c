/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DF bit of a socket's datagrams, and what the kernel knows of a path's MTU. IPv4 only: IPv6 has
 * no such bit, and whoever sends there cuts (RFC 8200 5).
 */
#include "io/udp_batch.h"

#include <errno.h>
#include <string.h>

void nm_udp_set_df(struct nm_udp *udp, bool has_df)
{
	int mode = has_df ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;

	if (udp->sys->setsockopt(udp->fd, IPPROTO_IP, IP_MTU_DISCOVER, &mode, sizeof(mode)) < 0)
		nm_udp_tell(udp, "setsockopt(IP_MTU_DISCOVER)", errno);
	/* Not again for each train of a kernel that refuses. */
	udp->has_df = has_df;
}

/* Packets for another device may take another way. */
static bool bind_mtu(const struct nm_udp *udp, const struct nm_udp_config *config)
{
	return !config->device || !*config->device ||
	       udp->sys->setsockopt(udp->mtu_fd, SOL_SOCKET, SO_BINDTODEVICE, config->device,
		       (socklen_t)strlen(config->device) + 1) == 0;
}

void nm_udp_open_mtu(struct nm_udp *udp, const struct nm_udp_config *config)
{
	udp->mtu_fd = -1;
	if (!config->too_big || udp->local.family != NATMUX_FAMILY_IPV4)
		return;
	udp->mtu_fd =
		udp->sys->socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	if (udp->mtu_fd >= 0 && bind_mtu(udp, config))
		return;
	nm_udp_tell(udp, "socket for path MTUs", errno);
	if (udp->mtu_fd >= 0)
		udp->sys->close(udp->mtu_fd);
	udp->mtu_fd = -1;
}

/* A connected socket knows its path; disconnected again, it has no port that could be sent to. */
static uint32_t ask_mtu(const struct nm_udp *udp, const struct natmux_addr *remote)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	struct sockaddr_storage sa;
	socklen_t len = (socklen_t)natmux_addr_to_sockaddr(remote, (struct sockaddr *)&sa);
	int mtu = 0;

	if (udp->sys->connect(udp->mtu_fd, (struct sockaddr *)&sa, len) < 0)
		return 0;
	len = sizeof(mtu);
	if (udp->sys->getsockopt(udp->mtu_fd, IPPROTO_IP, IP_MTU, &mtu, &len) < 0)
		mtu = 0;
	(void)udp->sys->connect(udp->mtu_fd, &nobody, sizeof(nobody));
	return mtu > 0 ? (uint32_t)mtu : 0;
}

void nm_udp_tell_too_big(struct nm_udp *udp, const struct natmux_path *path)
{
	uint32_t mtu;

	if (!udp->has_df || udp->mtu_fd < 0 || udp->has_asked)
		return;
	udp->has_asked = true;
	mtu = ask_mtu(udp, &path->remote);
	if (mtu > 0)
		udp->too_big(udp->too_big_user, path, mtu);
}
