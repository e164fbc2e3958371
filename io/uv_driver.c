/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ties a mux to UDP sockets on a libuv loop: which socket sends what, how long one wake-up may
 * take, when the mux is called again. Sockets themselves are udp_socket.h's business.
 */
#include "io/uv_driver.h"

#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include <natmux/mux.h>

#include "base/export.h"
#include "base/log.h"
#include "io/udp_socket.h"

enum {
	TRAINS = 64, /* per call of nm_udp_recv, and of natmux_mux_output */
	BUDGET_MAX = 65536,
};

struct uv_socket {
	struct natmux_uv *driver;
	struct nm_udp *udp;
	uv_poll_t poll;
	uint64_t truncated_told; /* of status.truncated, what the mux has counted */
};

struct natmux_uv {
	uv_loop_t *loop;
	struct natmux_mux *mux;
	const struct nm_sys *sys;
	struct natmux_log log;
	struct nm_udp_batch *batch;
	struct uv_socket sockets[NATMUX_UV_FDS_MAX];
	size_t sockets_n;
	uv_timer_t timer;
	uint64_t armed_ms; /* when the timer fires; UINT64_MAX: it does not run */
	uint32_t budget;
	unsigned int handles; /* that libuv has not closed yet */
	bool is_closing;
	void (*done)(void *user);
	void *done_user;
	struct natmux_train received[TRAINS], output[TRAINS];
};

NM_EXPORT void natmux_uv_config_init(struct natmux_uv_config *config)
{
	*config = (struct natmux_uv_config){
		.size = sizeof(*config),
		.receive_buffer = 4 * 1024 * 1024,
		.send_buffer = 4 * 1024 * 1024,
		.budget = 32,
		.use_gro = true,
		.use_gso = true,
		.use_bypass = true,
	};
}

static struct uv_socket *find_socket(struct natmux_uv *uv, const struct natmux_path *path)
{
	struct uv_socket *best = NULL;
	int best_suits = 0;

	for (size_t i = 0; i < uv->sockets_n && best_suits < 3; i++) {
		int now = nm_udp_suits(uv->sockets[i].udp, path);

		if (now > best_suits) {
			best = &uv->sockets[i];
			best_suits = now;
		}
	}
	return best;
}

static void send_run(
	struct natmux_uv *uv, struct uv_socket *socket, const struct natmux_train *trains, size_t n)
{
	uint64_t drops = 0;

	if (socket) {
		drops = nm_udp_send(socket->udp, trains, n);
		if (drops > 0)
			natmux_mux_drop(uv->mux, NATMUX_DROP_UDP_SEND, drops);
		return;
	}
	for (size_t i = 0; i < n; i++)
		drops += natmux_train_count(&trains[i]);
	natmux_mux_drop(uv->mux, NATMUX_DROP_PATH_LOCAL, drops);
}

NM_EXPORT void natmux_uv_send(struct natmux_uv *uv, const struct natmux_train *trains, size_t n)
{
	struct uv_socket *socket;
	size_t from = 0;

	while (uv && from < n && !uv->is_closing) {
		size_t to = from + 1;

		/* Trains of one path come one after the other: as many as possible in one call. */
		socket = find_socket(uv, &trains[from].path);
		while (to < n && find_socket(uv, &trains[to].path) == socket)
			to++;
		send_run(uv, socket, trains + from, to - from);
		from = to;
	}
}

static void on_timer(uv_timer_t *timer);

static void arm(struct natmux_uv *uv)
{
	uint64_t deadline = natmux_mux_next_deadline(uv->mux), now = uv_now(uv->loop);

	if (deadline == uv->armed_ms)
		return;
	uv->armed_ms = deadline;
	if (deadline == UINT64_MAX)
		uv_timer_stop(&uv->timer);
	else
		uv_timer_start(&uv->timer, on_timer, deadline > now ? deadline - now : 0, 0);
}

NM_EXPORT void natmux_uv_flush_output(struct natmux_uv *uv)
{
	size_t n = TRAINS;

	if (!uv)
		return;
	while (n == TRAINS && !uv->is_closing) {
		n = natmux_mux_output(uv->mux, uv->output, TRAINS);
		natmux_uv_send(uv, uv->output, n);
	}
	if (!uv->is_closing)
		arm(uv);
}

NM_EXPORT void natmux_uv_set_offloads(struct natmux_uv *uv, bool use_gro, bool use_gso)
{
	for (size_t i = 0; uv && i < uv->sockets_n; i++)
		nm_udp_set_offloads(uv->sockets[i].udp, use_gro, use_gso);
}

static void on_timer(uv_timer_t *timer)
{
	struct natmux_uv *uv = timer->data;

	uv->armed_ms = UINT64_MAX;
	natmux_mux_timeout(uv->mux, uv_now(uv->loop));
	natmux_uv_flush_output(uv);
}

