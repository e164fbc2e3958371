/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that io/ makes, as a table: each object keeps a pointer to one, so that a test
 * can let any call fail. All behave as in their manual pages: -1 and errno, unless said otherwise.
 */
#ifndef NM_SYS_H
#define NM_SYS_H

#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

struct nm_sys {
	int (*socket)(int domain, int type, int protocol);
	int (*bind)(int fd, const struct sockaddr *addr, socklen_t len);
	int (*connect)(int fd, const struct sockaddr *addr, socklen_t len);
	int (*listen)(int fd, int backlog);
	int (*accept4)(int fd, struct sockaddr *addr, socklen_t *len, int flags);
	int (*getsockname)(int fd, struct sockaddr *addr, socklen_t *len);
	int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
	int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *len);
	int (*recvmmsg)(int fd, struct mmsghdr *msgs, unsigned int n, int flags);
	int (*sendmmsg)(int fd, struct mmsghdr *msgs, unsigned int n, int flags);
	ssize_t (*recvmsg)(int fd, struct msghdr *msg, int flags);
	ssize_t (*sendmsg)(int fd, const struct msghdr *msg, int flags);
	int (*open)(const char *path, int flags);
	ssize_t (*read)(int fd, void *buf, size_t len);
	ssize_t (*writev)(int fd, const struct iovec *iov, int n);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	int (*poll)(struct pollfd *fds, nfds_t n, int timeout_ms);
	int (*close)(int fd);
	int (*fchmod)(int fd, mode_t mode);
	int (*fchown)(int fd, uid_t uid, gid_t gid);
	int (*fstat)(int fd, struct stat *st);
	int (*pidfd_open)(pid_t pid, unsigned int flags);
	int (*pidfd_getfd)(int pidfd, int fd, unsigned int flags);
	int (*membarrier)(int command);
	int (*chmod)(const char *path, mode_t mode);
	int (*lstat)(const char *path, struct stat *st);
	int (*unlink)(const char *path);
	/*
	 * Zeroed memory of which only the pages in use count as resident, never rounded up to huge
	 * pages; NULL when there is none.
	 */
	void *(*map)(size_t size);
	void (*unmap)(void *memory, size_t size);
};

/* The kernel's own. */
extern const struct nm_sys nm_sys_real;

#endif
