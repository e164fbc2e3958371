/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces without names: nothing is left over when a run is killed. */
#include "bench/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <natmux/error.h>

#include "bench/console.h"

enum { ARGS_MAX = 16, COMMAND_MAX = 160 };

/* RFC 2544 and RFC 5180: addresses for measurements. */
#define OUR_IPV4   "198.18.0.1"
#define THEIR_IPV4 "198.18.0.2"
#define OUR_IPV6   "2001:2::1"
#define THEIR_IPV6 "2001:2::2"

/* In the child: runs ip(8) in the namespace behind `netns`, or where we are if that is -1. */
static _Noreturn void exec_ip(int netns, char *command)
{
	char *args[ARGS_MAX + 1] = {NULL}, *rest = NULL;
	size_t n = 0;

	if (netns >= 0 && setns(netns, CLONE_NEWNET) < 0)
		_exit(126);
	for (char *arg = strtok_r(command, " ", &rest); arg && n < ARGS_MAX;
		arg = strtok_r(NULL, " ", &rest))
		args[n++] = arg;
	if (n > 0)
		execvp(args[0], args);
	_exit(127);
}

static int run_ip(int netns, const char *command)
{
	char copy[COMMAND_MAX];
	int status = -1;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", command);
	pid = fork();
	if (pid == 0)
		exec_ip(netns, copy);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status == 0)
		return 0;
	nm_console_error("this failed: %s", command);
	return NATMUX_ESYSTEM;
}

static int run_all(int netns, const char *const *commands, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (run_ip(netns, commands[i]) < 0)
			return NATMUX_ESYSTEM;
	return 0;
}

static int connect_to(int peer_netns, pid_t peer)
{
	static const char *const ours[] = {
		"ip addr add " OUR_IPV4 "/30 dev natmux-b0",
		"ip addr add " OUR_IPV6 "/64 dev natmux-b0 nodad", "ip link set natmux-b0 up",
		"ip link set lo up", /* natmux tries UDP_GRO and UDP_SEGMENT there first */
	};
	static const char *const theirs[] = {
		"ip addr add " THEIR_IPV4 "/30 dev natmux-b1",
		"ip addr add " THEIR_IPV6 "/64 dev natmux-b1 nodad",
		"ip link set natmux-b1 up",
		"ip link set lo up",
	};
	char command[COMMAND_MAX];

	snprintf(command, sizeof(command),
		"ip link add natmux-b0 type veth peer name natmux-b1 netns %d", (int)peer);
	if (run_ip(-1, command) < 0 || run_all(-1, ours, sizeof(ours) / sizeof(ours[0])) < 0)
		return NATMUX_ESYSTEM;
	return run_all(peer_netns, theirs, sizeof(theirs) / sizeof(theirs[0]));
}

int nm_netns_connect(pid_t peer, bool is_ipv6, struct natmux_addr *local)
{
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)peer);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || unshare(CLONE_NEWNET) < 0) {
		nm_console_error(
			"cannot make a network namespace: %s (root is needed)", strerror(errno));
		if (fd >= 0)
			close(fd);
		return NATMUX_ESYSTEM;
	}
	err = connect_to(fd, peer);
	close(fd);
	if (err < 0)
		return err;
	return natmux_addr_parse(is_ipv6 ? OUR_IPV6 : OUR_IPV4, 0, local);
}
