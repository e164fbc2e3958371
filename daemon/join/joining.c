/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins step by step: look, copy, mark, open, steer. Who may be joined is dispatcher/holder.c's
 * word. A copy of a daemon's socket lives for a few system calls: as long as one is open the port
 * cannot be had by the daemon's successor.
 */
#include "daemon/join/joining.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config.h"
#include "daemon/port/steering.h"
#include "io/pidfd.h"
#include "io/process.h"
#include "io/sock_diag.h"
#include "io/udp_socket.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { HOLDERS_MAX = 128 };

/* Daemons that one might look for in vain because they are elsewhere. */
static const char *const daemons[] = {"charon", "charon-systemd", "pluto", "iked", NULL};

struct look {
	struct nm_port_socket sockets[NM_JOINING_SEEN];
	size_t sockets_n;
	struct nm_port_holder holders[HOLDERS_MAX];
	struct nm_holder_choice choice;
};

void nm_joining_init(struct nm_joining *joining, const struct nm_sys *sys, const char *proc,
	const struct nm_config *config)
{
	const struct passwd *user = getpwnam(config->join.user);

	*joining = (struct nm_joining){
		.sys = sys,
		.proc = proc,
		.config = config,
		.uid = user ? user->pw_uid : UINT32_MAX, /* nobody's */
	};
}

