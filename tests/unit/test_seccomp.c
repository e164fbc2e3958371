/* SPDX-License-Identifier: Apache-2.0 */
/* The system call filter: what natmuxd does goes on, and nothing else. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <net/if.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <natmux/error.h>
#include "daemon/process/seccomp.h"

static const struct natmux_log silent = {.level = NATMUX_LOG_ERROR};

static pid_t tested_pid;

/* What is open before the filter is. */
static int udp[2], stream[2];

static int pass(void)
{
	return 0;
}

static int open_sockets(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);

	udp[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	udp[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(udp[0], (struct sockaddr *)&sin, len) ||
	       getsockname(udp[0], (struct sockaddr *)&sin, &len) ||
	       connect(udp[1], (struct sockaddr *)&sin, len) ||
	       socketpair(AF_UNIX, SOCK_STREAM, 0, stream);
}

/* The status of a child in which a filter holds and `body` runs. */
static int status_under(int (*apply)(const struct natmux_log *log), int (*body)(void))
{
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (open_sockets() != 0 || apply(&silent) < 0)
			_exit(99);
		_exit(body() != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static int status_of(int (*body)(void))
{
	return status_under(nm_seccomp_apply, body);
}

static int use_sockets(void)
{
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int on = 1;

	return sendmmsg(udp[1], &message, 1, 0) != 1 ||
	       recvmmsg(udp[0], &message, 1, 0, NULL) != 1 ||
	       sendmsg(udp[1], &message.msg_hdr, 0) != 1 ||
	       recvmsg(udp[0], &message.msg_hdr, 0) != 1 || write(stream[0], &byte, 1) != 1 ||
	       writev(stream[0], &iov, 1) != 1 || read(stream[1], &byte, 1) != 1 ||
	       readv(stream[1], &iov, 1) != 1 ||
	       (setsockopt(udp[0], IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) < 0 &&
		       errno != ENOPROTOOPT) ||
	       fcntl(udp[0], F_SETFL, O_NONBLOCK) < 0 || close(stream[1]) != 0;
}

static int use_loop(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = epoll_create1(EPOLL_CLOEXEC);

	return fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, udp[0], &event) < 0 ||
	       epoll_wait(fd, &event, 1, 0) != 0 || epoll_pwait(fd, &event, 1, 0, NULL) != 0;
}

/* A reload reads the file, and the log wants the local time. */
static int use_files(void)
{
	FILE *file = fopen("/proc/self/stat", "re");
	struct tm tm;
	struct stat st;
	time_t now = time(NULL);
	char line[64];

	return !file || !fgets(line, sizeof(line), file) || fclose(file) != 0 ||
	       !localtime_r(&now, &tm) || stat("/", &st) < 0 ||
	       (unlink("/nonexistent/socket") < 0 && errno != ENOENT);
}

static int use_memory(void)
{
	char *small = malloc(100), *large = calloc(64, 1 << 20);

	if (!small || !large)
		return 1;
	/* Keys of new SAs: sodium_mlock(3). */
	if ((mlock(large, 4096) < 0 && errno == EPERM) || munlock(large, 4096) < 0)
		return 1;
	memset(large, 1, 1 << 20);
	large = realloc(large, 128 << 20);
	free(large);
	free(small);
	return large == NULL;
}

/* The way of sd_notify(3). */
static int use_unix(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/notify"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 || errno != ENOENT;
}

static int raise_abort(void)
{
	abort();
}

static bool is_denied(bool has_failed)
{
	return has_failed && errno == EPERM;
}

static int try_internet_socket(void)
{
	return !is_denied(socket(AF_INET, SOCK_DGRAM, 0) < 0);
}

static int try_packet_socket(void)
{
	return !is_denied(socket(AF_PACKET, SOCK_RAW, 0) < 0);
}

static int try_new_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED || !is_denied(mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0) ||
	       !is_denied(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				  0) == MAP_FAILED);
}

static int try_fork(void)
{
	return !is_denied(fork() < 0);
}

static int try_kill(void)
{
	return !is_denied(kill(getppid(), 0) < 0);
}

static int try_bind(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};

	return !is_denied(bind(udp[1], (struct sockaddr *)&sin, sizeof(sin)) < 0);
}

static int try_rename(void)
{
	return !is_denied(rename("/nonexistent/a", "/nonexistent/b") < 0) ||
	       !is_denied(mkdir("/nonexistent/a", 0700) < 0) ||
	       !is_denied(chmod("/nonexistent/a", 0700) < 0);
}

static int run_program(void)
{
	char *argv[] = {(char *)"true", NULL};

	execv("/bin/true", argv);
	return 0;
}

static int trace_parent(void)
{
	ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
	return 0;
}

static void test_goes_on(void **state)
{
	static const struct {
		const char *name;
		int (*body)(void);
	} cases[] = {{"nothing", pass}, {"sockets", use_sockets}, {"loop", use_loop},
		{"files", use_files}, {"memory", use_memory}, {"unix", use_unix}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (status_of(cases[i].body) != 0)
			fail_msg("%s: status %x", cases[i].name, status_of(cases[i].body));
}

static void test_is_denied(void **state)
{
	static const struct {
		const char *name;
		int (*body)(void);
	} cases[] = {{"internet socket", try_internet_socket}, {"packet socket", try_packet_socket},
		{"new code", try_new_code}, {"fork", try_fork}, {"kill", try_kill},
		{"bind", try_bind}, {"rename", try_rename}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (status_of(cases[i].body) != 0)
			fail_msg("%s: status %x", cases[i].name, status_of(cases[i].body));
}

static void test_ends(void **state)
{
	(void)state;
	assert_int_equal(WTERMSIG(status_of(run_program)), SIGSYS);
	assert_int_equal(WTERMSIG(status_of(trace_parent)), SIGSYS);
	/* An assertion that fails still says so. */
	assert_int_equal(WTERMSIG(status_of(raise_abort)), SIGABRT);
}

/* What the process of attach = join does, and nothing that it could hurt others by. */
static int use_joining(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, tested_pid, 0), on = 1;
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), netlink = socket(AF_NETLINK, SOCK_RAW, 4);
	DIR *folder = opendir("/proc/self/fd");

	return pidfd < 0 || fd < 0 || netlink < 0 || !folder || !readdir(folder) ||
	       setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	       if_nametoindex("lo") == 0 ||
	       (syscall(SYS_pidfd_getfd, pidfd, 0, 0) < 0 && errno == ENOSYS);
}

static int joining_sends_signal(void)
{
	return kill(getpid(), 0) < 0 && errno == EPERM;
}

static int joining_opens_packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM;
}

static int joining_makes_process(void)
{
	return syscall(SYS_clone3, NULL, 0) < 0 && errno == EPERM;
}

static void test_joining(void **state)
{
	(void)state;
	tested_pid = getpid();
	assert_int_equal(status_under(nm_seccomp_apply_joining, use_joining), 0);
	assert_int_not_equal(status_under(nm_seccomp_apply_joining, joining_sends_signal), 0);
	assert_int_not_equal(
		status_under(nm_seccomp_apply_joining, joining_opens_packet_socket), 0);
	assert_int_not_equal(status_under(nm_seccomp_apply_joining, joining_makes_process), 0);
	assert_int_equal(WTERMSIG(status_under(nm_seccomp_apply_joining, run_program)), SIGSYS);
	assert_int_equal(WTERMSIG(status_under(nm_seccomp_apply_joining, trace_parent)), SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_is_denied),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_joining),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
