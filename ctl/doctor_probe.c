/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries what natmux will ask of this kernel, for a word in a manual is not a feature in a
 * container. Nothing stays: sockets and devices are closed, and ESP states are made in a network
 * namespace that ends with the child process that made it.
 */
#include "ctl/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include "ctl/doctor_xfrm.h"

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static struct nm_doctor_probe outcome(bool works)
{
	return (struct nm_doctor_probe){
		.works = works ? NM_YES : NM_NO, .error = works ? 0 : errno};
}

static struct nm_doctor_probe failed(int error)
{
	return (struct nm_doctor_probe){.works = NM_NO, .error = error};
}

static int udp_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static struct nm_doctor_probe try_option(int level, int name, const void *value, socklen_t size)
{
	int fd = udp_socket();
	struct nm_doctor_probe probe;

	if (fd < 0)
		return failed(errno);
	probe = outcome(setsockopt(fd, level, name, value, size) == 0);
	close(fd);
	return probe;
}

static struct nm_doctor_probe try_number(int level, int name, int value)
{
	return try_option(level, name, &value, sizeof(value));
}

/* Binds as natmuxd would, without SO_REUSEADDR, and lets go at once. */
static struct nm_doctor_probe try_bind4(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = udp_socket();
	struct nm_doctor_probe probe;

	if (fd < 0)
		return failed(errno);
	probe = outcome(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	close(fd);
	return probe;
}

static struct nm_doctor_probe try_bind6(uint16_t port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int one = 1, fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct nm_doctor_probe probe;

	if (fd < 0)
		return failed(errno);
	probe = outcome(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0 &&
			bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	close(fd);
	return probe;
}

/* Binds to a free port of the loopback interface. */
static bool bind_loopback(int fd, struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);

	*address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
	       getsockname(fd, (struct sockaddr *)address, &len) == 0;
}

/* A segmented send to ourselves: some kernels take the option and refuse the datagram. */
static struct nm_doctor_probe try_gso(void)
{
	static const char two_datagrams[200];
	int segment = 100, fd = udp_socket();
	struct nm_doctor_probe probe;
	struct sockaddr_in self;

	if (fd < 0)
		return failed(errno);
	probe = outcome(
		bind_loopback(fd, &self) &&
		setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)) == 0 &&
		sendto(fd, two_datagrams, sizeof(two_datagrams), 0, (const struct sockaddr *)&self,
			sizeof(self)) == (ssize_t)sizeof(two_datagrams));
	close(fd);
	return probe;
}

/* A program like the one that will send STUN to socket 1: here, all to socket 0. */
static struct nm_doctor_probe try_steering(void)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog program = {.len = 1, .filter = code};
	int one = 1, fd = udp_socket();
	struct nm_doctor_probe probe;
	struct sockaddr_in self;

	if (fd < 0)
		return failed(errno);
	probe = outcome(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0 &&
			bind_loopback(fd, &self) &&
			setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
				sizeof(program)) == 0);
	close(fd);
	return probe;
}

/* Takes a copy of our own descriptor: whether the call is there, not whether another's may be. */
static struct nm_doctor_probe try_pidfd_getfd(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), copy;
	struct nm_doctor_probe probe;

	if (pidfd < 0)
		return failed(errno);
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, pidfd, 0);
	probe = outcome(copy >= 0);
	if (copy >= 0)
		close(copy);
	close(pidfd);
	return probe;
}

/* A device with a name of the kernel's choice; it is gone when the descriptor is closed. */
static int open_tun(void)
{
	struct ifreq request = {
		.ifr_name = "nmdoctor%d", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), error;

	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static void try_tun(struct nm_doctor_facts *facts)
{
	const unsigned long tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int fd = open_tun();

	facts->tun_open = outcome(fd >= 0);
	if (fd < 0)
		return;
	facts->tun_tso = outcome(ioctl(fd, TUNSETOFFLOAD, tso) == 0);
	facts->tun_uso = outcome(ioctl(fd, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6) == 0);
	close(fd);
}

/* In a child, which takes the namespace and the state with it when it ends. Its status is errno. */
static struct nm_doctor_probe try_esp(enum natmux_family family)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return failed(errno);
	if (child == 0)
		_exit(unshare(CLONE_NEWNET) < 0 ? EPERM : nm_doctor_add_esp_state(family));
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return (struct nm_doctor_probe){.works = NM_UNKNOWN};
	/* Not being allowed to try says nothing about the kernel. */
	if (WEXITSTATUS(status) == EPERM)
		return (struct nm_doctor_probe){.works = NM_UNKNOWN, .error = EPERM};
	errno = WEXITSTATUS(status);
	return outcome(errno == 0);
}

void nm_doctor_probe(struct nm_doctor_facts *facts)
{
	facts->bind4 = try_bind4(facts->port);
	facts->bind6 = try_bind6(facts->port);
	facts->gro = try_number(SOL_UDP, UDP_GRO, 1);
	facts->gso = try_gso();
	facts->encap = try_number(SOL_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP);
	facts->bypass =
		try_option(IPPROTO_IP, IP_XFRM_POLICY, nm_doctor_bypass, nm_doctor_bypass_size);
	facts->steering = try_steering();
	facts->pidfd_getfd = try_pidfd_getfd();
	try_tun(facts);
	nm_doctor_probe_devices(facts);
	/* A state asks for its module: not where the administrator has said that it stays out. */
	if (!facts->blacklisted_esp4[0])
		facts->esp4 = try_esp(NATMUX_FAMILY_IPV4);
	if (!facts->blacklisted_esp6[0])
		facts->esp6 = try_esp(NATMUX_FAMILY_IPV6);
}
