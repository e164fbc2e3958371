/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who of the workers has what, and what they have for each other: their mailboxes. Threads and pauses are
 * workers.c's, packets a lane's, and which worker has an SA is natmux_esp_home()'s rule.
 */
#include "daemon/user/user_workers.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/user/user_spread.h"
#include "daemon/user/worker_mailbox.h"
#include "daemon/user/workers.h"
#include "dispatcher/mux.h"

enum { MOVED_MAX = 64 };

struct worker {
	struct nm_user_workers *owner;
	uint32_t index;
	struct natmux_mux *mux;
	struct natmux_uv *net;
	struct nm_user_lane *lane;
	struct nm_mailbox *mailbox;
};

struct nm_user_workers {
	struct nm_user_plane_setup setup;
	struct nm_inner_tun *tun;
	struct nm_workers *threads; /* of all but the first */
	uv_async_t main_call;
	bool has_main_call;
	uint32_t count;
	struct worker workers[NM_USER_WORKERS_MAX];

	/* Peers that moved, until all lanes know: their SAs' reqids. More than fit: all are asked. */
	uint32_t moved[MOVED_MAX];
	uint32_t moved_n;
	_Atomic bool is_event_lost; /* and nobody knows who moved */

	nm_user_plane_tap *tap;
	void *tap_user;
};

static void wake(struct nm_user_workers *workers, uint32_t i)
{
	if (i == 0)
		uv_async_send(&workers->main_call);
	else
		nm_workers_wake(workers->threads, i - 1);
}

static void post(
	struct worker *from, uint32_t to, enum nm_mail mail, const struct natmux_train *train)
{
	struct nm_user_workers *workers = from->owner;

	if (nm_mailbox_post_train(workers->workers[to].mailbox, mail, train))
		wake(workers, to);
	else
		natmux_mux_drop(from->mux, NATMUX_DROP_WORKER_FULL, natmux_train_count(train));
}

/* A lane's, in its thread: */

static void forward(void *user, uint32_t home, const struct natmux_train *train)
{
	post(user, home, NM_MAIL_ESP, train);
}

static void stray(void *user, const struct natmux_train *run)
{
	post(user, 0, NM_MAIL_STRAY, run);
}

static void tell_event(void *user, const struct natmux_esp_event *event)
{
	struct worker *worker = user;

	if (!nm_mailbox_post_event(worker->owner->workers[0].mailbox, event))
		atomic_store(&worker->owner->is_event_lost, true);
	wake(worker->owner, 0);
}

static void send_trains(void *user, const struct natmux_train *trains, size_t n)
{
	struct worker *worker = user;
	const struct nm_user_plane_setup *setup = &worker->owner->setup;

	if (worker->index == 0)
		setup->send(setup->user, trains, n);
	else
		natmux_uv_send(worker->net, trains, n);
}

static void tap(void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train)
{
	struct nm_user_workers *workers = user;

	workers->tap(workers->tap_user, cls, is_sent, train);
	wake(workers, 0);
}

/* The kernel tells each socket that sends: each lane hears for itself. */
static void too_big(void *user, const struct natmux_path *path, uint32_t mtu)
{
	struct worker *worker = user;

	nm_user_lane_set_path_mtu(worker->lane, &path->remote, mtu);
}

/* What came by mail. */
static void read_train(void *user, enum nm_mail mail, const struct natmux_train *train)
{
	struct worker *worker = user;
	const struct nm_user_plane_setup *setup = &worker->owner->setup;

	switch (mail) {
	case NM_MAIL_ESP: nm_user_lane_input(worker->lane, train, 1); break;
	case NM_MAIL_STRAY:
		natmux_mux_input(worker->mux, uv_now(setup->loop), train, 1);
		natmux_uv_flush_output(worker->net);
		break;
	}
}

static void note_moved(struct nm_user_workers *workers, uint32_t reqid)
{
	if (workers->moved_n < MOVED_MAX)
		workers->moved[workers->moved_n] = reqid;
	workers->moved_n++;
}

/* Only the first worker's mailbox has events. */
static void read_event(void *user, const struct natmux_esp_event *event)
{
	struct nm_user_workers *workers = ((struct worker *)user)->owner;

	if (event->type == NATMUX_ESP_EVENT_MOVED && event->reqid > 0)
		note_moved(workers, event->reqid);
	workers->setup.event(workers->setup.user, event);
}

static const struct nm_mailbox_reader reader = {read_train, read_event};

