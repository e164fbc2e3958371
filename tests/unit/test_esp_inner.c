/* SPDX-License-Identifier: Apache-2.0 */
/* What inner packets say about themselves, and what is none. Ledger rows A2, E11, E14. */
#include "hex.h"
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include "esp/inner.h"

enum { ROOM = 1024 };

/* Parts of headers: what is between them is the line's own. */
#define FROM4 "0a010007 0a020007"
#define FROM6 "fd000000 00000000 00000000 00000107 fd000000 00000000 00000000 00000207"
#define PORTS "01bb c350"
#define FOUR  "11223344"

static const struct {
	const char *name, *packet;
	size_t behind; /* octets of TFC padding */
	uint8_t family, protocol;
	bool is_fragment, has_ports;
	uint8_t tos;
	uint16_t len, transport;
} good[] = {
	{"IPv4 alone", "45000014 00000000 403b0000" FROM4, 0, 4, 59, false, false, 0, 20, 20},
	{"IPv4, no protocol", "45000014 00000000 40000000" FROM4, 0, 4, 0, false, false, 0, 20, 20},
	{"TCP", "45b80018 00004000 40060000" FROM4 PORTS, 0, 4, 6, false, true, 0xb8, 24, 20},
	{"UDP", "45010018 00000000 40110000" FROM4 PORTS, 0, 4, 17, false, true, 1, 24, 20},
	{"UDP-Lite", "45000018 00000000 40880000" FROM4 PORTS, 0, 4, 136, false, true, 0, 24, 20},
	{"SCTP", "45000018 00000000 40840000" FROM4 PORTS, 0, 4, 132, false, true, 0, 24, 20},
	{"DCCP", "45000018 00000000 40210000" FROM4 PORTS, 0, 4, 33, false, true, 0, 24, 20},
	{"ICMP", "45000018 00000000 40010000" FROM4 FOUR, 0, 4, 1, false, false, 0, 24, 20},
	{"GRE", "45000018 00000000 402f0000" FROM4 FOUR, 0, 4, 47, false, false, 0, 24, 20},
	{"ESP", "45000018 00000000 40320000" FROM4 FOUR, 0, 4, 50, false, false, 0, 24, 20},
	{"half of the ports", "45000017 00000000 40110000" FROM4 "112233", 0, 4, 17, false, false,
		0, 23, 20},
	{"none of the ports", "45000014 00000000 40060000" FROM4, 0, 4, 6, false, false, 0, 20, 20},
	{"TFC padding", "45000018 00000000 40110000" FROM4 PORTS, 100, 4, 17, false, true, 0, 24,
		20},
	{"TFC padding is no port", "45000014 00000000 40110000" FROM4, 100, 4, 17, false, false, 0,
		20, 20},
	{"options", "4600001c 00000000 40110000" FROM4 "01010101" PORTS, 0, 4, 17, false, true, 0,
		28, 24},
	{"most options",
		"4f000040 00000000 40060000" FROM4
		"01010101 01010101 01010101 01010101 01010101 01010101 01010101 01010101 01010101 "
		"01010101" PORTS,
		0, 4, 6, false, true, 0, 64, 60},
	{"first fragment", "45000018 00002000 40110000" FROM4 PORTS, 0, 4, 17, true, true, 0, 24,
		20},
	{"later fragment", "45000018 00002001 40110000" FROM4 FOUR, 0, 4, 17, true, false, 0, 24,
		20},
	{"last fragment", "45000018 00001fff 40060000" FROM4 FOUR, 0, 4, 6, true, false, 0, 24, 20},
	{"DF", "45000018 00004000 40110000" FROM4 PORTS, 0, 4, 17, false, true, 0, 24, 20},
	{"reserved flag", "45000018 00008000 40110000" FROM4 PORTS, 0, 4, 17, false, true, 0, 24,
		20},
	{"IPv6 alone", "60000000 00003b40" FROM6, 0, 6, 59, false, false, 0, 40, 40},
	{"TCP, IPv6", "6b812345 00040640" FROM6 PORTS, 0, 6, 6, false, true, 0xb8, 44, 40},
	{"UDP, IPv6", "60100000 00041140" FROM6 PORTS, 0, 6, 17, false, true, 1, 44, 40},
	{"ICMPv6", "60000000 00043a40" FROM6 FOUR, 0, 6, 58, false, false, 0, 44, 40},
	{"AH is no extension here", "60000000 00083340" FROM6 "06000000" FOUR, 0, 6, 51, false,
		false, 0, 48, 40},
	{"half of the ports, IPv6", "60000000 00031140" FROM6 "112233", 0, 6, 17, false, false, 0,
		43, 40},
	{"TFC padding, IPv6", "60000000 00041140" FROM6 PORTS, 7, 6, 17, false, true, 0, 44, 40},
	{"hop by hop", "60000000 000c0040" FROM6 "11000104 00000000" PORTS, 0, 6, 17, false, true,
		0, 52, 48},
	{"destination", "60000000 00143c40" FROM6 "06010104 00000000 00000000 00000000" PORTS, 0, 6,
		6, false, true, 0, 60, 56},
	{"routing", "60000000 000c2b40" FROM6 "06000000 00000000" PORTS, 0, 6, 6, false, true, 0,
		52, 48},
	{"three of them",
		"60000000 001c0040" FROM6
		"2b000104 00000000 3c000000 00000000 11000104 00000000" PORTS,
		0, 6, 17, false, true, 0, 68, 64},
	{"eight of them",
		"60000000 00443c40" FROM6
		"3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000"
		"3c000104 00000000 3c000104 00000000 3c000104 00000000 06000104 00000000" PORTS,
		0, 6, 6, false, true, 0, 108, 104},
	{"first fragment, IPv6", "60000000 000c2c40" FROM6 "11000001 00000007" PORTS, 0, 6, 17,
		true, true, 0, 52, 48},
	{"later fragment, IPv6", "60000000 000c2c40" FROM6 "11000009 00000007" FOUR, 0, 6, 17, true,
		false, 0, 52, 48},
	{"last fragment, IPv6", "60000000 000c2c40" FROM6 "06000008 00000007" FOUR, 0, 6, 6, true,
		false, 0, 52, 48},
	/* RFC 6946: a fragment header around all of a packet */
	{"atomic fragment", "60000000 000c2c40" FROM6 "11000000 00000007" PORTS, 0, 6, 17, false,
		true, 0, 52, 48},
	{"atomic fragment with reserved bits", "60000000 000c2c40" FROM6 "11ff0006 00000007" PORTS,
		0, 6, 17, false, true, 0, 52, 48},
	{"fragment of an atomic fragment",
		"60000000 00142c40" FROM6 "2c000001 00000007 11000000 00000007" PORTS, 0, 6, 17,
		true, true, 0, 60, 56},
	/* what follows is data, and not an extension that is cut off */
	{"later fragment of options", "60000000 00082c40" FROM6 "3c000009 00000007", 0, 6, 60, true,
		false, 0, 48, 48},
	{"extension without anything", "60000000 00083c40" FROM6 "3b000104 00000000", 0, 6, 59,
		false, false, 0, 48, 48},
};

