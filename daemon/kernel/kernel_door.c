/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device, and where need be sockets bound to it. Which socket gets an injected packet must not be
 * left to the order in which the kernel finds them: a reuseport group that comes first ends its
 * search, though a socket bound to the device would suit better, and the packet would come to us
 * again, for ever. So the group's program knows the device, or the group is bound to another one, or
 * there is no group.
 */
#include "daemon/kernel/kernel_door.h"

#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/process/poller.h"
#include "daemon/port/rp_filter.h"
#include "dispatcher/handoff_inject.h"
#include "io/tun.h"
#include "io/udp_socket.h"

enum { PACKETS_MAX = 64 };

struct nm_kernel_door {
	struct nm_kernel_door_setup setup;
	struct nm_tun *tun;
	struct nm_inject *inject;
	struct nm_udp *sockets[NM_CONFIG_LISTEN_MAX];
	size_t sockets_n;
	uint32_t interface;
	struct nm_poller poller;
	bool is_open; /* and not begun to close */
};

/* Nothing is routed here: what comes are the kernel's own announcements of an IPv6 interface. */
static void on_readable(void *user)
{
	struct nm_kernel_door *door = user;
	struct nm_tun_packet packets[PACKETS_MAX];

	(void)nm_tun_read(door->tun, packets, PACKETS_MAX);
	if (!nm_tun_status(door->tun)->is_gone)
		return;
	nm_poller_stop(&door->poller);
	door->setup.failed(door->setup.user);
}

static int open_tun(struct nm_kernel_door *door, const struct nm_config *config)
{
	struct nm_tun_config tun = {
		.sys = &nm_sys_real,
		.log = door->setup.log,
		.name = config->kernel_plane.tun,
		/* RFC 7600's dummy address: loose rp_filter wants one, and it is never on a wire. */
		.ipv4 = {{.ip = {192, 0, 0, 8}, .family = NATMUX_FAMILY_IPV4}, 32},
		.use_super = config->gso,
	};
	int err = nm_tun_open(&tun, &door->tun);

	if (err < 0)
		return err;
	door->interface = if_nametoindex(nm_tun_name(door->tun));
	if (door->interface == 0)
		return NATMUX_ESYSTEM;
	nm_rp_filter_loosen(nm_tun_name(door->tun));
	if (nm_rp_filter_read("all") == 1 && nm_rp_filter_read(nm_tun_name(door->tun)) < 2)
		nm_log(&door->setup.log, NATMUX_LOG_WARNING,
			"esp = kernel: strict reverse path filtering drops ESP that goes back to "
			"the kernel through %s: sysctl -w net.ipv4.conf.%s.rp_filter=2",
			nm_tun_name(door->tun), nm_tun_name(door->tun));
	return 0;
}

int nm_kernel_door_listen(
	struct nm_kernel_door *door, const struct nm_config *config, bool is_steered)
{
	struct nm_udp_config udp = {
		.sys = &nm_sys_real,
		.log = door->setup.log,
		.device = nm_tun_name(door->tun),
		.reuse_address = config->handoff == NM_HANDOFF_INJECT,
		/* Beside sockets bound to another device there is nothing to share. */
		.reuse_port = *config->device != '\0',
		.encap = true,
	};
	int err = 0;

	/* The group's program knows the door by itself, where the group hears it at all. */
	if (is_steered && !*config->device)
		return 0;
	for (size_t i = 0; i < config->listen_len && err == 0; i++) {
		/* A link-local address belongs to the link's interface: nothing is injected there. */
		if (config->listen[i].scope_id != 0)
			continue;
		err = nm_udp_open(&udp, &config->listen[i], NULL, &door->sockets[door->sockets_n]);
		if (err == 0)
			door->sockets_n++;
		else if (err == NATMUX_EUNSUPPORTED)
			err = 0; /* no IPv6 here, which the port's own sockets tell of */
	}
	return err;
}

static int open_inject(struct nm_kernel_door *door)
{
	const struct nm_packet_port port = nm_tun_port(door->tun);
	int err = nm_inject_new(&port, door->setup.mux, &door->inject);

	if (err < 0)
		return err;
	err = nm_poller_start(
		&door->poller, door->setup.loop, nm_tun_fd(door->tun), on_readable, door);
	door->is_open = err == 0;
	return err;
}

int nm_kernel_door_open(const struct nm_kernel_door_setup *setup, struct nm_kernel_door **result)
{
	struct nm_kernel_door *door = calloc(1, sizeof(*door));
	int err = NATMUX_ENOMEM;

	if (!door)
		return err;
	door->setup = *setup;
	door->setup.config = NULL;
	err = open_tun(door, setup->config);
	if (err == 0)
		err = open_inject(door);
	if (err < 0)
		nm_kernel_door_free(door);
	else
		*result = door;
	return err;
}

void nm_kernel_door_take_esp(struct nm_kernel_door *door)
{
	natmux_mux_set_sink(door->setup.mux, NATMUX_CLASS_ESP, &nm_inject_sink, door->inject);
}

uint32_t nm_kernel_door_interface(const struct nm_kernel_door *door)
{
	return door->interface;
}

const char *nm_kernel_door_tun(const struct nm_kernel_door *door)
{
	return nm_tun_name(door->tun);
}

void nm_kernel_door_close(struct nm_kernel_door *door)
{
	if (!door || !door->is_open)
		return;
	door->is_open = false;
	natmux_mux_set_sink(door->setup.mux, NATMUX_CLASS_ESP, NULL, NULL);
	for (size_t i = 0; i < door->sockets_n; i++)
		nm_udp_close(door->sockets[i]);
	door->sockets_n = 0;
	nm_poller_close(&door->poller);
}

void nm_kernel_door_free(struct nm_kernel_door *door)
{
	if (!door)
		return;
	for (size_t i = 0; i < door->sockets_n; i++)
		nm_udp_close(door->sockets[i]);
	nm_inject_free(door->inject);
	nm_tun_close(door->tun);
	free(door);
}