/* The lane that saw a peer move sends there already; all others do from now on. */
static void follow(struct nm_user_workers *workers)
{
	struct natmux_esp *leader = nm_user_lane_esp(workers->workers[0].lane);

	if (atomic_exchange(&workers->is_event_lost, false))
		workers->moved_n = MOVED_MAX + 1;
	if (workers->moved_n == 0)
		return;
	nm_user_workers_pause(workers);
	if (workers->moved_n > MOVED_MAX)
		natmux_esp_follow(leader, 0);
	for (uint32_t i = 0; i < workers->moved_n && workers->moved_n <= MOVED_MAX; i++)
		natmux_esp_follow(leader, workers->moved[i]);
	nm_user_workers_resume(workers);
	workers->moved_n = 0;
}

static void on_main_call(uv_async_t *call)
{
	struct nm_user_workers *workers = call->data;

	nm_mailbox_take(workers->workers[0].mailbox, &reader, &workers->workers[0]);
	follow(workers);
}

/* In the thread of worker i + 1: mail, or SAs that came or went in a pause. */
static void on_wake(void *user, uint32_t i)
{
	struct nm_user_workers *workers = user;
	struct worker *worker = &workers->workers[i + 1];

	nm_mailbox_take(worker->mailbox, &reader, worker);
	nm_user_lane_arm(worker->lane);
}

static void on_close(void *user, uint32_t i)
{
	struct nm_user_workers *workers = user;
	struct worker *worker = &workers->workers[i + 1];

	nm_user_lane_close(worker->lane);
	natmux_uv_free(worker->net, NULL, NULL);
	worker->net = NULL;
}

static void fill_random(void *user, void *buf, size_t len)
{
	(void)user;
	randombytes_buf(buf, len);
}

/* Of ESP only: nobody's flow is here, and no STUN server's. */
static int make_mux(struct worker *worker)
{
	const struct natmux_random random = {.fill = fill_random};
	struct natmux_mux_config config;
	int err;

	natmux_mux_config_init(&config);
	config.flows_max = 1;
	config.responder = NATMUX_RESPONDER_OFF;
	config.log = worker->owner->setup.log;
	err = natmux_mux_new(&config, &random, &worker->mux);
	if (err == 0)
		nm_mux_set_stray(worker->mux, stray, worker);
	return err;
}

static int make_lane(struct worker *worker, const struct nm_config *config)
{
	struct nm_user_workers *workers = worker->owner;
	struct nm_user_lane_setup setup = {
		.loop = worker->index == 0 ? workers->setup.loop
					   : nm_workers_loop(workers->threads, worker->index - 1),
		.mux = worker->mux,
		.queue = nm_inner_tun_queue(workers->tun, worker->index),
		.index = worker->index,
		.log = workers->setup.log,
		.send = send_trains,
		.event = tell_event,
		.forward = forward,
		.user = worker,
	};

	if (worker->index > 0)
		setup.leader = nm_user_lane_esp(workers->workers[0].lane);
	return nm_user_lane_open(&setup, config, &worker->lane);
}

/* The main loop's sockets as they are bound. */
struct locals {
	struct natmux_addr list[NATMUX_UV_LOCALS_MAX];
	size_t n;
};

static void add_local(void *user, const struct natmux_uv_socket *socket)
{
	struct locals *locals = user;

	if (locals->n < NATMUX_UV_LOCALS_MAX)
		locals->list[locals->n++] = socket->local;
}

/* The order of binding is the order of the program's numbers: worker by worker. */
static int open_net(struct worker *worker)
{
	struct nm_user_workers *workers = worker->owner;
	struct natmux_uv_config config = *workers->setup.net_config;
	struct locals locals = {.n = 0};

	natmux_uv_sockets(workers->setup.net, add_local, &locals);
	config.locals = locals.list;
	config.locals_n = locals.n;
	config.reuse_port = true;
	config.too_big = too_big;
	config.too_big_user = worker;
	return natmux_uv_new(nm_workers_loop(workers->threads, worker->index - 1), worker->mux,
		&config, &worker->net);
}

