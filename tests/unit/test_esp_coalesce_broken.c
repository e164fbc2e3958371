/* SPDX-License-Identifier: Apache-2.0 */
/* Packets whose checksums, lengths or headers are wrong: they go on as they came, by themselves. */
#include "esp_coalesce_test.h"

/* A packet of which one octet is changed and no checksum put right. */
static void add_spoilt(const struct inner_spec *spec, size_t at, uint8_t flip)
{
	uint8_t packet[2000];
	size_t len = inner_build(spec, packet);

	packet[at] ^= flip;
	add_bytes(packet, len);
}

/* RFC 3948 3.1.2: what was wrong must not become right in here. */
static void check_spoilt(uint8_t family, uint8_t protocol, size_t at)
{
	struct inner_spec first = inner_spec(family, protocol), second = next_of(&first),
			  third = next_of(&second);

	coalesce_check_begin(&check, true, true);
	add(&first);
	add_spoilt(&second, at, 1);
	add(&third);
	coalesce_check_flush(&check);
	if (check.delivered != 3 || check.merged > 0)
		fail_msg("IPv%u, protocol %u: octet %zu does not count", family, protocol, at);
	end();
}

static void test_wrong_checksums(void **state)
{
	(void)state;
	/* Payload, checksum field. */
	check_spoilt(4, TCP, 20 + 20 + 500);
	check_spoilt(4, TCP, 20 + 16);
	check_spoilt(6, TCP, 40 + 20 + 999);
	check_spoilt(6, TCP, 40 + 17);
	check_spoilt(4, UDP, 20 + 8 + 500);
	check_spoilt(4, UDP, 20 + 6);
	check_spoilt(6, UDP, 40 + 8 + 1);
	check_spoilt(6, UDP, 40 + 7);
	/* IPv4's own. */
	check_spoilt(4, TCP, 10);
	check_spoilt(4, TCP, 11);
	check_spoilt(4, UDP, 11);
}

/* All of a row with wrong IPv4 checksums: none may come out with a right one. */
static void test_wrong_header_checksums(void **state)
{
	struct inner_spec spec = inner_spec(4, TCP);

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (int i = 0; i < 5; i++) {
		add_spoilt(&spec, 10, 0x40);
		spec = next_of(&spec);
	}
	coalesce_check_flush(&check);
	assert_int_equal(check.delivered, 5);
	end();
}

/*
 * Changes two octets until a checksum field is `want`: what is left of the sum goes into them, and once
 * more for the carry.
 */
static void tune(uint8_t *packet, size_t field, size_t octets, uint16_t want)
{
	for (int i = 0; i < 3 && nm_get16(packet + field) != want; i++) {
		nm_put16(packet + octets,
			(uint16_t)(nm_get16(packet + octets) + nm_get16(packet + field)));
		inner_fix(packet);
	}
	assert_int_equal(nm_get16(packet + field), want);
}

/* Three in a row, of which the second has such a field, written otherwise. */
static void check_field(
	uint8_t protocol, size_t field, size_t octets, uint16_t right, uint16_t written)
{
	struct inner_spec spec = inner_spec(4, protocol);
	uint8_t packet[2000];
	size_t len;

	coalesce_check_begin(&check, true, true);
	add(&spec);
	spec = next_of(&spec);
	len = inner_build(&spec, packet);
	tune(packet, field, octets, right);
	nm_put16(packet + field, written);
	assert_true(inner_is_right(packet, len));
	add_bytes(packet, len);
	spec = next_of(&spec);
	add(&spec);
	end();
}

/* The same with IPv4's own checksum, which the identification brings there. */
static void check_ip_field(uint8_t protocol)
{
	struct inner_spec spec = inner_spec(4, protocol);
	uint8_t packet[2000];
	size_t len = inner_build(&spec, packet);

	tune(packet, 10, 4, 0);
	spec.id = (uint16_t)(nm_get16(packet + 4) - 1);
	coalesce_check_begin(&check, true, true);
	add(&spec);
	spec = next_of(&spec);
	inner_build(&spec, packet);
	assert_int_equal(nm_get16(packet + 10), 0);
	nm_put16(packet + 10, 0xffff);
	assert_true(inner_is_right(packet, len));
	add_bytes(packet, len);
	spec = next_of(&spec);
	add(&spec);
	end();
}

/*
 * All ones is zero to those who check, but not what anybody writes: it would not come out again. Nor
 * would a datagram without checksum whose sum happens to be right.
 */
static void test_other_zeros(void **state)
{
	(void)state;
	check_field(TCP, 36, 60, 0, 0xffff);
	check_field(UDP, 26, 60, 0xffff, 0);
	check_ip_field(TCP);
	check_ip_field(UDP);
}

static void test_udp_without_checksum(void **state)
{
	struct inner_spec spec = inner_spec(4, UDP);
	uint8_t packet[2000];

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (int i = 0; i < 3; i++) {
		size_t len = inner_build(&spec, packet);

		nm_put16(packet + 26, 0);
		add_bytes(packet, len);
		spec = next_of(&spec);
	}
	coalesce_check_flush(&check);
	assert_int_equal(check.delivered, 3);
	end();
}

/* UDP that says that it is shorter than IP does: octets behind it are nobody's. */
static void test_udp_length(void **state)
{
	static const uint16_t lens[] = {0, 7, 8, 100, 1007, 1009, 65535};
	uint8_t packet[2000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		struct inner_spec spec = inner_spec(4, UDP);

		coalesce_check_begin(&check, true, true);
		for (int n = 0; n < 3; n++) {
			size_t len = inner_build(&spec, packet);

			nm_put16(packet + 24, lens[i]);
			inner_fix(packet);
			add_bytes(packet, len);
			spec = next_of(&spec);
		}
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, 3);
		end();
	}
}

static void test_broken_tcp_headers(void **state)
{
	static const uint8_t offsets[] = {0, 0x10, 0x40, 0xf0};
	uint8_t packet[2000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct inner_spec spec = inner_spec(4, TCP);

		spec.payload_len = 30;
		coalesce_check_begin(&check, true, true);
		for (int n = 0; n < 3; n++) {
			size_t len = inner_build(&spec, packet);

			packet[20 + 12] = offsets[i];
			inner_fix(packet);
			add_bytes(packet, len);
			spec = next_of(&spec);
		}
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, 3);
		end();
	}
	/* Transport headers that are cut, down to nothing. */
	for (unsigned int len = 20; len < 40; len++) {
		struct inner_spec spec = inner_spec(4, len % 2 ? TCP : UDP);

		coalesce_check_begin(&check, true, true);
		inner_build(&spec, packet);
		nm_put16(packet + 2, (uint16_t)len);
		add_bytes(packet, len);
		add_bytes(packet, len);
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, 2);
		end();
	}
}

/* TFC padding is behind the packet, and stays there. */
static void test_tfc_padding(void **state)
{
	struct inner_spec spec = inner_spec(6, UDP);
	uint8_t packet[2000] = {0};

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (int i = 0; i < 10; i++) {
		size_t len = inner_build(&spec, packet);

		memset(packet + len, 0, 300);
		add_bytes(packet, len + 300);
		spec = next_of(&spec);
	}
	coalesce_check_flush(&check);
	assert_int_equal(check.delivered, 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_checksums),
		cmocka_unit_test(test_wrong_header_checksums),
		cmocka_unit_test(test_other_zeros),
		cmocka_unit_test(test_udp_without_checksum),
		cmocka_unit_test(test_udp_length),
		cmocka_unit_test(test_broken_tcp_headers),
		cmocka_unit_test(test_tfc_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
