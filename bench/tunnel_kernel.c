/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ESP in the kernel twice, states and policies alike: once set up by ip(8), with a process that does
 * no more than hold the port, once by natmuxd.
 */
#include "bench/tunnel.h"

#include <arpa/inet.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <natmux/error.h>

#include "bench/kernel_esp.h"

enum { READY_MS = 3000, PING_MS = 10000, SPI_AB = 0x10001, SPI_BA = 0x10002, PORT = 4500 };
enum { TEXT_MAX = 2048 };

static const char *const wire[] = {NM_LAB_WIRE_A, NM_LAB_WIRE_B};
static const char *const inner[] = {NM_LAB_INNER_A, NM_LAB_INNER_B};
static const int spi_out[] = {SPI_AB, SPI_BA};
/* AES-128 and a salt, in hexadecimal, of what each side sends. */
static const char *const key_out[] = {
	"000102030405060708090a0b0c0d0e0f10111213", "202122232425262728292a2b2c2d2e2f30313233"};

static const char *xfrm_missing(const struct nm_tunnel_setup *setup)
{
	(void)setup;
	return nm_kernel_esp_missing();
}

static const char *kernel_missing(const struct nm_tunnel_setup *setup)
{
	const char *why = nm_kernel_esp_missing();

	return why ? why : nm_tunnel_natmux.missing(setup);
}

/* What is inside, and the way there. */
static int add_inner(struct nm_lab *lab, enum nm_lab_side side)
{
	int err = nm_lab_runf(lab, side, "ip addr add %s/32 dev lo", inner[side]);

	return err < 0 ? err
		       : nm_lab_runf(lab, side, "ip route add %s via %s src %s", inner[!side],
				 wire[!side], inner[side]);
}

static int ping_inner(struct nm_lab *lab)
{
	return nm_lab_wait(lab, NM_LAB_A, "ping -q -c 1 -W 1 " NM_LAB_INNER_B, PING_MS);
}

/*
 * What iperf3 counts is not what a tunnel carries: its sender does not care, and a slower tunnel only
 * means fewer datagrams for which its receiver has no room.
 */
double nm_tunnel_state_packets(const char *text)
{
	const char *current = strstr(text, "lifetime current:");
	unsigned long long packets;

	if (!current ||
		sscanf(current, "lifetime current: %*u(bytes), %llu(packets)", &packets) != 1)
		return -1;
	return (double)packets;
}

static double carried(struct nm_lab *lab)
{
	char command[128], *text;
	double packets;

	snprintf(command, sizeof(command), "ip -s xfrm state get src %s dst %s proto esp spi %d",
		NM_LAB_WIRE_A, NM_LAB_WIRE_B, SPI_AB);
	text = nm_lab_read(lab, NM_LAB_B, command);
	packets = text ? nm_tunnel_state_packets(text) : -1;
	free(text);
	return packets;
}

/* States and policies of ip(8). */

static int add_state(struct nm_lab *lab, enum nm_lab_side side, enum nm_lab_side from)
{
	/* The window of natmuxd's SAs: what it costs is not what is looked for. */
	return nm_lab_runf(lab, side,
		"ip xfrm state add src %s dst %s proto esp spi %d reqid 1 mode tunnel %s flag "
		"af-unspec aead rfc4106(gcm(aes)) 0x%s 128 encap espinudp %d %d 0.0.0.0",
		wire[from], wire[!from], spi_out[from], from == side ? "" : "replay-window 1024",
		key_out[from], PORT, PORT);
}

static int add_policy(
	struct nm_lab *lab, enum nm_lab_side side, enum nm_lab_side from, const char *direction)
{
	return nm_lab_runf(lab, side,
		"ip xfrm policy add src %s/32 dst %s/32 dir %s tmpl src %s dst %s proto esp reqid "
		"1 mode tunnel",
		inner[from], inner[!from], direction, wire[from], wire[!from]);
}

