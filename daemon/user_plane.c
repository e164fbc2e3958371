/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries packets between the mux, the plane and the TUN device, and keeps the plane's clock. What is
 * in them is the plane's business, and which SAs there are sa_plane_apply.c's.
 */
#include "daemon/user_plane.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config.h"
#include "daemon/user_bare.h"
#include "daemon/user_sa_plane.h"
#include "esp/split.h"
#include "io/inner_tun.h"

enum {
	PACKETS_MAX = 64,       /* of one round of reading */
	ROUNDS_MAX = 16,        /* per wake-up, before the sockets get their turn again */
	WHOLE_MAX = 40 + 65535, /* RFC 8200 3: the longest packet */
};

struct nm_user_plane {
	struct nm_user_plane_setup setup; /* without the configuration */
	struct natmux_esp *esp;
	struct nm_user_bare *bare; /* NULL unless bare-esp = yes */
	struct nm_inner_tun *tun;
	struct nm_inner_tun_queue *queue;
	uv_poll_t poll;
	uv_timer_t timer;
	bool has_poll;
	uint64_t armed_ms;
	uint32_t mtu, sas_max, policies_max;
	char engine[16];
	uint64_t told_drops;   /* of the device: those that the mux has counted */
	bool can_tcp, can_udp; /* what the plane knows of the device */
	size_t packets_n;      /* those that are in the plane right now */
	struct natmux_inner packets[PACKETS_MAX];
	uint8_t whole[WHOLE_MAX], piece[WHOLE_MAX]; /* of a super-packet that has to be cut */
};

static uint64_t now_ms(const struct nm_user_plane *plane)
{
	return uv_now(plane->setup.loop);
}

static void on_timer(uv_timer_t *timer);

