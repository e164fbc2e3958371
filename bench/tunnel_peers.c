/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tunnels of other houses, set up as their manuals say, with AES-128-GCM or what they have. Keys are
 * made for the run and go with it.
 */
#include "bench/tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <natmux/error.h>

#include "bench/load.h"

enum { PING_MS = 15000, READY_MS = 5000, TEXT_MAX = 4096, COMMAND_MAX = 512 };

static const char *const wire[] = {NM_LAB_WIRE_A, NM_LAB_WIRE_B};
static const char *const inner[] = {NM_LAB_INNER_A, NM_LAB_INNER_B};

static int ping_inner(struct nm_lab *lab)
{
	return nm_lab_wait(lab, NM_LAB_A, "ping -q -c 1 -W 1 " NM_LAB_INNER_B, PING_MS);
}

/* strongSwan: IKEv2, ESP in user space by kernel-libipsec. */

#define CHARON "/usr/lib/ipsec/charon"
#define PLUGIN "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so"

static const char *libipsec_missing(const struct nm_tunnel_setup *setup)
{
	(void)setup;
	if (access(CHARON, X_OK) < 0 || !nm_load_has_program("swanctl"))
		return "strongSwan (charon, swanctl) is not installed";
	return access(PLUGIN, R_OK) < 0 ? "strongSwan's plugin kernel-libipsec is not installed"
					: NULL;
}

static int write_strongswan(struct nm_lab *lab, enum nm_lab_side side)
{
	char text[TEXT_MAX], socket[NM_LAB_FILE];

	nm_lab_file(lab, side, "vici", socket);
	snprintf(text, sizeof(text),
		"charon {\n"
		"  load = openssl random nonce pem pkcs1 x509 pubkey kdf kernel-libipsec "
		"kernel-netlink socket-default vici updown\n"
		"  port = 500\n"
		"  port_nat_t = 4500\n"
		"  plugins {\n"
		"    vici {\n"
		"      socket = unix://%s\n"
		"    }\n"
		"  }\n"
		"}\n",
		socket);
	return nm_lab_write(lab, side, "strongswan.conf", text);
}

static int write_swanctl(struct nm_lab *lab, enum nm_lab_side side)
{
	char text[TEXT_MAX];

	snprintf(text, sizeof(text),
		"connections {\n"
		"  bench {\n"
		"    version = 2\n"
		"    encap = yes\n"
		"    mobike = no\n"
		"    local_addrs = %s\n"
		"    remote_addrs = %s\n"
		"    proposals = aes128gcm16-prfsha256-x25519\n"
		"    local {\n"
		"      auth = psk\n"
		"      id = %s\n"
		"    }\n"
		"    remote {\n"
		"      auth = psk\n"
		"      id = %s\n"
		"    }\n"
		"    children {\n"
		"      bench {\n"
		"        mode = tunnel\n"
		"        local_ts = %s/32\n"
		"        remote_ts = %s/32\n"
		"        esp_proposals = aes128gcm16\n"
		"      }\n"
		"    }\n"
		"  }\n"
		"}\n"
		"secrets {\n"
		"  ike {\n"
		"    secret = \"measured in a namespace\"\n"
		"  }\n"
		"}\n",
		wire[side], wire[!side], wire[side], wire[!side], inner[side], inner[!side]);
	return nm_lab_write(lab, side, "swanctl.conf", text);
}

static int start_charon(struct nm_lab *lab, enum nm_lab_side side)
{
	char command[COMMAND_MAX], conf[NM_LAB_FILE], vici[NM_LAB_FILE], swanctl[NM_LAB_FILE];
	int err = write_strongswan(lab, side);

	if (err == 0)
		err = write_swanctl(lab, side);
	if (err == 0)
		err = nm_lab_runf(lab, side, "ip addr add %s/32 dev lo", inner[side]);
	if (err < 0)
		return err;
	nm_lab_file(lab, side, "strongswan.conf", conf);
	nm_lab_file(lab, side, "vici", vici);
	nm_lab_file(lab, side, "swanctl.conf", swanctl);
	snprintf(command, sizeof(command), "env STRONGSWAN_CONF=%s " CHARON, conf);
	if (nm_lab_spawn(lab, side, command) < 0)
		return NATMUX_ESYSTEM;
	snprintf(command, sizeof(command), "swanctl --load-all --file %s --uri unix://%s", swanctl,
		vici);
	return nm_lab_wait(lab, side, command, READY_MS);
}

