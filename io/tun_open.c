/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a TUN device and gives it addresses, MTU and link state; says exactly what went wrong. */
#include "io/tun_device.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/if_tun.h>
#include <natmux/error.h>

/* The device itself, not yet up. */
static int create(struct nm_tun *tun)
{
	unsigned int features = 0;

	tun->fd = nm_tun_link_open(&tun->link);
	if (tun->fd < 0)
		return nm_tun_link_failed(&tun->link, "open " NM_TUN_PATH);
	if (tun->link.sys->ioctl(tun->fd, TUNGETFEATURES, &features) < 0)
		features = 0;
	tun->has_vnet = features & IFF_VNET_HDR;
	if (nm_tun_link_attach(&tun->link, tun->fd,
		    IFF_TUN | IFF_NO_PI | (tun->has_vnet ? IFF_VNET_HDR : 0)) < 0)
		return nm_tun_link_failed(&tun->link, "ioctl(TUNSETIFF)");
	/* Whoever had a persistent device before may have left it with offloads on. */
	if (tun->has_vnet && tun->link.sys->ioctl(tun->fd, TUNSETOFFLOAD, NULL) < 0)
		return nm_tun_link_failed(&tun->link, "ioctl(TUNSETOFFLOAD)");
	return 0;
}

/*
 * Offers the kernel a super-packet. A link that is down takes none (EIO), but a kernel that does
 * not know the kind says so first (EINVAL). Should the link be up, the packet goes no further: its
 * IP header checksum is wrong.
 */
static bool takes_super(struct nm_tun *tun)
{
	static const uint8_t payload[3];
	const struct nm_packet packet = {
		.header = {0x45, 0, 0, 31, 0, 0, 0, 0, 64, IPPROTO_UDP, 0, 0, 192, 0, 2, 1, 192, 0,
			2, 1, 0, 9, 0, 9, 0, 11, 0, 0},
		.header_len = 28,
		.payload = payload,
		.len = sizeof(payload),
		.segment = 2,
	};

	return tun->has_vnet && (nm_tun_write_one(tun, &packet) >= 0 || errno == EIO);
}

/* While the link is down: the netmask that comes with the address alone is a guess. */
static int set_ipv4(struct nm_tun *tun, int fd, const struct nm_tun_address *address)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct ifreq ifr = {0};

	if (address->ip.family == NATMUX_FAMILY_NONE)
		return 0;
	memcpy(ifr.ifr_name, tun->link.name, sizeof(tun->link.name));
	memcpy(&sin.sin_addr, address->ip.ip, 4);
	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	if (tun->link.sys->ioctl(fd, SIOCSIFADDR, &ifr) < 0)
		return nm_tun_link_failed(&tun->link, "ioctl(SIOCSIFADDR), IPv4 address");
	sin.sin_addr.s_addr = address->bits ? htonl(UINT32_MAX << (32 - address->bits)) : 0;
	memcpy(&ifr.ifr_netmask, &sin, sizeof(sin));
	if (tun->link.sys->ioctl(fd, SIOCSIFNETMASK, &ifr) < 0)
		return nm_tun_link_failed(&tun->link, "ioctl(SIOCSIFNETMASK)");
	return 0;
}

static int configure_by(struct nm_tun *tun, int fd, const struct nm_tun_config *config)
{
	int index = nm_tun_link_index(&tun->link, fd), error;

	if (index < 0)
		return index;
	error = nm_tun_link_set_mtu(&tun->link, fd, config->mtu);
	if (error == 0)
		error = set_ipv4(tun, fd, &config->ipv4);
	if (error == 0)
		error = nm_tun_link_set_up(&tun->link, fd, index);
	if (error == 0)
		error = nm_tun_link_add_address(&tun->link, index, &config->ipv6);
	return error;
}

static int configure(struct nm_tun *tun, const struct nm_tun_config *config)
{
	int fd = nm_tun_link_control(&tun->link), error;

	if (fd < 0)
		return fd;
	error = configure_by(tun, fd, config);
	tun->link.sys->close(fd);
	return error;
}

int nm_tun_open(const struct nm_tun_config *config, struct nm_tun **tun)
{
	struct nm_tun *t;
	int error = NATMUX_ENOMEM;

	if (!nm_tun_link_is_valid(config->name, &config->ipv4, &config->ipv6, config->mtu))
		return NATMUX_EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NATMUX_ENOMEM;
	nm_tun_link_init(&t->link, config->sys, &config->log, config->name);
	t->fd = -1;
	t->buffer = config->sys->map(NM_TUN_BUFFER);
	if (!t->buffer)
		goto close_tun;
	error = create(t);
	if (error < 0)
		goto close_tun;
	t->status.has_super = config->use_super && takes_super(t);
	error = configure(t, config);
	if (error < 0)
		goto close_tun;
	*tun = t;
	return 0;

close_tun:
	nm_tun_close(t);
	return error;
}

void nm_tun_close(struct nm_tun *tun)
{
	if (!tun)
		return;
	if (tun->fd >= 0)
		tun->link.sys->close(tun->fd);
	if (tun->buffer)
		tun->link.sys->unmap(tun->buffer, NM_TUN_BUFFER);
	free(tun);
}