static void arm(struct nm_user_plane *plane)
{
	uint64_t deadline = natmux_esp_next_deadline(plane->esp), now = now_ms(plane);

	if (deadline == plane->armed_ms || uv_is_closing((uv_handle_t *)&plane->timer))
		return;
	plane->armed_ms = deadline;
	if (deadline == UINT64_MAX)
		uv_timer_stop(&plane->timer);
	else
		uv_timer_start(&plane->timer, on_timer, deadline > now ? deadline - now : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct nm_user_plane *plane = timer->data;

	plane->armed_ms = UINT64_MAX;
	natmux_esp_timeout(plane->esp, now_ms(plane));
	arm(plane);
}

static void count_drops(struct nm_user_plane *plane)
{
	uint64_t drops = nm_inner_tun_status(plane->queue)->written.drops;

	if (drops != plane->told_drops)
		natmux_mux_drop(plane->setup.mux, NATMUX_DROP_TUN_WRITE, drops - plane->told_drops);
	plane->told_drops = drops;
}

static size_t gather(uint8_t *whole, const struct natmux_gathered *packet)
{
	size_t len = 0;

	for (uint32_t i = 0; i < packet->parts_len; i++) {
		const struct natmux_gather_part *part = &packet->parts[i];

		if (part->len > WHOLE_MAX - len)
			return 0;
		memcpy(whole + len, part->data, part->len);
		len += part->len;
	}
	return len;
}

/* What the device does not take as it is comes to it packet by packet, checksums and all. */
static void write_cut(struct nm_user_plane *plane, const struct natmux_gathered *packet)
{
	struct natmux_inner whole = {.data = plane->whole, .offload = packet->offload};
	struct nm_split split;

	whole.len = (uint32_t)gather(plane->whole, packet);
	if (!nm_split_init(&split, &whole)) {
		natmux_mux_drop(plane->setup.mux, NATMUX_DROP_TUN_WRITE, 1);
		return;
	}
	for (uint32_t i = 0; i < split.count; i++) {
		struct natmux_gathered one = {.parts_len = 1, .parts = {{.data = plane->piece}}};

		one.parts[0].len = nm_split_len(&split, i);
		nm_split_write(&split, i, plane->piece);
		nm_inner_tun_write(plane->queue, &one, 1);
	}
}

static void deliver(void *user, const struct natmux_gathered *packet)
{
	struct nm_user_plane *plane = user;

	if (nm_inner_tun_write(plane->queue, packet, 1) == 0)
		write_cut(plane, packet);
}

/*
 * A packet that is to pass as it is: back to the machine, which forwards it. Its checksum is still as
 * the device gave it: what is left to do is with the packet that is in the plane.
 */
static void bypass(void *user, const uint8_t *packet, size_t len)
{
	struct nm_user_plane *plane = user;
	struct natmux_gathered gathered = {
		.parts_len = 1, .parts = {{.data = packet, .len = (uint32_t)len}}};

	for (size_t i = 0; i < plane->packets_n; i++)
		if (plane->packets[i].data == packet)
			gathered.offload = plane->packets[i].offload;
	deliver(plane, &gathered);
}

static void send_trains(void *user, const struct natmux_train *trains, size_t n)
{
	struct nm_user_plane *plane = user;

	natmux_mux_sent(plane->setup.mux, now_ms(plane), trains, n);
	plane->setup.send(plane->setup.user, trains, n);
}

static void count_drop(void *user, enum natmux_drop drop, uint64_t packets)
{
	struct nm_user_plane *plane = user;

	natmux_mux_drop(plane->setup.mux, drop, packets);
}

static void fill_random(void *user, void *buf, size_t len)
{
	(void)user;
	randombytes_buf(buf, len);
}

static void tell_event(void *user, const struct natmux_esp_event *event)
{
	struct nm_user_plane *plane = user;

	plane->setup.event(plane->setup.user, event);
}

/* The device takes super-packets until it refuses one: from then on the plane makes none. */
static void look_at_device(struct nm_user_plane *plane)
{
	const struct nm_inner_tun_status *status = nm_inner_tun_status(plane->queue);

	count_drops(plane);
	if (plane->can_tcp == status->tso.is_written && plane->can_udp == status->uso.is_written)
		return;
	plane->can_tcp = status->tso.is_written;
	plane->can_udp = status->uso.is_written;
	natmux_esp_set_offloads(plane->esp, plane->can_tcp, plane->can_udp);
}

/* The mux's sink. The uv driver's buffers are its own, and it has read them: we may write there. */
static void input(void *self, uint64_t now, const struct natmux_train *trains, size_t n)
{
	struct nm_user_plane *plane = self;

	natmux_esp_input(plane->esp, now, trains, n);
	look_at_device(plane);
}

static void input_bare(void *user, const struct natmux_train *trains, size_t n)
{
	input(user, now_ms(user), trains, n);
}

static const struct natmux_sink_ops sink = {.name = "user-plane", .input = input};

static bool has_gone(struct nm_user_plane *plane)
{
	if (!nm_inner_tun_status(plane->queue)->is_gone)
		return false;
	/* It would be readable for ever. */
	uv_poll_stop(&plane->poll);
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct nm_user_plane *plane = poll->data;

	(void)status; /* an error of the device: reading tells */
	(void)events;
	for (int round = 0; round < ROUNDS_MAX; round++) {
		plane->packets_n = nm_inner_tun_read(plane->queue, plane->packets, PACKETS_MAX);
		if (plane->packets_n > 0)
			natmux_esp_output(
				plane->esp, now_ms(plane), plane->packets, plane->packets_n);
		if (has_gone(plane) || !nm_inner_tun_has_more(plane->queue))
			break;
	}
	plane->packets_n = 0;
	look_at_device(plane);
}

/* Each expanded key takes locked memory: as much as there may be without asking. */
static void raise_memlock(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &limit);
	}
}

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
		.queues = 1,
		.use_tso = user_plane->offload,
		.use_uso = user_plane->offload,
	};
	int err = nm_inner_tun_open(&tun, &plane->tun);

	if (err == 0)
		plane->queue = nm_inner_tun_queue(plane->tun, 0);
	return err;
}

