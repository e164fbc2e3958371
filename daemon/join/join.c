/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to look for the daemon, when to let go of the port, and what the log is told of it. The
 * questions are asked of the joining process; sockets come ready made.
 */
#include "daemon/join/join.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <natmux/error.h>
#include <natmux/mux.h>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/join/joiner.h"
#include "daemon/process/poller.h"

enum {
	WAIT_MS = 1000,
	/* A daemon that is being restarted is soon back: asked more often for ten seconds. */
	SOON_MS = 100,
	SOON_TIMES = 100,
	CHECK_MS = 2000,
};

/* The daemon's end is waited for; libuv wants the handle to live until it has closed it. */
struct watch {
	uv_poll_t poll;
	struct nm_join *join;
	int pidfd;
};

struct nm_join {
	struct nm_join_setup setup;
	struct nm_joiner *joiner;
	struct nm_poller answers;
	uv_timer_t timer;
	struct watch *watch; /* NULL: not joined */
	uint32_t tun;
	bool is_asking, is_closing;
	bool use_gro, use_gso;
	uint32_t budget;
	unsigned int soon; /* questions that shall follow each other closely */
	uint64_t joins, since_ms;
	int pid;
	uint32_t uid;
	char name[NM_PORT_NAME_SIZE];
	char why[NM_HOLDER_TEXT];
};

static void on_timer(uv_timer_t *timer);

static void arm(struct nm_join *join)
{
	uint64_t delay_ms = WAIT_MS;

	if (join->watch)
		delay_ms = CHECK_MS;
	else if (join->soon > 0)
		delay_ms = SOON_MS;
	uv_timer_start(&join->timer, on_timer, delay_ms, 0);
}

static void give_up(struct nm_join *join)
{
	nm_log(&join->setup.log, NATMUX_LOG_ERROR,
		"the process that joins the IKE daemon's port is gone");
	nm_poller_stop(&join->answers);
	uv_timer_stop(&join->timer);
	join->setup.failed(join->setup.user);
}

static void ask(struct nm_join *join)
{
	if (join->is_asking)
		return;
	if (join->soon > 0)
		join->soon--;
	if (nm_joiner_ask(join->joiner, join->watch ? NM_JOINER_CHECK : NM_JOINER_JOIN, join->tun) <
		0) {
		give_up(join);
		return;
	}
	join->is_asking = true;
}

static void on_timer(uv_timer_t *timer)
{
	struct nm_join *join = timer->data;

	ask(join);
	if (!join->is_closing)
		arm(join);
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;

	close(watch->pidfd);
	free(watch);
}

/* The port first: the daemon's successor may be about to bind it. */
static void let_go(struct nm_join *join)
{
	natmux_uv_free(*join->setup.net, NULL, NULL);
	*join->setup.net = NULL;
	natmux_mux_set_locals(join->setup.mux, uv_now(join->setup.loop), NULL, 0);
	uv_close((uv_handle_t *)&join->watch->poll, on_watch_closed);
	join->watch = NULL;
	join->since_ms = uv_now(join->setup.loop);
}

static void on_daemon_gone(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	struct nm_join *join = watch->join;

	(void)status;
	(void)events;
	let_go(join);
	nm_log(&join->setup.log, NATMUX_LOG_INFO, "%s (process %d) has ended: the port is let go",
		join->name, join->pid);
	join->why[0] = '\0';
	join->soon = SOON_TIMES;
	arm(join);
}

static int start_watch(struct nm_join *join, int pidfd)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NATMUX_ENOMEM;
	watch->join = join;
	watch->pidfd = pidfd;
	if (uv_poll_init(join->setup.loop, &watch->poll, pidfd) < 0) {
		free(watch);
		return NATMUX_ESYSTEM;
	}
	watch->poll.data = watch;
	join->watch = watch;
	uv_poll_start(&watch->poll, UV_READABLE, on_daemon_gone);
	return 0;
}

static int open_net(struct nm_join *join, const struct nm_joining_answer *answer, const int *fds)
{
	struct natmux_uv_config net;

	natmux_uv_config_init(&net);
	net.fds = fds;
	net.fds_n = answer->sockets_n;
	/*
	 * A train is put together before the program is asked, and goes where its first datagram
	 * belongs: with GRO here a STUN message behind ESP would be lost to the daemon's socket.
	 */
	net.use_gro = false;
	net.use_gso = join->use_gso;
	net.budget = join->budget;
	net.log = join->setup.log;
	return natmux_uv_new(join->setup.loop, join->setup.mux, &net, join->setup.net);
}

