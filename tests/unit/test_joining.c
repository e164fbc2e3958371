/* SPDX-License-Identifier: Apache-2.0 */
/* Joining a daemon that has one socket, and every way it can fail. */
#include "joining_test.h"

/* The daemon: tells its port, then each datagram's first byte but one. */
static void run_daemon(int out)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint16_t port;

	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &daemon_gro, sizeof(daemon_gro));
	if (bind(fd, (struct sockaddr *)&sin, len) < 0 ||
		getsockname(fd, (struct sockaddr *)&sin, &len) < 0)
		_exit(1);
	port = ntohs(sin.sin_port);
	if (write(out, &port, sizeof(port)) != sizeof(port))
		_exit(1);
	for (;;) {
		char bytes[64];

		if (recv(fd, bytes, sizeof(bytes), 0) > 0 && write(out, bytes + 1, 1) != 1)
			_exit(1);
	}
}

static int start_daemon(void **state)
{
	(void)state;
	start(run_daemon);
	return 0;
}

static int start_daemon_with_gro(void **state)
{
	daemon_gro = 1;
	return start_daemon(state);
}

static void test_joined(void **state)
{
	char byte;

	(void)state;
	join();
	if (answer.result != NM_JOINING_JOINED)
		fail_msg("%s", answer.why);
	assert_int_equal(answer.pid, child);
	assert_int_equal(answer.uid, getuid());
	assert_int_equal(answer.sockets_n, 1);
	assert_int_equal(answer.with_gro, 0);
	for (int i = 0; i < 20; i++) {
		send_to_port(stun, sizeof(stun));
		send_to_port(ike, sizeof(ike));
		assert_true(is_readable(fds.sockets[0], PATIENCE_MS));
		assert_int_equal(recv(fds.sockets[0], &byte, 1, 0), 1);
		assert_false(is_readable(fds.sockets[0], 0));
		assert_true(is_readable(child_says, PATIENCE_MS));
		assert_int_equal(read(child_says, &byte, 1), 1);
		assert_int_equal(byte, 0);
	}
	/* Without us all is the daemon's again. */
	close_joined();
	send_to_port(stun, sizeof(stun));
	assert_true(is_readable(child_says, PATIENCE_MS));
	assert_int_equal(read(child_says, &byte, 1), 1);
	assert_int_equal(byte, 1);
}

/* It stays as it is, and natmuxd hears of it. */
static void test_daemon_with_gro(void **state)
{
	(void)state;
	join();
	assert_int_equal(answer.result, NM_JOINING_JOINED);
	assert_int_equal(answer.with_gro, 1);
	close_joined();
	join();
	assert_int_equal(answer.with_gro, 1);
	close_joined();
}

static void test_end_is_seen(void **state)
{
	(void)state;
	join();
	assert_int_equal(answer.result, NM_JOINING_JOINED);
	assert_false(is_readable(fds.pidfd, 0));
	kill(child, SIGKILL);
	assert_true(is_readable(fds.pidfd, PATIENCE_MS));
	close_joined();
	/* No copy of its socket keeps the port. */
	waitpid(child, NULL, 0);
	join();
	assert_int_equal(answer.result, NM_JOINING_WAITS);
	assert_non_null(strstr(answer.why, "nobody has UDP port"));
}

static void test_left_as_found(void **state)
{
	(void)state;
	assert_int_equal(bind_beside(), -1);
	join();
	assert_int_equal(answer.result, NM_JOINING_JOINED);
	assert_int_equal(bind_beside(), 0);
	close_joined();
	nm_joining_leave(&joining, &answer);
	assert_int_equal(answer.result, NM_JOINING_LEFT);
	assert_int_equal(bind_beside(), -1);
	/* Joined twice without leaving between: our own mark is not taken for the daemon's. */
	for (int i = 0; i < 2; i++) {
		join();
		assert_int_equal(answer.result, NM_JOINING_JOINED);
		close_joined();
	}
	nm_joining_leave(&joining, &answer);
	assert_int_equal(bind_beside(), -1);
	/* Nothing is joined: nothing to leave. */
	nm_joining_leave(&joining, &answer);
	assert_int_equal(answer.result, NM_JOINING_LEFT);
}