static int make_plane(struct nm_user_plane *plane, const struct nm_config *config)
{
	const struct nm_inner_tun_status *status = nm_inner_tun_status(plane->queue);
	struct natmux_esp_config esp;

	plane->can_tcp = status->tso.is_written;
	plane->can_udp = status->uso.is_written;
	natmux_esp_config_init(&esp);
	esp.sas_max = plane->sas_max;
	esp.policies_max = plane->policies_max;
	esp.path_mtu = (uint16_t)config->user_plane.path_mtu;
	if (config->keepalive.mode != NATMUX_KEEPALIVE_OFF)
		esp.keepalive_ms = config->keepalive.interval_s * 1000;
	esp.engine = plane->engine;
	esp.random.fill = fill_random;
	esp.log = plane->setup.log;
	esp.send = send_trains;
	esp.deliver = deliver;
	esp.bypass = bypass;
	esp.event = tell_event;
	esp.drop = count_drop;
	esp.user = plane;
	esp.can_tcp = plane->can_tcp;
	esp.can_udp = plane->can_udp;
	esp.clamps_mss = config->user_plane.mss_clamp;
	esp.keeps_keys = config->user_plane.export_keys;
	return natmux_esp_new(&esp, &plane->esp);
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

/* The last step of opening: from here on the plane is closed by its uv handles. */
static int start(struct nm_user_plane *plane)
{
	const struct nm_user_plane_setup *setup = &plane->setup;

	if (uv_poll_init(setup->loop, &plane->poll, nm_inner_tun_fd(plane->queue)) < 0) {
		nm_log(&setup->log, NATMUX_LOG_ERROR, "TUN device %s: the loop does not take it",
			nm_inner_tun_name(plane->tun));
		return NATMUX_ESYSTEM;
	}
	plane->has_poll = true;
	plane->poll.data = plane;
	uv_poll_start(&plane->poll, UV_READABLE, on_readable);
	return natmux_mux_set_sink(setup->mux, NATMUX_CLASS_ESP, &sink, plane);
}

int nm_user_plane_open(const struct nm_user_plane_setup *setup, struct nm_user_plane **result)
{
	/* calloc: the buffers for cutting cost no memory before they are used. */
	struct nm_user_plane *plane = calloc(1, sizeof(*plane));
	struct nm_config *config = setup->config;
	int err;

	if (!plane)
		return NATMUX_ENOMEM;
	plane->setup = *setup;
	plane->setup.config = NULL;
	plane->armed_ms = UINT64_MAX;
	plane->mtu =
		config->user_plane.mtu > 0 ? config->user_plane.mtu : nm_config_tun_mtu(config);
	plane->sas_max = config->user_plane.sas;
	plane->policies_max = config->user_plane.policies;
	memcpy(plane->engine, config->user_plane.engine, sizeof(plane->engine));
	raise_memlock();
	uv_timer_init(setup->loop, &plane->timer);
	plane->timer.data = plane;
	/* The caller closes and frees it, failed or not: a uv handle is in it. */
	*result = plane;
	err = open_device(plane, config);
	if (err == 0)
		err = make_plane(plane, config);
	if (err == 0)
		err = add_sas(plane, config);
	if (err == 0)
		err = open_bare(plane, config);
	if (err == 0)
		err = start(plane);
	return err;
}

void nm_user_plane_close(struct nm_user_plane *plane)
{
	if (!plane || uv_is_closing((uv_handle_t *)&plane->timer))
		return;
	natmux_mux_set_sink(plane->setup.mux, NATMUX_CLASS_ESP, NULL, NULL);
	if (plane->has_poll)
		uv_close((uv_handle_t *)&plane->poll, NULL);
	uv_close((uv_handle_t *)&plane->timer, NULL);
	nm_user_bare_close(plane->bare);
}

void nm_user_plane_free(struct nm_user_plane *plane)
{
	if (!plane)
		return;
	nm_user_bare_free(plane->bare);
	natmux_esp_free(plane->esp);
	nm_inner_tun_close(plane->tun);
	free(plane);
}

struct natmux_esp *nm_user_plane_esp(struct nm_user_plane *plane)
{
	return plane ? plane->esp : NULL;
}

uint64_t nm_user_plane_now_ms(const struct nm_user_plane *plane)
{
	return now_ms(plane);
}

void nm_user_plane_set_path_mtu(
	struct nm_user_plane *plane, const struct natmux_addr *remote, uint32_t mtu)
{
	if (plane && plane->esp)
		natmux_esp_set_path_mtu(plane->esp, now_ms(plane), remote, mtu);
}

void nm_user_plane_changed(struct nm_user_plane *plane)
{
	arm(plane);
}

int nm_user_plane_reload(struct nm_user_plane *plane, const struct nm_config *before,
	struct nm_config *after, char *message, size_t size)
{
	struct nm_sa_plane sa_plane = nm_user_sa_plane(plane);
	int err = nm_sa_plane_apply(&sa_plane, after->user_plane.sas, before, after, message, size);

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

static struct nm_user_plane_count count_of(const struct nm_inner_tun_count *count)
{
	return (struct nm_user_plane_count){
		count->packets, count->super_packets, count->bytes, count->drops};
}

static bool is_on(const struct nm_inner_tun_offload *offload)
{
	return offload->is_read && offload->is_written;
}

void nm_user_plane_get_status(
	const struct nm_user_plane *plane, struct nm_user_plane_status *status)
{
	const struct nm_inner_tun_status *device = nm_inner_tun_status(plane->queue);

	*status = (struct nm_user_plane_status){
		.tun = nm_inner_tun_name(plane->tun),
		.mtu = plane->mtu,
		.is_gone = device->is_gone,
		.has_tso = is_on(&device->tso),
		.has_uso = is_on(&device->uso),
		.tso_why = device->tso.why[0] ? device->tso.why : NULL,
		.uso_why = device->uso.why[0] ? device->uso.why : NULL,
		.read = count_of(&device->read),
		.written = count_of(&device->written),
		.has_bare = plane->bare != NULL,
		.bare_packets = nm_user_bare_packets(plane->bare),
		.sas_max = plane->sas_max,
		.policies_max = plane->policies_max,
	};
	natmux_esp_sas(plane->esp, count_sa, &status->sas);
	natmux_esp_policies(plane->esp, count_policy, &status->policies);
}
