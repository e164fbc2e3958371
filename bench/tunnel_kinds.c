/* SPDX-License-Identifier: Apache-2.0 */
/* Plain veth, and natmux; and which tunnels there are. */
#include "bench/tunnel.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <natmux/error.h>

#include "bench/load.h"

enum { PING_MS = 10000, SPI_AB = 0x10001, SPI_BA = 0x10002, TEXT_MAX = 2048 };

static const char *plain_missing(const struct nm_tunnel_setup *setup)
{
	(void)setup;
	return NULL;
}

static int plain_start(struct nm_lab *lab, const struct nm_tunnel_setup *setup)
{
	(void)setup;
	return nm_lab_wait(lab, NM_LAB_A, "ping -q -c 1 -W 1 " NM_LAB_WIRE_B, PING_MS);
}

const struct nm_tunnel_kind nm_tunnel_plain = {
	.name = "plain veth",
	.target = NM_LAB_WIRE_B,
	.missing = plain_missing,
	.start = plain_start,
};

static const char *natmux_missing(const struct nm_tunnel_setup *setup)
{
	bool is_path = strchr(setup->natmuxd, '/') != NULL;

	if (is_path ? access(setup->natmuxd, X_OK) == 0 : nm_load_has_program(setup->natmuxd))
		return NULL;
	return "natmuxd is not there: see --natmuxd";
}

/* Keys of one run, in a folder that goes with it: AES-128 and a salt, in hexadecimal. */
static int write_keys(struct nm_lab *lab, enum nm_lab_side side)
{
	static const char ab[] = "000102030405060708090a0b0c0d0e0f10111213";
	static const char ba[] = "202122232425262728292a2b2c2d2e2f30313233";
	int err = nm_lab_write(lab, side, "out", side == NM_LAB_A ? ab : ba);

	return err < 0 ? err : nm_lab_write(lab, side, "in", side == NM_LAB_A ? ba : ab);
}

static int write_config(
	struct nm_lab *lab, enum nm_lab_side side, const struct nm_tunnel_setup *setup)
{
	static const char *const wire[] = {NM_LAB_WIRE_A, NM_LAB_WIRE_B};
	static const char *const inner[] = {NM_LAB_INNER_A, NM_LAB_INNER_B};
	char text[TEXT_MAX], in[NM_LAB_FILE], out[NM_LAB_FILE], workers[32] = "";
	const bool is_a = side == NM_LAB_A;

	if (setup->workers > 1)
		snprintf(workers, sizeof(workers), "\tworkers = %u\n", setup->workers);

	nm_lab_file(lab, side, "in", in);
	nm_lab_file(lab, side, "out", out);
	snprintf(text, sizeof(text),
		"listen = { \"%s\" }\n"
		"esp = user\n"
		"handoff = none\n"
		"control-socket = \"/run/natmux.sock\"\n"
		"user-plane {\n\taddress4 = \"%s/24\"\n%s}\n"
		"sa \"in\" {\n\tdirection = in\n\tspi = %d\n\tsuite = aes128gcm16\n"
		"\tkey-file = \"%s\"\n\tremote = \"%s:4500\"\n\treqid = 1\n}\n"
		"sa \"out\" {\n\tdirection = out\n\tspi = %d\n\tsuite = aes128gcm16\n"
		"\tkey-file = \"%s\"\n\tremote = \"%s:4500\"\n\treqid = 1\n}\n"
		"policy \"all\" {\n\treqid = 1\n\tselector = \"src 0.0.0.0/0 dst 0.0.0.0/0\"\n}\n",
		wire[side], inner[side], workers, is_a ? SPI_BA : SPI_AB, in, wire[!side],
		is_a ? SPI_AB : SPI_BA, out, wire[!side]);
	return nm_lab_write(lab, side, "natmux.conf", text);
}

int nm_tunnel_spawn_natmuxd(
	struct nm_lab *lab, enum nm_lab_side side, const struct nm_tunnel_setup *setup)
{
	char command[512], config[NM_LAB_FILE];

	nm_lab_file(lab, side, "natmux.conf", config);
	snprintf(command, sizeof(command), "%.300s -c %s", setup->natmuxd, config);
	return nm_lab_spawn(lab, side, command) < 0 ? NATMUX_ESYSTEM : 0;
}

static int start_natmuxd(
	struct nm_lab *lab, enum nm_lab_side side, const struct nm_tunnel_setup *setup)
{
	int err = write_keys(lab, side);

	if (err == 0)
		err = write_config(lab, side, setup);
	return err < 0 ? err : nm_tunnel_spawn_natmuxd(lab, side, setup);
}

static int workers_start(struct nm_lab *lab, const struct nm_tunnel_setup *setup)
{
	int err = start_natmuxd(lab, NM_LAB_A, setup);

	if (err == 0)
		err = start_natmuxd(lab, NM_LAB_B, setup);
	return err < 0 ? err
		       : nm_lab_wait(lab, NM_LAB_A, "ping -q -c 1 -W 1 " NM_LAB_INNER_B, PING_MS);
}

static int natmux_start(struct nm_lab *lab, const struct nm_tunnel_setup *setup)
{
	const struct nm_tunnel_setup one = {.natmuxd = setup->natmuxd, .workers = 1};

	return workers_start(lab, &one);
}

const struct nm_tunnel_kind nm_tunnel_natmux = {
	.name = "natmux",
	.target = NM_LAB_INNER_B,
	.missing = natmux_missing,
	.start = natmux_start,
};

const struct nm_tunnel_kind nm_tunnel_workers = {
	.name = "natmux with workers",
	.target = NM_LAB_INNER_B,
	.missing = natmux_missing,
	.start = workers_start,
};

const struct nm_tunnel_kind *const nm_tunnel_kinds[] = {
	[NM_TUNNEL_PLAIN] = &nm_tunnel_plain,
	[NM_TUNNEL_NATMUX] = &nm_tunnel_natmux,
	[NM_TUNNEL_LIBIPSEC] = &nm_tunnel_libipsec,
	[NM_TUNNEL_WIREGUARD] = &nm_tunnel_wireguard,
	[NM_TUNNEL_OPENVPN] = &nm_tunnel_openvpn,
	[NM_TUNNEL_WORKERS] = &nm_tunnel_workers,
	[NM_TUNNEL_XFRM] = &nm_tunnel_xfrm,
	[NM_TUNNEL_KERNEL] = &nm_tunnel_kernel,
};

const size_t nm_tunnel_kinds_len = sizeof(nm_tunnel_kinds) / sizeof(nm_tunnel_kinds[0]);
