/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums, IP and UDP headers, against packets that scapy made and a checksum done by hand. */
#include "test.h"

#include <stdlib.h>
#include <natmux/addr.h>
#include "hex.h"
#include "tests/fakes/inet_sum.h"
#include "wire/udp.h"

static void test_checksum_known(void **state)
{
	/* RFC 1071 3: the sum is ddf2. */
	static const uint8_t rfc1071[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	uint8_t field[2];

	(void)state;
	nm_sum_put_partial(field, nm_sum_bytes(0, rfc1071, sizeof(rfc1071)));
	assert_int_equal(nm_get16(field), 0xddf2);
	nm_sum_put(field, nm_sum_bytes(0, rfc1071, sizeof(rfc1071)));
	assert_int_equal(nm_get16(field), 0x220d);
	nm_sum_put(field, nm_sum_bytes(0, rfc1071, 0));
	assert_int_equal(nm_get16(field), 0xffff);
}

/* Every length, every alignment, carries that run over all 64 bits, in one piece and in two. */
static void test_checksum_against_hand(void **state)
{
	uint8_t bytes[300 + 8], field[2];

	(void)state;
	srand(1);
	for (size_t len = 0; len <= 300; len++) {
		size_t offset = len % 8, cut = len > 0 ? (size_t)rand() % len & ~(size_t)1 : 0;
		bool is_full = len % 3 == 0;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = is_full ? 0xff : (uint8_t)rand();
		nm_sum_put(field, nm_sum_bytes(0, bytes + offset, len));
		assert_int_equal(nm_get16(field), (uint16_t)~inet_sum(bytes + offset, len, 0));
		nm_sum_put(field, nm_sum_bytes(nm_sum_bytes(0, bytes + offset, cut),
					  bytes + offset + cut, len - cut));
		assert_int_equal(nm_get16(field), (uint16_t)~inet_sum(bytes + offset, len, 0));
	}
}

struct scapy_packet {
	const char *source, *destination;
	uint8_t tos;
	const char *payload, *packet;
};

/* scapy 2.5: IP(…, id=0, flags="DF")/UDP()/Raw(), IPv6(…, hlim=64)/UDP()/Raw(). */
static const struct scapy_packet scapy_packets[] = {
	{"100.64.0.9:4500", "100.64.0.1:14500", 3, "000000000123456789abcdef01",
		"4503002900004000401172376440000964400001119438a400154ddc00000000"
		"0123456789abcdef01"},
	{"[fd6e:6174:6d75::9]:4500", "[fd6e:6174:6d75::1]:14500", 0xb9,
		"12345678000000017061796c6f6164206f6620455350",
		"6b900000001e1140fd6e61746d7500000000000000000009fd6e61746d750000"
		"0000000000000001119438a4001e13c612345678000000017061796c6f616420"
		"6f6620455350"},
	{"192.0.2.1:4500", "203.0.113.5:4500", 0, "",
		"4500001c0000400040113ccac0000201cb007105119411940008deae"},
	/* A sum of zero, sent as ffff. */
	{"192.0.2.1:4500", "203.0.113.5:4500", 0, "deaa",
		"4500001e0000400040113cc8c0000201cb00710511941194000affffdeaa"},
};

static void test_encode_as_scapy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scapy_packets); i++) {
		const struct scapy_packet *c = &scapy_packets[i];
		uint8_t payload[64], expected[128], stack[NM_UDP_STACK_MAX];
		size_t payload_len = unhex(c->payload, payload), len = unhex(c->packet, expected);
		struct natmux_addr source, destination;
		size_t stack_len;

		assert_int_equal(natmux_addr_parse(c->source, 0, &source), 0);
		assert_int_equal(natmux_addr_parse(c->destination, 0, &destination), 0);
		stack_len =
			nm_udp_encode(stack, &source, &destination, c->tos, payload, payload_len);
		assert_int_equal(stack_len + payload_len, len);
		assert_memory_equal(stack, expected, stack_len);
	}
}