static void tell_joined(struct nm_join *join, const struct nm_joining_answer *answer)
{
	nm_log(&join->setup.log, NATMUX_LOG_INFO,
		"joined %s (process %d, user number %u): %u sockets share its port", answer->name,
		answer->pid, answer->uid, answer->sockets_n);
	if (answer->with_gro > 0)
		nm_log(&join->setup.log, NATMUX_LOG_WARNING,
			"%s asks for UDP_GRO: before Linux 6.7, or without UDP_ENCAP, STUN behind "
			"ESP "
			"may get lost (docs/join.md)",
			answer->name);
}

static void take_over(
	struct nm_join *join, const struct nm_joining_answer *answer, struct nm_joining_fds *fds)
{
	int err = open_net(join, answer, fds->sockets);

	if (err < 0) {
		nm_log(&join->setup.log, NATMUX_LOG_ERROR, "joining %s (process %d): %s",
			answer->name, answer->pid, natmux_strerror(err));
		close(fds->pidfd);
		return;
	}
	join->pid = answer->pid;
	join->uid = answer->uid;
	memcpy(join->name, answer->name, sizeof(join->name));
	if (start_watch(join, fds->pidfd) < 0) {
		natmux_uv_free(*join->setup.net, NULL, NULL);
		*join->setup.net = NULL;
		close(fds->pidfd);
		return;
	}
	join->why[0] = '\0';
	join->soon = 0;
	join->joins++;
	join->since_ms = uv_now(join->setup.loop);
	tell_joined(join, answer);
}

/* The log hears of it once, and not each second. */
static void tell_why(struct nm_join *join, const struct nm_joining_answer *answer)
{
	bool is_refused = answer->result == NM_JOINING_REFUSED;

	if (strcmp(join->why, answer->why) == 0)
		return;
	memcpy(join->why, answer->why, sizeof(join->why));
	nm_log(&join->setup.log, is_refused ? NATMUX_LOG_ERROR : NATMUX_LOG_INFO, "%s%s",
		is_refused ? "cannot join: " : "waiting: ", join->why);
}

static void take_answer(
	struct nm_join *join, const struct nm_joining_answer *answer, struct nm_joining_fds *fds)
{
	switch (answer->result) {
	case NM_JOINING_JOINED: take_over(join, answer, fds); break;
	case NM_JOINING_SAME:
	case NM_JOINING_LEFT: break;
	case NM_JOINING_CHANGED:
		/* The daemon may have gone between question and answer. */
		if (!join->watch)
			break;
		nm_log(&join->setup.log, NATMUX_LOG_INFO,
			"other sockets are on the port: joining anew");
		let_go(join);
		ask(join);
		break;
	case NM_JOINING_WAITS:
	case NM_JOINING_REFUSED: tell_why(join, answer); break;
	}
	if (!join->is_closing)
		arm(join);
}

static void on_answer(void *user)
{
	struct nm_join *join = user;
	struct nm_joining_answer answer;
	struct nm_joining_fds fds;
	int result = nm_joiner_answer(join->joiner, &answer, &fds);

	if (result < 0)
		give_up(join);
	if (result <= 0)
		return;
	join->is_asking = false;
	take_answer(join, &answer, &fds);
}

int nm_join_open(const struct nm_join_setup *setup, struct nm_join **result)
{
	struct nm_join *join = calloc(1, sizeof(*join));
	int err = NATMUX_ENOMEM;

	if (!join)
		return err;
	join->setup = *setup;
	join->setup.config = NULL;
	join->use_gso = setup->config->gso;
	join->budget = setup->config->budget;
	err = nm_joiner_start(setup->config, &setup->log, &join->joiner);
	if (err < 0) {
		free(join);
		return err;
	}
	join->timer.data = join;
	uv_timer_init(setup->loop, &join->timer);
	/* The caller closes and frees it, failed or not: uv handles are in it. */
	*result = join;
	return nm_poller_start(
		&join->answers, setup->loop, nm_joiner_fd(join->joiner), on_answer, join);
}

void nm_join_start(struct nm_join *join, uint32_t tun)
{
	join->tun = tun;
	join->since_ms = uv_now(join->setup.loop);
	ask(join);
	if (!join->is_closing)
		arm(join);
}

void nm_join_close(struct nm_join *join)
{
	bool is_joined;

	if (!join || join->is_closing)
		return;
	join->is_closing = true;
	is_joined = join->watch != NULL;
	if (is_joined)
		let_go(join);
	uv_close((uv_handle_t *)&join->timer, NULL);
	nm_poller_close(&join->answers);
	nm_joiner_stop(join->joiner, is_joined);
	join->joiner = NULL;
}

void nm_join_free(struct nm_join *join)
{
	free(join);
}

void nm_join_get_status(const struct nm_join *join, struct nm_join_status *status)
{
	*status = (struct nm_join_status){
		.is_joined = join->watch != NULL,
		.pid = join->pid,
		.uid = join->uid,
		.name = join->name,
		.why = join->why,
		.joins = join->joins,
		.since_ms = join->since_ms,
	};
}
