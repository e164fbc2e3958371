/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Privileges: needed to open things, given up when they are open. Nothing that a reload can change
 * needs any (daemon/config/config_keys.c: is_live), so nothing is kept, but for esp = kernel, whose SAs are
 * the kernel's. What joins has rights of its own, in a process of its own (daemon/join/joiner.h).
 */
#include "daemon/process/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config.h"

enum { PORT_FIRST_UNPRIVILEGED = 1024 };

size_t nm_privileges_needed(
	const struct nm_config *config, struct nm_privilege needed[static NM_PRIVILEGES_MAX])
{
	bool has_user_plane = nm_config_has_plane(config, NM_ESP_USER);
	bool has_kernel_plane = nm_config_has_plane(config, NM_ESP_KERNEL);
	size_t n = 0;

	if (nm_config_tun(config))
		needed[n++] = (struct nm_privilege){
			"CAP_NET_ADMIN", "to make the TUN device of the handoff", true};
	if (has_user_plane) {
		needed[n++] = (struct nm_privilege){
			"CAP_NET_ADMIN", "to make the TUN device of the user plane", true};
		needed[n++] =
			config->user_plane.bare_esp
				? (struct nm_privilege){"CAP_NET_RAW", "to receive bare ESP", true}
				: (struct nm_privilege){
					  "CAP_NET_RAW", "to prove that device's offloads", false};
	}
	if (has_kernel_plane)
		needed[n++] = (struct nm_privilege){
			"CAP_NET_ADMIN", "to give SAs and policies to the kernel", true};
	if (config->attach == NM_ATTACH_JOIN) {
		needed[n++] = (struct nm_privilege){"CAP_SYS_PTRACE",
			"to copy the IKE daemon's sockets (kept by a process of its own)", true};
		needed[n++] = (struct nm_privilege){"CAP_DAC_READ_SEARCH",
			"to find the IKE daemon's sockets, unless it runs as the same user", false};
		needed[n++] = (struct nm_privilege){
			"CAP_CHOWN", "to share its port, unless it runs as the same user", false};
	}
	if (config->port < PORT_FIRST_UNPRIVILEGED)
		needed[n++] = (struct nm_privilege){
			"CAP_NET_BIND_SERVICE", "to bind a port below 1024", true};
	if (*config->user) {
		needed[n++] = (struct nm_privilege){"CAP_SETUID", "to change to the user", true};
		needed[n++] = (struct nm_privilege){"CAP_SETGID", "to change to its groups", true};
	}
	if (*config->device)
		needed[n++] = (struct nm_privilege){"CAP_NET_RAW",
			"to bind the port to a device, on kernels before 5.7", false};
	if (!nm_config_tun(config) && !has_user_plane && !has_kernel_plane)
		needed[n++] = (struct nm_privilege){"CAP_NET_ADMIN",
			"to keep IPsec policies off the port's own socket (XFRM bypass)", false};
	needed[n++] = (struct nm_privilege){
		"CAP_NET_ADMIN", "for socket buffers above net.core.rmem_max and wmem_max", false};
	return n;
}

const char *nm_privileges_kept(const struct nm_config *config)
{
	return nm_config_has_plane(config, NM_ESP_KERNEL) ? "CAP_NET_ADMIN" : NULL;
}

const char *nm_privileges_text(char *text, size_t size)
{
	char *names = NULL;

	if (capng_get_caps_process() == 0 &&
		capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		names = capng_print_caps_text(CAPNG_PRINT_BUFFER, CAPNG_PERMITTED);
	snprintf(text, size, "%s", names ? names : "none");
	free(names);
	return text;
}

static int failed(const struct natmux_log *log, const char *what, const char *advice)
{
	nm_log(log, NATMUX_LOG_ERROR, "%s: %s (%s)", what, strerror(errno), advice);
	return NATMUX_ESYSTEM;
}

/*
 * libcap-ng's process state is what capng_get_caps_process() read: cleared here, applied by the
 * caller. The bounding set goes too where we may touch it.
 */
static capng_select_t clear(void)
{
	bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);

	capng_clear(CAPNG_SELECT_ALL);
	return may_bound ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT;
}

/* SAs and policies come and go as long as natmuxd runs, and peers move. */
static void keep(const struct nm_config *config)
{
	if (nm_privileges_kept(config))
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
}

