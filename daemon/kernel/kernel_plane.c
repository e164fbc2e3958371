/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plane on the loop: a netlink socket on which every question is answered before the call returns,
 * clocks, a timer. What is said is kernel.c's; what the kernel tells of its own accord, kernel_monitor.c's.
 */
#include "daemon/kernel/kernel_plane.h"

#include <fcntl.h>
#include <net/if.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/kernel/kernel.h"
#include "daemon/kernel/kernel_monitor.h"
#include "io/source_addr.h"
#include "xfrm/kernel.h"

enum { STAT_MAX = 8192 };

struct nm_kernel_plane {
	struct nm_kernel_plane_setup setup; /* without the configuration */
	struct nm_netlink *socket;
	struct nm_kernel_ask *ask;
	struct nm_kernel *kernel;
	struct nm_kernel_monitor *monitor;
	struct nm_xfrm_features features;
	struct nm_source_addr source;
	struct nm_xfrm_stat stat_before;
	uv_timer_t keepalive;
	bool has_stat, keeps;
};

static uint64_t clock_ms(void *user)
{
	(void)user;
	return uv_hrtime() / 1000000;
}

static uint64_t loop_ms(void *user)
{
	const struct nm_kernel_plane *plane = user;

	return uv_now(plane->setup.loop);
}

static uint64_t wall_s(void *user)
{
	time_t now = time(NULL);

	(void)user;
	return now > 0 ? (uint64_t)now : 0;
}

static int find_source(void *user, const struct natmux_addr *remote, struct natmux_addr *local)
{
	const struct nm_kernel_plane *plane = user;

	return nm_source_addr_find(&plane->source, remote, local);
}

static uint32_t find_ifindex(void *user, const char *device)
{
	(void)user;
	return if_nametoindex(device);
}

static void fill_random(void *user, void *buf, size_t len)
{
	(void)user;
	randombytes_buf(buf, len);
}

static void send_trains(void *user, const struct natmux_train *trains, size_t n)
{
	struct nm_kernel_plane *plane = user;

	plane->setup.send(plane->setup.user, trains, n);
}

static void tell_event(void *user, const struct natmux_esp_event *event)
{
	struct nm_kernel_plane *plane = user;

	plane->setup.event(plane->setup.user, event);
}

static const struct natmux_random random_source = {.fill = fill_random};

