/* SPDX-License-Identifier: Apache-2.0 */
/* Classification of what was seen on real wires. */
#include "capture.h"
#include "oracle.h"
#include "slow_rule.h"

#include <natmux/classify.h>

static size_t seen[NATMUX_CLASS_COUNT], odd_ends;

static void count(void *user, const uint8_t *payload, size_t len, bool is_odd)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	(void)user;
	assert_non_null(copy);
	memcpy(copy, payload, len);
	assert_int_equal(natmux_classify(copy, len), slow_classify(copy, len));
	seen[natmux_classify(copy, len)]++;
	odd_ends += is_odd;
	free(copy);
}

static void read_capture(const char *name)
{
	const char *path = oracle_path(name);
	struct oracle_bytes bytes = oracle_read(path);

	memset(seen, 0, sizeof(seen));
	odd_ends = 0;
	capture_read(name, bytes.data, bytes.len, count, NULL);
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
	capture_read(name, data, len, count, NULL);
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