static const struct {
	const char *name, *packet;
} bad[] = {
	{"nothing", ""},
	{"one octet", "45"},
	{"version 0", "05000014 00000000 40110000" FROM4},
	{"version 5", "55000014 00000000 40110000" FROM4},
	{"version 7", "75000014 00000000 40110000" FROM4},
	{"version 15", "f5000014 00000000 40110000" FROM4},
	{"header of 16", "44000014 00000000 40110000" FROM4},
	{"header of 0", "40000014 00000000 40110000" FROM4},
	{"length 0", "45000000 00000000 40110000" FROM4},
	{"length below the header", "45000013 00000000 40110000" FROM4},
	{"length below the options", "46000017 00000000 40110000" FROM4 "01010101"},
	{"one octet missing", "45000015 00000000 40110000" FROM4},
	{"longest length", "4500ffff 00000000 40110000" FROM4},
	{"options missing", "4f000014 00000000 40110000" FROM4},
	{"IPv6 cut", "60000000 00003b40 fd000000 00000000 00000000 00000107 fd000000 00000000"},
	{"one octet missing, IPv6", "60000000 00013b40" FROM6},
	{"longest length, IPv6", "60000000 ffff3b40" FROM6},
	{"jumbogram", "60000000 00000040" FROM6 "3b00c204 00010000"},
	{"no room for an extension", "60000000 00073c40" FROM6 "3b000104 000000"},
	{"extension longer than the packet", "60000000 000c3c40" FROM6 "3b010104 00000000" FOUR},
	{"longest extension", "60000000 000c3c40" FROM6 "3bff0104 00000000" FOUR},
	{"second extension cut", "60000000 000c0040" FROM6 "3c000104 00000000" FOUR},
	{"fragment header cut", "60000000 00042c40" FROM6 "11000000"},
	{"fragment header of two octets", "60000000 00022c40" FROM6 "1100"},
	{"nine extensions",
		"60000000 004c3c40" FROM6
		"3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000"
		"3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000"
		"06000104 00000000" PORTS},
	{"extensions for ever",
		"60000000 00583c40" FROM6
		"3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000"
		"3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000"
		"3c000104 00000000 3c000104 00000000 3c000104 00000000"},
};

