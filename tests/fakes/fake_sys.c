/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/fake_sys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { OPTIONS_MAX = 8 };

static struct {
	struct {
		unsigned int skip, times, calls;
		int error;
	} calls[FAKE_CALLS];
	struct {
		int level, name, error;
	} options[OPTIONS_MAX];
	size_t options_n;
	unsigned long ioctl_request;
	int ioctl_error;
	int (*judge)(const struct msghdr *msg);
	void (*edit)(struct mmsghdr *msg);
	unsigned int limit, messages_sent;
	int fds, maps;
} fake;

void fake_sys_reset(void)
{
	int fds = fake.fds, maps = fake.maps;

	memset(&fake, 0, sizeof(fake));
	fake.fds = fds;
	fake.maps = maps;
}

void fake_sys_fail(enum fake_call call, unsigned int skip, unsigned int times, int error)
{
	fake.calls[call].skip = skip;
	fake.calls[call].times = times;
	fake.calls[call].error = error;
}

void fake_sys_fail_option(int level, int name, int error)
{
	size_t i = fake.options_n++ % OPTIONS_MAX;

	fake.options[i].level = level;
	fake.options[i].name = name;
	fake.options[i].error = error;
}

void fake_sys_fail_ioctl(unsigned long request, int error)
{
	fake.ioctl_request = request;
	fake.ioctl_error = error;
}

void fake_sys_judge_sent(int (*judge)(const struct msghdr *msg))
{
	fake.judge = judge;
}

void fake_sys_edit_received(void (*edit)(struct mmsghdr *msg))
{
	fake.edit = edit;
}

void fake_sys_limit_sent(unsigned int limit)
{
	fake.limit = limit;
}

unsigned int fake_sys_calls(enum fake_call call)
{
	return fake.calls[call].calls;
}

unsigned int fake_sys_messages_sent(void)
{
	return fake.messages_sent;
}

int fake_sys_open_fds(void)
{
	return fake.fds;
}

int fake_sys_maps(void)
{
	return fake.maps;
}

/* Whether this call is one that shall fail; errno is set then. */
static bool fails(enum fake_call call)
{
	fake.calls[call].calls++;
	if (fake.calls[call].skip > 0) {
		fake.calls[call].skip--;
		return false;
	}
	if (fake.calls[call].times == 0)
		return false;
	fake.calls[call].times--;
	errno = fake.calls[call].error;
	return true;
}

static bool option_fails(int level, int name)
{
	for (size_t i = 0; i < OPTIONS_MAX; i++) {
		if (fake.options[i].error == 0 || fake.options[i].level != level ||
			fake.options[i].name != name)
			continue;
		errno = fake.options[i].error;
		return true;
	}
	return false;
}

static int count_fd(int fd)
{
	fake.fds += fd >= 0;
	return fd;
}

static int fake_socket(int domain, int type, int protocol)
{
	return fails(FAKE_SOCKET) ? -1 : count_fd(nm_sys_real.socket(domain, type, protocol));
}

static int fake_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return fails(FAKE_BIND) ? -1 : nm_sys_real.bind(fd, addr, len);
}

static int fake_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return fails(FAKE_CONNECT) ? -1 : nm_sys_real.connect(fd, addr, len);
}

static int fake_listen(int fd, int backlog)
{
	return fails(FAKE_LISTEN) ? -1 : nm_sys_real.listen(fd, backlog);
}

static int fake_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return fails(FAKE_ACCEPT) ? -1 : count_fd(nm_sys_real.accept4(fd, addr, len, flags));
}

static int fake_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	return fails(FAKE_GETSOCKNAME) ? -1 : nm_sys_real.getsockname(fd, addr, len);
}

static int fake_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (fails(FAKE_SETSOCKOPT) || option_fails(level, name))
		return -1;
	return nm_sys_real.setsockopt(fd, level, name, value, len);
}

static int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (fails(FAKE_GETSOCKOPT) || option_fails(level, name))
		return -1;
	return nm_sys_real.getsockopt(fd, level, name, value, len);
}

static int fake_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	int got = fails(FAKE_RECVMMSG) ? -1 : nm_sys_real.recvmmsg(fd, msgs, n, flags);

	for (int i = 0; i < got && fake.edit; i++)
		fake.edit(&msgs[i]);
	return got;
}

static int fake_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	int sent, error = 0;

	if (fails(FAKE_SENDMMSG))
		return -1;
	if (fake.limit > 0 && n > fake.limit)
		n = fake.limit;
	for (unsigned int i = 0; i < n && fake.judge; i++) {
		error = fake.judge(&msgs[i].msg_hdr);
		if (error != 0)
			n = i;
	}
	if (n == 0) {
		errno = error;
		return -1;
	}
	sent = nm_sys_real.sendmmsg(fd, msgs, n, flags);
	fake.messages_sent += sent > 0 ? (unsigned int)sent : 0;
	return sent;
}