/* Readable by all, in the network namespace of who reads it. False: the kernel does not count. */
static bool read_stat(struct nm_xfrm_stat *stat)
{
	char text[STAT_MAX];
	size_t len = 0;
	ssize_t n;
	int fd = open("/proc/net/xfrm_stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	do {
		n = read(fd, text + len, sizeof(text) - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 && len < sizeof(text));
	close(fd);
	return n == 0 && len > 0 && nm_xfrm_stat_parse(text, len, stat) == 0;
}

static int open_ask(
	const struct natmux_log *log, struct nm_netlink **socket, struct nm_kernel_ask **ask)
{
	/* For the last words of states that are deleted. */
	static const uint32_t groups[] = {XFRMNLGRP_SA};
	const struct nm_netlink_config netlink = {.sys = &nm_sys_real,
		.log = *log,
		.protocol = NETLINK_XFRM,
		.groups = groups,
		.groups_len = 1};
	struct nm_kernel_ask_config config = {.now_ms = clock_ms, .log = *log};
	int err = nm_netlink_open(&netlink, socket);

	if (err < 0)
		return err;
	config.link = nm_kernel_link_of(*socket);
	return nm_kernel_ask_new(&config, ask);
}

static void set_why(char why[static NM_SA_PLANE_WHY], const struct nm_xfrm_answer *answer)
{
	snprintf(why, NM_SA_PLANE_WHY, "%s", answer->text);
}

/* ESP of one family is enough; which one is missing shows when an SA wants it. */
static int judge(const struct nm_xfrm_features *features, char why[static NM_SA_PLANE_WHY])
{
	const struct nm_xfrm_answer *esp4 = &features->why[NM_XFRM_FEATURE_ESP4];

	if (features->has[NM_XFRM_FEATURE_ESP4] || features->has[NM_XFRM_FEATURE_ESP6])
		return 0;
	if (!features->has[NM_XFRM_FEATURE_XFRM]) {
		set_why(why, &features->why[NM_XFRM_FEATURE_XFRM]);
		return features->why[NM_XFRM_FEATURE_XFRM].error;
	}
	set_why(why, esp4);
	return esp4->error < 0 ? esp4->error : NATMUX_EUNSUPPORTED;
}

int nm_kernel_plane_try(char why[static NM_SA_PLANE_WHY])
{
	static const struct natmux_log silent;
	struct nm_netlink *socket = NULL;
	struct nm_kernel_ask *ask = NULL;
	struct nm_xfrm_features features = {.has = {false}};
	int err = open_ask(&silent, &socket, &ask);

	if (err == 0)
		err = nm_kernel_ask_features(ask, &random_source, &features);
	if (err < 0)
		snprintf(why, NM_SA_PLANE_WHY, "%s",
			err == NATMUX_EUNSUPPORTED
				? "this kernel has no XFRM (CONFIG_XFRM_USER); use esp = user"
				: natmux_strerror(err));
	else
		err = judge(&features, why);
	nm_kernel_ask_free(ask);
	nm_netlink_close(socket);
	return err;
}

static void on_keepalive(uv_timer_t *timer)
{
	struct nm_kernel_plane *plane = timer->data;

	nm_kernel_keep_alive(plane->kernel);
}

static void set_keepalive(struct nm_kernel_plane *plane)
{
	uint32_t interval_ms = plane->kernel->config.keepalive_ms;

	if (uv_is_closing((uv_handle_t *)&plane->keepalive))
		return;
	if (interval_ms == 0)
		uv_timer_stop(&plane->keepalive);
	else
		uv_timer_start(&plane->keepalive, on_keepalive, interval_ms, interval_ms);
}

static int find_out(struct nm_kernel_plane *plane)
{
	char why[NM_SA_PLANE_WHY] = "";
	int err = nm_kernel_ask_features(plane->ask, &random_source, &plane->features);

	if (err == 0)
		err = judge(&plane->features, why);
	if (err < 0)
		nm_log(&plane->setup.log, NATMUX_LOG_ERROR, "esp = kernel: %s",
			*why ? why : natmux_strerror(err));
	return err;
}

static uint32_t keepalive_ms(const struct nm_config *config)
{
	return config->keepalive.mode == NATMUX_KEEPALIVE_OFF ? 0
							      : config->keepalive.interval_s * 1000;
}

static int make_kernel(struct nm_kernel_plane *plane, const struct nm_config *config)
{
	const struct nm_kernel_config kernel = {
		.ask = plane->ask,
		.features = plane->features,
		.port = config->port,
		.sas_max = config->kernel_plane.sas,
		.policies_max = config->kernel_plane.policies,
		.keepalive_ms = keepalive_ms(config),
		/* An SA that goes to the other plane takes its key along. */
		.exports_keys = config->kernel_plane.export_keys || config->both_planes,
		.log = plane->setup.log,
		.random = random_source,
		.now_ms = loop_ms,
		.now_s = wall_s,
		.source = find_source,
		.ifindex = find_ifindex,
		.send = send_trains,
		.event = tell_event,
		.user = plane,
	};

	plane->keeps = config->kernel_plane.keep;
	return nm_kernel_new(&kernel, &plane->kernel);
}

static int add_sas(struct nm_kernel_plane *plane, struct nm_config *config)
{
	char message[NM_CONFIG_MESSAGE_SIZE];
	int err = nm_kernel_plane_reload(plane, NULL, config, message, sizeof(message));

	if (err < 0)
		nm_log(&plane->setup.log, NATMUX_LOG_ERROR, "%s", message);
	return err;
}

int nm_kernel_plane_open(const struct nm_kernel_plane_setup *setup, struct nm_kernel_plane **result)
{
	struct nm_kernel_plane *plane = calloc(1, sizeof(*plane));
	int err;

	if (!plane)
		return NATMUX_ENOMEM;
	plane->setup = *setup;
	plane->setup.config = NULL;
	uv_timer_init(setup->loop, &plane->keepalive);
	plane->keepalive.data = plane;
	nm_source_addr_open(&plane->source, &nm_sys_real, setup->config->device);
	plane->has_stat = read_stat(&plane->stat_before);
	/* The caller closes and frees it, failed or not: uv handles are in it. */
	*result = plane;
	err = open_ask(&setup->log, &plane->socket, &plane->ask);
	if (err == 0)
		err = find_out(plane);
	if (err == 0)
		err = make_kernel(plane, setup->config);
	/* Before the first SA is added, so that nothing is missed. */
	if (err == 0)
		err = nm_kernel_monitor_open(
			setup->loop, &setup->log, plane->kernel, &plane->monitor);
	if (err == 0)
		err = add_sas(plane, setup->config);
	if (err == 0)
		set_keepalive(plane);
	return err;
}

void nm_kernel_plane_close(struct nm_kernel_plane *plane)
{
	if (!plane || uv_is_closing((uv_handle_t *)&plane->keepalive))
		return;
	if (plane->kernel && !plane->keeps)
		nm_kernel_clear(plane->kernel);
	nm_kernel_monitor_close(plane->monitor);
	uv_close((uv_handle_t *)&plane->keepalive, NULL);
}

void nm_kernel_plane_free(struct nm_kernel_plane *plane)
{
	if (!plane)
		return;
	nm_kernel_monitor_free(plane->monitor);
	nm_kernel_free(plane->kernel);
	nm_kernel_ask_free(plane->ask);
	nm_netlink_close(plane->socket);
	nm_source_addr_close(&plane->source);
	free(plane);
}

struct nm_sa_plane nm_kernel_plane_sas(struct nm_kernel_plane *plane)
{
	return plane && plane->kernel ? nm_kernel_sa_plane(plane->kernel) : (struct nm_sa_plane){0};
}

int nm_kernel_plane_reload(struct nm_kernel_plane *plane, const struct nm_config *before,
	struct nm_config *after, char *message, size_t size)
{
	struct nm_sa_plane sa_plane = nm_kernel_plane_sas(plane);
	int err =
		nm_sa_plane_apply(&sa_plane, after->kernel_plane.sas, before, after, message, size);

	nm_config_wipe_keys(after);
	if (err == 0) {
		plane->keeps = after->kernel_plane.keep;
		plane->kernel->config.keepalive_ms = keepalive_ms(after);
		set_keepalive(plane);
	}
	return err;
}

void nm_kernel_plane_get_status(
	struct nm_kernel_plane *plane, struct nm_kernel_plane_status *status)
{
	const struct nm_xfrm_session_status *events = nm_kernel_monitor_status(plane->monitor);
	struct nm_xfrm_stat now;

	*status = (struct nm_kernel_plane_status){
		.features = &plane->features,
		.sas = plane->kernel->sad.len,
		.sas_max = plane->kernel->sad.max,
		.policies = plane->kernel->spd.outs,
		.policies_max = plane->kernel->spd.outs_max,
		.events = events->events,
		.losses = events->losses,
		.keeps = plane->keeps,
	};
	if (!plane->has_stat || !read_stat(&now))
		return;
	status->has_stat = true;
	nm_xfrm_stat_since(&plane->stat_before, &now, &status->stat);
}
