/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the routing table through connect(2) and getsockname(2): no netlink, no rights, no packet. */
#include "io/source_addr.h"

#include <netinet/in.h>
#include <string.h>
#include <linux/xfrm.h>
#include <natmux/error.h>

enum { ANY_PORT = 9 /* discard: connect(2) wants one */ };

/* An IPsec policy for the address would make the route wait for an SA. */
static void set_bypass(const struct nm_sys *sys, int fd, int family)
{
	struct xfrm_userpolicy_info policy = {.action = XFRM_POLICY_ALLOW,
		.dir = XFRM_POLICY_OUT,
		.sel.family = (uint16_t)family};
	bool is_v6 = family == AF_INET6;

	/* Best effort: without the right to it policies are the caller's to avoid. */
	(void)sys->setsockopt(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		is_v6 ? IPV6_XFRM_POLICY : IP_XFRM_POLICY, &policy, sizeof(policy));
}

static int open_one(const struct nm_sys *sys, int family, const char *device)
{
	int fd = sys->socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	set_bypass(sys, fd, family);
	if (device && *device)
		(void)sys->setsockopt(
			fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device) + 1);
	return fd;
}

void nm_source_addr_open(
	struct nm_source_addr *source, const struct nm_sys *sys, const char *device)
{
	*source = (struct nm_source_addr){.sys = sys,
		.fd4 = open_one(sys, AF_INET, device),
		.fd6 = open_one(sys, AF_INET6, device)};
}

void nm_source_addr_close(struct nm_source_addr *source)
{
	if (source->fd4 >= 0)
		source->sys->close(source->fd4);
	if (source->fd6 >= 0)
		source->sys->close(source->fd6);
	source->fd4 = source->fd6 = -1;
}

int nm_source_addr_find(const struct nm_source_addr *source, const struct natmux_addr *remote,
	struct natmux_addr *local)
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	const struct nm_sys *sys = source->sys;
	int fd = remote->family == NATMUX_FAMILY_IPV6 ? source->fd6 : source->fd4;
	struct natmux_addr target = *remote, found;
	struct sockaddr_storage storage;
	struct sockaddr *address = (struct sockaddr *)&storage;
	socklen_t len;
	int err;

	if (fd < 0 || remote->family == NATMUX_FAMILY_NONE)
		return NATMUX_EUNSUPPORTED;
	target.port = ANY_PORT;
	len = (socklen_t)natmux_addr_to_sockaddr(&target, address);
	/* Forgets the last answer, which the next one would be bound to. */
	(void)sys->connect(fd, &nobody, sizeof(nobody));
	if (sys->connect(fd, address, len) < 0)
		return NATMUX_ENOTFOUND;
	len = sizeof(storage);
	if (sys->getsockname(fd, address, &len) < 0)
		return NATMUX_ENOTFOUND;
	err = natmux_addr_from_sockaddr(address, len, &found);
	if (err < 0)
		return err;
	found.port = 0;
	*local = found;
	return 0;
}
