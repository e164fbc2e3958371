/* SPDX-License-Identifier: Apache-2.0 */
/* Captured datagrams as packets: lengths, checksums, and objects that no daemon would send. */
#include "test.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <natmux/error.h>
#include "ctl/capture_packet.h"

static struct nm_captured packet;

/* A good object with one member replaced by `value` (JSON text), or taken out when NULL. */
static json_t *datagram_with(const char *key, const char *value)
{
	json_t *json = json_loads("{\"time_us\":1790000000000001,\"class\":\"ike\","
				  "\"direction\":\"out\",\"local\":\"192.0.2.1:4500\","
				  "\"remote\":\"198.51.100.7:1027\",\"tos\":184,\"length\":5,"
				  "\"data\":\"AAAAAAE=\"}",
		0, NULL);

	assert_non_null(json);
	if (key && value)
		json_object_set_new(json, key, json_loads(value, JSON_DECODE_ANY, NULL));
	else if (key)
		json_object_del(json, key);
	return json;
}

static int decode(const char *key, const char *value)
{
	json_t *json = datagram_with(key, value);
	int result = nm_captured_decode(json, &packet);

	json_decref(json);
	return result;
}

static void expect_packet(uint8_t family, size_t payload, const char *what)
{
	struct nm_ip ip = {0};
	struct nm_udp udp = {0};

	assert_int_equal(nm_ip_decode(packet.data, packet.len, &ip), NM_IP_GOOD);
	assert_int_equal(ip.family, family);
	assert_int_equal(nm_udp_decode(&ip, &udp), NM_IP_GOOD);
	assert_int_equal(udp.len, payload);
	assert_memory_equal(udp.payload, what, payload);
	assert_int_equal(packet.wire_len, packet.len);
}

static void test_ipv4_both_directions(void **state)
{
	(void)state;
	assert_int_equal(decode(NULL, NULL), 0);
	expect_packet(NATMUX_FAMILY_IPV4, 5, "\0\0\0\0\1");
	assert_true(packet.time_us == 1790000000000001);
	assert_int_equal(packet.len, 33);
	assert_int_equal(packet.data[1], 184);
	assert_memory_equal(packet.data + 12, "\xc0\x00\x02\x01\xc6\x33\x64\x07", 8);
	assert_int_equal(nm_get16(packet.data + 20), 4500);
	assert_int_equal(decode("direction", "\"in\""), 0);
	assert_memory_equal(packet.data + 12, "\xc6\x33\x64\x07\xc0\x00\x02\x01", 8);
	assert_int_equal(nm_get16(packet.data + 22), 4500);
}

static void test_ipv6(void **state)
{
	json_t *json = datagram_with("local", "\"[2001:db8::1]:4500\"");

	(void)state;
	json_object_set_new(json, "remote", json_string("[fe80::1%3]:9"));
	assert_int_equal(nm_captured_decode(json, &packet), 0);
	expect_packet(NATMUX_FAMILY_IPV6, 5, "\0\0\0\0\1");
	assert_int_equal(packet.len, 53);
	json_decref(json);
}

static void test_local_that_the_kernel_chooses(void **state)
{
	(void)state;
	assert_int_equal(decode("local", "\"0.0.0.0\""), 0);
	assert_int_equal(nm_get16(packet.data + 20), 4500);
}

static void test_empty_datagram(void **state)
{
	json_t *json = datagram_with("data", "\"\"");

	(void)state;
	json_object_set_new(json, "length", json_integer(0));
	assert_int_equal(nm_captured_decode(json, &packet), 0);
	expect_packet(NATMUX_FAMILY_IPV4, 0, "");
	json_decref(json);
}

static void test_cut_datagram_has_no_checksum(void **state)
{
	(void)state;
	assert_int_equal(decode("length", "1400"), 0);
	assert_int_equal(packet.len, 33);
	assert_int_equal(packet.wire_len, 1428);
	assert_int_equal(nm_get16(packet.data + 2), 1428);
	assert_int_equal(nm_get16(packet.data + 24), 1408);
	assert_int_equal(nm_get16(packet.data + 26), 0);
}

static void test_largest(void **state)
{
	static uint8_t data[65507];
	static char text[sodium_base64_ENCODED_LEN(65507, sodium_base64_VARIANT_ORIGINAL)];
	json_t *json = datagram_with("length", "65507");

	(void)state;
	memset(data, 0xff, sizeof(data));
	sodium_bin2base64(text, sizeof(text), data, sizeof(data), sodium_base64_VARIANT_ORIGINAL);
	json_object_set_new(json, "data", json_string(text));
	assert_int_equal(nm_captured_decode(json, &packet), 0);
	assert_int_equal(packet.len, 65535);
	expect_packet(NATMUX_FAMILY_IPV4, 65507, (const char *)data);
	json_decref(json);
}

static void test_refuses(void **state)
{
	static const struct {
		const char *key, *value;
	} bad[] = {
		{"data", NULL},
		{"data", "7"},
		{"data", "\"A\""},
		{"data", "\"AAAA*AAA\""},
		{"data", "\"AAAAAAAA AAAA\""},
		{"data", "\"AAAAAAAAAAAAAAAA\""}, /* more than the length says */
		{"length", NULL},
		{"length", "4"},
		{"length", "-1"},
		{"length", "65508"},
		{"length", "99999999999"},
		{"length", "\"5\""},
		{"time_us", "-1"},
		{"local", NULL},
		{"local", "\"\""},
		{"local", "\"here\""},
		{"local", "[]"},
		{"local", "\"[2001:db8::1]:4500\""}, /* another family than the remote */
		{"remote", "null"},
		{"remote", "\"198.51.100.7:99999\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (decode(bad[i].key, bad[i].value) != NATMUX_EMALFORMED)
			fail_msg("accepted %s %s", bad[i].key, bad[i].value);
	assert_int_equal(nm_captured_decode(NULL, &packet), NATMUX_EMALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_both_directions),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_local_that_the_kernel_chooses),
		cmocka_unit_test(test_empty_datagram),
		cmocka_unit_test(test_cut_datagram_has_no_checksum),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