static ssize_t fake_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return fails(FAKE_RECVMSG) ? -1 : nm_sys_real.recvmsg(fd, msg, flags);
}

static ssize_t fake_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return fails(FAKE_SENDMSG) ? -1 : nm_sys_real.sendmsg(fd, msg, flags);
}

static int fake_open(const char *path, int flags)
{
	return fails(FAKE_OPEN) ? -1 : count_fd(nm_sys_real.open(path, flags));
}

static ssize_t fake_read(int fd, void *buf, size_t len)
{
	return fails(FAKE_READ) ? -1 : nm_sys_real.read(fd, buf, len);
}

static ssize_t fake_writev(int fd, const struct iovec *iov, int n)
{
	return fails(FAKE_WRITEV) ? -1 : nm_sys_real.writev(fd, iov, n);
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	if (fails(FAKE_IOCTL))
		return -1;
	if (fake.ioctl_error != 0 && fake.ioctl_request == request) {
		errno = fake.ioctl_error;
		return -1;
	}
	return nm_sys_real.ioctl(fd, request, arg);
}

static int fake_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	return fails(FAKE_POLL) ? -1 : nm_sys_real.poll(fds, n, timeout_ms);
}

static int fake_close(int fd)
{
	fake.fds--;
	return nm_sys_real.close(fd);
}

static int fake_fchmod(int fd, mode_t mode)
{
	return fails(FAKE_FCHMOD) ? -1 : nm_sys_real.fchmod(fd, mode);
}

static int fake_fchown(int fd, uid_t uid, gid_t gid)
{
	return fails(FAKE_FCHOWN) ? -1 : nm_sys_real.fchown(fd, uid, gid);
}

static int fake_fstat(int fd, struct stat *st)
{
	return fails(FAKE_FSTAT) ? -1 : nm_sys_real.fstat(fd, st);
}

static int fake_pidfd_open(pid_t pid, unsigned int flags)
{
	return fails(FAKE_PIDFD_OPEN) ? -1 : count_fd(nm_sys_real.pidfd_open(pid, flags));
}

static int fake_pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	return fails(FAKE_PIDFD_GETFD) ? -1 : count_fd(nm_sys_real.pidfd_getfd(pidfd, fd, flags));
}

static int fake_membarrier(int command)
{
	return fails(FAKE_MEMBARRIER) ? -1 : nm_sys_real.membarrier(command);
}

static int fake_chmod(const char *path, mode_t mode)
{
	return fails(FAKE_CHMOD) ? -1 : nm_sys_real.chmod(path, mode);
}

static int fake_lstat(const char *path, struct stat *st)
{
	return fails(FAKE_LSTAT) ? -1 : nm_sys_real.lstat(path, st);
}

static int fake_unlink(const char *path)
{
	return fails(FAKE_UNLINK) ? -1 : nm_sys_real.unlink(path);
}

static void *fake_map(size_t size)
{
	void *memory = fails(FAKE_MAP) ? NULL : nm_sys_real.map(size);

	fake.maps += memory != NULL;
	return memory;
}

static void fake_unmap(void *memory, size_t size)
{
	fake.maps--;
	nm_sys_real.unmap(memory, size);
}

const struct nm_sys fake_sys = {
	.socket = fake_socket,
	.bind = fake_bind,
	.connect = fake_connect,
	.listen = fake_listen,
	.accept4 = fake_accept4,
	.getsockname = fake_getsockname,
	.setsockopt = fake_setsockopt,
	.getsockopt = fake_getsockopt,
	.recvmmsg = fake_recvmmsg,
	.sendmmsg = fake_sendmmsg,
	.recvmsg = fake_recvmsg,
	.sendmsg = fake_sendmsg,
	.open = fake_open,
	.read = fake_read,
	.writev = fake_writev,
	.ioctl = fake_ioctl,
	.poll = fake_poll,
	.close = fake_close,
	.fchmod = fake_fchmod,
	.fchown = fake_fchown,
	.fstat = fake_fstat,
	.pidfd_open = fake_pidfd_open,
	.pidfd_getfd = fake_pidfd_getfd,
	.membarrier = fake_membarrier,
	.chmod = fake_chmod,
	.lstat = fake_lstat,
	.unlink = fake_unlink,
	.map = fake_map,
	.unmap = fake_unmap,
};
