/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of the socket between natmuxd and the process that joins for it: questions and answers
 * of fixed size, descriptors beside them. The work itself is joining.c's.
 */
#include "daemon/join/joiner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/process/privileges.h"
#include "daemon/process/seccomp.h"

/* The C library's headers may be older than the kernel; the number is the same everywhere. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum {
	LEAVE_MS = 500,
	FDS_MAX = 1 + NM_HOLDER_SOCKETS, /* the pidfd first */
	FIRST_FD = 3,                    /* beyond standard input, output and error */
	LAST_FD = 1023,                  /* where close_range(2) is missing */
};

struct nm_joiner {
	int fd;
};

struct question {
	enum nm_joiner_request request;
	uint32_t tun;
};

union control {
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

static void put_fds(struct msghdr *msg, union control *control, const struct nm_joining_fds *fds,
	size_t sockets_n)
{
	size_t size = (1 + sockets_n) * sizeof(int);
	struct cmsghdr *cmsg;

	*control = (union control){0};
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(size);
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(cmsg), &fds->pidfd, sizeof(int));
	memcpy(CMSG_DATA(cmsg) + sizeof(int), fds->sockets, sockets_n * sizeof(int));
}

static void close_fds(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

/* ---- the child ---- */

/* Sends the answer; the descriptors that went with it are open on the other side now. */
static bool answer(int fd, const struct nm_joining_answer *answer, const struct nm_joining_fds *fds)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)answer, .iov_len = sizeof(*answer)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control;
	bool is_sent;

	if (answer->result == NM_JOINING_JOINED)
		put_fds(&msg, &control, fds, answer->sockets_n);
	is_sent = sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)sizeof(*answer);
	if (answer->result == NM_JOINING_JOINED) {
		close_fds(fds->sockets, answer->sockets_n);
		close(fds->pidfd);
	}
	return is_sent;
}

static void work(struct nm_joining *joining, const struct question *question,
	struct nm_joining_answer *answer, struct nm_joining_fds *fds)
{
	switch (question->request) {
	case NM_JOINER_JOIN: nm_joining_join(joining, question->tun, answer, fds); break;
	case NM_JOINER_CHECK: nm_joining_check(joining, answer); break;
	case NM_JOINER_LEAVE: nm_joining_leave(joining, answer); break;
	}
}

static bool take_question(int fd, struct question *question)
{
	ssize_t len;

	do
		len = recv(fd, question, sizeof(*question), 0);
	while (len < 0 && errno == EINTR);
	return len == (ssize_t)sizeof(*question);
}

/* Until natmuxd is gone, however that came about. */
static void serve(int fd, struct nm_joining *joining)
{
	struct nm_joining_answer result;
	struct nm_joining_fds fds = {.pidfd = -1};
	struct question question;
	bool is_sent = true;

	while (is_sent && take_question(fd, &question)) {
		memset(&result, 0, sizeof(result));
		work(joining, &question, &result, &fds);
		is_sent = answer(fd, &result, &fds);
	}
	/* It was killed, and could not ask for it any more; what was left before is left alone. */
	nm_joining_leave(joining, &result);
}

/* All that the parent had open, but for the socket between us and where the log goes. */
static int close_others(int fd)
{
	int kept = fd == FIRST_FD ? fd : dup2(fd, FIRST_FD);

	if (kept < 0)
		return -1;
	if (syscall(SYS_close_range, FIRST_FD + 1U, ~0U, 0U) == 0)
		return kept;
	for (int other = FIRST_FD + 1; other <= LAST_FD; other++)
		close(other);
	return kept;
}

/* Signals to the group (Ctrl-C, a service manager's) are natmuxd's: its end is ours. */
static void ignore_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		signal(numbers[i], SIG_IGN);
}

static _Noreturn void run_child(
	int fd, const struct nm_config *config, const struct natmux_log *log)
{
	struct nm_joining joining;

	prctl(PR_SET_NAME, "natmuxd-join", 0, 0, 0);
	nm_joining_init(&joining, &nm_sys_real, "/proc", config);
	ignore_signals();
	fd = close_others(fd);
	if (fd < 0 || nm_privileges_keep_for_joining(log) < 0 ||
		(config->seccomp && nm_seccomp_apply_joining(log) < 0))
		_exit(1);
	serve(fd, &joining);
	_exit(0);
}

