/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches to TUN devices and sets them up; says exactly what went wrong. Reads no packet. */
#include "io/tun_link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <natmux/error.h>
#include "base/log.h"

/* What a person can do about it; "" when the error's own text says all there is. */
static const char *advice(int error)
{
	switch (error) {
	case ENOENT:
		return " (no " NM_TUN_PATH ": `modprobe tun`, or give the container the device)";
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

int nm_tun_link_failed(const struct nm_tun_link *link, const char *call)
{
	int error = errno;

	nm_log(&link->log, NATMUX_LOG_ERROR, "TUN %s: %s: %s%s", link->name, call, strerror(error),
		advice(error));
	return system_error(error);
}

static bool is_address(const struct nm_tun_address *address, uint8_t family, uint8_t bits_max)
{
	return address->ip.family == NATMUX_FAMILY_NONE ||
	       (address->ip.family == family && address->bits <= bits_max);
}

bool nm_tun_link_is_valid(const char *name, const struct nm_tun_address *ipv4,
	const struct nm_tun_address *ipv6, uint32_t mtu)
{
	uint32_t mtu_min = ipv6->ip.family == NATMUX_FAMILY_NONE ? 68 : 1280;

	return name && *name && strlen(name) < IFNAMSIZ &&
	       is_address(ipv4, NATMUX_FAMILY_IPV4, 32) &&
	       is_address(ipv6, NATMUX_FAMILY_IPV6, 128) &&
	       (mtu == 0 || (mtu >= mtu_min && mtu <= 65535));
}

void nm_tun_link_init(struct nm_tun_link *link, const struct nm_sys *sys,
	const struct natmux_log *log, const char *name)
{
	link->sys = sys;
	link->log = *log;
	memset(link->name, 0, sizeof(link->name));
	strncpy(link->name, name, sizeof(link->name) - 1);
}

static struct ifreq request(const struct nm_tun_link *link)
{
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, link->name, sizeof(link->name));
	return ifr;
}

int nm_tun_link_open(const struct nm_tun_link *link)
{
	return link->sys->open(NM_TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

int nm_tun_link_attach(struct nm_tun_link *link, int fd, unsigned int flags)
{
	struct ifreq ifr = request(link);

	ifr.ifr_flags = (short)flags;
	if (link->sys->ioctl(fd, TUNSETIFF, &ifr) < 0)
		return -1;
	memcpy(link->name, ifr.ifr_name, sizeof(link->name));
	link->name[sizeof(link->name) - 1] = '\0';
	return 0;
}

int nm_tun_link_control(const struct nm_tun_link *link)
{
	int fd = link->sys->socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? nm_tun_link_failed(link, "socket") : fd;
}

int nm_tun_link_index(const struct nm_tun_link *link, int control)
{
	struct ifreq ifr = request(link);

	if (link->sys->ioctl(control, SIOCGIFINDEX, &ifr) < 0)
		return nm_tun_link_failed(link, "ioctl(SIOCGIFINDEX)");
	return ifr.ifr_ifindex;
}

int nm_tun_link_set_mtu(const struct nm_tun_link *link, int control, uint32_t mtu)
{
	struct ifreq ifr = request(link);

	if (mtu == 0)
		return 0;
	ifr.ifr_mtu = (int)mtu;
	if (link->sys->ioctl(control, SIOCSIFMTU, &ifr) < 0)
		return nm_tun_link_failed(link, "ioctl(SIOCSIFMTU)");
	return 0;
}

/* Asks by netlink and awaits the kernel's verdict; -1 and errno when it is no. */
static int ask_kernel(const struct nm_tun_link *link, const struct nlmsghdr *wanted)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t copy[64]; /* of the request */
	} answer = {0};
	struct iovec out = {(void *)wanted, wanted->nlmsg_len}, in = {&answer, sizeof(answer)};
	struct msghdr to = {.msg_iov = &out, .msg_iovlen = 1};
	struct msghdr from = {.msg_iov = &in, .msg_iovlen = 1};
	int fd = link->sys->socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int error = 0;

	if (fd < 0)
		return -1;
	if (link->sys->sendmsg(fd, &to, 0) < 0 || link->sys->recvmsg(fd, &from, 0) < 0)
		error = errno;
	else if (answer.header.nlmsg_type != NLMSG_ERROR)
		error = EPROTO;
	else
		error = -answer.error.error;
	link->sys->close(fd);
	errno = error;
	return error == 0 ? 0 : -1;
}

/*
 * No link-local address: with one the host would send router solicitations and multicast reports
 * into the device, and nobody is there to hear them. Best effort: a kernel without IPv6 refuses.
 */
static void set_quiet(const struct nm_tun_link *link, int index)
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

	(void)ask_kernel(link, &wanted.header);
}

