/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger rows N8, E14: which packets transport mode carries, and the headers that they get back. */
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "esp/transport.h"
#include "tests/fakes/inner_packets.h"

enum { TCP = 6, UDP = 17, ICMP = 1, ROOM = 1 << 16, GUARD = 0xa5 };

static struct natmux_path path_of(const char *local, const char *remote)
{
	struct natmux_path path = {0};

	assert_int_equal(natmux_addr_parse(local, 0, &path.local), 0);
	assert_int_equal(natmux_addr_parse(remote, 0, &path.remote), 0);
	return path;
}

/* RFC 4303 3.3.4: no fragment; and nothing between the IP header and what is sealed. */
static void test_what_is_carried(void **state)
{
	static const struct {
		uint8_t family, options;
		uint16_t fragment;
		bool is_carried;
	} cases[] = {
		{4, 0, INNER_DF, true},
		{4, 0, 0, true},
		{6, 0, 0, true},
		{4, 4, 0, false},
		{6, 8, 0, false},
		{4, 0, INNER_MF, false},
		{4, 0, 1, false},
		{4, 0, INNER_MF | 100, false},
	};
	static uint8_t packet[ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct inner_spec spec = inner_spec(cases[i].family, UDP);
		struct nm_inner_info info;
		size_t len;

		spec.ip_options = cases[i].options;
		spec.fragment = cases[i].fragment;
		len = inner_build(&spec, packet);
		assert_true(nm_inner_read(packet, len, &info));
		assert_int_equal(nm_transport_fits(&info), cases[i].is_carried);
	}
}

/* A payload too short for a checksum stays as it is, and what is behind it, too. */
static void test_short_payloads(void **state)
{
	const struct natmux_path path = path_of("192.0.2.1:4500", "192.0.2.2:4500");
	static const struct {
		uint8_t protocol;
		uint32_t longest; /* without a whole checksum */
	} cases[] = {{TCP, 17}, {UDP, 7}, {ICMP, 40}};
	uint8_t payload[64], header[NM_IP6_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (uint32_t len = 0; len <= cases[i].longest; len++) {
			memset(payload, GUARD, sizeof(payload));
			assert_int_equal(nm_transport_restore(
						 &path, 0, cases[i].protocol, payload, len, header),
				NM_IP4_MIN);
			for (size_t at = 0; at < sizeof(payload); at++)
				assert_int_equal(payload[at], GUARD);
			assert_int_equal(nm_get16(header + 2), NM_IP4_MIN + len);
			assert_int_equal(inner_sum(0, header, NM_IP4_MIN), 0);
		}
	}
}

/* RFC 768: a sum that comes out as zero is sent as all ones. Of 2^16 datagrams one is like that. */
static void test_sum_of_zero(void **state)
{
	const struct natmux_path path = path_of("192.0.2.1:4500", "203.0.113.9:999");
	uint8_t payload[10], whole[NM_IP6_LEN + sizeof(payload)];
	unsigned int all_ones = 0;

	(void)state;
	for (unsigned int data = 0; data <= UINT16_MAX; data++) {
		memset(payload, 0, sizeof(payload));
		nm_put16(payload + 4, sizeof(payload));
		nm_put16(payload + 6, 1); /* some checksum: there is to be one */
		nm_put16(payload + 8, (uint16_t)data);
		assert_int_equal(
			nm_transport_restore(&path, 0, UDP, payload, sizeof(payload), whole),
			NM_IP4_MIN);
		memcpy(whole + NM_IP4_MIN, payload, sizeof(payload));
		assert_int_not_equal(nm_get16(payload + 6), 0);
		all_ones += nm_get16(payload + 6) == 0xffff;
		if (data % 251 == 0 || nm_get16(payload + 6) == 0xffff)
			assert_true(inner_is_right(whole, NM_IP4_MIN + sizeof(payload)));
	}
	assert_int_equal(all_ones, 1);
}

static void test_headers(void **state)
{
	const struct natmux_path v4 = path_of("192.0.2.1:4500", "203.0.113.9:999");
	const struct natmux_path v6 = path_of("[2001:db8::1]:4500", "[2001:db8::9]:999");
	struct natmux_path mixed = v4, nobody = {0};
	uint8_t payload[100] = {0}, header[NM_IP6_LEN];

	(void)state;
	mixed.local = v6.local;
	assert_int_equal(nm_transport_restore(&mixed, 0, ICMP, payload, 100, header), 0);
	assert_int_equal(nm_transport_restore(&nobody, 0, ICMP, payload, 100, header), 0);
	assert_int_equal(nm_transport_restore(&v4, 0, ICMP, payload, UINT16_MAX - 39, header), 0);
	assert_int_equal(nm_transport_restore(&v4, 0xb9, ICMP, payload, 100, header), NM_IP4_MIN);
	assert_int_equal(header[0], 0x45);
	assert_int_equal(header[1], 0xb9);
	assert_int_equal(header[9], ICMP);
	assert_memory_equal(header + 12, v4.remote.ip, 4);
	assert_memory_equal(header + 16, v4.local.ip, 4);
	assert_int_equal(nm_transport_restore(&v6, 0xb9, ICMP, payload, 100, header), NM_IP6_LEN);
	assert_int_equal(nm_get32(header), 0x6b900000);
	assert_int_equal(nm_get16(header + 4), 100);
	assert_int_equal(header[6], ICMP);
	assert_memory_equal(header + 8, v6.remote.ip, 16);
	assert_memory_equal(header + 24, v6.local.ip, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_carried),
		cmocka_unit_test(test_short_payloads),
		cmocka_unit_test(test_sum_of_zero),
		cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
