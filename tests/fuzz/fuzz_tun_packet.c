/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets from the daemon's side of the relay: two bytes of length, a packet, and so on. The first
 * byte of the input says whether checksums are put right first, or nothing random would get far.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "dispatcher/handoff_relay.h"
#include "tests/fakes/fake_mux.h"
#include "wire/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLOWS = 8, PACKETS_MAX = 64 };

static struct natmux_mux mux;

static size_t swallow(void *user, const struct nm_packet *packets, size_t n)
{
	(void)user;
	(void)packets;
	return n;
}

static void must(int result)
{
	if (result < 0)
		abort();
}

/* Flows 0 to 7 have aliases 100.64.0.2 to .5 and fd00::2 to ::5. */
static struct nm_relay *make_relay(void)
{
	static const uint8_t bytes[8] = {0x11};
	struct nm_relay_config config = {
		.peer_port = 4500,
		.flows_max = FLOWS,
		.port = {swallow, NULL, 0},
		.mux = &mux,
	};
	struct nm_relay *relay;

	must(natmux_addr_parse("100.64.0.1:14500", 0, &config.daemon4));
	must(natmux_addr_parse("[fd00::1]:14500", 0, &config.daemon6));
	must(natmux_prefix_parse("100.64.0.0/24", &config.pool4));
	must(natmux_prefix_parse("fd00::/120", &config.pool6));
	must(nm_relay_new(&config, &relay));
	for (uint32_t flow = 0; flow < FLOWS; flow++) {
		struct natmux_train train = {.data = bytes, .len = 8, .flow = flow};

		train.path.remote.family = flow % 2 ? NATMUX_FAMILY_IPV6 : NATMUX_FAMILY_IPV4;
		mux.paths[flow] = train.path;
		nm_relay_sink.input(relay, 0, &train, 1);
	}
	return relay;
}

static void fix_checksums(uint8_t *packet, size_t len)
{
	struct nm_ip ip;
	uint8_t *udp;
	size_t udp_len;

	if (len >= NM_IP4_HEADER_LEN && packet[0] == 0x45) {
		nm_put16(packet + 10, 0);
		nm_sum_put(packet + 10, nm_sum_bytes(0, packet, NM_IP4_HEADER_LEN));
	}
	if (nm_ip_decode(packet, len, &ip) != NM_IP_GOOD || ip.len < NM_UDP_HEADER_LEN)
		return;
	udp = packet + (ip.payload - packet);
	udp_len = nm_get16(udp + 4);
	if (udp_len > ip.len)
		return;
	nm_put16(udp + 6, 0);
	nm_sum_put(udp + 6,
		nm_sum_bytes(nm_udp_pseudo_sum(ip.family, ip.source, ip.destination, udp_len), udp,
			udp_len));
}

/* Each packet in a block of its own size. */
static size_t cut(const uint8_t *data, size_t size, struct nm_relay_packet packets[PACKETS_MAX])
{
	bool is_fixed = size > 0 && data[0] & 1;
	size_t n = 0, at = 1;

	while (n < PACKETS_MAX && at + 2 <= size) {
		size_t len = nm_get16(data + at), left = size - at - 2;
		uint8_t *packet;

		if (len > left)
			len = left;
		packet = malloc(len > 0 ? len : 1);
		memcpy(packet, data + at + 2, len);
		if (is_fixed)
			fix_checksums(packet, len);
		packets[n++] = (struct nm_relay_packet){packet, len};
		at += 2 + len;
	}
	return n;
}

/* Every packet has left as a datagram, or was counted as dropped. */
static void check(const struct natmux_train *trains, size_t n, size_t packets)
{
	uint64_t seen = fake_mux_drops(&mux);

	for (size_t i = 0; i < n; i++) {
		uint8_t any = 0;

		if (trains[i].flow >= FLOWS || trains[i].len == 0 ||
			natmux_train_count(&trains[i]) > NM_RELAY_TRAIN_MAX)
			abort();
		if (memcmp(&trains[i].path, &mux.paths[trains[i].flow], sizeof(trains[i].path)) !=
			0)
			abort();
		for (uint32_t j = 0; j < trains[i].len; j++)
			any |= trains[i].data[j];
		seen += natmux_train_count(&trains[i]) + (any & 0);
	}
	if (n > packets || seen != packets)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nm_relay *relay; /* keeps nothing of what the daemon's side says */
	struct nm_relay_packet packets[PACKETS_MAX];
	struct natmux_train trains[PACKETS_MAX];
	size_t n = cut(data, size, packets);

	if (!relay)
		relay = make_relay();
	memset(mux.drops, 0, sizeof(mux.drops));
	check(trains, nm_relay_packets(relay, packets, n, trains, PACKETS_MAX), n);
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)packets[i].data);
	return 0;
}
