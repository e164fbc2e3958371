/* SPDX-License-Identifier: Apache-2.0 */
/* The table of real system calls; thin where the C library's prototype does not fit a pointer. */
#include "io/sys.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int real_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return bind(fd, addr, len);
}

static int real_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return connect(fd, addr, len);
}

static int real_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return accept4(fd, addr, len, flags);
}

static int real_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	return getsockname(fd, addr, len);
}

static int real_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	return recvmmsg(fd, msgs, n, flags, NULL);
}

static int real_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	return sendmmsg(fd, msgs, n, flags);
}

static int real_open(const char *path, int flags)
{
	return open(path, flags);
}

static int real_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

/* The C library has no names for them before 2.36; the numbers are the same everywhere. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static int real_pidfd_open(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int real_pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, fd, flags);
}

static int real_membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

static void *real_map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	/* Best effort: kernels without huge pages do not know the advice. */
	(void)madvise(memory, size, MADV_NOHUGEPAGE);
	return memory;
}

static void real_unmap(void *memory, size_t size)
{
	munmap(memory, size);
}

const struct nm_sys nm_sys_real = {
	.socket = socket,
	.bind = real_bind,
	.connect = real_connect,
	.listen = listen,
	.accept4 = real_accept4,
	.getsockname = real_getsockname,
	.setsockopt = setsockopt,
	.getsockopt = getsockopt,
	.recvmmsg = real_recvmmsg,
	.sendmmsg = real_sendmmsg,
	.recvmsg = recvmsg,
	.sendmsg = sendmsg,
	.open = real_open,
	.read = read,
	.writev = writev,
	.ioctl = real_ioctl,
	.poll = poll,
	.close = close,
	.fchmod = fchmod,
	.fchown = fchown,
	.fstat = fstat,
	.pidfd_open = real_pidfd_open,
	.pidfd_getfd = real_pidfd_getfd,
	.membarrier = real_membarrier,
	.chmod = chmod,
	.lstat = lstat,
	.unlink = unlink,
	.map = real_map,
	.unmap = real_unmap,
};
