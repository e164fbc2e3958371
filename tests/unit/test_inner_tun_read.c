/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the TUN device of the user ESP plane hands on of what the kernel sends: how much, where, and
 * what it refuses.
 */
#include "inner_tun_host.h"

#include "tests/fakes/ip_link.h"

/* All rooms are written to, and then each still has what was written there. */
static void fill_rooms(const struct natmux_inner *packets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		memset(packets[i].data - NATMUX_INNER_ROOM, (int)i, NATMUX_INNER_ROOM);
		memset(packets[i].data + packets[i].len, (int)i, NATMUX_INNER_ROOM);
	}
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < NATMUX_INNER_ROOM; k++) {
			assert_int_equal(packets[i].data[-1 - k], i);
			assert_int_equal(packets[i].data[(int)packets[i].len + k], i);
		}
}

/* Many packets in one call: each with its room, which is the reader's. */
static void test_read_many(void **state)
{
	static const size_t lens[] = {0, 1, 36, 1300};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(lens); k++) {
		struct natmux_inner packets[64];
		size_t n, got = 0, calls = 0;
		bool had_more = true;

		open_alone();
		send_to_far(&a, 300, lens[k]);
		while ((n = nm_inner_tun_read(a.queue, packets, 64)) > 0) {
			fill_rooms(packets, n);
			for (size_t i = 0; i < n; i++, got++) {
				int number = (int)got;

				check_packet(&packets[i]);
				assert_int_equal(packets[i].len, lens[k] + 28);
				memcpy(bytes, &number, sizeof(number));
				assert_memory_equal(packets[i].data + 28, bytes, lens[k]);
			}
			assert_true(had_more);
			had_more = nm_inner_tun_has_more(a.queue);
			calls++;
		}
		assert_false(nm_inner_tun_has_more(a.queue));
		assert_int_equal(got, 300);
		assert_in_range(calls, 300 / 64, 8);
		assert_int_equal(nm_inner_tun_status(a.queue)->read.packets, 300);
		assert_int_equal(nm_inner_tun_status(a.queue)->read.bytes, 300 * (lens[k] + 28));
		assert_int_equal(nm_inner_tun_status(a.queue)->read.super_packets, 0);
		assert_int_equal(nm_inner_tun_read(a.queue, packets, 0), 0);
		assert_true(nm_inner_tun_has_more(a.queue)); /* who knows */
		close_host(&a);
	}
}

/* A call ends while what it read is in the cache, and begins at the same place. */
static void test_read_reuses_memory(void **state)
{
	struct natmux_inner packets[16];
	size_t got = 0, n;
	struct udp_peer sender;
	struct natmux_addr far = test_addr("10.99.0.77");

	(void)state;
	open_alone();
	far.port = PORT;
	sender = udp_peer_open(a.ip4);
	for (int i = 0; i < 16; i++)
		udp_peer_send(&sender, &far, bytes, 64000, 1352, 0);
	if (!nm_inner_tun_status(a.queue)->uso.is_read) {
		print_message("skipped: this kernel has no USO (Linux 6.2)\n");
	} else {
		uint8_t *first = NULL;

		while ((n = nm_inner_tun_read(a.queue, packets, 16)) > 0) {
			assert_in_range(n, 1, 3);
			first = first ? first : packets[0].data;
			assert_ptr_equal(packets[0].data, first);
			for (size_t i = 0; i < n; i++, got++) {
				assert_in_range(packets[i].data - first, 0, 140 * 1024);
				assert_int_equal(packets[i].len, 64028);
				assert_memory_equal(packets[i].data + 28, bytes, 64000);
			}
		}
		assert_int_equal(got, 16);
		assert_int_equal(nm_inner_tun_status(a.queue)->read.super_packets, 16);
	}
	udp_peer_close(&sender);
	close_host(&a);
}

/* The longest there are: 65535 octets, and IPv6's header above that. */
static void test_read_largest(void **state)
{
	static const size_t lens[] = {65507, 65487};
	struct natmux_inner packet;

	(void)state;
	for (size_t i = 0; i < (has_v6 ? 2u : 1u); i++) {
		struct natmux_addr far = test_addr(i ? "fd99::77" : "10.99.0.77");
		struct udp_peer sender;
		struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);
		size_t n = 0;

		open_with(&a, &config);
		assert_int_equal(nm_inner_tun_set_mtu(a.tun, 65535), 0);
		sender = udp_peer_open(i ? a.ip6 : a.ip4);
		far.port = PORT;
		for (int tries = 0; tries < 4000 && n == 0; tries++) {
			usleep(5000); /* for the route of the IPv6 address */
			udp_peer_send(&sender, &far, bytes, lens[i], 0, 0);
			n = nm_inner_tun_read(a.queue, &packet, 1);
		}
		assert_int_equal(n, 1);
		assert_int_equal(packet.len, 65535);
		assert_memory_equal(packet.data + (i ? 48 : 28), bytes, lens[i]);
		udp_peer_close(&sender);
		close_host(&a);
	}
}

