/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets through the TUN device, in a network namespace of the test's own: both ways with right
 * checksums, super-packets, and reading and writing failing in turn.
 */
#include "tun_test.h"

#include <errno.h>
#include <poll.h>
#include <linux/if_tun.h>
#include "tests/fakes/alloc_count.h"
#include "tests/fakes/ip_link.h"

static void expect(struct udp_peer *peer, const uint8_t *data, size_t len)
{
	static uint8_t received[65536];
	struct natmux_addr from;
	int tos;

	assert_int_equal(udp_peer_recv(peer, received, sizeof(received), &from, &tos), len);
	assert_memory_equal(received, data, len);
	assert_int_equal(from.port, 4500);
}

/* Whether `ip` is a UDP packet to `port` with every checksum right. */
static bool is_sound(const uint8_t *ip, size_t len, uint16_t port, const uint8_t **payload)
{
	size_t header = ip[0] >> 4 == 6 ? 40 : 20;
	const uint8_t *udp = ip + header;

	if (len < header + 8 || ip[header == 40 ? 6 : 9] != IPPROTO_UDP ||
		nm_get16(udp + 2) != port)
		return false;
	assert_int_equal(nm_get16(udp + 4), len - header);
	if (header == 20)
		assert_int_equal(inet_sum(ip, 20, 0), 0xffff);
	assert_int_equal(
		inet_sum(udp, len - header, pseudo_sum(ip, (uint32_t)(len - header))), 0xffff);
	*payload = udp + 8;
	return true;
}

/* Reads until a packet to `port` comes. */
static size_t read_to_port(struct nm_tun *tun, uint16_t port, const uint8_t **payload)
{
	struct nm_tun_packet packet;
	struct pollfd waiting = {.fd = nm_tun_fd(tun), .events = POLLIN};

	for (int tries = 0; tries < 100; tries++) {
		if (nm_tun_read(tun, &packet, 1) == 0) {
			assert_int_equal(poll(&waiting, 1, 20000), 1);
			continue;
		}
		if (is_sound(packet.data, packet.len, port, payload))
			return packet.len;
	}
	fail_msg("no packet to port %u", port);
	return 0;
}

static void test_write(void **state)
{
	static const uint32_t lens[] = {0, 1, 2, 3, 100, 1372, 9000};
	static const char *const ips[] = {OWN4, OWN6};
	struct nm_tun *tun = open_tun();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ips); i++) {
		struct nm_packet packets[ARRAY_SIZE(lens)];
		struct udp_peer peer;

		if (!has_v6 && strchr(ips[i], ':'))
			continue;
		peer = udp_peer_open(ips[i]);
		for (size_t k = 0; k < ARRAY_SIZE(lens); k++)
			packets[k] = packet_to(&peer, bytes + k, lens[k], 0);
		assert_int_equal(nm_tun_write(tun, packets, ARRAY_SIZE(lens)), ARRAY_SIZE(lens));
		for (size_t k = 0; k < ARRAY_SIZE(lens); k++)
			expect(&peer, bytes + k, lens[k]);
		assert_true(udp_peer_is_empty(&peer));
		udp_peer_close(&peer);
	}
	nm_tun_close(tun);
}

/* A train under one header arrives as its datagrams at a socket that knows nothing of GRO. */
static void test_write_super(void **state)
{
	static const struct {
		uint32_t len;
		uint16_t segment;
	} cases[] = {{1037, 100}, {1000, 100}, {101, 100}, {64000, 1372}, {6400, 100}, {64, 1},
		{65487, 1372}, {4096, 64}};
	static const char *const ips[] = {OWN4, OWN6};
	struct nm_tun *tun = open_tun();
	struct nm_packet_port port = nm_tun_port(tun);

	(void)state;
	if (port.super_max == 0) {
		print_message("skipped: this kernel takes no UDP super-packets (Linux 6.2)\n");
		nm_tun_close(tun);
		return;
	}
	assert_int_equal(port.super_max, 65487);
	for (size_t i = 0; i < ARRAY_SIZE(ips) * ARRAY_SIZE(cases); i++) {
		const char *ip = ips[i % ARRAY_SIZE(ips)];
		uint32_t len = cases[i / 2].len, segment = cases[i / 2].segment;
		struct nm_packet packet;
		struct udp_peer peer;

		if (!has_v6 && strchr(ip, ':'))
			continue;
		peer = udp_peer_open(ip);
		packet = packet_to(&peer, bytes, len, (uint16_t)segment);
		assert_int_equal(port.write(port.user, &packet, 1), 1);
		for (uint32_t at = 0; at < len; at += segment)
			expect(&peer, bytes + at, len - at < segment ? len - at : segment);
		assert_true(udp_peer_is_empty(&peer));
		udp_peer_close(&peer);
	}
	nm_tun_close(tun);
}

