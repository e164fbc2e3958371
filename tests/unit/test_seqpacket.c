/* SPDX-License-Identifier: Apache-2.0 */
/* The Unix server: whose file it may remove, who got in, frames whole or not at all. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <natmux/error.h>
#include "io/seqpacket.h"
#include "tests/fakes/fake_sys.h"
#include "tests/fakes/log_tape.h"

static struct log_tape tape;
static char directory[64], path[96];

static struct nm_seqpacket_config config_at(const char *where)
{
	return (struct nm_seqpacket_config){.sys = &fake_sys,
		.log = log_tape(&tape),
		.path = where,
		.mode = 0600,
		.clients_max = 2,
		.send_buffer = 16384};
}

static struct nm_seqpacket *listen_here(void)
{
	struct nm_seqpacket_config config = config_at(path);
	struct nm_seqpacket *listener;

	assert_int_equal(nm_seqpacket_listen(&config, &listener), 0);
	return listener;
}

/* A client of the other side; -1 and errno when it cannot connect. */
static int dial(int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

static struct iovec part_of(const char *text)
{
	return (struct iovec){(void *)text, strlen(text)};
}

static int setup(void **state)
{
	(void)state;
	fake_sys_reset();
	strcpy(directory, "/tmp/natmux-test-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/sock", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	assert_int_equal(rmdir(directory), 0); /* nothing was left behind */
	assert_int_equal(fake_sys_open_fds(), 0);
	return 0;
}

static void test_frames(void **state)
{
	struct nm_seqpacket *listener = listen_here();
	struct nm_seqpacket_client client;
	struct iovec parts[] = {part_of("head"), part_of(""), part_of("body")};
	char frame[16];
	size_t len = 99;
	int fd = dial(SOCK_SEQPACKET);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(nm_seqpacket_accept(listener, &client), 0);
	assert_int_equal(client.pid, getpid());
	assert_int_equal(client.uid, geteuid());
	assert_int_equal(client.gid, getegid());
	assert_true(fcntl(client.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(client.fd, F_GETFD) & FD_CLOEXEC);

	assert_int_equal(nm_seqpacket_recv(listener, &client, frame, 16, &len), NM_SEQPACKET_AGAIN);
	assert_int_equal(len, 99);
	assert_int_equal(send(fd, "one", 3, 0), 3);
	assert_int_equal(send(fd, "second", 6, 0), 6);
	assert_int_equal(nm_seqpacket_recv(listener, &client, frame, 16, &len), NM_SEQPACKET_DONE);
	assert_int_equal(len, 3);
	assert_int_equal(nm_seqpacket_recv(listener, &client, frame, 6, &len), NM_SEQPACKET_DONE);
	assert_int_equal(len, 6);
	assert_memory_equal(frame, "second", 6);

	assert_int_equal(nm_seqpacket_send(listener, &client, parts, 3), NM_SEQPACKET_DONE);
	assert_int_equal(recv(fd, frame, sizeof(frame), 0), 8);
	assert_memory_equal(frame, "headbody", 8);

	nm_seqpacket_hang_up(listener, &client);
	nm_seqpacket_hang_up(listener, &client); /* twice does no harm */
	assert_int_equal(recv(fd, frame, sizeof(frame), 0), 0);
	close(fd);
	nm_seqpacket_close(listener);
}

static void test_frame_too_long(void **state)
{
	static char big[200000];
	struct nm_seqpacket *listener = listen_here();
	struct nm_seqpacket_client client;
	struct iovec part = {big, sizeof(big)};
	char frame[4];
	size_t len = 99;
	int fd = dial(SOCK_SEQPACKET);

	(void)state;
	assert_int_equal(nm_seqpacket_accept(listener, &client), 0);
	assert_int_equal(send(fd, "12345", 5, 0), 5);
	assert_int_equal(send(fd, "ok", 2, 0), 2);
	assert_int_equal(
		nm_seqpacket_recv(listener, &client, frame, 4, &len), NM_SEQPACKET_TOO_LONG);
	assert_int_equal(len, 99);
	/* The rest of a long frame is not taken for the next one. */
	assert_int_equal(nm_seqpacket_recv(listener, &client, frame, 4, &len), NM_SEQPACKET_DONE);
	assert_int_equal(len, 2);
	assert_int_equal(nm_seqpacket_send(listener, &client, &part, 1), NM_SEQPACKET_TOO_LONG);
	nm_seqpacket_hang_up(listener, &client);
	close(fd);
	nm_seqpacket_close(listener);
}

/* A client that does not read: sending ends, nothing waits, and goes on when it reads again. */
static void test_slow_client(void **state)
{
	struct nm_seqpacket *listener = listen_here();
	struct nm_seqpacket_client client;
	char frame[1000] = {0};
	struct iovec part = {frame, sizeof(frame)};
	enum nm_seqpacket_result result = NM_SEQPACKET_DONE;
	int fd = dial(SOCK_SEQPACKET), sent = 0;

	(void)state;
	assert_int_equal(nm_seqpacket_accept(listener, &client), 0);
	while (result == NM_SEQPACKET_DONE && sent < 1000) {
		result = nm_seqpacket_send(listener, &client, &part, 1);
		sent += result == NM_SEQPACKET_DONE;
	}
	assert_int_equal(result, NM_SEQPACKET_AGAIN);
	assert_true(sent > 1 && sent < 1000);
	for (int i = 0; i < sent; i++)
		assert_int_equal(recv(fd, frame, sizeof(frame), 0), 1000);
	assert_int_equal(nm_seqpacket_send(listener, &client, &part, 1), NM_SEQPACKET_DONE);
	nm_seqpacket_hang_up(listener, &client);
	close(fd);
	nm_seqpacket_close(listener);
}

static void test_client_leaves(void **state)
{
	struct nm_seqpacket *listener = listen_here();
	struct nm_seqpacket_client client;
	struct iovec part = part_of("x");
	char frame[4];
	size_t len;
	int fd = dial(SOCK_SEQPACKET);

	(void)state;
	assert_int_equal(nm_seqpacket_accept(listener, &client), 0);
	assert_int_equal(send(fd, "last", 4, 0), 4);
	close(fd);
	assert_int_equal(nm_seqpacket_recv(listener, &client, frame, 4, &len), NM_SEQPACKET_DONE);
	assert_int_equal(nm_seqpacket_recv(listener, &client, frame, 4, &len), NM_SEQPACKET_GONE);
	/* No SIGPIPE. */
	assert_int_equal(nm_seqpacket_send(listener, &client, &part, 1), NM_SEQPACKET_GONE);
	nm_seqpacket_hang_up(listener, &client);
	nm_seqpacket_close(listener);
}

/* A descriptor that a client passes must not pile up here. */
static void test_passed_descriptor(void **state)
{
	struct nm_seqpacket *listener = listen_here();
	struct nm_seqpacket_client client;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = part_of("fd");
	struct msghdr msg = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd = dial(SOCK_SEQPACKET), ends[2];
	char frame[4];
	size_t len;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &ends[1], sizeof(int));
	assert_int_equal(nm_seqpacket_accept(listener, &client), 0);
	assert_int_equal(sendmsg(fd, &msg, 0), 2);
	assert_int_equal(nm_seqpacket_recv(listener, &client, frame, 4, &len), NM_SEQPACKET_DONE);
	close(ends[1]);
	assert_int_equal(read(ends[0], frame, 1), 0); /* no other writer is left */
	close(ends[0]);
	nm_seqpacket_hang_up(listener, &client);
	close(fd);
	nm_seqpacket_close(listener);
}

static void test_clients_are_bounded(void **state)
{
	struct nm_seqpacket *listener = listen_here();
	struct nm_seqpacket_client clients[2], third = {.fd = -5};
	int fds[3];
	char byte;

	(void)state;
	assert_int_equal(nm_seqpacket_accept(listener, &third), NATMUX_ENOTFOUND);
	for (int i = 0; i < 2; i++) {
		fds[i] = dial(SOCK_SEQPACKET);
		assert_int_equal(nm_seqpacket_accept(listener, &clients[i]), 0);
	}
	for (int i = 0; i < 100; i++) {
		fds[2] = dial(SOCK_SEQPACKET);
		assert_int_equal(nm_seqpacket_accept(listener, &third), NATMUX_EFULL);
		assert_int_equal(third.fd, -5);
		assert_int_equal(recv(fds[2], &byte, 1, 0), 0);
		close(fds[2]);
	}
	assert_int_equal(tape.lines, 1);
	assert_true(log_tape_has(&tape, "2 clients are connected"));
	nm_seqpacket_hang_up(listener, &clients[0]);
	fds[2] = dial(SOCK_SEQPACKET);
	assert_int_equal(nm_seqpacket_accept(listener, &clients[0]), 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	nm_seqpacket_hang_up(listener, &clients[0]);
	nm_seqpacket_hang_up(listener, &clients[1]);
	nm_seqpacket_close(listener);
}

static void test_mode(void **state)
{
	static const mode_t modes[] = {0600, 0660, 0666};
	mode_t before = umask(077);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct nm_seqpacket_config config = config_at(path);
		struct nm_seqpacket *listener;
		struct stat st;

		umask(i % 2 ? 0 : 077);
		config.mode = modes[i];
		assert_int_equal(nm_seqpacket_listen(&config, &listener), 0);
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 0777, modes[i]);
		nm_seqpacket_close(listener);
		assert_int_equal(lstat(path, &st), -1);
	}
	umask(before);
}

/* The file of a server that died is replaced; one of a server that lives is not. */
static void test_stale_socket(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct nm_seqpacket_config config = config_at(path);
	struct nm_seqpacket *listener, *second = NULL;
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	strcpy(addr.sun_path, path);
	assert_int_equal(bind(dead, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(dead);
	assert_int_equal(nm_seqpacket_listen(&config, &listener), 0);
	assert_int_equal(tape.lines, 0);
	assert_int_equal(nm_seqpacket_listen(&config, &second), NATMUX_EEXISTS);
	assert_null(second);
	assert_true(log_tape_has(&tape, "another program listens there"));
	dead = dial(SOCK_SEQPACKET); /* the first still answers */
	assert_true(dead >= 0);
	close(dead);
	nm_seqpacket_close(listener);
}

/* A socket of another kind that somebody serves is somebody's too. */
static void test_other_kind_of_server(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct nm_seqpacket_config config = config_at(path);
	struct nm_seqpacket *listener = NULL;
	int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	(void)state;
	strcpy(addr.sun_path, path);
	assert_int_equal(bind(stream, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(stream, 1), 0);
	assert_int_equal(nm_seqpacket_listen(&config, &listener), NATMUX_EEXISTS);
	assert_null(listener);
	assert_int_equal(lstat(path, &st), 0);
	close(stream);
}

static void test_file_that_is_no_socket(void **state)
{
	struct nm_seqpacket_config config = config_at(path);
	struct nm_seqpacket *listener = NULL;
	struct stat st;

	(void)state;
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(nm_seqpacket_listen(&config, &listener), NATMUX_EEXISTS);
	assert_true(log_tape_has(&tape, "no socket"));
	assert_int_equal(lstat(path, &st), 0);
	unlink(path);
	/* A link is not followed, wherever it leads. */
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(nm_seqpacket_listen(&config, &listener), NATMUX_EEXISTS);
	assert_int_equal(lstat(path, &st), 0);
	assert_null(listener);
}

/* Somebody put another file in the place of ours: it stays when we go. */
static void test_replaced_file_stays(void **state)
{
	struct nm_seqpacket *listener = listen_here();
	char other[112];
	struct stat st;

	(void)state;
	/* Made before ours is gone, so that it cannot get the same inode number. */
	snprintf(other, sizeof(other), "%s.new", path);
	close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(rename(other, path), 0);
	nm_seqpacket_close(listener);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void test_path_length(void **state)
{
	struct nm_seqpacket_config config = config_at("");
	struct nm_seqpacket *listener = NULL;
	char path_108[109];

	(void)state;
	memset(path_108, 'a', 108);
	path_108[108] = '\0';
	assert_int_equal(nm_seqpacket_listen(&config, &listener), NATMUX_EINVAL);
	config.path = path_108;
	assert_int_equal(nm_seqpacket_listen(&config, &listener), NATMUX_EINVAL);
	assert_true(log_tape_has(&tape, "1 to 107 bytes, this one has 108"));
	assert_null(listener);
	config.path = "/tmp/natmux-no-such-directory/sock";
	assert_int_equal(nm_seqpacket_listen(&config, &listener), NATMUX_ESYSTEM);
	assert_true(log_tape_has(&tape, "make the directory first"));
	nm_seqpacket_close(NULL);
}

static void test_listen_fails(void **state)
{
	static const struct {
		enum fake_call call;
		unsigned int skip;
		int error, result;
		const char *said;
	} cases[] = {
		{FAKE_SOCKET, 0, EMFILE, NATMUX_ESYSTEM, "socket: "},
		{FAKE_SOCKET, 0, ENOMEM, NATMUX_ENOMEM, "socket: "},
		{FAKE_FCHMOD, 0, EIO, NATMUX_ESYSTEM, "fchmod: "},
		{FAKE_BIND, 0, EACCES, NATMUX_ESYSTEM, "no permission in this directory"},
		{FAKE_BIND, 0, EROFS, NATMUX_ESYSTEM, "such as /run"},
		{FAKE_BIND, 0, ENOENT, NATMUX_ESYSTEM, "make the directory first"},
		{FAKE_LSTAT, 0, EIO, NATMUX_ESYSTEM, "lstat: "},
		{FAKE_CHMOD, 0, EPERM, NATMUX_ESYSTEM, "chmod: "},
		{FAKE_LISTEN, 0, EIO, NATMUX_ESYSTEM, "listen: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_seqpacket_config config = config_at(path);
		struct nm_seqpacket *listener = NULL;

		fake_sys_reset();
		fake_sys_fail(cases[i].call, cases[i].skip, 1, cases[i].error);
		assert_int_equal(nm_seqpacket_listen(&config, &listener), cases[i].result);
		assert_null(listener);
		assert_int_equal(tape.lines, 1);
		assert_true(log_tape_has(&tape, cases[i].said));
		assert_true(log_tape_has(&tape, path));
		assert_int_equal(fake_sys_open_fds(), 0);
		unlink(path); /* of the lstat case: whose file it is was not known */
	}
}

/* The way around a stale file fails in turn. */
static void test_stale_fails(void **state)
{
	static const struct {
		enum fake_call call;
		unsigned int skip;
		int error, result;
	} cases[] = {
		{FAKE_LSTAT, 0, EIO, NATMUX_EEXISTS},
		{FAKE_SOCKET, 1, EMFILE, NATMUX_EEXISTS},
		{FAKE_CONNECT, 0, EAGAIN, NATMUX_EEXISTS}, /* its backlog is full: it lives */
		{FAKE_UNLINK, 0, EPERM, NATMUX_ESYSTEM},
		{FAKE_BIND, 1, EADDRINUSE, NATMUX_ESYSTEM},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sockaddr_un addr = {.sun_family = AF_UNIX};
		struct nm_seqpacket_config config = config_at(path);
		struct nm_seqpacket *listener = NULL;
		int dead = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

		strcpy(addr.sun_path, path);
		assert_int_equal(bind(dead, (struct sockaddr *)&addr, sizeof(addr)), 0);
		close(dead);
		fake_sys_reset();
		fake_sys_fail(cases[i].call, cases[i].skip, 1, cases[i].error);
		assert_int_equal(nm_seqpacket_listen(&config, &listener), cases[i].result);
		assert_null(listener);
		assert_int_equal(tape.lines, 1);
		assert_int_equal(fake_sys_open_fds(), 0);
		unlink(path);
	}
}

static void test_accept_fails(void **state)
{
	static const struct {
		enum fake_call call;
		int error, result;
		size_t lines;
	} cases[] = {
		{FAKE_ACCEPT, EAGAIN, NATMUX_ENOTFOUND, 0},
		{FAKE_ACCEPT, EINTR, NATMUX_ENOTFOUND, 0},
		{FAKE_ACCEPT, ECONNABORTED, NATMUX_ENOTFOUND, 0},
		{FAKE_ACCEPT, EMFILE, NATMUX_ESYSTEM, 1},
		{FAKE_GETSOCKOPT, EIO, NATMUX_ESYSTEM, 1},
		{FAKE_SETSOCKOPT, EPERM, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_seqpacket *listener = listen_here();
		struct nm_seqpacket_client client = {.fd = -5};
		int fd = dial(SOCK_SEQPACKET);

		fake_sys_reset();
		fake_sys_fail(cases[i].call, 0, 1, cases[i].error);
		assert_int_equal(nm_seqpacket_accept(listener, &client), cases[i].result);
		assert_int_equal(tape.lines, cases[i].lines);
		if (cases[i].result < 0)
			assert_int_equal(client.fd, -5);
		else
			nm_seqpacket_hang_up(listener, &client);
		close(fd);
		nm_seqpacket_close(listener);
	}
}

/* The connection stays in the queue, so the loop comes back at once: one line, not thousands. */
static void test_accept_failure_is_told_once(void **state)
{
	struct nm_seqpacket *listener = listen_here();
	struct nm_seqpacket_client client;
	int fd = dial(SOCK_SEQPACKET);

	(void)state;
	fake_sys_fail(FAKE_ACCEPT, 0, 1000, EMFILE);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(nm_seqpacket_accept(listener, &client), NATMUX_ESYSTEM);
	assert_int_equal(tape.lines, 1);
	assert_int_equal(nm_seqpacket_accept(listener, &client), 0);
	nm_seqpacket_hang_up(listener, &client);
	close(fd);
	nm_seqpacket_close(listener);
}

static void test_send_and_recv_fail(void **state)
{
	static const struct {
		int error;
		enum nm_seqpacket_result sent, received;
	} cases[] = {
		{EAGAIN, NM_SEQPACKET_AGAIN, NM_SEQPACKET_AGAIN},
		{EINTR, NM_SEQPACKET_AGAIN, NM_SEQPACKET_AGAIN},
		{ENOBUFS, NM_SEQPACKET_AGAIN, NM_SEQPACKET_GONE},
		{EMSGSIZE, NM_SEQPACKET_TOO_LONG, NM_SEQPACKET_GONE},
		{ECONNRESET, NM_SEQPACKET_GONE, NM_SEQPACKET_GONE},
		{EPIPE, NM_SEQPACKET_GONE, NM_SEQPACKET_GONE},
	};
	struct nm_seqpacket *listener = listen_here();
	struct nm_seqpacket_client client;
	struct iovec part = part_of("x");
	int fd = dial(SOCK_SEQPACKET);
	char frame[4];
	size_t len;

	(void)state;
	assert_int_equal(nm_seqpacket_accept(listener, &client), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_sys_fail(FAKE_SENDMSG, 0, 1, cases[i].error);
		fake_sys_fail(FAKE_RECVMSG, 0, 1, cases[i].error);
		assert_int_equal(nm_seqpacket_send(listener, &client, &part, 1), cases[i].sent);
		assert_int_equal(
			nm_seqpacket_recv(listener, &client, frame, 4, &len), cases[i].received);
	}
	nm_seqpacket_hang_up(listener, &client);
	close(fd);
	nm_seqpacket_close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_frame_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passed_descriptor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clients_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_kind_of_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_that_is_no_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaced_file_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_path_length, setup, teardown),
		cmocka_unit_test_setup_teardown(test_listen_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_accept_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_accept_failure_is_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_and_recv_fail, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