int nm_tun_link_set_up(const struct nm_tun_link *link, int control, int index)
{
	struct ifreq ifr = request(link);

	set_quiet(link, index);
	if (link->sys->ioctl(control, SIOCGIFFLAGS, &ifr) < 0)
		return nm_tun_link_failed(link, "ioctl(SIOCGIFFLAGS)");
	ifr.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (link->sys->ioctl(control, SIOCSIFFLAGS, &ifr) < 0)
		return nm_tun_link_failed(link, "ioctl(SIOCSIFFLAGS)");
	return 0;
}

/*
 * By netlink: only there an IPv4 address comes with its prefix at once, and only there
 * IFA_F_NODAD can be said. An IPv6 address set by ioctl is tentative until a kernel worker has run,
 * and whoever binds it at once is refused. (Packets to the address reach it a few milliseconds
 * later in any case: the same worker adds its route.)
 */
int nm_tun_link_add_address(
	const struct nm_tun_link *link, int index, const struct nm_tun_address *address)
{
	bool is_v6 = address->ip.family == NATMUX_FAMILY_IPV6;
	uint8_t len = is_v6 ? 16 : 4;
	struct {
		struct nlmsghdr header;
		struct ifaddrmsg address;
		struct rtattr attr;
		uint8_t ip[16];
	} wanted = {
		.header = {.nlmsg_type = RTM_NEWADDR,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
		.address = {.ifa_family = is_v6 ? AF_INET6 : AF_INET,
			.ifa_prefixlen = address->bits,
			.ifa_flags = is_v6 ? IFA_F_NODAD | IFA_F_PERMANENT : IFA_F_PERMANENT,
			.ifa_index = (uint32_t)index},
		.attr = {.rta_len = (uint16_t)RTA_LENGTH(len), .rta_type = IFA_LOCAL},
	};

	if (address->ip.family == NATMUX_FAMILY_NONE)
		return 0;
	wanted.header.nlmsg_len = (uint32_t)(sizeof(wanted) - sizeof(wanted.ip) + len);
	memcpy(wanted.ip, address->ip.ip, len);
	/* EEXIST: a persistent device that has it from the last time */
	if (ask_kernel(link, &wanted.header) < 0 && errno != EEXIST)
		return nm_tun_link_failed(
			link, is_v6 ? "RTM_NEWADDR, IPv6 address" : "RTM_NEWADDR, IPv4 address");
	return 0;
}

void nm_tun_link_tell(
	const struct nm_tun_link *link, struct nm_tun_told *told, const char *call, int error)
{
	unsigned int bit = (unsigned int)error % 256;
	uint64_t mask = UINT64_C(1) << bit % 64;

	if (told->errors[bit / 64] & mask)
		return;
	told->errors[bit / 64] |= mask;
	nm_log(&link->log, NATMUX_LOG_WARNING, "TUN %s: %s: %s; from now on only counted",
		link->name, call, strerror(error));
}

/* After `ip link delete` every call on the descriptor fails. */
bool nm_tun_link_is_gone(int error)
{
	return error == EBADFD || error == ENODEV;
}

void nm_tun_link_tell_gone(const struct nm_tun_link *link)
{
	nm_log(&link->log, NATMUX_LOG_ERROR, "TUN %s: the device was deleted (restart natmuxd)",
		link->name);
}