/* What the host sends through the device is read whole, with the checksums filled in. */
static void test_read(void **state)
{
	static const size_t lens[] = {0, 1, 100, 1352};
	static const char *const ips[] = {OWN4, OWN6}, *const fars[] = {FAR4, FAR6};
	struct nm_tun *tun = open_tun();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ips) * ARRAY_SIZE(lens); i++) {
		size_t len = lens[i / 2];
		struct natmux_addr far = test_addr(fars[i % 2]);
		const uint8_t *payload;
		struct udp_peer peer;

		if (!has_v6 && far.family == NATMUX_FAMILY_IPV6)
			continue;
		far.port = 14500;
		peer = udp_peer_open(ips[i % 2]);
		udp_peer_send(&peer, &far, bytes, len, 0, 0);
		assert_int_equal(read_to_port(tun, 14500, &payload), len + (i % 2 ? 48 : 28));
		assert_memory_equal(payload, bytes, len);
		udp_peer_close(&peer);
	}
	nm_tun_close(tun);
}

/* A sender with UDP_SEGMENT: no super-packet may come out, for nobody asked for them. */
static void test_read_of_a_train(void **state)
{
	struct nm_tun *tun = open_tun();
	struct udp_peer peer = udp_peer_open(OWN4);
	struct natmux_addr far = test_addr(FAR4);
	struct nm_tun_packet packets[64];
	const uint8_t *payload;
	size_t n = 0, sound = 0;

	(void)state;
	far.port = 14500;
	udp_peer_send(&peer, &far, bytes, 1037, 100, 0);
	for (int tries = 0; tries < 10 && sound < 11; tries++) {
		n = nm_tun_read(tun, packets, 64);
		for (size_t i = 0; i < n; i++)
			if (is_sound(packets[i].data, packets[i].len, 14500, &payload)) {
				assert_memory_equal(
					payload, bytes + 100 * sound, packets[i].len - 28);
				sound++;
			}
	}
	assert_int_equal(sound, 11);
	assert_int_equal(nm_tun_status(tun)->read_errors, 0);
	udp_peer_close(&peer);
	nm_tun_close(tun);
}

/* Many packets in one call: each where it was put until the next call. */
static void test_read_many(void **state)
{
	struct nm_tun *tun = open_tun();
	struct udp_peer peer = udp_peer_open(OWN4);
	struct natmux_addr far = test_addr(FAR4);
	struct nm_tun_packet packets[128];
	uint32_t next = 0;
	size_t n;

	(void)state;
	far.port = 14500;
	while (nm_tun_read(tun, packets, 128) > 0)
		;
	for (uint32_t i = 0; i < 200; i++) {
		memcpy(bytes, &i, sizeof(i));
		udp_peer_send(&peer, &far, bytes, 1300, 0, 0);
	}
	while ((n = nm_tun_read(tun, packets, 128)) > 0) {
		for (size_t i = 0; i < n; i++) {
			const uint8_t *payload;

			if (!is_sound(packets[i].data, packets[i].len, 14500, &payload))
				continue;
			assert_memory_equal(payload, &next, sizeof(next));
			next++;
		}
	}
	assert_int_equal(next, 200);
	assert_true(nm_tun_status(tun)->read_packets >= 200);
	udp_peer_close(&peer);
	nm_tun_close(tun);
}

/* A kernel without vnet headers, one without UDP super-packets, or one that shall not use them. */
static void test_without_super(void **state)
{
	struct nm_packet packets[3];
	struct udp_peer peer;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct nm_tun_config config = config_all();
		struct nm_tun *tun;

		fake_sys_reset();
		if (i == 0)
			fake_sys_fail_ioctl(TUNGETFEATURES, EINVAL);
		else if (i == 1)
			fake_sys_fail(FAKE_WRITEV, 0, 1, EINVAL);
		else
			config.use_super = false;
		assert_int_equal(nm_tun_open(&config, &tun), 0);
		assert_int_equal(nm_tun_port(tun).super_max, 0);
		assert_false(nm_tun_status(tun)->has_super);
		peer = udp_peer_open(OWN4);
		packets[0] = packet_to(&peer, bytes, 10, 0);
		packets[1] = packet_to(&peer, bytes, 10, 5); /* refused: nobody offered it */
		packets[2] = packet_to(&peer, bytes + 10, 10, 0);
		assert_int_equal(nm_tun_write(tun, packets, 3), 2);
		expect(&peer, bytes, 10);
		expect(&peer, bytes + 10, 10);
		assert_int_equal(nm_tun_status(tun)->write_errors, 1);
		assert_int_equal(nm_tun_status(tun)->written_packets, 2);
		udp_peer_close(&peer);
		nm_tun_close(tun);
	}
}

