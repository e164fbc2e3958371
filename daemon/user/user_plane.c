/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plane as a whole: its device, its SAs, its figures. What carries packets is a lane (user_lane.c),
 * or one for each worker (user_workers.c); which SAs there are is sa_plane_apply.c's.
 */
#include "daemon/user/user_plane.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/user/user_bare.h"
#include "daemon/user/user_lane.h"
#include "daemon/user/user_sa_plane.h"
#include "daemon/user/user_spread.h"
#include "daemon/user/user_workers.h"
#include "io/inner_tun.h"
#include "io/reuseport_proof.h"

struct nm_user_plane {
	struct nm_user_plane_setup setup; /* without the configuration */
	struct nm_user_lane *lane;        /* the only one, or the first of the workers */
	struct nm_user_workers *workers;  /* NULL: there is one */
	struct nm_user_bare *bare;        /* NULL unless bare-esp = yes */
	struct nm_inner_tun *tun;
	uint32_t mtu, sas_max, policies_max;
	uint32_t workers_n;
	char workers_why[NM_REUSEPORT_WHY];
	bool is_closed;
};

/* Each expanded key takes locked memory: as much as there may be without asking. */
static void raise_memlock(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &limit);
	}
}

/* As many workers as can be had: the kernel spreads datagrams over them, the device has queues. */
static int open_device(struct nm_user_plane *plane, const struct nm_config *config)
{
	const struct nm_config_user_plane *user_plane = &config->user_plane;
	struct nm_inner_tun_config tun = {
		.sys = &nm_sys_real,
		.log = plane->setup.log,
		.name = user_plane->tun,
		.ipv4 = {user_plane->address4.addr, user_plane->address4.bits},
		.ipv6 = {user_plane->address6.addr, user_plane->address6.bits},
		.mtu = plane->mtu,
		.queues = plane->workers_n,
		.use_tso = user_plane->offload,
		.use_uso = user_plane->offload,
	};
	int err = nm_inner_tun_open(&tun, &plane->tun);

	if (err < 0 || nm_inner_tun_queues(plane->tun) == plane->workers_n)
		return err;
	plane->workers_n = nm_inner_tun_queues(plane->tun);
	snprintf(plane->workers_why, sizeof(plane->workers_why), "%s",
		nm_inner_tun_queues_why(plane->tun));
	return 0;
}

static void count_workers(struct nm_user_plane *plane, const struct nm_config *config)
{
	plane->workers_n = config->user_plane.workers;
	if (plane->workers_n == 1 || nm_user_spread_prove(plane->workers_n, plane->workers_why,
					     sizeof(plane->workers_why)))
		return;
	nm_log(&plane->setup.log, NATMUX_LOG_WARNING,
		"going on with 1 worker: this kernel does not spread datagrams over %u: %s",
		plane->workers_n, plane->workers_why);
	plane->workers_n = 1;
}

static int open_lane(struct nm_user_plane *plane, const struct nm_config *config)
{
	const struct nm_user_plane_setup *setup = &plane->setup;
	struct nm_user_lane_setup lane = {
		.loop = setup->loop,
		.mux = setup->mux,
		.queue = nm_inner_tun_queue(plane->tun, 0),
		.log = setup->log,
		.send = setup->send,
		.event = setup->event,
		.user = setup->user,
	};

	return nm_user_lane_open(&lane, config, &plane->lane);
}

static int open_lanes(struct nm_user_plane *plane, const struct nm_config *config)
{
	int err;

	if (plane->workers_n == 1)
		return open_lane(plane, config);
	err = nm_user_workers_open(
		&plane->setup, config, plane->tun, plane->workers_n, &plane->workers);
	if (plane->workers)
		plane->lane = nm_user_workers_lane(plane->workers, 0);
	return err;
}

static void input_bare(void *user, const struct natmux_train *trains, size_t n)
{
	nm_user_lane_input(((struct nm_user_plane *)user)->lane, trains, n);
}

static int open_bare(struct nm_user_plane *plane, const struct nm_config *config)
{
	struct nm_user_bare_setup setup = {
		.loop = plane->setup.loop,
		.config = config,
		.log = plane->setup.log,
		.input = input_bare,
		.user = plane,
	};

	return config->user_plane.bare_esp ? nm_user_bare_open(&setup, &plane->bare) : 0;
}

