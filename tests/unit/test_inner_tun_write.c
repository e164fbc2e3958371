/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel makes of packets that are written to the TUN device of the user ESP plane, and what
 * is learned when it does not take them.
 */
#include "inner_tun_host.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "tests/fakes/alloc_count.h"

/* The kernel changes its mind: one line, a reason, and from then on the caller cuts. */
static void test_kind_refused(void **state)
{
	static const int errors[] = {EINVAL, EIO};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		const struct nm_inner_tun_status *status;
		struct natmux_gathered packets[3];
		struct udp_peer peer;
		struct written super, single;

		open_alone();
		status = nm_inner_tun_status(a.queue);
		if (!status->uso.is_written) {
			print_message("skipped: this kernel has no USO (Linux 6.2)\n");
			close_host(&a);
			return;
		}
		peer = udp_peer_open(a.ip4);
		make_written(&super, &peer, 500);
		make_written(&single, &peer, 0);
		packets[0] = packets[2] = single.gathered;
		packets[1] = super.gathered;
		assert_int_equal(nm_inner_tun_write(a.queue, packets, 3), 3);
		expect(&peer, 500, 500);
		expect(&peer, 3000, 500);
		expect(&peer, 500, 500);
		/* The super-packet, and the harmless one that is offered to see why. */
		fake_sys_fail(FAKE_WRITEV, 1, 2, errors[i]);
		assert_int_equal(nm_inner_tun_write(a.queue, packets, 3), 1);
		assert_false(status->uso.is_written);
		assert_true(status->uso.is_read);
		assert_true(status->tso.is_written && status->tso.is_read);
		assert_non_null(strstr(status->uso.why, strerror(errors[i])));
		assert_int_equal(tape.lines, 1);
		assert_true(log_tape_has(&tape, "no more super-packets of UDP"));
		for (int k = 0; k < 10; k++)
			assert_int_equal(nm_inner_tun_write(a.queue, packets + 1, 2), 0);
		assert_int_equal(nm_inner_tun_write(a.queue, packets + 2, 1), 1);
		assert_int_equal(status->uncut, 11);
		assert_int_equal(status->written.drops, 0);
		assert_int_equal(status->written.packets, 5);
		assert_int_equal(status->written.super_packets, 1);
		assert_int_equal(status->written.bytes, 4 * 528 + 3028);
		assert_int_equal(tape.lines, 1);
		expect(&peer, 500, 500);
		expect(&peer, 500, 500);
		assert_true(udp_peer_is_empty(&peer));
		udp_peer_close(&peer);
		close_host(&a);
	}
}

/* A kernel that takes no super-packets of one type, and says so with `error`. */
static struct {
	uint8_t type;
	int error;
	unsigned int offered;
} picky;

static ssize_t picky_writev(int fd, const struct iovec *iov, int n)
{
	const uint8_t *vnet = iov[0].iov_base, *ip = iov[1].iov_base;

	if (vnet[1] != picky.type)
		return fake_sys.writev(fd, iov, n);
	/* Kinds of TCP are of one IP version. */
	assert_true(vnet[1] != 1 || ip[0] == 0x45);
	assert_true(vnet[1] != 4 || ip[0] == 0x60);
	picky.offered++;
	errno = picky.error;
	return -1;
}