static void refuse(struct nm_joining_answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void refuse(struct nm_joining_answer *answer, const char *format, ...)
{
	va_list args;

	answer->result = NM_JOINING_REFUSED;
	va_start(args, format);
	vsnprintf(answer->why, sizeof(answer->why), format, args);
	va_end(args);
}

static int list(struct nm_joining *joining, struct look *look, struct nm_joining_answer *answer)
{
	int error = nm_sock_diag_list(joining->sys, joining->config->port, joining->uid,
		look->sockets, NM_JOINING_SEEN, &look->sockets_n);

	if (error == NATMUX_EUNSUPPORTED)
		refuse(answer,
			"this kernel does not tell who has a port (CONFIG_INET_UDP_DIAG, module "
			"udp_diag)");
	else if (error == NATMUX_EFULL)
		refuse(answer, "there are more than %d sockets on port %u", NM_JOINING_SEEN,
			joining->config->port);
	else if (error < 0)
		refuse(answer, "sock_diag: %s",
			error == NATMUX_ESYSTEM ? strerror(errno) : natmux_strerror(error));
	return error;
}

static void wait_for_somebody(
	struct nm_joining *joining, const struct look *look, struct nm_joining_answer *answer)
{
	const char *name;
	int pid = nm_process_elsewhere(joining->proc, daemons, &name);

	answer->result = NM_JOINING_WAITS;
	if (pid > 0)
		snprintf(answer->why, sizeof(answer->why),
			"%.80s; %s (process %d) runs in another network namespace: natmuxd has to "
			"run in the same",
			look->choice.why, name, pid);
	else
		snprintf(answer->why, sizeof(answer->why), "%s", look->choice.why);
}

/* Finds out whom to join; false when it is nobody, and the answer says so. */
static bool look_around(
	struct nm_joining *joining, struct look *look, struct nm_joining_answer *answer)
{
	const struct nm_config *config = joining->config;
	struct nm_process_search search = {
		.proc = joining->proc,
		.sockets = look->sockets,
		.holders = look->holders,
		.max = HOLDERS_MAX,
	};
	struct nm_holder_wish wish = {
		.listen = config->listen,
		.listen_n = config->listen_len,
		.port = config->port,
		.interface = *config->device ? if_nametoindex(config->device) : 0,
		.uid = joining->uid,
		.user = config->join.user,
	};

	if (list(joining, look, answer) < 0)
		return false;
	search.sockets_n = look->sockets_n;
	if (look->sockets_n > 0 && nm_process_find(&search) < 0) {
		refuse(answer, "%s: %s", joining->proc, strerror(errno));
		return false;
	}
	wish.closed = search.closed;
	nm_holder_judge(
		&wish, look->sockets, look->sockets_n, look->holders, search.n, &look->choice);
	if (look->choice.verdict == NM_HOLDER_JOIN)
		return true;
	if (look->choice.verdict == NM_HOLDER_NOBODY)
		wait_for_somebody(joining, look, answer);
	else
		refuse(answer, "%s", look->choice.why);
	return false;
}

/* A copy of the daemon's own socket, which no caller keeps; -1 with the refusal. */
static int copy_theirs(struct nm_joining *joining, int pidfd, int fd,
	const struct nm_port_socket *socket, struct nm_joining_answer *answer)
{
	char where[NATMUX_ADDR_TEXT];
	int copy = nm_pidfd_copy_socket(joining->sys, pidfd, fd, socket);

	if (copy < 0)
		refuse(answer, "%s: pidfd_getfd: %s%s", natmux_addr_format(&socket->local, where),
			strerror(errno),
			errno == EPERM    ? " (needs CAP_SYS_PTRACE, and "
					    "kernel.yama.ptrace_scope below 3)"
			: errno == ENOSYS ? " (needs Linux 5.6)"
			: errno == ESTALE ? " (the daemon has just closed it)"
					  : "");
	return copy;
}

/* Sets SO_REUSEPORT of the daemon's own socket. */
static int mark(struct nm_joining *joining, int pidfd, int fd, const struct nm_port_socket *socket,
	int value, struct nm_joining_answer *answer)
{
	int copy = copy_theirs(joining, pidfd, fd, socket, answer), error;
	char where[NATMUX_ADDR_TEXT];

	if (copy < 0)
		return -1;
	error = joining->sys->setsockopt(copy, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
	if (error < 0)
		refuse(answer, "%s: setsockopt(SO_REUSEPORT): %s",
			natmux_addr_format(&socket->local, where), strerror(errno));
	joining->sys->close(copy);
	return error;
}

static bool is_on(struct nm_joining *joining, int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = 0;

	return joining->sys->getsockopt(fd, level, name, &value, &len) == 0 && value != 0;
}

/*
 * Looks at one of the daemon's sockets before any is changed.
 *
 * IPv4 finds an IPv6 socket that takes it in the same list as the IPv4 sockets, and the search ends
 * at the first one that is in a group. The kernel puts IPv6 sockets at the end of the list if they
 * have SO_REUSEPORT when they are bound (udp_lib_get_port()), and only then IPv4 stays with the
 * daemon's IPv4 socket. A program can be attached to such a socket, and to no other.
 */
static int inspect(struct nm_joining *joining, const struct look *look, size_t part, uint32_t tun,
	int pidfd, struct nm_joining_answer *answer)
{
	const struct nm_holder_part *of = &look->choice.parts[part];
	const struct nm_port_socket *socket = &look->sockets[of->socket];
	int copy = copy_theirs(joining, pidfd, of->fd, socket, answer), error = 0;
	char where[NATMUX_ADDR_TEXT];

	if (copy < 0)
		return -1;
	joining->theirs[part] = *socket;
	joining->their_fds[part] = of->fd;
	joining->is_marked[part] = !is_on(joining, copy, SOL_SOCKET, SO_REUSEPORT);
	/* Not ours to switch off: it changes what the daemon reads. */
	if (is_on(joining, copy, IPPROTO_UDP, UDP_GRO))
		answer->with_gro++;
	if (nm_port_socket_takes_ipv4(socket))
		error = nm_steering_attach(joining->sys, copy, tun);
	if (error < 0)
		refuse(answer,
			"%s of %s (process %d) takes IPv4, too (no IPV6_V6ONLY), and was bound "
			"without SO_REUSEPORT: in a group it might get what comes to 0.0.0.0",
			natmux_addr_format(&socket->local, where), look->choice.name,
			look->choice.pid);
	joining->sys->close(copy);
	return error;
}

/* What the socket that is being opened complains of. */
static void keep_words(void *user, enum natmux_log_level level, const char *text)
{
	(void)level;
	refuse(user, "%s", text);
}

/* A socket of ours beside the daemon's; returns its descriptor, or -1. */
static int open_beside(struct nm_joining *joining, const struct nm_port_socket *socket,
	struct nm_joining_answer *answer)
{
	const struct nm_config *config = joining->config;
	char device[IF_NAMESIZE] = "";
	struct nm_udp_config udp_config = {
		.sys = joining->sys,
		.log = {.write = keep_words, .user = answer, .level = NATMUX_LOG_ERROR},
		.device = device,
		.receive_buffer = config->receive_buffer_bytes,
		.send_buffer = config->send_buffer_bytes,
		.use_bypass = true,
		.reuse_address = true,
		.reuse_port = true,
		.owner = &socket->uid,
		.takes_ipv4 = nm_port_socket_takes_ipv4(socket),
	};
	struct nm_udp *udp;

	if (socket->interface > 0 && !if_indextoname(socket->interface, device)) {
		refuse(answer, "interface %u: %s", socket->interface, strerror(errno));
		return -1;
	}
	if (nm_udp_open(&udp_config, &socket->local, NULL, &udp) < 0)
		return -1;
	return nm_udp_release(udp);
}

/* Marks, opens and steers one of the daemon's sockets. */
static int join_one(struct nm_joining *joining, struct look *look, size_t part, uint32_t tun,
	int pidfd, struct nm_joining_answer *answer)
{
	const struct nm_holder_part *of = &look->choice.parts[part];
	const struct nm_port_socket *socket = &look->sockets[of->socket];
	struct stat st;
	int fd;

	if (joining->is_marked[part] && mark(joining, pidfd, of->fd, socket, 1, answer) < 0)
		return -1;
	fd = open_beside(joining, socket, answer);
	if (fd < 0)
		return -1;
	if (nm_steering_attach(joining->sys, fd, tun) < 0 || joining->sys->fstat(fd, &st) < 0) {
		refuse(answer, "setsockopt(SO_ATTACH_REUSEPORT_CBPF): %s", strerror(errno));
		joining->sys->close(fd);
		return -1;
	}
	joining->ours[part] = (uint32_t)st.st_ino;
	return fd;
}

static void close_all(struct nm_joining *joining, struct nm_joining_fds *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		joining->sys->close(fds->sockets[i]);
	joining->sys->close(fds->pidfd);
}

static bool prove(struct nm_joining *joining, struct nm_joining_answer *answer)
{
	char why[NM_REUSEPORT_WHY];

	if (!joining->is_proved && nm_steering_prove(joining->sys, why) < 0) {
		refuse(answer, "this kernel does not steer datagrams as it is told: %s", why);
		return false;
	}
	joining->is_proved = true;
	return true;
}

void nm_joining_join(struct nm_joining *joining, uint32_t tun, struct nm_joining_answer *answer,
	struct nm_joining_fds *fds)
{
	struct nm_joining_answer ignored;
	struct look look = {0};

	/* What we have set is not to be taken for the daemon's own. */
	nm_joining_leave(joining, answer);
	*answer = (struct nm_joining_answer){.result = NM_JOINING_JOINED};
	if (!look_around(joining, &look, answer) || !prove(joining, answer))
		return;
	fds->pidfd = nm_pidfd_open(joining->sys, look.choice.pid);
	if (fds->pidfd < 0) {
		refuse(answer, "pidfd_open: %s%s", strerror(errno),
			errno == ENOSYS ? " (needs Linux 5.3)" : "");
		return;
	}
	for (size_t i = 0; i < look.choice.parts_n; i++)
		if (inspect(joining, &look, i, tun, fds->pidfd, answer) < 0) {
			close_all(joining, fds, 0);
			return;
		}
	joining->n = look.choice.parts_n;
	joining->pid = look.choice.pid;
	for (size_t i = 0; i < look.choice.parts_n; i++) {
		fds->sockets[i] = join_one(joining, &look, i, tun, fds->pidfd, answer);
		if (fds->sockets[i] >= 0)
			continue;
		close_all(joining, fds, i);
		nm_joining_leave(joining, &ignored);
		return;
	}
	joining->seen_n = look.sockets_n;
	for (size_t i = 0; i < look.sockets_n; i++)
		joining->seen[i] = look.sockets[i].inode;
	answer->sockets_n = (uint32_t)joining->n;
	answer->pid = look.choice.pid;
	answer->uid = joining->theirs[0].uid;
	memcpy(answer->name, look.choice.name, sizeof(answer->name));
}

static bool contains(const uint32_t *inodes, size_t n, uint32_t inode)
{
	for (size_t i = 0; i < n; i++)
		if (inodes[i] == inode)
			return true;
	return false;
}

/* A look at the sockets alone: cheap enough for every other second. */
void nm_joining_check(struct nm_joining *joining, struct nm_joining_answer *answer)
{
	struct look look = {0};
	size_t seen = 0;

	*answer = (struct nm_joining_answer){.result = NM_JOINING_SAME};
	if (list(joining, &look, answer) < 0)
		return;
	for (size_t i = 0; i < look.sockets_n; i++) {
		uint32_t inode = look.sockets[i].inode;

		if (contains(joining->ours, joining->n, inode))
			continue;
		if (!contains(joining->seen, joining->seen_n, inode))
			answer->result = NM_JOINING_CHANGED;
		seen++;
	}
	if (seen != joining->seen_n)
		answer->result = NM_JOINING_CHANGED;
}

void nm_joining_leave(struct nm_joining *joining, struct nm_joining_answer *answer)
{
	int pidfd = joining->n > 0 ? nm_pidfd_open(joining->sys, joining->pid) : -1;

	*answer = (struct nm_joining_answer){.result = NM_JOINING_LEFT};
	for (size_t i = 0; pidfd >= 0 && i < joining->n; i++)
		if (joining->is_marked[i])
			(void)mark(joining, pidfd, joining->their_fds[i], &joining->theirs[i], 0,
				answer);
	if (pidfd >= 0)
		joining->sys->close(pidfd);
	joining->n = 0;
	answer->result = NM_JOINING_LEFT;
}
