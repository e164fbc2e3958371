/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens the sockets in the order that the steering program counts them in. UDP_GRO is off on all of
 * them: the kernel puts trains together before it asks the program, and a STUN message at the end of
 * one would go where the ESP before it goes.
 */
#include "daemon/kernel/kernel_port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/port/esp_gro.h"
#include "daemon/port/steering.h"
#include "io/udp_socket.h"

static struct nm_udp_config socket_config(
	const struct nm_config *config, const struct natmux_log *log)
{
	return (struct nm_udp_config){
		.sys = &nm_sys_real,
		.log = *log,
		.device = config->device,
		.receive_buffer = config->receive_buffer_bytes,
		.send_buffer = config->send_buffer_bytes,
		.use_bypass = true,
		.reuse_address = config->handoff == NM_HANDOFF_INJECT,
		.reuse_port = true,
	};
}

/* With SO_REUSEPORT a second natmuxd would come in without a word: tried without it first. */
static int check_free(const struct nm_udp_config *config, const struct natmux_addr *local)
{
	struct nm_udp_config alone = *config;
	struct nm_udp *udp;
	int err;

	alone.reuse_port = false;
	alone.receive_buffer = alone.send_buffer = 0;
	err = nm_udp_open(&alone, local, NULL, &udp);
	if (err == 0)
		nm_udp_close(udp);
	return err;
}

static int add(struct nm_kernel_port *port, const struct nm_udp_config *config, bool encap,
	const struct natmux_addr *local)
{
	struct nm_udp_config one = *config;
	struct nm_udp *udp;
	int err;

	one.encap = encap;
	one.use_esp_gro = port->has_esp_gro;
	err = nm_udp_open(&one, local, NULL, &udp);
	if (err < 0)
		return err;
	if (port->has_esp_gro && !nm_udp_status(udp)->has_esp_gro) {
		port->has_esp_gro = false;
		snprintf(port->esp_gro_why, sizeof(port->esp_gro_why),
			"a socket was refused UDP_GRO");
	}
	port->fds[port->fds_n++] = nm_udp_release(udp);
	return 0;
}

/*
 * The one socket where there is no steering. The door's sockets have the same address and are bound to
 * its device, which the kernel lets nobody be beside a socket that is bound to none, unless both allow
 * sharing, with others too. But what a socket is bound to may change afterwards.
 */
static int add_plain(struct nm_kernel_port *port, const struct nm_udp_config *config,
	const struct natmux_addr *local)
{
	struct nm_udp_config one = *config;

	if (!*config->device && local->scope_id == 0) {
		one.device = "lo";
		one.reuse_port = false;
		port->is_narrow[port->fds_n] = true;
	}
	return add(port, &one, false, local);
}

static int open_address(struct nm_kernel_port *port, const struct nm_udp_config *config,
	uint32_t tun, const struct natmux_addr *local)
{
	int err = check_free(config, local);

	if (err == 0 && !port->is_steered)
		return add_plain(port, config, local);
	if (err == 0)
		err = add(port, config, true, local);
	if (err == 0)
		err = add(port, config, false, local);
	if (err < 0)
		return err;
	if (nm_steering_attach(config->sys, port->fds[port->fds_n - 1], tun) == 0)
		return 0;
	nm_log(&config->log, NATMUX_LOG_ERROR, "setsockopt(SO_ATTACH_REUSEPORT_CBPF): %s",
		strerror(errno));
	return NATMUX_ESYSTEM;
}

int nm_kernel_port_widen(const struct nm_kernel_port *port, const struct natmux_log *log)
{
	for (size_t i = 0; i < port->fds_n; i++) {
		if (!port->is_narrow[i] ||
			setsockopt(port->fds[i], SOL_SOCKET, SO_BINDTODEVICE, "", 1) == 0)
			continue;
		nm_log(log, NATMUX_LOG_ERROR, "setsockopt(SO_BINDTODEVICE): %s", strerror(errno));
		return NATMUX_ESYSTEM;
	}
	return 0;
}

static bool is_wildcard(const struct natmux_addr *addr)
{
	static const uint8_t zeros[16];

	return memcmp(addr->ip, zeros, sizeof(zeros)) == 0;
}

/* Whether to ask for it: a plain socket has no use for it, and some kernels do it wrong. */
static void choose_esp_gro(
	struct nm_kernel_port *port, const struct nm_config *config, const struct natmux_log *log)
{
	struct utsname kernel;

	if (!config->kernel_plane.gro) {
		snprintf(port->esp_gro_why, sizeof(port->esp_gro_why),
			"switched off by kernel-plane.gro");
		return;
	}
	if (!port->is_steered)
		snprintf(port->esp_gro_why, sizeof(port->esp_gro_why), "there is no steering");
	else if (uname(&kernel) < 0 || !nm_esp_gro_is_in(kernel.release))
		snprintf(port->esp_gro_why, sizeof(port->esp_gro_why),
			"needs Linux 6.12.41 of the 6.12 line, or 6.16");
	else
		port->has_esp_gro = true;
	if (!port->has_esp_gro)
		nm_log(log, NATMUX_LOG_WARNING, "kernel-plane.gro: off, %s", port->esp_gro_why);
}

int nm_kernel_port_open(const struct nm_config *config, uint32_t tun, const struct natmux_log *log,
	struct nm_kernel_port *port)
{
	const struct nm_udp_config sockets = socket_config(config, log);
	int err = 0;

	*port = (struct nm_kernel_port){0};
	port->is_steered = nm_steering_prove(&nm_sys_real, port->why) == 0;
	if (!port->is_steered)
		nm_log(log, NATMUX_LOG_WARNING,
			"this kernel does not steer datagrams as it is told: %s; all ESP goes "
			"through natmuxd back into the kernel, which is slower",
			port->why);
	choose_esp_gro(port, config, log);
	for (size_t i = 0; i < config->listen_len && err == 0; i++) {
		err = open_address(port, &sockets, tun, &config->listen[i]);
		/* A kernel without IPv6 does without "::". */
		if (err == NATMUX_EUNSUPPORTED && is_wildcard(&config->listen[i]) &&
			config->listen_len > 1)
			err = 0;
	}
	if (err == 0 && port->fds_n == 0)
		err = NATMUX_EUNSUPPORTED;
	for (size_t i = 0; i < port->fds_n && err < 0; i++)
		close(port->fds[i]);
	return err;
}