static int add_sas(struct nm_user_plane *plane, struct nm_config *config)
{
	char message[NM_CONFIG_MESSAGE_SIZE];
	int err = nm_user_plane_reload(plane, NULL, config, message, sizeof(message));

	if (err < 0)
		nm_log(&plane->setup.log, NATMUX_LOG_ERROR, "%s", message);
	return err;
}

int nm_user_plane_open(const struct nm_user_plane_setup *setup, struct nm_user_plane **result)
{
	struct nm_user_plane *plane = calloc(1, sizeof(*plane));
	struct nm_config *config = setup->config;
	int err;

	if (!plane)
		return NATMUX_ENOMEM;
	plane->setup = *setup;
	plane->setup.config = NULL;
	plane->mtu =
		config->user_plane.mtu > 0 ? config->user_plane.mtu : nm_config_tun_mtu(config);
	plane->sas_max = config->user_plane.sas;
	plane->policies_max = config->user_plane.policies;
	raise_memlock();
	/* The caller closes and frees it, failed or not: uv handles are in it. */
	*result = plane;
	count_workers(plane, config);
	err = open_device(plane, config);
	if (err == 0)
		err = open_lanes(plane, config);
	if (err == 0)
		err = add_sas(plane, config);
	if (err == 0)
		err = open_bare(plane, config);
	plane->setup.net_config = NULL;
	if (err < 0)
		return err;
	return plane->workers ? nm_user_workers_start_lanes(plane->workers)
			      : nm_user_lane_start(plane->lane);
}

int nm_user_plane_start(struct nm_user_plane *plane)
{
	return plane && plane->workers ? nm_user_workers_start_threads(plane->workers) : 0;
}

void nm_user_plane_take_esp(struct nm_user_plane *plane)
{
	nm_user_lane_take_esp(plane->lane);
}

void nm_user_plane_send_waiting(struct nm_user_plane *plane)
{
	nm_user_lane_send_waiting(plane->lane);
}

void nm_user_plane_close(struct nm_user_plane *plane)
{
	if (!plane || plane->is_closed)
		return;
	plane->is_closed = true;
	nm_user_bare_close(plane->bare);
	if (plane->workers)
		nm_user_workers_close(plane->workers);
	else
		nm_user_lane_close(plane->lane);
}

void nm_user_plane_free(struct nm_user_plane *plane)
{
	if (!plane)
		return;
	nm_user_bare_free(plane->bare);
	if (plane->workers)
		nm_user_workers_free(plane->workers);
	else
		nm_user_lane_free(plane->lane);
	nm_inner_tun_close(plane->tun);
	free(plane);
}

void nm_user_plane_pause(struct nm_user_plane *plane)
{
	if (plane)
		nm_user_workers_pause(plane->workers);
}

void nm_user_plane_resume(struct nm_user_plane *plane)
{
	if (plane)
		nm_user_workers_resume(plane->workers);
}

struct natmux_esp *nm_user_plane_esp(struct nm_user_plane *plane)
{
	return plane ? nm_user_lane_esp(plane->lane) : NULL;
}

uint64_t nm_user_plane_now_ms(const struct nm_user_plane *plane)
{
	return uv_now(plane->setup.loop);
}

void nm_user_plane_set_path_mtu(
	struct nm_user_plane *plane, const struct natmux_addr *remote, uint32_t mtu)
{
	if (plane && plane->lane)
		nm_user_lane_set_path_mtu(plane->lane, remote, mtu);
}

/* The other workers look when they go on. */
void nm_user_plane_changed(struct nm_user_plane *plane)
{
	nm_user_lane_arm(plane->lane);
}

int nm_user_plane_reload(struct nm_user_plane *plane, const struct nm_config *before,
	struct nm_config *after, char *message, size_t size)
{
	struct nm_sa_plane sa_plane = nm_user_sa_plane(plane);
	int err;

	nm_user_plane_pause(plane);
	err = nm_sa_plane_apply(&sa_plane, after->user_plane.sas, before, after, message, size);
	nm_user_plane_resume(plane);
	nm_config_wipe_keys(after);
	return err;
}

static void count_sa(void *user, const struct natmux_sa_info *info)
{
	(void)info;
	++*(uint32_t *)user;
}

static void count_policy(void *user, const struct natmux_policy *policy)
{
	(void)policy;
	++*(uint32_t *)user;
}

static uint32_t lanes_n(const struct nm_user_plane *plane)
{
	return plane->workers ? nm_user_workers_count(plane->workers) : 1;
}