static void test_decode_what_scapy_made(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scapy_packets); i++) {
		const struct scapy_packet *c = &scapy_packets[i];
		uint8_t payload[64], packet[128];
		size_t payload_len = unhex(c->payload, payload), len = unhex(c->packet, packet);
		struct natmux_addr source, destination;
		struct nm_ip ip = {0};
		struct nm_udp udp = {0};

		assert_int_equal(natmux_addr_parse(c->source, 0, &source), 0);
		assert_int_equal(natmux_addr_parse(c->destination, 0, &destination), 0);
		assert_int_equal(nm_ip_decode(packet, len, &ip), NM_IP_GOOD);
		assert_int_equal(ip.family, source.family);
		assert_int_equal(ip.tos, c->tos);
		assert_memory_equal(ip.source, source.ip, nm_ip_addr_len(ip.family));
		assert_memory_equal(ip.destination, destination.ip, nm_ip_addr_len(ip.family));
		assert_int_equal(nm_udp_decode(&ip, &udp), NM_IP_GOOD);
		assert_int_equal(udp.source_port, source.port);
		assert_int_equal(udp.destination_port, destination.port);
		assert_int_equal(udp.len, payload_len);
		assert_memory_equal(udp.payload, payload, payload_len);
	}
}

/* Options are stepped over, and what a link padded behind the packet is not part of it. */
static void test_decode_options_and_padding(void **state)
{
	uint8_t packet[128];
	size_t len = unhex("47000045000700004011e595c0000201cb007105940400000100000000"
			   "01ffff0029020c787878787878787878787878787878787878787878787878"
			   "787878787878787878",
		packet);
	struct nm_ip ip = {0};
	struct nm_udp udp = {0};

	(void)state;
	memset(packet + len, 0xee, 10);
	assert_int_equal(nm_ip_decode(packet, len + 10, &ip), NM_IP_GOOD);
	assert_int_equal(nm_udp_decode(&ip, &udp), NM_IP_GOOD);
	assert_int_equal(udp.len, 33);
	assert_int_equal(udp.payload[0], 'x');
	assert_int_equal(udp.destination_port, 65535);
}