static int add_xfrm(struct nm_lab *lab, enum nm_lab_side side)
{
	int err = add_state(lab, side, side);

	if (err == 0)
		err = add_state(lab, side, !side);
	if (err == 0)
		err = add_policy(lab, side, side, "out");
	if (err == 0)
		err = add_policy(lab, side, !side, "in");
	return err;
}

/* Gives the port to XFRM, with what an IKE daemon would have there and nothing more. */
static int hold(const void *argument)
{
	const int type = UDP_ENCAP_ESPINUDP;
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || inet_pton(AF_INET, argument, &addr.sin_addr) != 1 ||
		bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &type, sizeof(type)) < 0) {
		perror("a socket for ESP");
		return 1;
	}
	for (;;)
		pause();
}

static int xfrm_start(struct nm_lab *lab, const struct nm_tunnel_setup *setup)
{
	int err = 0;

	(void)setup;
	for (unsigned int side = 0; err == 0 && side < NM_LAB_SIDES; side++) {
		err = nm_lab_fork(lab, side, hold, wire[side]) < 0 ? NATMUX_ESYSTEM : 0;
		if (err == 0)
			err = add_inner(lab, side);
		if (err == 0)
			err = add_xfrm(lab, side);
	}
	return err < 0 ? err : ping_inner(lab);
}

const struct nm_tunnel_kind nm_tunnel_xfrm = {
	.name = "ip xfrm",
	.target = NM_LAB_INNER_B,
	.missing = xfrm_missing,
	.start = xfrm_start,
	.carried = carried,
};

/* natmuxd, which has the port and steers ESP to XFRM. */

static int write_config(struct nm_lab *lab, enum nm_lab_side side)
{
	char text[TEXT_MAX], in[NM_LAB_FILE], out[NM_LAB_FILE];

	nm_lab_file(lab, side, "in", in);
	nm_lab_file(lab, side, "out", out);
	snprintf(text, sizeof(text),
		"listen = { \"%s\" }\n"
		"esp = kernel\n"
		"handoff = none\n"
		"control-socket = \"/run/natmux.sock\"\n"
		"sa \"in\" {\n\tdirection = in\n\tspi = %d\n\tsuite = aes128gcm16\n"
		"\tkey-file = \"%s\"\n\tlocal = \"%s\"\n\tremote = \"%s:%d\"\n\treqid = 1\n}\n"
		"sa \"out\" {\n\tdirection = out\n\tspi = %d\n\tsuite = aes128gcm16\n"
		"\tkey-file = \"%s\"\n\tlocal = \"%s\"\n\tremote = \"%s:%d\"\n\treqid = 1\n}\n"
		"policy \"inner\" {\n\treqid = 1\n\tselector = \"src %s/32 dst %s/32\"\n}\n",
		wire[side], spi_out[!side], in, wire[side], wire[!side], PORT, spi_out[side], out,
		wire[side], wire[!side], PORT, inner[side], inner[!side]);
	return nm_lab_write(lab, side, "natmux.conf", text);
}

static int start_natmuxd(
	struct nm_lab *lab, enum nm_lab_side side, const struct nm_tunnel_setup *setup)
{
	int err = nm_lab_write(lab, side, "out", key_out[side]);

	if (err == 0)
		err = nm_lab_write(lab, side, "in", key_out[!side]);
	if (err == 0)
		err = write_config(lab, side);
	return err < 0 ? err : nm_tunnel_spawn_natmuxd(lab, side, setup);
}

static int kernel_start(struct nm_lab *lab, const struct nm_tunnel_setup *setup)
{
	int err = 0;

	for (unsigned int side = 0; err == 0 && side < NM_LAB_SIDES; side++) {
		err = add_inner(lab, side);
		if (err == 0)
			err = start_natmuxd(lab, side, setup);
	}
	return err < 0 ? err : ping_inner(lab);
}

const struct nm_tunnel_kind nm_tunnel_kernel = {
	.name = "natmux, esp = kernel",
	.target = NM_LAB_INNER_B,
	.missing = kernel_missing,
	.start = kernel_start,
	.carried = carried,
};