static int open_workers(struct nm_user_workers *workers, const struct nm_config *config)
{
	int err = 0;

	for (uint32_t i = 0; i < workers->count && err == 0; i++)
		err = nm_mailbox_new(&workers->workers[i].mailbox);
	for (uint32_t i = 0; i < workers->count && err == 0; i++) {
		struct worker *worker = &workers->workers[i];

		if (i > 0)
			err = make_mux(worker);
		if (err == 0)
			err = make_lane(worker, config);
	}
	if (err == 0)
		err = nm_user_spread_share(workers->setup.net, &workers->setup.log);
	for (uint32_t i = 1; i < workers->count && err == 0; i++)
		err = open_net(&workers->workers[i]);
	if (err < 0)
		return err;
	return nm_user_spread_begin(workers->setup.net, workers->count, &workers->setup.log);
}

int nm_user_workers_open(const struct nm_user_plane_setup *setup, const struct nm_config *config,
	struct nm_inner_tun *tun, uint32_t count, struct nm_user_workers **result)
{
	struct nm_user_workers *workers = calloc(1, sizeof(*workers));
	struct nm_workers_setup threads = {count - 1, on_wake, on_close, workers};
	int err;

	if (!workers)
		return NATMUX_ENOMEM;
	workers->setup = *setup;
	workers->tun = tun;
	workers->count = count;
	for (uint32_t i = 0; i < count; i++)
		workers->workers[i] = (struct worker){.owner = workers, .index = i};
	workers->workers[0].mux = setup->mux;
	workers->workers[0].net = setup->net;
	err = nm_workers_new(&threads, &workers->threads);
	if (err == 0 && uv_async_init(setup->loop, &workers->main_call, on_main_call) < 0)
		err = NATMUX_ESYSTEM;
	workers->main_call.data = workers;
	workers->has_main_call = err == 0;
	/* The caller closes and frees it, failed or not: a uv handle is in it. */
	*result = workers;
	return err == 0 ? open_workers(workers, config) : err;
}

int nm_user_workers_start_lanes(struct nm_user_workers *workers)
{
	int err = 0;

	for (uint32_t i = 0; i < workers->count && err == 0; i++)
		err = nm_user_lane_start(workers->workers[i].lane);
	return err;
}

int nm_user_workers_start_threads(struct nm_user_workers *workers)
{
	int err = nm_workers_start(workers->threads);

	if (err < 0)
		nm_log(&workers->setup.log, NATMUX_LOG_ERROR,
			"workers: no thread (is there a limit of processes?)");
	/* SAs have come since the lanes were made. */
	for (uint32_t i = 1; i < workers->count && err == 0; i++)
		nm_workers_wake(workers->threads, i - 1);
	return err;
}

void nm_user_workers_close(struct nm_user_workers *workers)
{
	if (!workers)
		return;
	nm_user_lane_close(workers->workers[0].lane);
	nm_workers_stop(workers->threads);
	if (workers->has_main_call && !uv_is_closing((uv_handle_t *)&workers->main_call))
		uv_close((uv_handle_t *)&workers->main_call, NULL);
}

void nm_user_workers_free(struct nm_user_workers *workers)
{
	if (!workers)
		return;
	nm_workers_free(workers->threads);
	/* The planes of the others before that of the first, which leads them. */
	for (uint32_t i = workers->count; i-- > 0;) {
		struct worker *worker = &workers->workers[i];

		nm_user_lane_free(worker->lane);
		nm_mailbox_free(worker->mailbox);
		if (i > 0)
			natmux_mux_free(worker->mux);
	}
	free(workers);
}

void nm_user_workers_pause(struct nm_user_workers *workers)
{
	if (workers)
		nm_workers_pause(workers->threads);
}

void nm_user_workers_resume(struct nm_user_workers *workers)
{
	if (workers)
		nm_workers_resume(workers->threads);
}

uint32_t nm_user_workers_count(const struct nm_user_workers *workers)
{
	return workers->count;
}

struct natmux_mux *nm_user_workers_mux(const struct nm_user_workers *workers, uint32_t i)
{
	return workers->workers[i].mux;
}

struct natmux_uv *nm_user_workers_net(const struct nm_user_workers *workers, uint32_t i)
{
	return workers->workers[i].net;
}

struct nm_user_lane *nm_user_workers_lane(const struct nm_user_workers *workers, uint32_t i)
{
	return workers->workers[i].lane;
}

void nm_user_workers_set_tap(
	struct nm_user_workers *workers, uint32_t mask, nm_user_plane_tap *new_tap, void *user)
{
	workers->tap = new_tap;
	workers->tap_user = user;
	for (uint32_t i = 1; i < workers->count; i++)
		natmux_mux_set_tap(workers->workers[i].mux, mask, new_tap ? tap : NULL, workers);
}
