/* SPDX-License-Identifier: Apache-2.0 */
/* Whose sockets are on a port: answers of a kernel that is well, ill or somebody else. */
#include "test.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>
#include <natmux/error.h>
#include "io/sock_diag.h"
#include "tests/fakes/fake_sys.h"

enum { PORT = 4500, SEQUENCE = 4, MAX = 4, CLOSE = 7 };

static _Alignas(struct nlmsghdr) uint8_t reply[1024];
static size_t len;
static struct nm_port_socket sockets[MAX];
static size_t found;

static int setup(void **state)
{
	(void)state;
	len = found = 0;
	fake_sys_reset();
	return 0;
}

/* Appends a message; its body is that of a socket unless `body` is given. */
static void add(uint16_t type, const void *body, size_t body_len)
{
	struct nlmsghdr header = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(body_len),
		.nlmsg_type = type,
		.nlmsg_seq = SEQUENCE};

	memcpy(reply + len, &header, sizeof(header));
	memcpy(reply + len + NLMSG_HDRLEN, body, body_len);
	len += NLMSG_ALIGN(header.nlmsg_len);
}

struct answer {
	struct inet_diag_msg msg;
	struct nlattr attr;
	uint8_t v6only, padding[3];
};

static struct answer socket_answer(uint8_t family)
{
	struct answer answer = {
		.msg = {.idiag_family = family,
			.idiag_state = CLOSE,
			.idiag_uid = 105,
			.idiag_inode = 4242},
		.attr = {NLA_HDRLEN + 1, INET_DIAG_SKV6ONLY},
		.v6only = 1,
	};

	answer.msg.id.idiag_sport = htons(PORT);
	answer.msg.id.idiag_if = 3;
	return answer;
}

static void add_done(int32_t error)
{
	add(NLMSG_DONE, &error, sizeof(error));
}

static int decode(void)
{
	return nm_sock_diag_decode(reply, len, PORT, SEQUENCE, NULL, sockets, MAX, &found);
}

