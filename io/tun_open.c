/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a TUN device and gives it addresses, MTU and link state; says exactly what went wrong. */
#include "io/tun_device.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <natmux/error.h>
#include "base/log.h"

#define TUN_PATH "/dev/net/tun"

/* What a person can do about it; "" when the error's own text says all there is. */
static const char *advice(int error)
{
	switch (error) {
	case ENOENT: return " (no " TUN_PATH ": `modprobe tun`, or give the container the device)";
	case ENXIO:
	case ENODEV: return " (this kernel has no TUN: `modprobe tun`)";
	case EPERM: return " (needs CAP_NET_ADMIN)";
	case EACCES: return " (no access: device permissions, or IPv6 off by sysctl disable_ipv6)";
	case EBUSY: return " (another program uses the device: is natmuxd running already?)";
	case EINVAL: return " (an interface of this name exists and is no TUN of this kind?)";
	case EAFNOSUPPORT: return " (this kernel does not have the address family)";
	default: return "";
	}
}

static int system_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
	case EACCES:
	case EAFNOSUPPORT: return NATMUX_EUNSUPPORTED;
	case EBUSY: return NATMUX_EEXISTS;
	case ENOMEM:
	case ENOBUFS: return NATMUX_ENOMEM;
	default: return NATMUX_ESYSTEM;
	}
}

/* Logs that opening failed in `call`, with errno; returns the error for the caller. */
static int open_failed(struct nm_tun *tun, const char *call)
{
	int error = errno;

	nm_log(&tun->log, NATMUX_LOG_ERROR, "TUN %s: %s: %s%s", tun->name, call, strerror(error),
		advice(error));
	return system_error(error);
}

static struct ifreq request(const struct nm_tun *tun)
{
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, tun->name, sizeof(tun->name));
	return ifr;
}

/* The device itself, not yet up. */
static int create(struct nm_tun *tun)
{
	unsigned int features = 0;
	struct ifreq ifr = request(tun);

	tun->fd = tun->sys->open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun->fd < 0)
		return open_failed(tun, "open " TUN_PATH);
	if (tun->sys->ioctl(tun->fd, TUNGETFEATURES, &features) < 0)
		features = 0;
	tun->has_vnet = features & IFF_VNET_HDR;
	ifr.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (tun->has_vnet ? IFF_VNET_HDR : 0));
	if (tun->sys->ioctl(tun->fd, TUNSETIFF, &ifr) < 0)
		return open_failed(tun, "ioctl(TUNSETIFF)");
	memcpy(tun->name, ifr.ifr_name, sizeof(tun->name));
	tun->name[sizeof(tun->name) - 1] = '\0';
	/* Whoever had a persistent device before may have left it with offloads on. */
	if (tun->has_vnet && tun->sys->ioctl(tun->fd, TUNSETOFFLOAD, NULL) < 0)
		return open_failed(tun, "ioctl(TUNSETOFFLOAD)");
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

static int set_ipv4(struct nm_tun *tun, int fd, const struct nm_tun_address *address)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct ifreq ifr = request(tun);

	memcpy(&sin.sin_addr, address->ip.ip, 4);
	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	if (tun->sys->ioctl(fd, SIOCSIFADDR, &ifr) < 0)
		return open_failed(tun, "ioctl(SIOCSIFADDR), IPv4 address");
	sin.sin_addr.s_addr = address->bits ? htonl(UINT32_MAX << (32 - address->bits)) : 0;
	memcpy(&ifr.ifr_netmask, &sin, sizeof(sin));
	if (tun->sys->ioctl(fd, SIOCSIFNETMASK, &ifr) < 0)
		return open_failed(tun, "ioctl(SIOCSIFNETMASK)");
	return 0;
}

/* TUN devices are NOARP: the kernel skips duplicate address detection, the address works at once. */
static int set_ipv6(struct nm_tun *tun, const struct nm_tun_address *address)
{
	int fd = tun->sys->socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = request(tun);
	struct in6_ifreq ifr6 = {.ifr6_prefixlen = address->bits};
	int error = 0;

	if (fd < 0)
		return open_failed(tun, "socket(AF_INET6)");
	memcpy(&ifr6.ifr6_addr, address->ip.ip, 16);
	if (tun->sys->ioctl(fd, SIOCGIFINDEX, &ifr) < 0) {
		error = open_failed(tun, "ioctl(SIOCGIFINDEX)");
		goto close_fd;
	}
	ifr6.ifr6_ifindex = ifr.ifr_ifindex;
	/* EEXIST: a persistent device that has it from the last time */
	if (tun->sys->ioctl(fd, SIOCSIFADDR, &ifr6) < 0 && errno != EEXIST)
		error = open_failed(tun, "ioctl(SIOCSIFADDR), IPv6 address");
close_fd:
	tun->sys->close(fd);
	return error;
}

static int set_mtu(struct nm_tun *tun, int fd, uint32_t mtu)
{
	struct ifreq ifr = request(tun);

	if (mtu == 0)
		return 0;
	ifr.ifr_mtu = (int)mtu;
	if (tun->sys->ioctl(fd, SIOCSIFMTU, &ifr) < 0)
		return open_failed(tun, "ioctl(SIOCSIFMTU)");
	return 0;
}

static int set_up(struct nm_tun *tun, int fd)
{
	struct ifreq ifr = request(tun);

	if (tun->sys->ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return open_failed(tun, "ioctl(SIOCGIFFLAGS)");
	ifr.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (tun->sys->ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return open_failed(tun, "ioctl(SIOCSIFFLAGS)");
	return 0;
}

static int configure(struct nm_tun *tun, const struct nm_tun_config *config)
{
	int fd = tun->sys->socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return open_failed(tun, "socket");
	error = set_mtu(tun, fd, config->mtu);
	if (error == 0 && config->ipv4.ip.family != NATMUX_FAMILY_NONE)
		error = set_ipv4(tun, fd, &config->ipv4);
	if (error == 0 && config->ipv6.ip.family != NATMUX_FAMILY_NONE)
		error = set_ipv6(tun, &config->ipv6);
	if (error == 0)
		error = set_up(tun, fd);
	tun->sys->close(fd);
	return error;
}

static bool is_address(const struct nm_tun_address *address, uint8_t family, uint8_t bits_max)
{
	return address->ip.family == NATMUX_FAMILY_NONE ||
	       (address->ip.family == family && address->bits <= bits_max);
}

static bool is_valid(const struct nm_tun_config *config)
{
	uint32_t mtu_min = config->ipv6.ip.family == NATMUX_FAMILY_NONE ? 68 : 1280;

	return config->name && *config->name && strlen(config->name) < IFNAMSIZ &&
	       is_address(&config->ipv4, NATMUX_FAMILY_IPV4, 32) &&
	       is_address(&config->ipv6, NATMUX_FAMILY_IPV6, 128) &&
	       (config->mtu == 0 || (config->mtu >= mtu_min && config->mtu <= 65535));
}

int nm_tun_open(const struct nm_tun_config *config, struct nm_tun **tun)
{
	struct nm_tun *t;
	int error = NATMUX_ENOMEM;

	if (!is_valid(config))
		return NATMUX_EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NATMUX_ENOMEM;
	t->sys = config->sys;
	t->log = config->log;
	t->fd = -1;
	strncpy(t->name, config->name, sizeof(t->name) - 1);
	t->buffer = t->sys->map(NM_TUN_BUFFER);
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
		tun->sys->close(tun->fd);
	if (tun->buffer)
		tun->sys->unmap(tun->buffer, NM_TUN_BUFFER);
	free(tun);
}