static int change_user(const struct nm_config *config, const struct passwd *user, bool has_kept,
	const struct natmux_log *log)
{
	char what[80];

	snprintf(what, sizeof(what), "change to user \"%.32s\"", user->pw_name);
	capng_clear(CAPNG_SELECT_ALL);
	if (has_kept)
		keep(config);
	errno = 0;
	if (capng_change_id((int)user->pw_uid, (int)user->pw_gid,
		    CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT) == 0)
		return 0;
	return failed(log, what, "start as root, or leave the key user out");
}

static int drop_capabilities(
	const struct nm_config *config, bool has_kept, const struct natmux_log *log)
{
	capng_select_t set = clear();

	if (has_kept)
		keep(config);
	errno = 0;
	if (capng_apply(set) == 0)
		return 0;
	return failed(log, "give up capabilities", "natmuxd does not run with more than it needs");
}

/* Trust, but look. */
static int check_dropped(const struct nm_config *config, const struct natmux_log *log)
{
	bool can_look = capng_get_caps_process() == 0;

	/* What is kept is all right; then there must be nothing else. */
	if (can_look && nm_privileges_kept(config))
		capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
	if (!can_look || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE) {
		nm_log(log, NATMUX_LOG_ERROR, "capabilities are still there after giving them up");
		return NATMUX_ESYSTEM;
	}
	if (geteuid() != 0 && setuid(0) == 0) {
		nm_log(log, NATMUX_LOG_ERROR, "root comes back after changing the user");
		return NATMUX_ESYSTEM;
	}
	return 0;
}

static int shut(const struct natmux_log *log)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(log, "prctl(PR_SET_NO_NEW_PRIVS)", "needs Linux 3.5");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return failed(
			log, "prctl(PR_SET_DUMPABLE)", "a kernel that forbids it is not known");
	return 0;
}

/* 0 with `user` NULL where there is nobody to change to. */
static int find_user(
	const struct nm_config *config, const struct passwd **user, const struct natmux_log *log)
{
	*user = NULL;
	if (!*config->user)
		return 0;
	errno = 0;
	*user = getpwnam(config->user);
	if (!*user) {
		nm_log(log, NATMUX_LOG_ERROR, "user \"%s\": %s", config->user,
			errno ? strerror(errno) : "there is none of that name");
		return NATMUX_ESYSTEM;
	}
	if ((*user)->pw_uid == geteuid())
		*user = NULL;
	return 0;
}

int nm_privileges_drop(const struct nm_config *config, const struct natmux_log *log)
{
	const struct passwd *user;
	bool has_any, has_kept;
	int err = find_user(config, &user, log);

	if (err < 0)
		return err;
	if (capng_get_caps_process() < 0)
		return failed(log, "read capabilities", "is /proc mounted?");
	has_any = capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE;
	has_kept =
		nm_privileges_kept(config) && capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN);
	if (user)
		err = change_user(config, user, has_kept, log);
	else if (has_any)
		err = drop_capabilities(config, has_kept, log);
	else
		nm_log(log, NATMUX_LOG_INFO, "no capabilities to give up: started without");
	if (err == 0)
		err = check_dropped(config, log);
	return err < 0 ? err : shut(log);
}

/* pidfd_getfd(2) asks what ptrace(2) asks; /proc/PID/fd, fchown(2) and the sockets want the others. */
static const unsigned int of_joining[] = {
	CAP_SYS_PTRACE,
	CAP_DAC_READ_SEARCH,
	CAP_CHOWN,
	CAP_NET_ADMIN,
	CAP_NET_RAW,
	CAP_NET_BIND_SERVICE,
};

int nm_privileges_check_joining(const struct natmux_log *log)
{
	if (capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_PTRACE))
		return 0;
	nm_log(log, NATMUX_LOG_ERROR,
		"attach = join: copying the IKE daemon's sockets needs CAP_SYS_PTRACE "
		"(pidfd_getfd): start as root, or give it to the service");
	return NATMUX_ESYSTEM;
}

int nm_privileges_keep_for_joining(const struct natmux_log *log)
{
	bool has[sizeof(of_joining) / sizeof(of_joining[0])];
	capng_select_t set;

	if (capng_get_caps_process() < 0)
		return failed(log, "read capabilities", "is /proc mounted?");
	for (size_t i = 0; i < sizeof(has) / sizeof(has[0]); i++)
		has[i] = capng_have_capability(CAPNG_PERMITTED, of_joining[i]);
	set = clear();
	for (size_t i = 0; i < sizeof(has) / sizeof(has[0]); i++)
		if (has[i])
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, of_joining[i]);
	errno = 0;
	if (capng_apply(set) < 0)
		return failed(log, "give up capabilities",
			"natmuxd does not run with more than it needs");
	return shut(log);
}
