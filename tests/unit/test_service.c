/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager hears, with a socket of ours in its place. */
#include "test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "daemon/process/service.h"

/* An abstract socket, named by the process so that two runs do not meet. */
static int listen_as_manager(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char name[64];
	size_t len;

	snprintf(name, sizeof(name), "@natmux-test-service-%d", (int)getpid());
	len = strlen(name);
	memcpy(un.sun_path, name, len);
	un.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&un,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static const char *hear(int fd)
{
	static char text[256];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void test_messages(void **state)
{
	int fd = listen_as_manager();

	(void)state;
	nm_service_ready();
	assert_string_equal(hear(fd), "READY=1");
	nm_service_reloading();
	assert_memory_equal(hear(fd), "RELOADING=1\nMONOTONIC_USEC=", 27);
	nm_service_status("5 flows");
	assert_string_equal(hear(fd), "STATUS=5 flows");
	nm_service_watchdog();
	assert_string_equal(hear(fd), "WATCHDOG=1");
	nm_service_stopping();
	assert_string_equal(hear(fd), "STOPPING=1");
	assert_string_equal(hear(fd), "");
	close(fd);
	/* Nobody there any more, then nobody named: nothing happens. */
	nm_service_ready();
	unsetenv("NOTIFY_SOCKET");
	nm_service_ready();
}

static void test_watchdog(void **state)
{
	static const struct {
		const char *usec;
		bool is_ours;
		uint64_t interval_ms;
	} cases[] = {
		{"20000000", true, 10000},
		{"3000", true, 1},
		{"1", true, 1},
		{"20000000", false, 0},
		{"0", true, 0},
		{"soon", true, 0},
		{NULL, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", (int)getpid() + (cases[i].is_ours ? 0 : 1));
		setenv("WATCHDOG_PID", pid, 1);
		unsetenv("WATCHDOG_USEC");
		if (cases[i].usec)
			setenv("WATCHDOG_USEC", cases[i].usec, 1);
		assert_int_equal(nm_service_watchdog_ms(), cases[i].interval_ms);
	}
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
