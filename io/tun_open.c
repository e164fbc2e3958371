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
#include <linux/rtnetlink.h>
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
	case EACCES: return " (no access to the device, or IPv6 is off: sysctl disable_ipv6)";
	case EBUSY: return " (another program uses the device: is natmuxd running already?)";
	case EINVAL: return " (an interface of this name exists and is no TUN of this kind?)";
	case EAFNOSUPPORT:
	case EOPNOTSUPP: return " (this kernel does not have the address family)";
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
	case EAFNOSUPPORT:
	case EOPNOTSUPP: return NATMUX_EUNSUPPORTED;
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

/* Asks by netlink and awaits the kernel's verdict; -1 and errno when it is no. */
static int ask_kernel(struct nm_tun *tun, const struct nlmsghdr *wanted)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t copy[64]; /* of the request */
	} answer = {0};
	struct iovec out = {(void *)wanted, wanted->nlmsg_len}, in = {&answer, sizeof(answer)};
	struct msghdr to = {.msg_iov = &out, .msg_iovlen = 1};
	struct msghdr from = {.msg_iov = &in, .msg_iovlen = 1};
	int fd = tun->sys->socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int error = 0;

	if (fd < 0)
		return -1;
	if (tun->sys->sendmsg(fd, &to, 0) < 0 || tun->sys->recvmsg(fd, &from, 0) < 0)
		error = errno;
	else if (answer.header.nlmsg_type != NLMSG_ERROR)
		error = EPROTO;
	else
		error = -answer.error.error;
	tun->sys->close(fd);
	errno = error;
	return error == 0 ? 0 : -1;
}

static int index_of(struct nm_tun *tun, int fd)
{
	struct ifreq ifr = request(tun);

	if (tun->sys->ioctl(fd, SIOCGIFINDEX, &ifr) < 0)
		return open_failed(tun, "ioctl(SIOCGIFINDEX)");
	return ifr.ifr_ifindex;
}

/*
 * No link-local address: with one the host would send router solicitations and multicast reports
 * into the device, and nobody is there to hear them. Best effort: a kernel without IPv6 refuses.
 */
static void set_quiet(struct nm_tun *tun, int index)
{
	const struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
		struct rtattr spec, inet6, mode;
		uint8_t value[4];
	} wanted = {
		.header = {.nlmsg_len = sizeof(wanted),
			.nlmsg_type = RTM_NEWLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.link = {.ifi_index = index},
		.spec = {.rta_len = 3 * RTA_LENGTH(0) + 4, .rta_type = IFLA_AF_SPEC},
		.inet6 = {.rta_len = 2 * RTA_LENGTH(0) + 4, .rta_type = AF_INET6},
		.mode = {.rta_len = RTA_LENGTH(1), .rta_type = IFLA_INET6_ADDR_GEN_MODE},
		.value = {IN6_ADDR_GEN_MODE_NONE},
	};

	(void)ask_kernel(tun, &wanted.header);
}

/*
 * By netlink, for only there IFA_F_NODAD can be said. An address set by ioctl is tentative until a
 * kernel worker has run, and whoever binds it at once is refused. (Packets to the address reach it
 * a few milliseconds later in any case: the same worker adds its route.)
 */
static int set_ipv6(struct nm_tun *tun, int index, const struct nm_tun_address *address)
{
	struct {
		struct nlmsghdr header;
		struct ifaddrmsg address;
		struct rtattr attr;
		uint8_t ip[16];
	} wanted = {
		.header = {.nlmsg_len = sizeof(wanted),
			.nlmsg_type = RTM_NEWADDR,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
		.address = {.ifa_family = AF_INET6,
			.ifa_prefixlen = address->bits,
			.ifa_flags = IFA_F_NODAD | IFA_F_PERMANENT,
			.ifa_index = (uint32_t)index},
		.attr = {.rta_len = RTA_LENGTH(16), .rta_type = IFA_LOCAL},
	};

	memcpy(wanted.ip, address->ip.ip, 16);
	/* EEXIST: a persistent device that has it from the last time */
	if (ask_kernel(tun, &wanted.header) < 0 && errno != EEXIST)
		return open_failed(tun, "RTM_NEWADDR, IPv6 address");
	return 0;
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

static int configure_by(struct nm_tun *tun, int fd, const struct nm_tun_config *config)
{
	int index = index_of(tun, fd), error;

	if (index < 0)
		return index;
	error = set_mtu(tun, fd, config->mtu);
	if (error == 0 && config->ipv4.ip.family != NATMUX_FAMILY_NONE)
		error = set_ipv4(tun, fd, &config->ipv4);
	if (error < 0)
		return error;
	set_quiet(tun, index);
	error = set_up(tun, fd);
	if (error == 0 && config->ipv6.ip.family != NATMUX_FAMILY_NONE)
		error = set_ipv6(tun, index, &config->ipv6);
	return error;
}

static int configure(struct nm_tun *tun, const struct nm_tun_config *config)
{
	int fd = tun->sys->socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return open_failed(tun, "socket");
	error = configure_by(tun, fd, config);
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
