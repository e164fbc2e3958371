/* SPDX-License-Identifier: Apache-2.0 */
/* Two planes with one SA each way, and packets from one to the other. */
#ifndef ESP_LEDGER_TEST_H
#define ESP_LEDGER_TEST_H

#include "esp_plane_test.h"

enum { SPI = 0x1000, TCP = 6, UDP = 17, LEN = 100 };

/* Everything that `a` is given goes through the outbound SA; `b` has the inbound one. */
static inline void start(const struct natmux_sa_config *out, const struct natmux_sa_config *in)
{
	struct natmux_esp_config config;

	forget();
	plane_config(&config);
	a = plane_new(&config);
	b = plane_new(&config);
	assert_int_equal(natmux_esp_sa_add(a, 0, out), 0);
	assert_int_equal(natmux_esp_sa_add(b, 0, in), 0);
	add_policy(a, "0.0.0.0/0", "0.0.0.0/0");
	add_policy(a, "::/0", "::/0");
}

static inline void start_plain(void)
{
	struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI),
				in = sa_config(NATMUX_SA_IN, SPI);

	start(&out, &in);
}

static inline struct inner_spec plain(uint8_t family, uint8_t protocol)
{
	struct inner_spec spec = inner_spec(family, protocol);

	spec.payload_len = LEN;
	return spec;
}

/* Seals a packet: it is the last of `trains`. Returns its length. */
static inline size_t send_inner(const struct inner_spec *spec, uint8_t packet[INNER_MAX])
{
	size_t len = inner_build(spec, packet);
	struct natmux_inner inner = {.data = packet, .len = (uint32_t)len};

	natmux_esp_output(a, 0, &inner, 1);
	return len;
}

static inline struct natmux_train *send_spec(const struct inner_spec *spec)
{
	static uint8_t packet[NATMUX_INNER_ROOM + INNER_MAX + NATMUX_INNER_ROOM];
	size_t before = trains_n;

	send_inner(spec, packet + NATMUX_INNER_ROOM);
	assert_int_equal(trains_n, before + 1);
	return &trains[before];
}

/* An inbound SA's counters after so many octets from anywhere. */
static inline void receive(const struct natmux_train *train, uint64_t now_ms)
{
	natmux_esp_input(b, now_ms, train, 1);
}

static inline struct natmux_selector selector_of(
	const char *source, const char *destination, uint8_t protocol, uint16_t port)
{
	struct natmux_selector selector = {
		.protocol = protocol,
		.source_ports = {0, UINT16_MAX},
		.destination_ports = {port, port},
	};

	if (port == 0)
		selector.destination_ports.max = UINT16_MAX;
	assert_int_equal(natmux_prefix_parse(source, &selector.source), 0);
	assert_int_equal(natmux_prefix_parse(destination, &selector.destination), 0);
	return selector;
}

#endif