static void test_check(void **state)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1)};
	struct nm_joining_answer check;
	int other = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	join();
	assert_int_equal(answer.result, NM_JOINING_JOINED);
	nm_joining_check(&joining, &check);
	assert_int_equal(check.result, NM_JOINING_SAME);
	sin.sin_port = htons(config.port);
	assert_int_equal(bind(other, (struct sockaddr *)&sin, sizeof(sin)), 0);
	nm_joining_check(&joining, &check);
	assert_int_equal(check.result, NM_JOINING_CHANGED);
	close(other);
	nm_joining_check(&joining, &check);
	assert_int_equal(check.result, NM_JOINING_SAME);
	close_joined();
}

/* A socket of somebody else at another address; needs root. */
static int bind_stranger(uint32_t offset)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
		.sin_port = htons(config.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + offset)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(fchown(fd, 65534, (gid_t)-1), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

/* Any user may bind the port at addresses that the daemon has left free: that stops nobody. */
static void test_strangers(void **state)
{
	enum { STRANGERS = NM_JOINING_SEEN + 8 };
	int strangers[STRANGERS];
	struct nm_joining_answer check;

	(void)state;
	if (getuid() != 0) {
		print_message("only root can make sockets of other users\n");
		skip();
	}
	for (uint32_t i = 0; i < STRANGERS - 1; i++)
		strangers[i] = bind_stranger(1 + i);
	join();
	assert_int_equal(answer.result, NM_JOINING_JOINED);
	assert_int_equal(answer.pid, child);
	strangers[STRANGERS - 1] = bind_stranger(STRANGERS);
	nm_joining_check(&joining, &check);
	assert_int_equal(check.result, NM_JOINING_SAME);
	for (size_t i = 0; i < STRANGERS; i++)
		close(strangers[i]);
	nm_joining_check(&joining, &check);
	assert_int_equal(check.result, NM_JOINING_SAME);
	close_joined();
}

/* Between a look and a copy the daemon may have put another socket under the number. */
static void test_another_socket(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fds_here[2], on = 1, pidfd = nm_pidfd_open(&fake_sys, getpid()), copy;
	struct nm_port_socket wanted = {.local.family = NATMUX_FAMILY_IPV4};
	socklen_t len = sizeof(sin);
	struct stat st;

	(void)state;
	assert_true(pidfd >= 0);
	for (size_t i = 0; i < 2; i++) {
		fds_here[i] = socket(AF_INET, SOCK_DGRAM, 0);
		setsockopt(fds_here[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
		assert_int_equal(bind(fds_here[i], (struct sockaddr *)&sin, len), 0);
		assert_int_equal(getsockname(fds_here[i], (struct sockaddr *)&sin, &len), 0);
	}
	assert_int_equal(fstat(fds_here[0], &st), 0);
	wanted.inode = (uint32_t)st.st_ino;
	wanted.local.port = ntohs(sin.sin_port);
	memcpy(wanted.local.ip, &sin.sin_addr, 4);
	copy = nm_pidfd_copy_socket(&fake_sys, pidfd, fds_here[0], &wanted);
	assert_true(copy >= 0);
	fake_sys.close(copy);
	/* Alike in all but that it is another one. */
	assert_int_equal(nm_pidfd_copy_socket(&fake_sys, pidfd, fds_here[1], &wanted), -1);
	assert_int_equal(errno, ESTALE);
	/* The same one, at another address by now. */
	wanted.local.port++;
	assert_int_equal(nm_pidfd_copy_socket(&fake_sys, pidfd, fds_here[0], &wanted), -1);
	assert_int_equal(errno, ESTALE);
	fake_sys.close(pidfd);
	close(fds_here[0]);
	close(fds_here[1]);
}

static void test_another_user(void **state)
{
	(void)state;
	strcpy(config.join.user, getuid() == 0 ? "nobody" : "root");
	nm_joining_init(&joining, &fake_sys, "/proc", &config);
	join();
	expect_refusal("of the user with the number");
}

static void test_no_proc(void **state)
{
	(void)state;
	nm_joining_init(&joining, &fake_sys, "/nonexistent", &config);
	join();
	expect_refusal("/nonexistent: No such file or directory");
}

static void test_failing_calls(void **state)
{
	static const struct {
		enum fake_call call;
		int error;
		const char *says;
	} cases[] = {
		{FAKE_PIDFD_OPEN, ENOSYS, "pidfd_open: Function not implemented (needs Linux 5.3)"},
		{FAKE_PIDFD_OPEN, ESRCH, "pidfd_open: No such process"},
		{FAKE_PIDFD_GETFD, EPERM, "(needs CAP_SYS_PTRACE, and kernel.yama.ptrace_scope"},
		{FAKE_PIDFD_GETFD, ENOSYS, "(needs Linux 5.6)"},
		{FAKE_PIDFD_GETFD, EBADF, "pidfd_getfd: Bad file descriptor"},
		{FAKE_FSTAT, EIO, "(the daemon has just closed it)"},
		{FAKE_FCHOWN, EPERM, "fchown: Operation not permitted (needs CAP_CHOWN)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_sys_reset();
		joining.is_proved = true;
		fake_sys_fail(cases[i].call, 0, 1, cases[i].error);
		join();
		expect_refusal(cases[i].says);
		assert_int_equal(bind_beside(), -1);
	}
	/* A trouble that is over is forgotten. */
	(void)state;
	join();
	assert_int_equal(answer.result, NM_JOINING_JOINED);
	close_joined();
}

static void test_failing_options(void **state)
{
	static const struct {
		int name;
		const char *says;
	} cases[] = {
		{SO_REUSEPORT, "setsockopt(SO_REUSEPORT): Operation not permitted"},
		{SO_ATTACH_REUSEPORT_CBPF, "setsockopt(SO_ATTACH_REUSEPORT_CBPF): Operation not"},
		{SO_PROTOCOL, "(the daemon has just closed it)"},
		{SO_TYPE, "(the daemon has just closed it)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_sys_reset();
		joining.is_proved = true;
		fake_sys_fail_option(SOL_SOCKET, cases[i].name, EPERM);
		join();
		expect_refusal(cases[i].says);
	}
}

/* Steering is tried before anybody's socket is touched. */
static void test_unproved(void **state)
{
	(void)state;
	fake_sys_fail_option(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, EINVAL);
	join();
	expect_refusal("this kernel does not steer datagrams as it is told: "
		       "setsockopt(SO_ATTACH_REUSEPORT_CBPF): Invalid argument");
	assert_int_equal(bind_beside(), -1);
	assert_int_equal(fake_sys_calls(FAKE_PIDFD_GETFD), 0);
}

static void test_proof(void **state)
{
	char why[NM_REUSEPORT_WHY];

	(void)state;
	assert_int_equal(nm_steering_prove(&fake_sys, why), 0);
	fake_sys_fail(FAKE_SENDMSG, 0, 1, ENETUNREACH);
	assert_true(nm_steering_prove(&fake_sys, why) < 0);
	assert_non_null(strstr(why, "loopback interface: Network is unreachable"));
}

static void test_processes(void **state)
{
	struct nm_port_socket mine = {.inode = 1};
	struct nm_port_holder found[1];
	struct nm_process_search search = {
		.proc = "/proc", .sockets = &mine, .sockets_n = 1, .holders = found, .max = 1};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), copy = dup(fd);
	struct stat st;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	mine.inode = (uint32_t)st.st_ino;
	assert_int_equal(nm_process_find(&search), 0);
	assert_int_equal(search.n, 1);
	assert_true(search.is_full);
	assert_int_equal(found[0].pid, getpid());
	assert_true(found[0].fd == fd || found[0].fd == copy);
	close(copy);
	close(fd);
	assert_int_equal(nm_process_find(&search), 0);
	assert_int_equal(search.n, 0);
	/* The kernel's own sockets have the number 0, and so has everything that is none. */
	mine.inode = 0;
	assert_int_equal(nm_process_find(&search), 0);
	assert_int_equal(search.n, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_daemon, stop_daemon)
	const struct CMUnitTest tests[] = {
		TEST(test_joined),
		cmocka_unit_test_setup_teardown(
			test_daemon_with_gro, start_daemon_with_gro, stop_daemon),
		TEST(test_end_is_seen),
		TEST(test_left_as_found),
		TEST(test_check),
		TEST(test_strangers),
		TEST(test_another_socket),
		TEST(test_another_user),
		TEST(test_no_proc),
		TEST(test_failing_calls),
		TEST(test_failing_options),
		TEST(test_unproved),
		TEST(test_proof),
		TEST(test_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
