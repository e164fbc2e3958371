/* SPDX-License-Identifier: Apache-2.0 */
/* What natmuxd needs, and that nothing of it is left after it was given up. */
#include "config_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <natmux/error.h>
#include "daemon/process/privileges.h"

static void test_needed(void **state)
{
	/* R: required, l: liked */
	static const struct {
		const char *text, *needed;
	} cases[] = {
		{"", "R CAP_NET_ADMIN, l CAP_NET_ADMIN, "},
		{"handoff = unix", "l CAP_NET_ADMIN, l CAP_NET_ADMIN, "},
		{"handoff = inject\ndevice = eth0",
			"R CAP_NET_ADMIN, l CAP_NET_RAW, l CAP_NET_ADMIN, "},
		{"esp = user",
			"R CAP_NET_ADMIN, R CAP_NET_ADMIN, l CAP_NET_RAW, l CAP_NET_ADMIN, "},
		{"esp = user\nhandoff = none", "R CAP_NET_ADMIN, l CAP_NET_RAW, l CAP_NET_ADMIN, "},
		{"esp = user\nhandoff = none\nuser-plane { bare-esp = yes }",
			"R CAP_NET_ADMIN, R CAP_NET_RAW, l CAP_NET_ADMIN, "},
		{"esp = user\nhandoff = inject\ndevice = eth0\nuser = nobody\nport = 1",
			"R CAP_NET_ADMIN, R CAP_NET_ADMIN, l CAP_NET_RAW, R CAP_NET_BIND_SERVICE, "
			"R CAP_SETUID, R CAP_SETGID, l CAP_NET_RAW, l CAP_NET_ADMIN, "},
		{"handoff = unix\nport = 1023",
			"R CAP_NET_BIND_SERVICE, l CAP_NET_ADMIN, l CAP_NET_ADMIN, "},
		{"handoff = unix\nport = 1024", "l CAP_NET_ADMIN, l CAP_NET_ADMIN, "},
		{"attach = join",
			"R CAP_NET_ADMIN, R CAP_SYS_PTRACE, l CAP_DAC_READ_SEARCH, l CAP_CHOWN, "
			"l CAP_NET_ADMIN, "},
		{"attach = join\nhandoff = none",
			"R CAP_SYS_PTRACE, l CAP_DAC_READ_SEARCH, l CAP_CHOWN, l CAP_NET_ADMIN, "
			"l CAP_NET_ADMIN, "},
		{"user = nobody", "R CAP_NET_ADMIN, R CAP_SETUID, R CAP_SETGID, l CAP_NET_ADMIN, "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_config *config = parse(cases[i].text);
		struct nm_privilege needed[NM_PRIVILEGES_MAX];
		char text[400] = "";
		size_t n = nm_privileges_needed(config, needed);

		assert_true(n <= NM_PRIVILEGES_MAX);
		for (size_t k = 0; k < n; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %s, ",
				needed[k].is_required ? "R" : "l", needed[k].capability);
		assert_string_equal(text, cases[i].needed);
		nm_config_free(config);
	}
}

static char last_line[512];

static void keep_line(void *user, enum natmux_log_level level, const char *text)
{
	(void)user;
	(void)level;
	snprintf(last_line, sizeof(last_line), "%s", text);
}

static const struct natmux_log log_to_test = {.write = keep_line, .level = NATMUX_LOG_DEBUG};

/* Runs `check` in a child, for what it does cannot be taken back. */
static void in_child(int (*check)(const struct nm_config *config), const char *text)
{
	struct nm_config *config = parse(text);
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int line = check(config);

		if (line != 0)
			fprintf(stderr, "test_privileges.c:%d failed; log: %s\n", line, last_line);
		fflush(stderr);
		_exit(line != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	nm_config_free(config);
}

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__;                                                           \
	} while (0)

static int bind_port_1(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
		.sin_port = htons(1),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return bind(fd, (struct sockaddr *)&sin, sizeof(sin));
}

static int check_nothing_left(void)
{
	char text[256];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mark = 1;

	CHECK(strcmp(nm_privileges_text(text, sizeof(text)), "none") == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	/* SO_MARK wants CAP_NET_ADMIN. */
	CHECK(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 && errno == EPERM);
	CHECK(chroot("/") < 0 && errno == EPERM);
	CHECK(bind_port_1() < 0);
	return 0;
}

static int check_drop(const struct nm_config *config)
{
	CHECK(nm_privileges_drop(config, &log_to_test) == 0);
	return check_nothing_left();
}

/* What joins keeps what joining takes: it may look into others, and can do no more with it. */
static int check_joining(const struct nm_config *config)
{
	char text[256];

	(void)config;
	CHECK(nm_privileges_check_joining(&log_to_test) == 0);
	CHECK(nm_privileges_keep_for_joining(&log_to_test) == 0);
	nm_privileges_text(text, sizeof(text));
	CHECK(strstr(text, "sys_ptrace") && strstr(text, "chown") && strstr(text, "net_admin"));
	CHECK(strstr(text, "dac_read_search") && !strstr(text, "dac_override"));
	CHECK(!strstr(text, "sys_admin") && !strstr(text, "setuid") && !strstr(text, "sys_chroot"));
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(chroot("/") < 0 && errno == EPERM);
	return 0;
}

static int check_joining_refused(const struct nm_config *config)
{
	CHECK(nm_privileges_drop(config, &log_to_test) == 0);
	CHECK(nm_privileges_check_joining(&log_to_test) == NATMUX_ESYSTEM);
	CHECK(strstr(last_line, "needs CAP_SYS_PTRACE"));
	return 0;
}

static int check_drop_twice(const struct nm_config *config)
{
	CHECK(nm_privileges_drop(config, &log_to_test) == 0);
	CHECK(nm_privileges_drop(config, &log_to_test) == 0);
	CHECK(strstr(last_line, "no capabilities to give up"));
	return check_nothing_left();
}

static int check_nobody(const struct nm_config *config)
{
	const struct passwd *nobody = getpwnam("nobody");
	gid_t groups[8];

	CHECK(nobody);
	CHECK(nm_privileges_drop(config, &log_to_test) == 0);
	CHECK(getuid() == nobody->pw_uid && geteuid() == nobody->pw_uid);
	CHECK(getgid() == nobody->pw_gid && getegid() == nobody->pw_gid);
	CHECK(getgroups(8, groups) == 1 && groups[0] == nobody->pw_gid);
	CHECK(setuid(0) < 0 && setgid(0) < 0 && setgroups(0, NULL) < 0);
	return check_nothing_left();
}

/* Says what to do, and does not go on as somebody else than asked for. */
static int check_not_allowed(const struct nm_config *config)
{
	CHECK(nm_privileges_drop(config, &log_to_test) == NATMUX_ESYSTEM);
	CHECK(strstr(last_line, "change to user \"root\""));
	CHECK(strstr(last_line, "start as root"));
	return 0;
}

static int check_unknown_user(const struct nm_config *config)
{
	CHECK(nm_privileges_drop(config, &log_to_test) == NATMUX_ESYSTEM);
	CHECK(strstr(last_line, "user \"no-such-user\": there is none of that name"));
	return 0;
}

static void test_drop(void **state)
{
	(void)state;
	in_child(check_drop, "");
	in_child(check_drop_twice, "handoff = unix");
}

static void test_user(void **state)
{
	(void)state;
	if (geteuid() == 0)
		in_child(check_nobody, "user = nobody");
	else
		in_child(check_not_allowed, "user = root");
	in_child(check_unknown_user, "user = no-such-user");
}

static void test_joining(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip(); /* there is nothing to keep */
	in_child(check_joining, "attach = join");
	in_child(check_joining_refused, "attach = join");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needed),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_joining),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