/* A block of exactly so many octets, so that a sanitizer sees the first one more. */
static bool read_exact(
	const uint8_t *packet, size_t len, struct nm_inner_info *info, uint8_t **copy)
{
	*copy = malloc(len > 0 ? len : 1);
	assert_non_null(*copy);
	memcpy(*copy, packet, len);
	return nm_inner_read(*copy, len, info);
}

static void check_good(size_t line, const uint8_t *packet, size_t len)
{
	struct nm_inner_info info;
	uint8_t *copy;

	if (!read_exact(packet, len, &info, &copy))
		fail_msg("%s: not read", good[line].name);
	if (info.family != good[line].family || info.protocol != good[line].protocol ||
		info.is_fragment != good[line].is_fragment ||
		info.has_ports != good[line].has_ports || info.tos != good[line].tos ||
		info.len != good[line].len || info.transport != good[line].transport)
		fail_msg("%s: family %u protocol %u fragment %d ports %d tos %u len %u at %u",
			good[line].name, info.family, info.protocol, info.is_fragment,
			info.has_ports, info.tos, info.len, info.transport);
	assert_int_equal(info.source_port, info.has_ports ? 443 : 0);
	assert_int_equal(info.destination_port, info.has_ports ? 50000 : 0);
	assert_ptr_equal(info.source, copy + (info.family == 4 ? 12 : 8));
	assert_ptr_equal(info.destination, copy + (info.family == 4 ? 16 : 24));
	free(copy);
}

static void test_good(void **state)
{
	uint8_t packet[ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		size_t len = unhex(good[i].packet, packet);

		assert_int_equal(len, good[i].len);
		memset(packet + len, 0, good[i].behind);
		check_good(i, packet, len + good[i].behind);
	}
}

static void check_bad(const char *name, const uint8_t *packet, size_t len)
{
	struct nm_inner_info info, before;
	uint8_t *copy;

	memset(&info, 0x5c, sizeof(info));
	before = info;
	if (read_exact(packet, len, &info, &copy))
		fail_msg("%s, %zu octets: read", name, len);
	assert_memory_equal(&info, &before, sizeof(info));
	free(copy);
}

static void test_bad(void **state)
{
	uint8_t packet[ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check_bad(bad[i].name, packet, unhex(bad[i].packet, packet));
}

/* What is cut says that it is longer than it is, wherever the knife went. */
static void test_cut(void **state)
{
	uint8_t packet[ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		size_t len = unhex(good[i].packet, packet);

		for (size_t cut = 0; cut < len; cut++)
			check_bad(good[i].name, packet, cut);
	}
}

/* The longest there are: 65535 octets in either family. */
static void test_longest(void **state)
{
	static uint8_t packet[70000];
	struct nm_inner_info info;

	(void)state;
	assert_int_equal(unhex("4500ffff 00000000 40110000" FROM4 PORTS, packet), 24);
	assert_true(nm_inner_read(packet, 65535, &info));
	assert_int_equal(info.len, 65535);
	assert_false(nm_inner_read(packet, 65534, &info));
	assert_int_equal(unhex("60000000 ffd71140" FROM6 PORTS, packet), 44);
	assert_true(nm_inner_read(packet, sizeof(packet), &info));
	assert_int_equal(info.len, 65535);
	assert_int_equal(unhex("60000000 ffd81140" FROM6 PORTS, packet), 44);
	assert_false(nm_inner_read(packet, sizeof(packet), &info));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