static void count_truncated(struct uv_socket *socket)
{
	uint64_t truncated = nm_udp_status(socket->udp)->truncated;

	if (truncated == socket->truncated_told)
		return;
	natmux_mux_drop(
		socket->driver->mux, NATMUX_DROP_UDP_TRUNCATED, truncated - socket->truncated_told);
	socket->truncated_told = truncated;
}

/*
 * At most `budget` calls; what is left makes the socket readable again in the loop's next round,
 * after the other handles had their turn.
 */
static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct uv_socket *socket = poll->data;
	struct natmux_uv *uv = socket->driver;

	(void)events;
	/* An error of the socket: the receive call clears it, but libuv has stopped looking. */
	if (status < 0)
		uv_poll_start(poll, UV_READABLE, on_readable);
	for (uint32_t calls = 0; calls < uv->budget; calls++) {
		size_t n = nm_udp_recv(socket->udp, uv->received, TRAINS);
		bool has_more = nm_udp_has_more(socket->udp);

		count_truncated(socket);
		if (n > 0)
			natmux_mux_input(uv->mux, uv_now(uv->loop), uv->received, n);
		natmux_uv_flush_output(uv);
		/* A sink may have closed the driver; its memory lives until the loop's next round. */
		if (uv->is_closing || !has_more)
			break;
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct natmux_uv *uv = handle->data;

	if (--uv->handles > 0)
		return;
	nm_udp_batch_free(uv->batch);
	if (uv->done)
		uv->done(uv->done_user);
	free(uv);
}

/* uv_close() takes the descriptor out of the loop at once, so it may be closed right after. */
static void close_socket(struct uv_socket *socket)
{
	if (socket->poll.data) {
		socket->poll.data = socket->driver;
		uv_close((uv_handle_t *)&socket->poll, on_closed);
	}
	nm_udp_close(socket->udp);
}

NM_EXPORT void natmux_uv_free(struct natmux_uv *uv, void (*done)(void *user), void *user)
{
	if (!uv) {
		if (done)
			done(user);
		return;
	}
	uv->is_closing = true;
	uv->done = done;
	uv->done_user = user;
	for (size_t i = 0; i < uv->sockets_n; i++)
		close_socket(&uv->sockets[i]);
	uv->sockets_n = 0;
	uv_close((uv_handle_t *)&uv->timer, on_closed);
}

static struct nm_udp_config socket_config(
	const struct natmux_uv *uv, const struct natmux_uv_config *config)
{
	return (struct nm_udp_config){
		.sys = uv->sys,
		.log = config->log,
		.device = config->device,
		.receive_buffer = config->receive_buffer,
		.send_buffer = config->send_buffer,
		.use_gro = config->use_gro,
		.use_gso = config->use_gso,
		.use_bypass = config->use_bypass,
		.reuse_address = config->reuse_address,
		.reuse_port = config->reuse_port,
		.too_big = config->too_big,
		.too_big_user = config->too_big_user,
	};
}

/* From here on the socket is closed with the driver. */
static int watch(struct natmux_uv *uv, struct nm_udp *udp)
{
	struct uv_socket *socket = &uv->sockets[uv->sockets_n++];
	int error;

	socket->udp = udp;
	socket->driver = uv;
	error = uv_poll_init(uv->loop, &socket->poll, nm_udp_fd(udp));
	if (error < 0) {
		nm_log(&uv->log, NATMUX_LOG_ERROR, "uv_poll_init: %s", uv_strerror(error));
		return NATMUX_ESYSTEM;
	}
	socket->poll.data = socket;
	uv->handles++;
	error = uv_poll_start(&socket->poll, UV_READABLE, on_readable);
	return error < 0 ? NATMUX_ESYSTEM : 0;
}

static int open_socket(struct natmux_uv *uv, const struct natmux_uv_config *config,
	const struct natmux_addr *local)
{
	const struct nm_udp_config udp_config = socket_config(uv, config);
	struct nm_udp *udp;
	int error = nm_udp_open(&udp_config, local, uv->batch, &udp);

	return error < 0 ? error : watch(uv, udp);
}

/* A kernel without IPv6 must not keep a port open for "::" and "0.0.0.0" from working. */
static bool may_leave_out(const struct natmux_addr *local, int error)
{
	static const uint8_t zeros[16];

	return error == NATMUX_EUNSUPPORTED && memcmp(local->ip, zeros, sizeof(zeros)) == 0;
}

static int open_sockets(struct natmux_uv *uv, const struct natmux_uv_config *config)
{
	int error = 0, left_out = 0;

	for (size_t i = 0; i < config->locals_n; i++) {
		error = open_socket(uv, config, &config->locals[i]);
		if (error == 0)
			continue;
		if (!may_leave_out(&config->locals[i], error))
			return error;
		left_out = error;
	}
	if (uv->sockets_n == 0)
		return left_out;
	if (left_out < 0)
		nm_log(&uv->log, NATMUX_LOG_WARNING, "going on without that address family");
	return 0;
}