static void test_request(void **state)
{
	uint8_t request[NM_SOCK_DIAG_REQUEST];
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;

	(void)state;
	nm_sock_diag_encode(NATMUX_FAMILY_IPV6, PORT, 9, request);
	memcpy(&header, request, sizeof(header));
	memcpy(&body, request + NLMSG_HDRLEN, sizeof(body));
	assert_int_equal(header.nlmsg_len, sizeof(request));
	assert_int_equal(header.nlmsg_type, SOCK_DIAG_BY_FAMILY);
	assert_int_equal(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
	assert_int_equal(header.nlmsg_seq, 9);
	assert_int_equal(body.sdiag_family, AF_INET6);
	assert_int_equal(body.sdiag_protocol, IPPROTO_UDP);
	assert_int_equal(body.idiag_states, 1 << CLOSE);
	assert_int_equal(ntohs(body.id.idiag_sport), PORT);
}

static void test_sockets(void **state)
{
	struct answer v4 = socket_answer(AF_INET), v6 = socket_answer(AF_INET6);
	static const uint8_t ip[4] = {192, 0, 2, 1};

	(void)state;
	memcpy(v4.msg.id.idiag_src, ip, sizeof(ip));
	memset(v6.msg.id.idiag_src, 0x20, 16);
	add(SOCK_DIAG_BY_FAMILY, &v4, sizeof(v4.msg));
	add(SOCK_DIAG_BY_FAMILY, &v6, sizeof(v6));
	assert_int_equal(decode(), 0);
	assert_int_equal(found, 2);
	assert_int_equal(sockets[0].local.family, NATMUX_FAMILY_IPV4);
	assert_int_equal(sockets[0].local.port, PORT);
	assert_memory_equal(sockets[0].local.ip, ip, sizeof(ip));
	assert_int_equal(sockets[0].uid, 105);
	assert_int_equal(sockets[0].inode, 4242);
	assert_int_equal(sockets[0].interface, 3);
	assert_false(sockets[0].is_v6only);
	assert_int_equal(sockets[1].local.family, NATMUX_FAMILY_IPV6);
	assert_true(sockets[1].is_v6only);
	assert_int_equal(sockets[1].local.scope_id, 0);
	/* The answer goes on in the next datagram. */
	len = 0;
	add_done(0);
	assert_int_equal(decode(), 1);
	assert_int_equal(found, 2);
}

static void test_link_local(void **state)
{
	struct answer v6 = socket_answer(AF_INET6);

	(void)state;
	memcpy(v6.msg.id.idiag_src, (uint8_t[]){0xfe, 0x80}, 2);
	v6.v6only = 0;
	add(SOCK_DIAG_BY_FAMILY, &v6, sizeof(v6));
	assert_int_equal(decode(), 0);
	assert_int_equal(sockets[0].local.scope_id, 3);
	assert_false(sockets[0].is_v6only);
}

static void test_passed_over(void **state)
{
	struct answer answer = socket_answer(AF_INET);

	(void)state;
	answer.msg.id.idiag_sport = htons(PORT + 1);
	add(SOCK_DIAG_BY_FAMILY, &answer, sizeof(answer.msg));
	answer = socket_answer(AF_INET);
	answer.msg.idiag_state = 1; /* connected */
	add(SOCK_DIAG_BY_FAMILY, &answer, sizeof(answer.msg));
	add(NLMSG_NOOP, "", 0);
	assert_int_equal(decode(), 0);
	assert_int_equal(found, 0);
}

static void test_errors(void **state)
{
	static const struct {
		int32_t error;
		int result;
	} cases[] = {
		{-ENOENT, NATMUX_EUNSUPPORTED},
		{-EINVAL, NATMUX_EUNSUPPORTED},
		{-EOPNOTSUPP, NATMUX_EUNSUPPORTED},
		{-EPERM, NATMUX_ESYSTEM},
		{-ENOMEM, NATMUX_ESYSTEM},
		{5, NATMUX_ESYSTEM},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(state);
		errno = 0;
		add(NLMSG_ERROR, &cases[i].error, sizeof(cases[i].error));
		assert_int_equal(decode(), cases[i].result);
		if (cases[i].error == -EPERM)
			assert_int_equal(errno, EPERM);
		setup(state);
		add_done(cases[i].error);
		assert_int_equal(decode(), cases[i].result);
	}
	setup(state);
	add(99, "", 0);
	assert_int_equal(decode(), NATMUX_EINVAL);
}

static void test_full(void **state)
{
	struct answer answer = socket_answer(AF_INET);

	(void)state;
	for (int i = 0; i < MAX; i++)
		add(SOCK_DIAG_BY_FAMILY, &answer, sizeof(answer.msg));
	assert_int_equal(decode(), 0);
	assert_int_equal(found, MAX);
	len = 0;
	add(SOCK_DIAG_BY_FAMILY, &answer, sizeof(answer.msg));
	assert_int_equal(decode(), NATMUX_EFULL);
	assert_int_equal(found, MAX);
}

/* Another user's sockets are passed over, however many they are. */
static void test_of_a_user(void **state)
{
	struct answer answer = socket_answer(AF_INET);
	const uint32_t uid = 7;

	(void)state;
	answer.msg.idiag_uid = 8;
	for (int i = 0; i < MAX + 1; i++)
		add(SOCK_DIAG_BY_FAMILY, &answer, sizeof(answer.msg));
	answer.msg.idiag_uid = uid;
	add(SOCK_DIAG_BY_FAMILY, &answer, sizeof(answer.msg));
	assert_int_equal(
		nm_sock_diag_decode(reply, len, PORT, SEQUENCE, &uid, sockets, MAX, &found), 0);
	assert_int_equal(found, 1);
	assert_int_equal(sockets[0].uid, uid);
}

/* Sockets that came or went while the kernel was telling: what it told is no list. */
static void test_interrupted(void **state)
{
	struct answer answer = socket_answer(AF_INET);
	struct nlmsghdr header;

	(void)state;
	add(SOCK_DIAG_BY_FAMILY, &answer, sizeof(answer.msg));
	memcpy(&header, reply, sizeof(header));
	header.nlmsg_flags |= NLM_F_DUMP_INTR;
	memcpy(reply, &header, sizeof(header));
	errno = 0;
	assert_int_equal(decode(), NATMUX_ESYSTEM);
	assert_int_equal(errno, EINTR);
	assert_int_equal(found, 0);
}

/* Every length but the whole ones is refused, and none is read beyond (valgrind, ASan). */
static void test_truncated(void **state)
{
	struct answer answer = socket_answer(AF_INET6);
	size_t whole;

	(void)state;
	add(SOCK_DIAG_BY_FAMILY, &answer, sizeof(answer));
	whole = len;
	for (len = 1; len < whole; len++) {
		uint8_t *exact = test_malloc(len);

		memcpy(exact, reply, len);
		found = 0;
		/* The padding at the end may be missing. */
		assert_int_equal(
			nm_sock_diag_decode(exact, len, PORT, SEQUENCE, NULL, sockets, MAX, &found),
			len < NLMSG_LENGTH(sizeof(answer)) ? NATMUX_EINVAL : 0);
		test_free(exact);
	}
	len = 0;
	assert_int_equal(decode(), 0);
}

static void test_hostile_lengths(void **state)
{
	struct answer answer = socket_answer(AF_INET6);
	struct nlmsghdr header;
	static const uint32_t wrong[] = {0, 1, NLMSG_HDRLEN - 1, NLMSG_HDRLEN,
		NLMSG_HDRLEN + sizeof(struct inet_diag_msg) - 1, 1 << 20, UINT32_MAX};
	static const uint16_t wrong_attr[] = {0, 1, 3, 200, UINT16_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		setup(state);
		add(SOCK_DIAG_BY_FAMILY, &answer, sizeof(answer));
		memcpy(&header, reply, sizeof(header));
		header.nlmsg_len = wrong[i];
		memcpy(reply, &header, sizeof(header));
		assert_int_equal(decode(), NATMUX_EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong_attr); i++) {
		setup(state);
		answer.attr.nla_len = wrong_attr[i];
		add(SOCK_DIAG_BY_FAMILY, &answer, sizeof(answer));
		assert_int_equal(decode(), 0);
		assert_false(sockets[0].is_v6only);
	}
}

static void test_stale_answer(void **state)
{
	struct answer answer = socket_answer(AF_INET);

	(void)state;
	add(SOCK_DIAG_BY_FAMILY, &answer, sizeof(answer.msg));
	assert_int_equal(
		nm_sock_diag_decode(reply, len, PORT, SEQUENCE + 1, NULL, sockets, MAX, &found),
		NATMUX_EINVAL);
}

static int bound(uint16_t *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &size), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

static void test_this_kernel(void **state)
{
	struct stat st;
	uint16_t port;
	int fd = bound(&port);

	(void)state;
	assert_int_equal(nm_sock_diag_list(&fake_sys, port, getuid(), sockets, MAX, &found), 0);
	assert_int_equal(found, 1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(sockets[0].inode, st.st_ino);
	assert_int_equal(sockets[0].uid, getuid());
	assert_int_equal(sockets[0].local.port, port);
	/* Of a user who has none, it names those that there are. */
	found = 0;
	assert_int_equal(nm_sock_diag_list(&fake_sys, port, getuid() + 1, sockets, MAX, &found), 0);
	assert_int_equal(found, 1);
	assert_int_equal(sockets[0].uid, getuid());
	close(fd);
	assert_int_equal(nm_sock_diag_list(&fake_sys, port, getuid(), sockets, MAX, &found), 0);
	assert_int_equal(found, 0);
	assert_int_equal(fake_sys_open_fds(), 0);
}

static void test_failing_calls(void **state)
{
	static const enum fake_call calls[] = {
		FAKE_SOCKET, FAKE_SETSOCKOPT, FAKE_SENDMSG, FAKE_RECVMSG};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		setup(state);
		found = 99;
		fake_sys_fail(calls[i], 0, 1, EACCES);
		assert_int_equal(nm_sock_diag_list(&fake_sys, PORT, getuid(), sockets, MAX, &found),
			NATMUX_ESYSTEM);
		assert_int_equal(errno, EACCES);
		assert_int_equal(found, 99);
		assert_int_equal(fake_sys_open_fds(), 0);
	}
	/* A signal is no failure. */
	setup(state);
	fake_sys_fail(FAKE_RECVMSG, 0, 2, EINTR);
	assert_int_equal(nm_sock_diag_list(&fake_sys, 1, getuid(), sockets, MAX, &found), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_request, setup),
		cmocka_unit_test_setup(test_sockets, setup),
		cmocka_unit_test_setup(test_link_local, setup),
		cmocka_unit_test_setup(test_passed_over, setup),
		cmocka_unit_test_setup(test_errors, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_of_a_user, setup),
		cmocka_unit_test_setup(test_interrupted, setup),
		cmocka_unit_test_setup(test_truncated, setup),
		cmocka_unit_test_setup(test_hostile_lengths, setup),
		cmocka_unit_test_setup(test_stale_answer, setup),
		cmocka_unit_test_setup(test_this_kernel, setup),
		cmocka_unit_test_setup(test_failing_calls, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
