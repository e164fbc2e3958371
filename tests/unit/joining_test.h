/* SPDX-License-Identifier: Apache-2.0 */
/* A child process that has a port of the loopback interface, and what natmuxd's helper makes of it. */
#ifndef JOINING_TEST_H
#define JOINING_TEST_H

#include "test.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <arpa/inet.h>
#include "daemon/config/config.h"
#include "daemon/join/joining.h"
#include "daemon/port/steering.h"
#include "io/pidfd.h"
#include "io/process.h"
#include "tests/fakes/fake_sys.h"

static struct nm_config config;
static struct nm_joining joining;
static struct nm_joining_answer answer;
static struct nm_joining_fds fds;
static pid_t child;
static int child_says;
static int daemon_gro; /* what the daemon's socket has */

static const uint8_t stun[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
static const uint8_t ike[32] = {0, 0, 0, 0, 1};

static inline void configure(int family)
{
	config.listen[config.listen_len++] =
		(struct natmux_addr){.family = (uint8_t)family, .port = config.port};
}

static inline void start(void (*run)(int out))
{
	static char user[NM_CONFIG_USER_SIZE];
	int ends[2];

	fake_sys_reset();
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		run(ends[1]);
	close(ends[1]);
	child_says = ends[0];
	config = (struct nm_config){0};
	assert_int_equal(read(child_says, &config.port, sizeof(config.port)), sizeof(config.port));
	configure(NATMUX_FAMILY_IPV4);
	strcpy(user, getpwuid(getuid())->pw_name);
	strcpy(config.join.user, user);
	nm_joining_init(&joining, &fake_sys, "/proc", &config);
}

static inline int stop_daemon(void **state)
{
	(void)state;
	daemon_gro = 0;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(child_says);
	assert_int_equal(fake_sys_open_fds(), 0);
	return 0;
}

static inline void join(void)
{
	nm_joining_join(&joining, 0, &answer, &fds);
}

static inline void close_joined(void)
{
	for (size_t i = 0; i < answer.sockets_n; i++)
		fake_sys.close(fds.sockets[i]);
	fake_sys.close(fds.pidfd);
}

static inline void send_to_port(const void *bytes, size_t len)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
		.sin_port = htons(config.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(
		sendto(fd, bytes, len, 0, (struct sockaddr *)&sin, sizeof(sin)), (ssize_t)len);
	close(fd);
}

enum { PATIENCE_MS = 20000 };

static inline bool is_readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

static inline int bind_beside(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
		.sin_port = htons(config.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1, result;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	result = bind(fd, (struct sockaddr *)&sin, sizeof(sin));
	close(fd);
	return result;
}

static inline void expect_refusal(const char *part)
{
	assert_int_equal(answer.result, NM_JOINING_REFUSED);
	if (!strstr(answer.why, part))
		fail_msg("\"%s\" does not hold \"%s\"", answer.why, part);
	assert_int_equal(fake_sys_open_fds(), 0);
}

#endif