static int libipsec_start(struct nm_lab *lab, const struct nm_tunnel_setup *setup)
{
	char vici[NM_LAB_FILE];
	int err = start_charon(lab, NM_LAB_A);

	(void)setup;
	if (err == 0)
		err = start_charon(lab, NM_LAB_B);
	if (err < 0)
		return err;
	nm_lab_file(lab, NM_LAB_A, "vici", vici);
	err = nm_lab_runf(lab, NM_LAB_A,
		"swanctl --initiate --child bench --timeout 10 --uri unix://%s", vici);
	return err < 0 ? err : ping_inner(lab);
}

const struct nm_tunnel_kind nm_tunnel_libipsec = {
	.name = "strongSwan libipsec",
	.target = NM_LAB_INNER_B,
	.missing = libipsec_missing,
	.start = libipsec_start,
};

/* WireGuard in user space. */

static const char *wireguard_missing(const struct nm_tunnel_setup *setup)
{
	(void)setup;
	if (!nm_load_has_program("wireguard-go"))
		return "wireguard-go is not installed";
	return nm_load_has_program("wg") ? NULL : "wg (wireguard-tools) is not installed";
}

/* A line of output without its end; "" without any. */
static void read_line(
	struct nm_lab *lab, enum nm_lab_side side, const char *command, char *line, size_t size)
{
	char *text = nm_lab_read(lab, side, command);

	snprintf(line, size, "%.*s", text ? (int)strcspn(text, "\n") : 0, text ? text : "");
	free(text);
}

static int make_wireguard_key(struct nm_lab *lab, enum nm_lab_side side, char public[64])
{
	char private[64], command[COMMAND_MAX], file[NM_LAB_FILE];

	read_line(lab, side, "wg genkey", private, sizeof(private));
	if (nm_lab_write(lab, side, "key", private) < 0)
		return NATMUX_ESYSTEM;
	nm_lab_file(lab, side, "key", file);
	snprintf(command, sizeof(command), "sh %s/a-pubkey %s", lab->folder, file);
	read_line(lab, side, command, public, 64);
	return public[0] != '\0' ? 0 : NATMUX_ESYSTEM;
}

static int start_wireguard(struct nm_lab *lab, enum nm_lab_side side, const char *peer)
{
	char key[NM_LAB_FILE];
	int err;

	nm_lab_file(lab, side, "key", key);
	if (nm_lab_spawn(lab, side, "wireguard-go -f wg-bench") < 0)
		return NATMUX_ESYSTEM;
	err = nm_lab_wait(lab, side, "ip link set wg-bench mtu 1420", READY_MS);
	if (err == 0)
		err = nm_lab_wait(lab, side, "wg show wg-bench", READY_MS);
	if (err == 0)
		err = nm_lab_runf(lab, side,
			"wg set wg-bench listen-port 51820 private-key %s peer %s allowed-ips "
			"%s/32 "
			"endpoint %s:51820",
			key, peer, inner[!side], wire[!side]);
	if (err == 0)
		err = nm_lab_runf(lab, side, "ip addr add %s/24 dev wg-bench", inner[side]);
	return err < 0 ? err : nm_lab_run(lab, side, "ip link set wg-bench up");
}

static int wireguard_start(struct nm_lab *lab, const struct nm_tunnel_setup *setup)
{
	char keys[NM_LAB_SIDES][64];
	/* wg reads the private key from its standard input only. */
	int err = nm_lab_write(lab, NM_LAB_A, "pubkey", "wg pubkey <\"$1\"\n");

	(void)setup;
	for (unsigned int side = 0; err == 0 && side < NM_LAB_SIDES; side++)
		err = make_wireguard_key(lab, side, keys[side]);
	for (unsigned int side = 0; err == 0 && side < NM_LAB_SIDES; side++)
		err = start_wireguard(lab, side, keys[!side]);
	return err < 0 ? err : ping_inner(lab);
}