/* No prefix of a packet is a packet, and no single wrong bit in it goes unseen by both readers. */
static void test_truncations_and_flips(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scapy_packets); i++) {
		uint8_t packet[128];
		size_t len = unhex(scapy_packets[i].packet, packet);
		struct nm_ip ip = {0};
		struct nm_udp udp = {0};

		for (size_t cut = 0; cut < len; cut++) {
			uint8_t *exact = malloc(cut > 0 ? cut : 1);

			memcpy(exact, packet, cut);
			assert_int_equal(nm_ip_decode(exact, cut, &ip), NM_IP_FORMAT);
			free(exact);
		}
		for (size_t bit = 0; bit < 8 * len; bit++) {
			bool is_summed = (packet[0] >> 4 == 4) || bit >= 64 || bit / 8 == 6;

			packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (is_summed && nm_ip_decode(packet, len, &ip) == NM_IP_GOOD &&
				nm_udp_decode(&ip, &udp) == NM_IP_GOOD)
				fail_msg("packet %zu with bit %zu wrong", i, bit);
			packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* One change to a good packet; the IPv4 header's checksum is put right again after it. */
struct change {
	const char *what;
	size_t packet; /* of scapy_packets */
	size_t at;
	uint8_t value;
	enum nm_ip_verdict ip, udp;
};

static void test_refusals(void **state)
{
	static const struct change changes[] = {
		{"version 5", 0, 0, 0x55, NM_IP_FORMAT, NM_IP_GOOD},
		{"header of 16 bytes", 0, 0, 0x44, NM_IP_FORMAT, NM_IP_GOOD},
		{"header longer than the packet", 0, 0, 0x4f, NM_IP_FORMAT, NM_IP_GOOD},
		{"total length below the header's", 0, 3, 19, NM_IP_FORMAT, NM_IP_GOOD},
		{"total length beyond the packet", 0, 3, 42, NM_IP_FORMAT, NM_IP_GOOD},
		{"total length cuts the UDP header", 0, 3, 27, NM_IP_GOOD, NM_IP_FORMAT},
		{"total length cuts the payload", 0, 3, 40, NM_IP_GOOD, NM_IP_FORMAT},
		{"more fragments", 0, 6, 0x20, NM_IP_FRAGMENT, NM_IP_GOOD},
		{"fragment offset", 0, 7, 1, NM_IP_FRAGMENT, NM_IP_GOOD},
		{"fragment offset, high part", 0, 6, 0x1f, NM_IP_FRAGMENT, NM_IP_GOOD},
		{"reserved flag", 0, 6, 0x80, NM_IP_GOOD, NM_IP_GOOD},
		{"ICMP", 0, 9, 1, NM_IP_GOOD, NM_IP_FORMAT},
		{"UDP length below its header's", 0, 25, 7, NM_IP_GOOD, NM_IP_FORMAT},
		{"UDP length beyond the packet", 0, 25, 22, NM_IP_GOOD, NM_IP_FORMAT},
		{"UDP length short of the payload", 0, 25, 20, NM_IP_GOOD, NM_IP_CHECKSUM},
		{"another source", 0, 15, 10, NM_IP_GOOD, NM_IP_CHECKSUM},
		{"IPv6: payload beyond the packet", 1, 5, 31, NM_IP_FORMAT, NM_IP_GOOD},
		{"IPv6: jumbogram", 1, 5, 0, NM_IP_GOOD, NM_IP_FORMAT},
		{"IPv6: fragment header", 1, 6, 44, NM_IP_FRAGMENT, NM_IP_GOOD},
		{"IPv6: hop-by-hop header", 1, 6, 0, NM_IP_GOOD, NM_IP_FORMAT},
		{"IPv6: routing header", 1, 6, 43, NM_IP_GOOD, NM_IP_FORMAT},
		{"IPv6: ESP", 1, 6, 50, NM_IP_GOOD, NM_IP_FORMAT},
		{"IPv6: UDP length beyond the packet", 1, 45, 31, NM_IP_GOOD, NM_IP_FORMAT},
		{"IPv6: UDP length below its header's", 1, 45, 0, NM_IP_GOOD, NM_IP_FORMAT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *c = &changes[i];
		uint8_t packet[128];
		size_t len = unhex(scapy_packets[c->packet].packet, packet);
		struct nm_ip ip = {0};
		struct nm_udp udp = {0};

		packet[c->at] = c->value;
		if (packet[0] == 0x45) {
			nm_put16(packet + 10, 0);
			nm_put16(packet + 10, (uint16_t)~inet_sum(packet, 20, 0));
		}
		if (nm_ip_decode(packet, len, &ip) != c->ip)
			fail_msg("IP: %s", c->what);
		if (c->ip == NM_IP_GOOD && nm_udp_decode(&ip, &udp) != c->udp)
			fail_msg("UDP: %s", c->what);
	}
}

/* RFC 768: zero means none. RFC 8200 8.1: not on IPv6. */
static void test_checksum_zero(void **state)
{
	uint8_t packet[128];
	size_t len = unhex(scapy_packets[0].packet, packet);
	struct nm_ip ip = {0};
	struct nm_udp udp = {0};

	(void)state;
	nm_put16(packet + 26, 0);
	assert_int_equal(nm_ip_decode(packet, len, &ip), NM_IP_GOOD);
	assert_int_equal(nm_udp_decode(&ip, &udp), NM_IP_GOOD);
	len = unhex(scapy_packets[1].packet, packet);
	nm_put16(packet + 46, 0);
	assert_int_equal(nm_ip_decode(packet, len, &ip), NM_IP_GOOD);
	assert_int_equal(nm_udp_decode(&ip, &udp), NM_IP_CHECKSUM);
}

/* A header and nothing behind it is a packet, though not one with UDP in it. */
static void test_header_alone(void **state)
{
	struct natmux_addr v4 = {.family = NATMUX_FAMILY_IPV4}, v6 = {.family = NATMUX_FAMILY_IPV6};
	uint8_t header[NM_IP6_HEADER_LEN];
	struct nm_ip ip = {0};
	struct nm_udp udp = {0};

	(void)state;
	assert_int_equal(nm_ip_encode(header, &v4, &v4, 0, NM_IP_PROTOCOL_UDP, 0), 20);
	assert_int_equal(nm_ip_decode(header, 20, &ip), NM_IP_GOOD);
	assert_int_equal(ip.len, 0);
	assert_int_equal(nm_udp_decode(&ip, &udp), NM_IP_FORMAT);
	assert_int_equal(nm_ip_encode(header, &v6, &v6, 0, NM_IP_PROTOCOL_UDP, 0), 40);
	assert_int_equal(nm_ip_decode(header, 40, &ip), NM_IP_GOOD);
	assert_int_equal(ip.len, 0);
	assert_int_equal(nm_udp_decode(&ip, &udp), NM_IP_FORMAT);
}

static void test_payload_max(void **state)
{
	(void)state;
	assert_int_equal(nm_udp_payload_max(NATMUX_FAMILY_IPV4), 65507);
	assert_int_equal(nm_udp_payload_max(NATMUX_FAMILY_IPV6), 65527);
}

static void test_outputs_untouched(void **state)
{
	static const uint8_t junk[60] = {0x46, 1, 2, 3};
	struct nm_ip ip, ip_before;
	struct nm_udp udp, udp_before;

	(void)state;
	memset(&ip, 0xa5, sizeof(ip));
	ip_before = ip;
	assert_int_equal(nm_ip_decode(junk, sizeof(junk), &ip), NM_IP_FORMAT);
	assert_int_equal(nm_ip_decode(NULL, 0, &ip), NM_IP_FORMAT);
	assert_memory_equal(&ip, &ip_before, sizeof(ip));
	memset(&udp, 0xa5, sizeof(udp));
	udp_before = udp;
	ip = (struct nm_ip){.protocol = NM_IP_PROTOCOL_UDP, .payload = junk, .len = 7};
	assert_int_equal(nm_udp_decode(&ip, &udp), NM_IP_FORMAT);
	assert_memory_equal(&udp, &udp_before, sizeof(udp));
}

/* What a device gets that completes checksums itself: the pseudo header's sum, not inverted. */
static void test_partial(void **state)
{
	uint8_t whole[NM_UDP_STACK_MAX], partial[NM_UDP_STACK_MAX + 22];
	const struct scapy_packet *c = &scapy_packets[1];
	struct natmux_addr source, destination;
	uint8_t payload[64];
	size_t len = unhex(c->payload, payload), stack_len;
	uint16_t completed;

	(void)state;
	assert_int_equal(natmux_addr_parse(c->source, 0, &source), 0);
	assert_int_equal(natmux_addr_parse(c->destination, 0, &destination), 0);
	stack_len = nm_udp_encode(whole, &source, &destination, c->tos, payload, len);
	assert_int_equal(
		nm_udp_encode_partial(partial, &source, &destination, c->tos, len), stack_len);
	assert_memory_equal(partial, whole, stack_len - 2);
	memcpy(partial + stack_len, payload, len);
	completed = (uint16_t)~inet_sum(partial + stack_len - 8, 8 + len, 0);
	assert_int_equal(completed, nm_get16(whole + stack_len - 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksum_known),
		cmocka_unit_test(test_checksum_against_hand),
		cmocka_unit_test(test_encode_as_scapy),
		cmocka_unit_test(test_decode_what_scapy_made),
		cmocka_unit_test(test_decode_options_and_padding),
		cmocka_unit_test(test_truncations_and_flips),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_checksum_zero),
		cmocka_unit_test(test_header_alone),
		cmocka_unit_test(test_payload_max),
		cmocka_unit_test(test_outputs_untouched),
		cmocka_unit_test(test_partial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