static void test_write_fails(void **state)
{
	struct nm_tun *tun = open_tun();
	struct udp_peer peer = udp_peer_open(OWN4);
	struct nm_packet packets[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		packets[i] = packet_to(&peer, bytes + i, 10, 0);
	for (int i = 0; i < 500; i++) {
		fake_sys_fail(FAKE_WRITEV, 1, 1, i % 2 ? ENOMEM : EIO);
		assert_int_equal(nm_tun_write(tun, packets, 3), 2);
		expect(&peer, bytes, 10);
		expect(&peer, bytes + 2, 10);
	}
	assert_int_equal(nm_tun_status(tun)->write_errors, 500);
	assert_int_equal(tape.lines, 2); /* one per kind */
	assert_false(nm_tun_status(tun)->is_gone);
	udp_peer_close(&peer);
	nm_tun_close(tun);
}

static void test_read_fails(void **state)
{
	static const struct {
		int error;
		uint64_t errors;
		size_t lines;
		bool is_gone;
	} cases[] = {{EAGAIN, 0, 0, false}, {EINTR, 0, 0, false}, {EIO, 1, 1, false},
		{EBADFD, 1, 2, true}, {ENODEV, 1, 2, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_tun *tun = open_tun();
		struct nm_tun_packet packet;

		fake_sys_fail(FAKE_READ, 0, 1, cases[i].error);
		assert_int_equal(nm_tun_read(tun, &packet, 1), 0);
		assert_int_equal(nm_tun_status(tun)->read_errors, cases[i].errors);
		assert_int_equal(tape.lines, cases[i].lines);
		assert_true(nm_tun_status(tun)->is_gone == cases[i].is_gone);
		nm_tun_close(tun);
	}
}

/* Somebody deletes the device while we are running. */
static void test_device_deleted(void **state)
{
	struct nm_tun *tun = open_tun();
	struct nm_tun_packet packets[8];

	(void)state;
	if (!ip_link_delete(nm_tun_name(tun))) {
		print_message("skipped: needs ip(8)\n");
		nm_tun_close(tun);
		return;
	}
	for (int i = 0; i < 3; i++)
		nm_tun_read(tun, packets, 8);
	assert_true(nm_tun_status(tun)->is_gone);
	assert_true(log_tape_has(&tape, "the device was deleted"));
	assert_int_equal(tape.lines, 2);
	nm_tun_close(tun);
}

static void test_allocates_nothing(void **state)
{
	struct nm_tun *tun = open_tun();
	struct udp_peer peer = udp_peer_open(OWN4);
	struct natmux_addr far = test_addr(FAR4);
	struct nm_packet packet = packet_to(&peer, bytes, 10, 0);
	struct nm_tun_packet packets[8];
	unsigned long before = alloc_count();

	(void)state;
	far.port = 14500;
	assert_true(before > 0);
	for (int i = 0; i < 50; i++) {
		udp_peer_send(&peer, &far, bytes, 100, 0, 0);
		nm_tun_write(tun, &packet, 1);
		nm_tun_read(tun, packets, 8);
	}
	assert_int_equal(alloc_count(), before);
	udp_peer_close(&peer);
	nm_tun_close(tun);
}

/*
 * UDP_SEGMENT and a path whose MTU is below the segments: the kernel refuses the train, the
 * datagrams go out in fragments, and UDP_SEGMENT stays on for the other paths.
 */
static void test_udp_train_above_mtu(void **state)
{
	struct nm_tun *tun = open_tun();
	struct nm_udp_config config = {.sys = &fake_sys, .log = config_all().log, .use_gso = true};
	struct natmux_addr local = test_addr("0.0.0.0");
	struct natmux_train train = {.data = bytes, .len = 4500, .segment = 1500};
	struct nm_tun_packet packets[32];
	struct nm_udp_batch *batch;
	size_t fragments = 0, n;
	struct nm_udp *udp;

	(void)state;
	while (nm_tun_read(tun, packets, 32) > 0)
		;
	assert_int_equal(nm_udp_batch_new(&fake_sys, &batch), 0);
	assert_int_equal(nm_udp_open(&config, &local, batch, &udp), 0);
	train.path.remote = test_addr(FAR4);
	train.path.remote.port = 4500;
	assert_int_equal(nm_udp_send(udp, &train, 1), 0);
	n = nm_tun_read(tun, packets, 32);
	for (size_t i = 0; i < n; i++)
		fragments += packets[i].data[0] == 0x45 && (nm_get16(packets[i].data + 6) & 0x3fff);
	assert_int_equal(fragments, 6); /* two each; DF is clear */
	assert_true(nm_udp_status(udp)->has_gso);
	assert_int_equal(nm_udp_status(udp)->gso_refused, 1);
	nm_udp_close(udp);
	nm_udp_batch_free(batch);
	nm_tun_close(tun);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_super, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_of_a_train, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_super, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_device_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_allocates_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_udp_train_above_mtu, setup, teardown),
	};
	int result = enter_namespace();

	return result != 0 ? result : cmocka_run_group_tests(tests, NULL, NULL);
}