static void close_given(
	const struct natmux_uv_config *config, const struct nm_sys *sys, size_t from)
{
	for (size_t i = from; config->fds && i < config->fds_n; i++)
		sys->close(config->fds[i]);
}

static int adopt_sockets(struct natmux_uv *uv, const struct natmux_uv_config *config)
{
	struct nm_udp_config udp_config = socket_config(uv, config);
	int error = 0;

	udp_config.receive_buffer = udp_config.send_buffer = 0; /* left as they are */
	while (error == 0 && uv->sockets_n < config->fds_n) {
		struct nm_udp *udp;

		error = nm_udp_adopt(&udp_config, config->fds[uv->sockets_n], uv->batch, &udp);
		if (error == 0)
			error = watch(uv, udp);
	}
	close_given(config, uv->sys, uv->sockets_n);
	return error;
}

/* Tells the mux where we are; an address that two sockets share counts once. */
static int tell_locals(struct natmux_uv *uv)
{
	struct natmux_addr bound[NATMUX_UV_FDS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < uv->sockets_n; i++) {
		const struct natmux_addr *local = nm_udp_local(uv->sockets[i].udp);
		size_t at = 0;

		while (at < n && !natmux_addr_equal(&bound[at], local))
			at++;
		if (at == n)
			bound[n++] = *local;
	}
	return natmux_mux_set_locals(uv->mux, uv_now(uv->loop), bound, n);
}

static bool is_valid(const struct natmux_uv_config *config)
{
	bool has_locals =
		config->locals && config->locals_n > 0 && config->locals_n <= NATMUX_UV_LOCALS_MAX;
	bool has_fds = config->fds_n > 0 && config->fds_n <= NATMUX_UV_FDS_MAX;

	return config->size == sizeof(*config) && (config->fds ? has_fds : has_locals) &&
	       config->budget > 0 && config->budget <= BUDGET_MAX;
}

int nm_uv_new(uv_loop_t *loop, struct natmux_mux *mux, const struct natmux_uv_config *config,
	const struct nm_sys *sys, struct natmux_uv **uv)
{
	struct natmux_uv *u;
	int error;

	if (!is_valid(config))
		return NATMUX_EINVAL;
	u = calloc(1, sizeof(*u));
	if (!u) {
		close_given(config, sys, 0);
		return NATMUX_ENOMEM;
	}
	u->sys = sys;
	u->loop = loop;
	u->mux = mux;
	u->log = config->log;
	u->budget = config->budget;
	u->armed_ms = UINT64_MAX;
	error = nm_udp_batch_new(sys, &u->batch);
	if (error < 0) {
		close_given(config, sys, 0);
		free(u);
		return error;
	}
	uv_timer_init(loop, &u->timer);
	u->timer.data = u;
	u->handles = 1;
	error = config->fds ? adopt_sockets(u, config) : open_sockets(u, config);
	if (error == 0)
		error = tell_locals(u);
	if (error < 0) {
		natmux_uv_free(u, NULL, NULL);
		return error;
	}
	natmux_uv_flush_output(u);
	*uv = u;
	return 0;
}

NM_EXPORT int natmux_uv_new(uv_loop_t *loop, struct natmux_mux *mux,
	const struct natmux_uv_config *config, struct natmux_uv **uv)
{
	return nm_uv_new(loop, mux, config, &nm_sys_real, uv);
}

int nm_uv_fd(const struct natmux_uv *uv, size_t i)
{
	return uv && i < uv->sockets_n ? nm_udp_fd(uv->sockets[i].udp) : -1;
}

NM_EXPORT void natmux_uv_sockets(const struct natmux_uv *uv,
	void (*each)(void *user, const struct natmux_uv_socket *socket), void *user)
{
	for (size_t i = 0; uv && i < uv->sockets_n; i++) {
		struct nm_udp *udp = uv->sockets[i].udp;
		const struct nm_udp_status *status = nm_udp_status(udp);
		struct natmux_uv_socket socket;

		nm_udp_ask_drops(udp);
		socket = (struct natmux_uv_socket){
			.local = *nm_udp_local(udp),
			.has_gro = status->has_gro,
			.has_gso = status->has_gso,
			.has_bypass = status->has_bypass,
			.gro_why = status->has_gro ? NULL : status->gro_why,
			.gso_why = status->has_gso ? NULL : status->gso_why,
			.receive_buffer = status->receive_buffer,
			.send_buffer = status->send_buffer,
			.recv_calls = status->recv_calls,
			.send_calls = status->send_calls,
			.recv_errors = status->recv_errors,
			.kernel_drops = status->kernel_drops,
			.truncated = status->truncated,
			.send_drops = status->send_drops,
			.gso_refused = status->gso_refused,
		};

		each(user, &socket);
	}
}
