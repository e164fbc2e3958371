/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both planes at hand, and SAs that go from one to the other while packets flow. ESP goes with them:
 * with UDP_ENCAP the kernel keeps what the port's sockets get, without it natmuxd gets it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/kernel/kernel_door.h"
#include "daemon/kernel/kernel_plane.h"
#include "daemon/kernel/kernel_port.h"
#include "daemon/planes/sa_plane_move.h"
#include "daemon/server_parts.h"
#include "daemon/user/user_plane.h"
#include "daemon/user/user_sa_plane.h"
#include "io/rcu_barrier.h"

/* 0, or what the first socket that did not take it says. */
static int set_encap(const struct nm_server *server, bool is_kernel)
{
	int type = is_kernel ? UDP_ENCAP_ESPINUDP : 0;

	for (size_t i = 0; i < server->encap_fds_n; i++)
		if (setsockopt(server->encap_fds[i], IPPROTO_UDP, UDP_ENCAP, &type, sizeof(type)) <
			0)
			return errno;
	return 0;
}

int nm_server_mover_init(struct nm_server *server, const struct nm_kernel_port *port)
{
	int error;

	if (!port->is_steered) {
		nm_log(&server->log, NATMUX_LOG_ERROR,
			"both-planes: this kernel does not steer datagrams: %s", port->why);
		return NATMUX_EUNSUPPORTED;
	}
	/* For each address two: the one with UDP_ENCAP comes first (kernel_port.h). */
	for (size_t i = 0; i < port->fds_n; i += 2)
		server->encap_fds[server->encap_fds_n++] = port->fds[i];
	error = set_encap(server, server->config->esp == NM_ESP_KERNEL);
	if (error == 0)
		return 0;
	nm_log(&server->log, NATMUX_LOG_ERROR, "both-planes: setsockopt(UDP_ENCAP): %s",
		strerror(error));
	return NATMUX_ESYSTEM;
}

static void take_esp(struct nm_server *server, bool is_kernel)
{
	if (is_kernel)
		nm_kernel_door_take_esp(server->kernel_door);
	else
		nm_user_plane_take_esp(server->user_plane);
}

struct mover {
	struct nm_server *server;
	bool is_kernel; /* the new plane */
};

static int turn_esp(void *user, bool is_new, char why[static NM_SA_PLANE_WHY])
{
	const struct mover *mover = user;
	bool is_kernel = is_new == mover->is_kernel;
	int error;

	/* The kernel's policies catch what follows; these came before them, and soon nobody sends them. */
	if (is_new && is_kernel)
		nm_user_plane_send_waiting(mover->server->user_plane);
	error = set_encap(mover->server, is_kernel);
	if (error != 0) {
		snprintf(why, NM_SA_PLANE_WHY, "setsockopt(UDP_ENCAP): %s", strerror(error));
		/* On the way back what has turned is where its SAs are. */
		if (is_new)
			set_encap(mover->server, !is_kernel);
		else
			nm_log(&mover->server->log, NATMUX_LOG_ERROR,
				"ESP does not come back to the old plane: %s", why);
		return NATMUX_ESYSTEM;
	}
	/* It takes in a packet within one RCU section: none is half opened when the SAs are read. */
	if (!is_kernel)
		nm_rcu_barrier(&nm_sys_real);
	return 0;
}

static int move(struct nm_server *server, const struct nm_sa_plane *to, bool is_kernel,
	struct nm_sa_plane_moved *moved, char why[static NM_SA_PLANE_WHY])
{
	struct mover mover = {server, is_kernel};
	/* The user plane opens nothing before this turn of the loop is over: what comes is still in the sockets. */
	const struct nm_sa_plane_turn turn = {turn_esp, &mover, .is_last = is_kernel};
	int err = nm_sa_plane_move(
		&server->sa_plane, to, &turn, nm_server_now_ms(server), moved, why);

	if (moved->lost > 0)
		nm_log(&server->log, NATMUX_LOG_ERROR,
			"%u SAs do not go on: the %s plane could not be told what they had seen, "
			"or the other did not let go of them",
			(unsigned int)moved->lost, err < 0 ? "old" : "new");
	if (err < 0)
		return err;
	server->sa_plane = *to;
	take_esp(server, is_kernel);
	return 0;
}

int nm_server_move_sas(struct nm_server *server, const char *plane, struct nm_sa_plane_moved *moved,
	char *message, size_t size)
{
	bool is_kernel = strcmp(plane, "kernel") == 0;
	struct nm_sa_plane to = is_kernel ? nm_kernel_plane_sas(server->kernel_plane)
					  : nm_user_sa_plane(server->user_plane);
	char why[NM_SA_PLANE_WHY] = "";
	int err = NATMUX_EINVAL;

	if (!server->config->both_planes)
		snprintf(why, sizeof(why), "there is one plane: both-planes = no in natmux.conf");
	else if (strcmp(server->sa_plane.ops->name, plane) == 0)
		snprintf(why, sizeof(why), "they are there already");
	else
		err = move(server, &to, is_kernel, moved, why);
	snprintf(message, size, "%s", why);
	if (err == 0)
		nm_log(&server->log, NATMUX_LOG_INFO, "%u SAs and %u policies are the %s's now",
			(unsigned int)moved->sas, (unsigned int)moved->policies, plane);
	return err;
}