/* What a kernel never says; from the `at`th octet of the header on. */
static struct {
	size_t at, returned;
	uint8_t value;
} odd;

static ssize_t odd_read(int fd, void *buf, size_t len)
{
	ssize_t n = fake_sys.read(fd, buf, len);

	if (n <= 0)
		return n;
	((uint8_t *)buf)[odd.at] = odd.value;
	return odd.returned == SIZE_MAX ? (ssize_t)len
	       : odd.returned > 0       ? (ssize_t)odd.returned
					: n;
}

static void test_read_odd(void **state)
{
	static const struct {
		size_t at, returned;
		uint8_t value;
	} cases[] = {{1, 0, 3}, {1, 0, 2}, {1, 0, 0x7f}, {1, 0, 4}, {7, 0, 0xff}, {1, SIZE_MAX, 0},
		{0, 10, 0}, {0, 1, 0}};
	struct nm_sys sys = fake_sys;
	struct natmux_inner packets[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);
		bool is_super;

		config.sys = &sys;
		config.ipv6.ip.family = NATMUX_FAMILY_NONE;
		sys.read = fake_sys.read;
		open_with(&a, &config);
		send_to_far(&a, 5, 100);
		odd.at = cases[i].at;
		odd.returned = cases[i].returned;
		odd.value = cases[i].value;
		sys.read = odd_read;
		assert_int_equal(nm_inner_tun_read(a.queue, packets, 3), 0);
		assert_int_equal(nm_inner_tun_status(a.queue)->read.drops, 3);
		assert_true(nm_inner_tun_has_more(a.queue));
		sys.read = fake_sys.read;
		assert_int_equal(nm_inner_tun_read(a.queue, packets, 3), 2);
		assert_int_equal(nm_inner_tun_status(a.queue)->read.packets, 2);
		/* A broken super-packet is the last one: told once, and the kernel makes no more. */
		is_super = cases[i].at == 1 && cases[i].value != 0;
		assert_int_equal(tape.lines, is_super);
		assert_true(nm_inner_tun_status(a.queue)->tso.is_read == !is_super);
		assert_true(nm_inner_tun_status(a.queue)->uso.is_read == !is_super);
		assert_true(nm_inner_tun_status(a.queue)->tso.is_written);
		close_host(&a);
	}
}

static void test_read_fails(void **state)
{
	static const struct {
		int error;
		uint64_t drops;
		size_t lines;
		bool is_gone;
	} cases[] = {{EAGAIN, 0, 0, false}, {EINTR, 0, 0, false}, {EIO, 1, 1, false},
		{EBADFD, 1, 2, true}, {ENODEV, 1, 2, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_inner packet;

		open_alone();
		fake_sys_fail(FAKE_READ, 0, 3, cases[i].error);
		for (int k = 0; k < 3; k++)
			assert_int_equal(nm_inner_tun_read(a.queue, &packet, 1), 0);
		assert_false(nm_inner_tun_has_more(a.queue));
		assert_int_equal(nm_inner_tun_status(a.queue)->read.drops, cases[i].drops * 3);
		assert_int_equal(tape.lines, cases[i].lines);
		assert_true(nm_inner_tun_status(a.queue)->is_gone == cases[i].is_gone);
		close_host(&a);
	}
}

/* `ip link delete` while we are running. */
static void test_device_deleted(void **state)
{
	struct natmux_inner packets[8];

	(void)state;
	open_alone();
	if (!ip_link_delete(nm_inner_tun_name(a.tun))) {
		print_message("skipped: needs ip(8)\n");
		close_host(&a);
		return;
	}
	for (int i = 0; i < 3; i++)
		nm_inner_tun_read(a.queue, packets, 8);
	assert_true(nm_inner_tun_status(a.queue)->is_gone);
	assert_true(log_tape_has(&tape, "the device was deleted"));
	assert_int_equal(tape.lines, 2);
	close_host(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read_many, setup, tidy),
		cmocka_unit_test_setup_teardown(test_read_reuses_memory, setup, tidy),
		cmocka_unit_test_setup_teardown(test_read_largest, setup, tidy),
		cmocka_unit_test_setup_teardown(test_read_odd, setup, tidy),
		cmocka_unit_test_setup_teardown(test_read_fails, setup, tidy),
		cmocka_unit_test_setup_teardown(test_device_deleted, setup, tidy),
	};
	int result = enter_namespace();

	if (result != 0)
		return result;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = octet_at(i);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
