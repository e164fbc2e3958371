/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A netlink socket on the loop, in all groups of XFRM, and the session (xfrm/session.h) that it feeds.
 * What events mean is kernel_events.c's.
 */
#include "daemon/kernel/kernel_monitor.h"

#include <stdlib.h>
#include <natmux/error.h>

#include "daemon/kernel/kernel.h"
#include "daemon/process/poller.h"
#include "io/netlink.h"
#include "xfrm/kernel.h"

enum { ROUNDS_MAX = 64 /* receive calls before others get their turn */ };

struct nm_kernel_monitor {
	uv_loop_t *loop;
	struct nm_kernel *kernel;
	struct nm_netlink *socket;
	struct nm_xfrm_session *session;
	struct nm_poller poller;
	uv_timer_t timer;
	uint64_t armed_ms;
};

static void on_event(void *user, const struct nm_xfrm_event *event)
{
	struct nm_kernel_monitor *monitor = user;

	nm_kernel_event(monitor->kernel, event);
}

static void on_resync(void *user, enum nm_xfrm_resync what, const struct nm_xfrm_answer *answer)
{
	struct nm_kernel_monitor *monitor = user;

	nm_kernel_resync(monitor->kernel, what, answer);
}

static void on_resync_state(void *user, const struct nm_xfrm_state *state)
{
	struct nm_kernel_monitor *monitor = user;

	nm_kernel_resync_state(monitor->kernel, state);
}

static void on_resync_policy(void *user, const struct nm_xfrm_policy *policy)
{
	struct nm_kernel_monitor *monitor = user;

	nm_kernel_resync_policy(monitor->kernel, policy);
}

static int send_message(void *user, const void *message, size_t len, int *os_error)
{
	struct nm_kernel_monitor *monitor = user;

	return nm_netlink_send(monitor->socket, message, len, os_error);
}

static void on_timer(uv_timer_t *timer);

static void arm(struct nm_kernel_monitor *monitor)
{
	uint64_t deadline = nm_xfrm_session_next_deadline(monitor->session);
	uint64_t now = uv_now(monitor->loop);

	if (deadline == monitor->armed_ms || uv_is_closing((uv_handle_t *)&monitor->timer))
		return;
	monitor->armed_ms = deadline;
	if (deadline == UINT64_MAX)
		uv_timer_stop(&monitor->timer);
	else
		uv_timer_start(&monitor->timer, on_timer, deadline > now ? deadline - now : 0, 0);
}

/*
 * What was lost shows as an error of the socket, which receiving tells. False: there is more than one
 * turn takes.
 */
static bool take_in(struct nm_kernel_monitor *monitor)
{
	enum nm_netlink_result result = NM_NETLINK_DATA;

	for (int round = 0; round < ROUNDS_MAX && result != NM_NETLINK_EMPTY; round++) {
		void *bytes;
		size_t len;

		result = nm_netlink_recv(monitor->socket, &bytes, &len);
		if (result == NM_NETLINK_DATA)
			nm_xfrm_session_input(monitor->session, bytes, len, uv_now(monitor->loop));
		else if (result == NM_NETLINK_LOST)
			nm_xfrm_session_lost(monitor->session, uv_now(monitor->loop));
	}
	nm_netlink_wipe(monitor->socket);
	return result != NM_NETLINK_DATA && result != NM_NETLINK_LOST;
}

static void on_readable(void *user)
{
	struct nm_kernel_monitor *monitor = user;

	(void)take_in(monitor);
	arm(monitor);
}

static void on_timer(uv_timer_t *timer)
{
	struct nm_kernel_monitor *monitor = timer->data;

	monitor->armed_ms = UINT64_MAX;
	/* A loop that was held up comes to its timers before its sockets: the answer may lie there. */
	if (take_in(monitor))
		nm_xfrm_session_tick(monitor->session, uv_now(monitor->loop));
	arm(monitor);
}

static int open_socket(struct nm_kernel_monitor *monitor, const struct natmux_log *log)
{
	static const uint32_t groups[] = {XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_SA,
		XFRMNLGRP_POLICY, XFRMNLGRP_MAPPING};
	const struct nm_netlink_config netlink = {.sys = &nm_sys_real,
		.log = *log,
		.protocol = NETLINK_XFRM,
		.groups = groups,
		.groups_len = sizeof(groups) / sizeof(groups[0])};

	return nm_netlink_open(&netlink, &monitor->socket);
}

static int start_session(struct nm_kernel_monitor *monitor, const struct natmux_log *log)
{
	const struct nm_xfrm_session_config session = {.log = *log,
		.portid = nm_netlink_portid(monitor->socket),
		.send = send_message,
		.event = on_event,
		.resync = on_resync,
		.resync_state = on_resync_state,
		.resync_policy = on_resync_policy,
		.user = monitor};

	return nm_xfrm_session_new(&session, &monitor->session);
}

int nm_kernel_monitor_open(uv_loop_t *loop, const struct natmux_log *log, struct nm_kernel *kernel,
	struct nm_kernel_monitor **result)
{
	struct nm_kernel_monitor *monitor = calloc(1, sizeof(*monitor));
	int err;

	*result = monitor;
	if (!monitor)
		return NATMUX_ENOMEM;
	monitor->loop = loop;
	monitor->kernel = kernel;
	monitor->armed_ms = UINT64_MAX;
	uv_timer_init(loop, &monitor->timer);
	monitor->timer.data = monitor;
	err = open_socket(monitor, log);
	if (err == 0)
		err = start_session(monitor, log);
	if (err < 0)
		return err;
	return nm_poller_start(
		&monitor->poller, loop, nm_netlink_fd(monitor->socket), on_readable, monitor);
}

void nm_kernel_monitor_close(struct nm_kernel_monitor *monitor)
{
	if (!monitor || uv_is_closing((uv_handle_t *)&monitor->timer))
		return;
	nm_poller_close(&monitor->poller);
	uv_close((uv_handle_t *)&monitor->timer, NULL);
}

void nm_kernel_monitor_free(struct nm_kernel_monitor *monitor)
{
	if (!monitor)
		return;
	nm_xfrm_session_free(monitor->session);
	nm_netlink_close(monitor->socket);
	free(monitor);
}

const struct nm_xfrm_session_status *nm_kernel_monitor_status(
	const struct nm_kernel_monitor *monitor)
{
	return nm_xfrm_session_status(monitor->session);
}