/* ---- natmuxd ---- */

static int failed(const struct natmux_log *log, const char *call)
{
	nm_log(log, NATMUX_LOG_ERROR, "attach = join: %s: %s", call, strerror(errno));
	return NATMUX_ESYSTEM;
}

int nm_joiner_start(
	const struct nm_config *config, const struct natmux_log *log, struct nm_joiner **joiner)
{
	struct nm_joiner *j = calloc(1, sizeof(*j));
	int pair[2];
	pid_t pid;

	if (!j)
		return NATMUX_ENOMEM;
	if (nm_privileges_check_joining(log) < 0) {
		free(j);
		return NATMUX_ESYSTEM;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		free(j);
		return failed(log, "socketpair");
	}
	signal(SIGCHLD, SIG_IGN); /* nobody waits for it */
	pid = fork();
	if (pid == 0)
		run_child(pair[1], config, log);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		free(j);
		return failed(log, "fork");
	}
	j->fd = pair[0];
	*joiner = j;
	return 0;
}

int nm_joiner_fd(const struct nm_joiner *joiner)
{
	return joiner->fd;
}

int nm_joiner_ask(struct nm_joiner *joiner, enum nm_joiner_request request, uint32_t tun)
{
	const struct question question = {request, tun};
	ssize_t len = send(joiner->fd, &question, sizeof(question), MSG_NOSIGNAL | MSG_DONTWAIT);

	return len == (ssize_t)sizeof(question) ? 0 : NATMUX_ESYSTEM;
}

/* How many descriptors came; they are open whatever else is wrong. */
static size_t take_fds(struct msghdr *msg, int fds[FDS_MAX])
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	size_t n;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	n = n > FDS_MAX ? FDS_MAX : n;
	memcpy(fds, CMSG_DATA(cmsg), n * sizeof(int));
	return n;
}

int nm_joiner_answer(
	struct nm_joiner *joiner, struct nm_joining_answer *answer, struct nm_joining_fds *fds)
{
	struct iovec iov = {.iov_base = answer, .iov_len = sizeof(*answer)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control = {0};
	int taken[FDS_MAX];
	ssize_t len;
	size_t n, wanted = 0;

	msg.msg_control = control.bytes;
	msg.msg_controllen = sizeof(control.bytes);
	len = recvmsg(joiner->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	n = len > 0 ? take_fds(&msg, taken) : 0;
	if (len == (ssize_t)sizeof(*answer) && answer->result == NM_JOINING_JOINED)
		wanted = 1 + (size_t)answer->sockets_n;
	if (len != (ssize_t)sizeof(*answer) || n != wanted || n == 1) {
		close_fds(taken, n);
		return NATMUX_ESYSTEM;
	}
	answer->name[sizeof(answer->name) - 1] = answer->why[sizeof(answer->why) - 1] = '\0';
	if (n > 0) {
		fds->pidfd = taken[0];
		memcpy(fds->sockets, taken + 1, (n - 1) * sizeof(int));
	}
	return 1;
}

/* Answers to earlier questions may come first; sockets that come with them are not wanted. */
static void wait_for_leaving(struct nm_joiner *joiner)
{
	struct pollfd poll_fd = {.fd = joiner->fd, .events = POLLIN};

	for (int asked = 0; asked < 2; asked++) {
		struct nm_joining_answer answer;
		struct nm_joining_fds fds;

		if (poll(&poll_fd, 1, LEAVE_MS) <= 0 ||
			nm_joiner_answer(joiner, &answer, &fds) <= 0 ||
			answer.result == NM_JOINING_LEFT)
			return;
		if (answer.result == NM_JOINING_JOINED) {
			close_fds(fds.sockets, answer.sockets_n);
			close(fds.pidfd);
		}
	}
}

void nm_joiner_stop(struct nm_joiner *joiner, bool leaves)
{
	if (!joiner)
		return;
	if (leaves && nm_joiner_ask(joiner, NM_JOINER_LEAVE, 0) == 0)
		wait_for_leaving(joiner);
	close(joiner->fd);
	free(joiner);
}