/* Each kind alone: what is offered to see why is of the same kind, and TCP is one for both IPs. */
static void test_each_kind_refused(void **state)
{
	static const struct {
		uint8_t kind, type;
	} cases[] = {{NATMUX_OFFLOAD_TCP4, 1}, {NATMUX_OFFLOAD_TCP6, 4}, {NATMUX_OFFLOAD_UDP, 5}};
	struct nm_sys sys = fake_sys;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);
		const struct nm_inner_tun_status *status;
		bool is_udp = cases[i / 2].kind == NATMUX_OFFLOAD_UDP, had_uso;
		uint8_t ip[60] = {cases[i / 2].kind == NATMUX_OFFLOAD_TCP6 ? 0x60 : 0x45};
		struct natmux_gathered packet = {
			.offload = {.kind = cases[i / 2].kind, .header_len = 40, .segment = 9},
			.parts_len = 1,
			.parts = {{ip, sizeof(ip)}}};

		config.sys = &sys;
		sys.writev = fake_sys.writev;
		open_with(&a, &config);
		status = nm_inner_tun_status(a.queue);
		had_uso = status->uso.is_written;
		if (is_udp && !had_uso) {
			close_host(&a);
			break;
		}
		picky.type = cases[i / 2].type;
		picky.error = i % 2 ? EIO : EINVAL;
		picky.offered = 0;
		sys.writev = picky_writev;
		for (int k = 0; k < 5; k++)
			assert_int_equal(nm_inner_tun_write(a.queue, &packet, 1), 0);
		assert_int_equal(picky.offered, 2);
		assert_true(status->tso.is_written == is_udp);
		assert_true(status->uso.is_written == (had_uso && !is_udp));
		assert_true(status->tso.is_read && status->uso.is_read == had_uso);
		assert_int_equal(status->uncut, 5);
		assert_int_equal(status->written.drops, 0);
		assert_int_equal(tape.lines, 1);
		assert_true(log_tape_has(&tape, is_udp ? "of UDP" : "of TCP"));
		close_host(&a);
	}
}

/* One packet that the kernel does not like says nothing about the others. */
static void test_packet_refused(void **state)
{
	struct udp_peer peer;
	struct written super;

	(void)state;
	open_alone();
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	if (nm_inner_tun_status(a.queue)->uso.is_written) {
		for (uint64_t i = 1; i <= 50; i++) {
			fake_sys_fail(FAKE_WRITEV, 0, 1, EINVAL);
			assert_int_equal(nm_inner_tun_write(a.queue, &super.gathered, 1), 0);
			assert_int_equal(nm_inner_tun_status(a.queue)->uncut, i);
			assert_int_equal(nm_inner_tun_write(a.queue, &super.gathered, 1), 1);
			expect(&peer, 3000, 500);
		}
		assert_true(nm_inner_tun_status(a.queue)->uso.is_written);
		/* The kernel's own opinion: no datagrams of 65535 octets in a train */
		super.gathered.offload.segment = 0xffff;
		assert_int_equal(nm_inner_tun_write(a.queue, &super.gathered, 1), 0);
		assert_true(nm_inner_tun_status(a.queue)->uso.is_written);
		assert_int_equal(nm_inner_tun_status(a.queue)->written.drops, 0);
		assert_int_equal(tape.lines, 0);
	}
	assert_true(udp_peer_is_empty(&peer));
	udp_peer_close(&peer);
	close_host(&a);
}

/* Other errors are about the moment: the packet is lost, super or not. */
static void test_write_fails(void **state)
{
	struct natmux_gathered packets[3];
	struct udp_peer peer;
	struct written super, single;
	size_t n = 2;

	(void)state;
	open_alone();
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	make_written(&single, &peer, 0);
	packets[0] = packets[1] = single.gathered;
	if (nm_inner_tun_status(a.queue)->uso.is_written)
		packets[n++] = super.gathered;
	for (unsigned int i = 0; i < 300; i++) {
		unsigned int lost = i % (unsigned int)n;

		fake_sys_fail(FAKE_WRITEV, lost, 1, i % 2 ? ENOMEM : EAGAIN);
		assert_int_equal(nm_inner_tun_write(a.queue, packets, n), n);
		for (unsigned int k = 0; k < n; k++)
			if (k != lost)
				expect(&peer, k == 2 ? 3000 : 500, 500);
	}
	assert_int_equal(nm_inner_tun_status(a.queue)->written.drops, 300);
	assert_int_equal(nm_inner_tun_status(a.queue)->uncut, 0);
	assert_int_equal(tape.lines, 2); /* one per errno */
	assert_true(udp_peer_is_empty(&peer));
	udp_peer_close(&peer);
	close_host(&a);
}

static void set_link(const char *name, short flags)
{
	struct ifreq ifr = {.ifr_flags = flags};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	close(fd);
}

