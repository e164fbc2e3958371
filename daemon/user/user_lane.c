/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries packets between a mux, a plane and a queue of the TUN device, and keeps the plane's clock.
 * What is in them is the plane's business, and whose they are user_sort.c's.
 */
#include "daemon/user/user_lane.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/process/poller.h"
#include "daemon/user/user_sort.h"
#include "esp/split.h"

enum {
	PACKETS_MAX = 64,       /* of one round of reading */
	ROUNDS_MAX = 16,        /* per wake-up, before the sockets get their turn again */
	WHOLE_MAX = 40 + 65535, /* RFC 8200 3: the longest packet */
};

struct nm_user_lane {
	struct nm_user_lane_setup setup;
	struct natmux_esp *esp;
	struct nm_user_sort sort;
	struct nm_poller poller;
	uv_timer_t timer;
	uint64_t armed_ms;
	char engine[16];
	uint64_t told_drops;   /* of the device: those that the mux has counted */
	bool can_tcp, can_udp; /* what the plane knows of the device */
	size_t packets_n;      /* those that are in the plane right now */
	struct natmux_inner packets[PACKETS_MAX];
	uint8_t whole[WHOLE_MAX], piece[WHOLE_MAX]; /* of a super-packet that has to be cut */
};

static uint64_t now_ms(const struct nm_user_lane *lane)
{
	return uv_now(lane->setup.loop);
}

static void on_timer(uv_timer_t *timer);

