/* SPDX-License-Identifier: Apache-2.0 */
/* Several queues of one TUN device: flows stay in theirs, and what one learns the others do not. */
#include "inner_tun_host.h"

/* A flow stays in its queue and in order; every queue writes. */
static void test_many_queues(void **state)
{
	enum { QUEUES = 4, FLOWS = 32, DATAGRAMS = 8 };
	struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);
	uint32_t flow_queue[FLOWS], next[FLOWS] = {0}, used[QUEUES] = {0}, got = 0;
	struct natmux_addr far = test_addr("10.99.0.77");
	struct udp_peer peers[FLOWS];
	struct natmux_inner packets[8];
	unsigned int queues_used = 0;

	(void)state;
	config.queues = QUEUES;
	config.ipv6.ip.family = NATMUX_FAMILY_NONE;
	open_with(&a, &config);
	assert_int_equal(nm_inner_tun_queues(a.tun), QUEUES);
	far.port = PORT;
	for (uint32_t f = 0; f < FLOWS; f++)
		peers[f] = udp_peer_open(a.ip4);
	for (uint32_t i = 0; i < FLOWS * DATAGRAMS; i++) {
		uint8_t datagram[2] = {(uint8_t)(i % FLOWS), (uint8_t)(i / FLOWS)};

		udp_peer_send(&peers[i % FLOWS], &far, datagram, 2, 0, 0);
	}
	for (uint32_t q = 0; q < QUEUES; q++) {
		struct nm_inner_tun_queue *queue = nm_inner_tun_queue(a.tun, q);
		size_t n;

		while ((n = nm_inner_tun_read(queue, packets, 8)) > 0) {
			for (size_t i = 0; i < n; i++, got++) {
				uint32_t flow = packets[i].data[28];

				check_packet(&packets[i]);
				assert_in_range(flow, 0, FLOWS - 1);
				flow_queue[flow] = next[flow] == 0 ? q : flow_queue[flow];
				assert_int_equal(flow_queue[flow], q);
				assert_int_equal(packets[i].data[29], next[flow]++);
				used[q]++;
			}
		}
		assert_int_equal(nm_inner_tun_status(queue)->read.packets, used[q]);
		queues_used += used[q] > 0;
	}
	assert_int_equal(got, FLOWS * DATAGRAMS);
	assert_true(queues_used > 1);
	for (uint32_t q = 0; q < QUEUES; q++) {
		struct nm_inner_tun_queue *queue = nm_inner_tun_queue(a.tun, q);
		struct written written;

		make_written(
			&written, &peers[q], nm_inner_tun_status(queue)->uso.is_written ? 500 : 0);
		assert_int_equal(nm_inner_tun_write(queue, &written.gathered, 1), 1);
		assert_int_equal(nm_inner_tun_status(queue)->written.packets, 1);
		expect(&peers[q], nm_inner_tun_status(queue)->uso.is_written ? 3000 : 500, 500);
	}
	for (uint32_t f = 0; f < FLOWS; f++)
		udp_peer_close(&peers[f]);
	close_host(&a);
}

/* What one queue learned does not touch the others: they may be other threads'. */
static void test_queues_are_apart(void **state)
{
	struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);
	struct written super;
	struct udp_peer peer;

	(void)state;
	config.queues = 2;
	open_with(&a, &config);
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	if (nm_inner_tun_status(nm_inner_tun_queue(a.tun, 0))->uso.is_written) {
		fake_sys_fail(FAKE_WRITEV, 0, 2, EINVAL);
		assert_int_equal(
			nm_inner_tun_write(nm_inner_tun_queue(a.tun, 0), &super.gathered, 1), 0);
		assert_int_equal(
			nm_inner_tun_write(nm_inner_tun_queue(a.tun, 1), &super.gathered, 1), 1);
		expect(&peer, 3000, 500);
	}
	udp_peer_close(&peer);
	close_host(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_queues, setup, tidy),
		cmocka_unit_test_setup_teardown(test_queues_are_apart, setup, tidy),
	};
	int result = enter_namespace();

	if (result != 0)
		return result;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = octet_at(i);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
