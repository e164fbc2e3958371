/* SPDX-License-Identifier: Apache-2.0 */
/* Classification of what was seen on real wires, with a pcap reader of no more than that takes. */
#include "oracle.h"
#include "slow_rule.h"

#include <natmux/classify.h>

enum {
	FILE_HEADER = 24,
	RECORD_HEADER = 16,
	ETHERNET = 14,
	UDP = 8,
	PORT = 4500,
};

static size_t seen[NATMUX_CLASS_COUNT], odd_ends;

static uint32_t get_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void count(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	assert_int_equal(natmux_classify(copy, len), slow_classify(copy, len));
	seen[natmux_classify(copy, len)]++;
	free(copy);
}

/* What is behind Ethernet, IPv4 and UDP of a frame on the port, as far as it was captured. */
static void count_frame(const uint8_t *frame, size_t len)
{
	size_t ip_len, udp_len;
	const uint8_t *udp;

	if (len < ETHERNET + 20 || slow_number(frame, 12, 2) != 0x0800)
		return;
	ip_len = 4 * (size_t)(frame[ETHERNET] & 0xf);
	if (frame[ETHERNET] >> 4 != 4 || frame[ETHERNET + 9] != 17 || len < ETHERNET + ip_len + UDP)
		return;
	udp = frame + ETHERNET + ip_len;
	if (slow_number(udp, 0, 2) != PORT && slow_number(udp, 2, 2) != PORT)
		return;
	udp_len = (size_t)slow_number(udp, 4, 2);
	len -= ETHERNET + ip_len;
	if (udp_len < UDP || udp_len > len) {
		odd_ends++; /* cut by the snap length, or broken on purpose */
		udp_len = len;
	}
	count(udp + UDP, udp_len - UDP);
}

static void count_file(const char *name, const uint8_t *data, size_t len)
{
	size_t at = FILE_HEADER;

	assert_true(len >= FILE_HEADER);
	if (get_le32(data) != 0xa1b2c3d4 || (get_le32(data + 20) & 0xffff) != 1)
		fail_msg("%s is not a little-endian pcap file of Ethernet frames", name);
	while (len - at >= RECORD_HEADER) {
		size_t frame = get_le32(data + at + 8);

		at += RECORD_HEADER;
		if (frame > len - at)
			frame = len - at;
		count_frame(data + at, frame);
		at += frame;
	}
}

static void read_capture(const char *name)
{
	const char *path = oracle_path(name);
	struct oracle_bytes bytes = oracle_read(path);

	memset(seen, 0, sizeof(seen));
	odd_ends = 0;
	count_file(name, bytes.data, bytes.len);
	free(bytes.data);
}

static void assert_seen(size_t ike, size_t esp, size_t keepalives)
{
	assert_int_equal(seen[NATMUX_CLASS_IKE], ike);
	assert_int_equal(seen[NATMUX_CLASS_ESP], esp);
	assert_int_equal(seen[NATMUX_CLASS_KEEPALIVE], keepalives);
	assert_int_equal(seen[NATMUX_CLASS_STUN], 0);
}

/* The numbers are tshark's. */
static void test_tcpdump_captures(void **state)
{
	(void)state;
	read_capture("captures/espudp1.pcap");
	assert_seen(0, 8, 0);
	assert_int_equal(odd_ends, 0);
	read_capture("captures/isakmp4500.pcap");
	assert_seen(11, 8, 4);
	assert_int_equal(odd_ends, 0);
	assert_int_equal(seen[NATMUX_CLASS_RUNT], 0);
}

/* Made to make tcpdump read out of bounds: lengths that promise more than there is. */
static void test_broken_captures(void **state)
{
	size_t datagrams = 0;

	(void)state;
	read_capture("captures/isakmp-3948-oobr-2.pcap");
	for (size_t i = 0; i < NATMUX_CLASS_COUNT; i++)
		datagrams += seen[i];
	read_capture("captures/isakmp-rfc3948-oobr.pcap");
	for (size_t i = 0; i < NATMUX_CLASS_COUNT; i++)
		datagrams += seen[i];
	assert_int_equal(datagrams, 2);
	assert_int_equal(odd_ends, 1);
}

static void add_strongswan(const char *name, const uint8_t *data, size_t len)
{
	memset(seen, 0, sizeof(seen));
	odd_ends = 0;
	count_file(name, data, len);
	/* IKE_AUTH both ways, then twelve packets of the tunnel; nothing else is on the port. */
	if (seen[NATMUX_CLASS_IKE] < 2 || seen[NATMUX_CLASS_ESP] != 12)
		fail_msg("%s: %zu IKE, %zu ESP", name, seen[NATMUX_CLASS_IKE],
			seen[NATMUX_CLASS_ESP]);
	assert_int_equal(seen[NATMUX_CLASS_STUN], 0);
	assert_int_equal(seen[NATMUX_CLASS_RUNT], 0);
	assert_int_equal(odd_ends, 0);
}

static void test_strongswan_captures(void **state)
{
	(void)state;
	assert_int_equal(oracle_each("strongswan", ".pcap", add_strongswan), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcpdump_captures),
		cmocka_unit_test(test_broken_captures),
		cmocka_unit_test(test_strongswan_captures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