static void arm(struct nm_user_lane *lane)
{
	uint64_t deadline = natmux_esp_next_deadline(lane->esp), now = now_ms(lane);

	if (deadline == lane->armed_ms || uv_is_closing((uv_handle_t *)&lane->timer))
		return;
	lane->armed_ms = deadline;
	if (deadline == UINT64_MAX)
		uv_timer_stop(&lane->timer);
	else
		uv_timer_start(&lane->timer, on_timer, deadline > now ? deadline - now : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct nm_user_lane *lane = timer->data;

	lane->armed_ms = UINT64_MAX;
	natmux_esp_timeout(lane->esp, now_ms(lane));
	arm(lane);
}

static void count_drops(struct nm_user_lane *lane)
{
	uint64_t drops = nm_inner_tun_status(lane->setup.queue)->written.drops;

	if (drops != lane->told_drops)
		natmux_mux_drop(lane->setup.mux, NATMUX_DROP_TUN_WRITE, drops - lane->told_drops);
	lane->told_drops = drops;
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
static void write_cut(struct nm_user_lane *lane, const struct natmux_gathered *packet)
{
	struct natmux_inner whole = {.data = lane->whole, .offload = packet->offload};
	struct nm_split split;

	whole.len = (uint32_t)gather(lane->whole, packet);
	if (!nm_split_init(&split, &whole)) {
		natmux_mux_drop(lane->setup.mux, NATMUX_DROP_TUN_WRITE, 1);
		return;
	}
	for (uint32_t i = 0; i < split.count; i++) {
		struct natmux_gathered one = {.parts_len = 1, .parts = {{.data = lane->piece}}};

		one.parts[0].len = nm_split_len(&split, i);
		nm_split_write(&split, i, lane->piece);
		nm_inner_tun_write(lane->setup.queue, &one, 1);
	}
}

static void deliver(void *user, const struct natmux_gathered *packet)
{
	struct nm_user_lane *lane = user;

	if (nm_inner_tun_write(lane->setup.queue, packet, 1) == 0)
		write_cut(lane, packet);
}

/*
 * A packet that is to pass as it is: back to the machine, which forwards it. Its checksum is still as
 * the device gave it: what is left to do is with the packet that is in the plane.
 */
static void bypass(void *user, const uint8_t *packet, size_t len)
{
	struct nm_user_lane *lane = user;
	struct natmux_gathered gathered = {
		.parts_len = 1, .parts = {{.data = packet, .len = (uint32_t)len}}};

	for (size_t i = 0; i < lane->packets_n; i++)
		if (lane->packets[i].data == packet)
			gathered.offload = lane->packets[i].offload;
	deliver(lane, &gathered);
}

static void send_trains(void *user, const struct natmux_train *trains, size_t n)
{
	struct nm_user_lane *lane = user;

	natmux_mux_sent(lane->setup.mux, now_ms(lane), trains, n);
	lane->setup.send(lane->setup.user, trains, n);
}

static void count_drop(void *user, enum natmux_drop drop, uint64_t packets)
{
	struct nm_user_lane *lane = user;

	natmux_mux_drop(lane->setup.mux, drop, packets);
}

static void fill_random(void *user, void *buf, size_t len)
{
	(void)user;
	randombytes_buf(buf, len);
}

static void tell_event(void *user, const struct natmux_esp_event *event)
{
	struct nm_user_lane *lane = user;

	lane->setup.event(lane->setup.user, event);
}

/* The device takes super-packets until it refuses one: from then on the plane makes none. */
static void look_at_device(struct nm_user_lane *lane)
{
	const struct nm_inner_tun_status *status = nm_inner_tun_status(lane->setup.queue);

	count_drops(lane);
	if (lane->can_tcp == status->tso.is_written && lane->can_udp == status->uso.is_written)
		return;
	lane->can_tcp = status->tso.is_written;
	lane->can_udp = status->uso.is_written;
	natmux_esp_set_offloads(lane->esp, lane->can_tcp, lane->can_udp);
}

/* The mux's sink. The uv driver's buffers are its own, and it has read them: we may write there. */
static void input(void *self, uint64_t now, const struct natmux_train *trains, size_t n)
{
	struct nm_user_lane *lane = self;

	if (lane->sort.forward)
		nm_user_sort_input(&lane->sort, now, trains, n);
	else
		natmux_esp_input(lane->esp, now, trains, n);
	look_at_device(lane);
}

void nm_user_lane_input(struct nm_user_lane *lane, const struct natmux_train *trains, size_t n)
{
	input(lane, now_ms(lane), trains, n);
}

static const struct natmux_sink_ops sink = {.name = "user-plane", .input = input};

static bool has_gone(struct nm_user_lane *lane)
{
	if (!nm_inner_tun_status(lane->setup.queue)->is_gone)
		return false;
	/* It would be readable for ever. */
	nm_poller_stop(&lane->poller);
	return true;
}

static void on_readable(void *user)
{
	struct nm_user_lane *lane = user;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		lane->packets_n = nm_inner_tun_read(lane->setup.queue, lane->packets, PACKETS_MAX);
		if (lane->packets_n > 0)
			natmux_esp_output(lane->esp, now_ms(lane), lane->packets, lane->packets_n);
		if (has_gone(lane) || !nm_inner_tun_has_more(lane->setup.queue))
			break;
	}
	lane->packets_n = 0;
	look_at_device(lane);
}

static int make_plane(struct nm_user_lane *lane, const struct nm_config *config)
{
	const struct nm_inner_tun_status *status = nm_inner_tun_status(lane->setup.queue);
	struct natmux_esp_config esp;

	lane->can_tcp = status->tso.is_written;
	lane->can_udp = status->uso.is_written;
	memcpy(lane->engine, config->user_plane.engine, sizeof(lane->engine));
	natmux_esp_config_init(&esp);
	esp.sas_max = config->user_plane.sas;
	esp.policies_max = config->user_plane.policies;
	esp.path_mtu = (uint16_t)config->user_plane.path_mtu;
	if (config->keepalive.mode != NATMUX_KEEPALIVE_OFF)
		esp.keepalive_ms = config->keepalive.interval_s * 1000;
	esp.engine = lane->engine;
	esp.random.fill = fill_random;
	esp.log = lane->setup.log;
	esp.send = send_trains;
	esp.deliver = deliver;
	esp.bypass = bypass;
	esp.event = tell_event;
	esp.drop = count_drop;
	esp.user = lane;
	esp.can_tcp = lane->can_tcp;
	esp.can_udp = lane->can_udp;
	/* An SA that goes to the other plane takes its key along. */
	esp.keeps_keys = config->user_plane.export_keys || config->both_planes;
	esp.clamps_mss = config->user_plane.mss_clamp;
	esp.leader = lane->setup.leader;
	return natmux_esp_new(&esp, &lane->esp);
}

int nm_user_lane_open(const struct nm_user_lane_setup *setup, const struct nm_config *config,
	struct nm_user_lane **result)
{
	/* calloc: the buffers for cutting cost no memory before they are used. */
	struct nm_user_lane *lane = calloc(1, sizeof(*lane));
	int err;

	if (!lane)
		return NATMUX_ENOMEM;
	lane->setup = *setup;
	lane->armed_ms = UINT64_MAX;
	uv_timer_init(setup->loop, &lane->timer);
	lane->timer.data = lane;
	/* The caller closes and frees it, failed or not: a uv handle is in it. */
	*result = lane;
	err = make_plane(lane, config);
	lane->sort = (struct nm_user_sort){lane->esp, setup->index, setup->forward, setup->user};
	return err;
}

int nm_user_lane_start(struct nm_user_lane *lane)
{
	const struct nm_user_lane_setup *setup = &lane->setup;
	int err = nm_poller_start(
		&lane->poller, setup->loop, nm_inner_tun_fd(setup->queue), on_readable, lane);

	if (err < 0) {
		nm_log(&setup->log, NATMUX_LOG_ERROR, "TUN device: the loop does not take it");
		return err;
	}
	return natmux_mux_set_sink(setup->mux, NATMUX_CLASS_ESP, &sink, lane);
}

void nm_user_lane_take_esp(struct nm_user_lane *lane)
{
	natmux_mux_set_sink(lane->setup.mux, NATMUX_CLASS_ESP, &sink, lane);
}

void nm_user_lane_send_waiting(struct nm_user_lane *lane)
{
	on_readable(lane);
}

void nm_user_lane_close(struct nm_user_lane *lane)
{
	if (!lane || uv_is_closing((uv_handle_t *)&lane->timer))
		return;
	natmux_mux_set_sink(lane->setup.mux, NATMUX_CLASS_ESP, NULL, NULL);
	nm_poller_close(&lane->poller);
	uv_close((uv_handle_t *)&lane->timer, NULL);
}

void nm_user_lane_free(struct nm_user_lane *lane)
{
	if (!lane)
		return;
	natmux_esp_free(lane->esp);
	free(lane);
}

struct natmux_esp *nm_user_lane_esp(const struct nm_user_lane *lane)
{
	return lane->esp;
}

void nm_user_lane_set_path_mtu(
	struct nm_user_lane *lane, const struct natmux_addr *remote, uint32_t mtu)
{
	natmux_esp_set_path_mtu(lane->esp, now_ms(lane), remote, mtu);
	arm(lane);
}

void nm_user_lane_arm(struct nm_user_lane *lane)
{
	arm(lane);
}

static void add_count(struct nm_user_plane_count *sum, const struct nm_inner_tun_count *count)
{
	sum->packets += count->packets;
	sum->super_packets += count->super_packets;
	sum->bytes += count->bytes;
	sum->drops += count->drops;
}

static bool is_on(const struct nm_inner_tun_offload *offload)
{
	return offload->is_read && offload->is_written;
}

void nm_user_lane_add_status(const struct nm_user_lane *lane, struct nm_user_plane_status *status)
{
	const struct nm_inner_tun_status *device = nm_inner_tun_status(lane->setup.queue);

	/* On where it is on everywhere; the first reason that it is not. */
	status->is_gone |= device->is_gone;
	status->has_tso &= is_on(&device->tso);
	status->has_uso &= is_on(&device->uso);
	if (!status->tso_why && device->tso.why[0])
		status->tso_why = device->tso.why;
	if (!status->uso_why && device->uso.why[0])
		status->uso_why = device->uso.why;
	add_count(&status->read, &device->read);
	add_count(&status->written, &device->written);
}