/* `ip link set down` and up again: packets are lost, offloads are not. */
static void test_link_down(void **state)
{
	const struct nm_inner_tun_status *status;
	struct natmux_gathered packets[3];
	struct udp_peer peer;
	struct written super, single;

	(void)state;
	open_alone();
	status = nm_inner_tun_status(a.queue);
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	make_written(&single, &peer, 0);
	packets[0] = packets[2] = single.gathered;
	packets[1] = status->uso.is_written ? super.gathered : single.gathered;
	set_link(nm_inner_tun_name(a.tun), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(nm_inner_tun_write(a.queue, packets, 3), 3);
	assert_int_equal(status->written.drops, 60);
	assert_int_equal(status->uncut, 0);
	assert_int_equal(tape.lines, 1);
	set_link(nm_inner_tun_name(a.tun), IFF_UP | IFF_RUNNING);
	assert_int_equal(nm_inner_tun_write(a.queue, packets, 3), 3);
	expect(&peer, 500, 500);
	expect(&peer, status->uso.is_written ? 3000 : 500, 500);
	expect(&peer, 500, 500);
	assert_int_equal(status->written.drops, 60);
	udp_peer_close(&peer);
	close_host(&a);
}

/* Without virtio headers nobody completes checksums. */
static void test_write_without_vnet(void **state)
{
	struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);
	struct written super, single;
	struct natmux_inner whole;
	struct udp_peer peer;
	uint8_t *udp;

	(void)state;
	fake_sys_fail(FAKE_IOCTL, 0, 1, EINVAL); /* TUNGETFEATURES */
	open_with(&a, &config);
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	make_written(&single, &peer, 0);
	assert_int_equal(nm_inner_tun_write(a.queue, &super.gathered, 1), 0);
	assert_int_equal(nm_inner_tun_write(a.queue, &single.gathered, 1), 0);
	assert_int_equal(nm_inner_tun_status(a.queue)->uncut, 2);
	udp = single.data + 20;
	nm_put16(udp + 6, (uint16_t)~inet_sum(udp, 508, 0)); /* the field has the pseudo header's */
	single.gathered.offload = (struct natmux_offload){0};
	assert_int_equal(nm_inner_tun_write(a.queue, &single.gathered, 1), 1);
	expect(&peer, 500, 500);
	assert_true(udp_peer_is_empty(&peer));
	send_to_far(&a, 1, 100);
	assert_int_equal(nm_inner_tun_read(a.queue, &whole, 1), 1);
	check_packet(&whole); /* checksum and all */
	udp_peer_close(&peer);
	close_host(&a);
}

static void test_allocates_nothing(void **state)
{
	struct written super, single;
	struct natmux_inner packets[8];
	struct udp_peer peer;
	unsigned long before;

	(void)state;
	open_alone();
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	make_written(&single, &peer, 0);
	before = alloc_count();
	assert_true(before > 0);
	for (int i = 0; i < 50; i++) {
		send_to_far(&a, 3, 100);
		fake_sys_fail(FAKE_WRITEV, 0, i % 10 == 0 ? 1 : 0, EINVAL);
		nm_inner_tun_write(a.queue, &super.gathered, 1);
		assert_int_equal(nm_inner_tun_write(a.queue, &single.gathered, 1), 1);
		assert_in_range(nm_inner_tun_read(a.queue, packets, 8), 3, 8);
	}
	fake_sys_fail(FAKE_WRITEV, 0, 2, EINVAL);
	nm_inner_tun_write(a.queue, &super.gathered, 1);
	assert_int_equal(alloc_count(), before);
	udp_peer_close(&peer);
	close_host(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kind_refused, setup, tidy),
		cmocka_unit_test_setup_teardown(test_each_kind_refused, setup, tidy),
		cmocka_unit_test_setup_teardown(test_packet_refused, setup, tidy),
		cmocka_unit_test_setup_teardown(test_write_fails, setup, tidy),
		cmocka_unit_test_setup_teardown(test_link_down, setup, tidy),
		cmocka_unit_test_setup_teardown(test_write_without_vnet, setup, tidy),
		cmocka_unit_test_setup_teardown(test_allocates_nothing, setup, tidy),
	};
	int result = enter_namespace();

	if (result != 0)
		return result;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = octet_at(i);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