const struct nm_tunnel_kind nm_tunnel_wireguard = {
	.name = "wireguard-go",
	.target = NM_LAB_INNER_B,
	.missing = wireguard_missing,
	.start = wireguard_start,
};

/* OpenVPN, point to point, each side knowing the other's certificate. */

static const char *openvpn_missing(const struct nm_tunnel_setup *setup)
{
	(void)setup;
	if (!nm_load_has_program("openvpn"))
		return "openvpn is not installed";
	return nm_load_has_program("openssl") ? NULL : "openssl is not installed";
}

static int make_certificate(struct nm_lab *lab, enum nm_lab_side side, char fingerprint[128])
{
	char key[NM_LAB_FILE], cert[NM_LAB_FILE], command[COMMAND_MAX], line[160];
	const char *equals;
	int err;

	nm_lab_file(lab, side, "key.pem", key);
	nm_lab_file(lab, side, "cert.pem", cert);
	err = nm_lab_runf(lab, side,
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
		"-subj /CN=bench -keyout %s -out %s",
		key, cert);
	if (err < 0)
		return err;
	snprintf(command, sizeof(command), "openssl x509 -noout -fingerprint -sha256 -in %s", cert);
	read_line(lab, side, command, line, sizeof(line));
	equals = strchr(line, '=');
	snprintf(fingerprint, 128, "%.127s", equals ? equals + 1 : "");
	return equals ? 0 : NATMUX_ESYSTEM;
}

static int start_openvpn(struct nm_lab *lab, enum nm_lab_side side, const char *peer)
{
	char text[TEXT_MAX], key[NM_LAB_FILE], cert[NM_LAB_FILE], conf[NM_LAB_FILE];
	char command[COMMAND_MAX];

	nm_lab_file(lab, side, "key.pem", key);
	nm_lab_file(lab, side, "cert.pem", cert);
	snprintf(text, sizeof(text),
		"dev tun-bench\n"
		"dev-type tun\n"
		"proto udp4\n"
		"local %s\n"
		"remote %s\n"
		"port 1194\n"
		"ifconfig %s %s\n"
		"%s\n"
		"dh none\n"
		"key %s\n"
		"cert %s\n"
		"peer-fingerprint %s\n"
		"data-ciphers AES-128-GCM\n"
		"sndbuf 1048576\n"
		"rcvbuf 1048576\n"
		"verb 1\n",
		wire[side], wire[!side], inner[side], inner[!side],
		side == NM_LAB_A ? "tls-client" : "tls-server", key, cert, peer);
	/* Only a server has parameters for the exchange. */
	if (side == NM_LAB_A)
		memcpy(strstr(text, "dh none"), "#", 1);
	if (nm_lab_write(lab, side, "conf", text) < 0)
		return NATMUX_ESYSTEM;
	nm_lab_file(lab, side, "conf", conf);
	snprintf(command, sizeof(command), "openvpn --config %s", conf);
	return nm_lab_spawn(lab, side, command) < 0 ? NATMUX_ESYSTEM : 0;
}

static int openvpn_start(struct nm_lab *lab, const struct nm_tunnel_setup *setup)
{
	char prints[NM_LAB_SIDES][128];
	int err = 0;

	(void)setup;
	for (unsigned int side = 0; err == 0 && side < NM_LAB_SIDES; side++)
		err = make_certificate(lab, side, prints[side]);
	for (unsigned int side = 0; err == 0 && side < NM_LAB_SIDES; side++)
		err = start_openvpn(lab, side, prints[!side]);
	return err < 0 ? err : ping_inner(lab);
}

const struct nm_tunnel_kind nm_tunnel_openvpn = {
	.name = "OpenVPN",
	.target = NM_LAB_INNER_B,
	.missing = openvpn_missing,
	.start = openvpn_start,
};
