/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints packets as relay and inject build them, for an independent judge: one line each with
 * source, destination, TOS, payload and packet, the last two in hexadecimal.
 */
#include <natmux/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dispatcher/handoff_inject.h"
#include "dispatcher/handoff_relay.h"
#include "tests/fakes/fake_mux.h"

enum { ALIAS_PORT = 4500 };

static char expected[2 * NATMUX_ADDR_TEXT];
static uint8_t tos;

static void print_hex(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", data[i]);
}

static size_t print_packets(void *user, const struct nm_packet *packets, size_t n)
{
	(void)user;
	for (size_t i = 0; i < n; i++) {
		printf("%s %u ", expected, tos);
		print_hex(packets[i].payload, packets[i].len);
		printf(" ");
		print_hex(packets[i].header, packets[i].header_len);
		print_hex(packets[i].payload, packets[i].len);
		printf("\n");
	}
	return n;
}

static void must(int result)
{
	if (result < 0) {
		fprintf(stderr, "%s\n", natmux_strerror(result));
		exit(1);
	}
}

/* Sizes around everything: odd, even, checksums that carry, the largest. */
static void give(const struct natmux_sink_ops *sink, void *self, const struct natmux_path *path,
	uint32_t flow)
{
	static const uint32_t sizes[] = {4, 5, 7, 8, 28, 31, 32, 33, 100, 1428, 9001, 65507};
	static uint8_t data[65507];

	srand(flow + 1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct natmux_train train = {
			.data = data, .len = sizes[i], .flow = flow, .path = *path};

		for (uint32_t j = 0; j < sizes[i]; j++)
			data[j] = i % 3 ? (uint8_t)rand() : 0xff;
		tos = train.tos = (uint8_t)rand();
		sink->input(self, 0, &train, 1);
	}
}

static struct natmux_addr addr(const char *text)
{
	struct natmux_addr result;

	must(natmux_addr_parse(text, 0, &result));
	return result;
}

int main(void)
{
	static struct natmux_mux mux;
	struct nm_packet_port port = {.write = print_packets};
	struct nm_relay_config config = {
		.daemon4 = addr("100.64.0.1:14500"),
		.daemon6 = addr("[fd6e:6174:6d75::1]:14500"),
		.peer_port = ALIAS_PORT,
		.flows_max = FAKE_FLOWS,
		.port = port,
		.mux = &mux,
	};
	struct natmux_path ipv4 = {addr("192.0.2.1:4500"), addr("203.0.113.7:31022")};
	struct natmux_path ipv6 = {addr("[2001:db8::1]:4500"), addr("[2001:db8::7]:65535")};
	struct nm_relay *relay;
	struct nm_inject *inject;

	must(natmux_prefix_parse("100.64.0.0/24", &config.pool4));
	must(natmux_prefix_parse("fd6e:6174:6d75::/112", &config.pool6));
	must(nm_relay_new(&config, &relay));
	must(nm_inject_new(&port, &mux, &inject));
	strcpy(expected, "100.64.0.2:4500 100.64.0.1:14500");
	give(&nm_relay_sink, relay, &ipv4, 0);
	strcpy(expected, "[fd6e:6174:6d75::2]:4500 [fd6e:6174:6d75::1]:14500");
	give(&nm_relay_sink, relay, &ipv6, 1);
	strcpy(expected, "203.0.113.7:31022 192.0.2.1:4500");
	give(&nm_inject_sink, inject, &ipv4, 2);
	strcpy(expected, "[2001:db8::7]:65535 [2001:db8::1]:4500");
	give(&nm_inject_sink, inject, &ipv6, 3);
	nm_inject_free(inject);
	nm_relay_free(relay);
	return fake_mux_drops(&mux) == 0 ? 0 : 1;
}
