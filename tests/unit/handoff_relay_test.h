/* SPDX-License-Identifier: Apache-2.0 */
/* A relay between a mux and a TUN device that are fakes. */
#ifndef HANDOFF_RELAY_TEST_H
#define HANDOFF_RELAY_TEST_H

#include "test.h"

#include "../fakes/fake_mux.h"
#include "../fakes/fake_tun.h"
#include "base/bytes.h"
#include "dispatcher/handoff_relay.h"
#include "wire/udp.h"

enum { TRAINS_MAX = 300 };

static struct natmux_mux mux;
static struct fake_tun tun;
static struct nm_relay *relay;
static struct natmux_train trains[TRAINS_MAX];
static uint8_t bytes[4][65536];

static inline struct natmux_addr addr(const char *text)
{
	struct natmux_addr result;

	assert_int_equal(natmux_addr_parse(text, 0, &result), 0);
	return result;
}

static inline struct nm_relay_config config_of(uint32_t super_max)
{
	struct nm_relay_config config = {
		.daemon4 = addr("100.64.0.1:14500"),
		.daemon6 = addr("[fd00::1]:14500"),
		.peer_port = 4500,
		.flows_max = FAKE_FLOWS,
		.port = fake_tun_port(&tun, super_max),
		.mux = &mux,
	};

	assert_int_equal(natmux_prefix_parse("100.64.0.0/24", &config.pool4), 0);
	assert_int_equal(natmux_prefix_parse("fd00::/120", &config.pool6), 0);
	return config;
}

/* Even flows are IPv4, odd ones IPv6. */
static inline void start(uint32_t super_max)
{
	struct nm_relay_config config;

	memset(&mux, 0, sizeof(mux));
	for (unsigned int i = 0; i < FAKE_FLOWS; i++) {
		mux.paths[i].local = addr(i % 2 ? "[2001:db8::1]:4500" : "192.0.2.1:4500");
		mux.paths[i].remote = addr(i % 2 ? "[2001:db8::9]:4500" : "203.0.113.9:4500");
		mux.paths[i].remote.port = (uint16_t)(1024 + i);
	}
	fake_tun_init(&tun);
	config = config_of(super_max);
	assert_int_equal(nm_relay_new(&config, &relay), 0);
}

static inline void stop(void)
{
	fake_tun_clear(&tun);
	nm_relay_free(relay);
	relay = NULL;
}

/* A train of ESP: 0x11 in every first byte, so that no datagram looks like anything else. */
static inline struct natmux_train esp(uint8_t *data, uint32_t flow, uint32_t len, uint32_t segment)
{
	struct natmux_train train = {
		.data = data,
		.len = len,
		.segment = segment,
		.flow = flow,
		.path = mux.paths[flow % FAKE_FLOWS],
	};

	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + flow);
	for (uint32_t at = 0; at<len; at += segment> 0 ? segment : len)
		data[at] = 0x11;
	return train;
}

static inline void to_daemon(const struct natmux_train *train)
{
	nm_relay_sink.input(relay, 0, train, 1);
}

/* All that the device has, back into the relay as if the daemon had sent it to the peers. */
static inline size_t echo(void)
{
	struct nm_relay_packet packets[FAKE_TUN_PACKETS];

	for (size_t i = 0; i < tun.n; i++) {
		fake_echo(tun.packets[i].data);
		packets[i] = (struct nm_relay_packet){tun.packets[i].data, tun.packets[i].len};
	}
	return nm_relay_packets(relay, packets, tun.n, trains, TRAINS_MAX);
}

static inline void assert_train(
	const struct natmux_train *train, const struct natmux_train *expected, uint32_t offset)
{
	assert_int_equal(train->flow, expected->flow);
	assert_int_equal(train->tos, expected->tos);
	assert_true(natmux_addr_equal(&train->path.local, &expected->path.local));
	assert_true(natmux_addr_equal(&train->path.remote, &expected->path.remote));
	assert_true(offset + train->len <= expected->len);
	assert_memory_equal(train->data, expected->data + offset, train->len);
}

#endif