static const struct nm_user_lane *lane_of(const struct nm_user_plane *plane, uint32_t i)
{
	return plane->workers ? nm_user_workers_lane(plane->workers, i) : plane->lane;
}

static const struct natmux_mux *mux_of(const struct nm_user_plane *plane, uint32_t i)
{
	return plane->workers ? nm_user_workers_mux(plane->workers, i) : plane->setup.mux;
}

void nm_user_plane_get_status(
	const struct nm_user_plane *plane, struct nm_user_plane_status *status)
{
	*status = (struct nm_user_plane_status){
		.tun = nm_inner_tun_name(plane->tun),
		.mtu = plane->mtu,
		.has_tso = true,
		.has_uso = true,
		.has_bare = plane->bare != NULL,
		.bare_packets = nm_user_bare_packets(plane->bare),
		.sas_max = plane->sas_max,
		.policies_max = plane->policies_max,
		.workers = plane->workers_n,
		.workers_why = plane->workers_why[0] ? plane->workers_why : NULL,
	};
	for (uint32_t i = 0; i < lanes_n(plane); i++)
		nm_user_lane_add_status(lane_of(plane, i), status);
	natmux_esp_sas(nm_user_lane_esp(plane->lane), count_sa, &status->sas);
	natmux_esp_policies(nm_user_lane_esp(plane->lane), count_policy, &status->policies);
}

void nm_user_plane_workers(const struct nm_user_plane *plane,
	void (*each)(void *user, uint32_t worker, const struct nm_user_plane_worker *info),
	void *user)
{
	for (uint32_t i = 0; i < lanes_n(plane); i++) {
		const struct natmux_stats *stats = natmux_mux_stats(mux_of(plane, i));
		struct nm_user_plane_status status = {.mtu = 0};
		struct nm_user_plane_worker info = {
			.rx = stats->rx[NATMUX_CLASS_ESP], .tx = stats->tx[NATMUX_CLASS_ESP]};

		nm_user_lane_add_status(lane_of(plane, i), &status);
		info.read = status.read;
		info.written = status.written;
		each(user, i, &info);
	}
}

static void add_counts(struct natmux_count *sums, const struct natmux_count *counts)
{
	for (int i = 0; i < NATMUX_CLASS_COUNT; i++) {
		sums[i].datagrams += counts[i].datagrams;
		sums[i].bytes += counts[i].bytes;
	}
}

void nm_user_plane_add_stats(const struct nm_user_plane *plane, struct natmux_stats *sums)
{
	for (uint32_t i = 1; plane && i < lanes_n(plane); i++) {
		const struct natmux_stats *stats = natmux_mux_stats(mux_of(plane, i));

		add_counts(sums->rx, stats->rx);
		add_counts(sums->tx, stats->tx);
		sums->rx_trains += stats->rx_trains;
		sums->stun_lookalikes += stats->stun_lookalikes;
		for (int drop = 0; drop < NATMUX_DROP_COUNT; drop++)
			sums->drops[drop] += stats->drops[drop];
	}
}

struct each_socket {
	void (*each)(void *user, uint32_t worker, const struct natmux_uv_socket *socket);
	void *user;
	uint32_t worker;
};

static void show_socket(void *user, const struct natmux_uv_socket *socket)
{
	const struct each_socket *context = user;

	context->each(context->user, context->worker, socket);
}

void nm_user_plane_sockets(const struct nm_user_plane *plane,
	void (*each)(void *user, uint32_t worker, const struct natmux_uv_socket *socket),
	void *user)
{
	for (uint32_t i = 1; plane && i < lanes_n(plane); i++) {
		struct each_socket context = {each, user, i};

		natmux_uv_sockets(nm_user_workers_net(plane->workers, i), show_socket, &context);
	}
}

void nm_user_plane_set_udp_offloads(struct nm_user_plane *plane, bool use_gro, bool use_gso)
{
	for (uint32_t i = 1; plane && i < lanes_n(plane); i++)
		natmux_uv_set_offloads(nm_user_workers_net(plane->workers, i), use_gro, use_gso);
}

void nm_user_plane_set_tap(
	struct nm_user_plane *plane, uint32_t mask, nm_user_plane_tap *tap, void *user)
{
	if (plane && plane->workers)
		nm_user_workers_set_tap(plane->workers, mask, tap, user);
}
