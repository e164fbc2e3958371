/* SPDX-License-Identifier: Apache-2.0 */
/* IKE headers: what may pass, what may open a flow, and real ones from recorded exchanges. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include "hex.h"
#include "wire/ike.h"
#include "wire/udp.h"

/* An IKE_SA_INIT request: header, then one payload of 8 bytes (SA, no proposal in it). */
#define SPI_I   "1122334455667788"
#define SPI_R   "99aabbccddeeff00"
#define NO_SPI  "0000000000000000"
#define PAYLOAD "0000000801020304"

static const char sa_init[] = "00000000" SPI_I NO_SPI "21202208 00000000 00000024" PAYLOAD;

static void test_known_fields(void **state)
{
	uint8_t d[64];
	size_t len = unhex("00000000" SPI_I SPI_R "2e202320 00000001 00000024" PAYLOAD, d);

	(void)state;
	assert_int_equal(len, 40);
	assert_int_equal(nm_ike_check(d, len), 0);
	assert_true(nm_ike_initiator_spi(d) == 0x1122334455667788);
	assert_true(nm_ike_responder_spi(d) == 0x99aabbccddeeff00);
	assert_int_equal(nm_ike_major(d), 2);
	assert_int_equal(nm_ike_exchange(d), NM_IKE2_AUTH);
	assert_int_equal(nm_ike_message_id(d), 1);
	assert_true(nm_ike_is_response(d));
	assert_true(nm_ike_is_encrypted(d, len));
}

struct header {
	const char *what, *hex;
	int error;
	bool opens, is_encrypted;
};

static const struct header accepted[] = {
	{"v2 IKE_SA_INIT", sa_init, 0, true, false},
	{"v2 its answer: has a flow", "00000000" SPI_I SPI_R "21202220 00000000 00000024" PAYLOAD,
		0, false, false},
	{"v2 an answer without SPI (NO_PROPOSAL_CHOSEN)",
		"00000000" SPI_I NO_SPI "29202220 00000000 00000024" PAYLOAD, 0, false, false},
	{"v2 a second IKE_SA_INIT", "00000000" SPI_I NO_SPI "21202208 00000001 00000024" PAYLOAD, 0,
		false, false},
	{"v2 IKE_SA_INIT not from the initiator",
		"00000000" SPI_I NO_SPI "21202200 00000000 00000024" PAYLOAD, 0, false, false},
	{"v2 IKE_SA_INIT request with both SPIs",
		"00000000" SPI_I SPI_R "21202208 00000000 00000024" PAYLOAD, 0, false, false},
	{"v2 IKE_AUTH from a new port", "00000000" SPI_I SPI_R "2e202308 00000001 00000024" PAYLOAD,
		0, true, true},
	{"v2 IKE_AUTH in fragments", "00000000" SPI_I SPI_R "35202308 00000001 00000024" PAYLOAD, 0,
		true, true},
	{"v2 INFORMATIONAL of a roaming peer",
		"00000000" SPI_I SPI_R "2e202500 00000007 00000024" PAYLOAD, 0, true, true},
	{"v2 its answer from a new NAT mapping",
		"00000000" SPI_I SPI_R "2e202520 00000007 00000024" PAYLOAD, 0, true, true},
	{"v2 INVALID_SPI outside of an SA",
		"00000000" SPI_I NO_SPI "29202520 00000000 00000024" PAYLOAD, 0, false, false},
	{"v2 IKE_SESSION_RESUME", "00000000" SPI_I NO_SPI "28202608 00000000 00000024" PAYLOAD, 0,
		true, false},
	{"v2 IKE_INTERMEDIATE", "00000000" SPI_I SPI_R "2e202b08 00000001 00000024" PAYLOAD, 0,
		true, true},
	{"v2 IKE_FOLLOWUP_KE", "00000000" SPI_I SPI_R "2e202c08 00000003 00000024" PAYLOAD, 0, true,
		true},
	{"v2 an exchange of tomorrow", "00000000" SPI_I SPI_R "2e20c808 00000003 00000024" PAYLOAD,
		0, true, true},
	{"v2 a private exchange", "00000000" SPI_I SPI_R "8020ff08 00000003 00000024" PAYLOAD, 0,
		true, false},
	{"v2 minor version 15", "00000000" SPI_I NO_SPI "212f2208 00000000 00000024" PAYLOAD, 0,
		true, false},
	{"v2 reserved and version flags",
		"00000000" SPI_I NO_SPI "2120229f 00000000 00000024" PAYLOAD, 0, true, false},
	{"v2 header alone", "00000000" SPI_I SPI_R "00202500 00000000 0000001c", 0, true, false},
	{"v1 main mode", "00000000" SPI_I NO_SPI "01100200 00000000 00000024" PAYLOAD, 0, true,
		false},
	{"v1 aggressive mode", "00000000" SPI_I NO_SPI "01100400 00000000 00000024" PAYLOAD, 0,
		true, false},
	{"v1 main mode with message id",
		"00000000" SPI_I NO_SPI "01100200 00000001 00000024" PAYLOAD, 0, false, false},
	{"v1 encrypted without responder cookie",
		"00000000" SPI_I NO_SPI "05100201 00000000 00000024" PAYLOAD, 0, false, true},
	{"v1 main mode, encrypted",
		"00000000" SPI_I SPI_R "05100201 00000000 00000024ffffffffffffffff", 0, true, true},
	{"v1 quick mode", "00000000" SPI_I SPI_R "08102001 12345678 00000024ffffffffffffffff", 0,
		true, true},
	{"v1 informational without cookie",
		"00000000" SPI_I NO_SPI "0b100500 00000000 00000024" PAYLOAD, 0, false, false},
	{"v1 transaction", "00000000" SPI_I SPI_R "08100601 12345678 00000024ffffffffffffffff", 0,
		true, true},
	{"v1 base exchange", "00000000" SPI_I NO_SPI "01100100 00000000 00000024" PAYLOAD, 0, true,
		false},
	{"v1 private exchange", "00000000" SPI_I SPI_R "0110f000 00000001 00000024" PAYLOAD, 0,
		true, false},
	{"v1 encrypted header alone", "00000000" SPI_I SPI_R "00100501 00000001 0000001c", 0, true,
		true},
	{"v1 Cisco fragment", "00000000" SPI_I SPI_R "84100200 00000000 00000024" PAYLOAD, 0, true,
		false},
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		const struct header *c = &accepted[i];
		uint8_t d[64];
		size_t len = unhex(c->hex, d);

		if (nm_ike_check(d, len) != 0)
			fail_msg("refused: %s", c->what);
		if (nm_ike_opens(d) != c->opens)
			fail_msg("opens: %s", c->what);
		if (nm_ike_is_encrypted(d, len) != c->is_encrypted)
			fail_msg("encrypted: %s", c->what);
	}
}

static void test_refused(void **state)
{
	static const struct header refused[] = {
		{"no marker", "00000001" SPI_I NO_SPI "21202208 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"no initiator SPI", "00000000" NO_SPI SPI_R "21202208 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"major version 0", "00000000" SPI_I NO_SPI "21002208 00000000 00000024" PAYLOAD,
			NATMUX_EUNSUPPORTED, 0, 0},
		{"major version 3", "00000000" SPI_I NO_SPI "21302208 00000000 00000024" PAYLOAD,
			NATMUX_EUNSUPPORTED, 0, 0},
		{"major version 15", "00000000" SPI_I NO_SPI "21f02208 00000000 00000024" PAYLOAD,
			NATMUX_EUNSUPPORTED, 0, 0},
		{"length one too long",
			"00000000" SPI_I NO_SPI "21202208 00000000 00000025" PAYLOAD,
			NATMUX_ETRUNCATED, 0, 0},
		{"length with the marker",
			"00000000" SPI_I NO_SPI "21202208 00000000 00000028" PAYLOAD,
			NATMUX_ETRUNCATED, 0, 0},
		{"length of 4 GiB", "00000000" SPI_I NO_SPI "21202208 00000000 ffffffff" PAYLOAD,
			NATMUX_ETRUNCATED, 0, 0},
		{"length one too short",
			"00000000" SPI_I NO_SPI "21202208 00000000 00000023" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"length 0", "00000000" SPI_I NO_SPI "21202208 00000000 00000000" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"v2 exchange 0", "00000000" SPI_I NO_SPI "21200008 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"v2 exchange 33", "00000000" SPI_I NO_SPI "21202108 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"v1 exchange 0", "00000000" SPI_I NO_SPI "01100000 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"v1 exchange 7", "00000000" SPI_I NO_SPI "01100700 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"v1 exchange 35", "00000000" SPI_I NO_SPI "01102300 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"v1 exchange 239", "00000000" SPI_I NO_SPI "0110ef00 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"v2 payload of v1", "00000000" SPI_I NO_SPI "01202208 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"v2 payload 32", "00000000" SPI_I NO_SPI "20202208 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"v1 payload of v2", "00000000" SPI_I NO_SPI "21100200 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"v1 payload 127", "00000000" SPI_I NO_SPI "7f100200 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"no payload, yet bytes",
			"00000000" SPI_I NO_SPI "00202208 00000000 00000024" PAYLOAD,
			NATMUX_EMALFORMED, 0, 0},
		{"a payload, yet no bytes", "00000000" SPI_I NO_SPI "21202208 00000000 0000001c",
			NATMUX_EMALFORMED, 0, 0},
		{"a payload of 3 bytes",
			"00000000" SPI_I NO_SPI "21202208 00000000 0000001f 000000",
			NATMUX_EMALFORMED, 0, 0},
		{"payload length 3",
			"00000000" SPI_I NO_SPI "21202208 00000000 00000024 0000000301020304",
			NATMUX_EMALFORMED, 0, 0},
		{"payload length 9 of 8",
			"00000000" SPI_I NO_SPI "21202208 00000000 00000024 0000000901020304",
			NATMUX_EMALFORMED, 0, 0},
		{"v2: the flag of v1 does not hide the payload",
			"00000000" SPI_I NO_SPI "21202209 00000000 00000024 ffffffff01020304",
			NATMUX_EMALFORMED, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		uint8_t d[64];
		size_t len = unhex(refused[i].hex, d);
		int error = nm_ike_check(d, len);

		if (error != refused[i].error)
			fail_msg("%s: %d", refused[i].what, error);
	}
}

/* Each block has its exact size, so that a sanitizer sees a look beyond the end. */
static void test_truncated(void **state)
{
	uint8_t d[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		size_t len = unhex(accepted[i].hex, d);

		for (size_t cut = 0; cut < len; cut++) {
			uint8_t *exact = malloc(cut > 0 ? cut : 1);

			memcpy(exact, d, cut);
			assert_int_equal(nm_ike_check(exact, cut), NATMUX_ETRUNCATED);
			if (cut < NM_IKE_MIN)
				assert_false(nm_ike_is_encrypted(exact, cut));
			free(exact);
		}
	}
}

/* Packet after packet of a pcap file with Ethernet frames, little-endian as recorded. */
struct capture {
	FILE *file;
	uint8_t frame[2048];
	size_t len;
};

static uint32_t little32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static bool capture_open(struct capture *capture, const char *name)
{
	const char *oracles = getenv("NATMUX_ORACLES"), *source = getenv("NATMUX_SOURCE");
	uint8_t header[24];
	char path[1024];

	if (oracles)
		snprintf(path, sizeof(path), "%s/%s", oracles, name);
	else
		snprintf(
			path, sizeof(path), "%s/../shared/oracles/%s", source ? source : ".", name);
	capture->file = fopen(path, "rb");
	if (!capture->file)
		return false;
	assert_int_equal(fread(header, 1, sizeof(header), capture->file), sizeof(header));
	assert_int_equal(little32(header), 0xa1b2c3d4);
	assert_int_equal(little32(header + 20), 1);
	return true;
}

static bool capture_next(struct capture *capture)
{
	uint8_t header[16];

	if (fread(header, 1, sizeof(header), capture->file) != sizeof(header)) {
		fclose(capture->file);
		return false;
	}
	capture->len = little32(header + 8);
	assert_true(capture->len <= sizeof(capture->frame));
	assert_int_equal(fread(capture->frame, 1, capture->len, capture->file), capture->len);
	return true;
}

/* A datagram of the exchange as it would stand on port 4500: marker in front, if need be ours. */
static size_t ike_of(struct capture *capture, uint8_t datagram[2048], bool *had_marker)
{
	const uint8_t *packet = capture->frame + 14, *udp;
	size_t len;

	if (capture->len < 14 + 28 || packet[0] != 0x45 || packet[9] != NM_IP_PROTOCOL_UDP)
		return 0;
	udp = packet + 20;
	len = nm_get16(udp + 4) - 8U;
	assert_true(14 + 28 + len <= capture->len);
	*had_marker = nm_natt_has_marker(udp + 8, len);
	if (!*had_marker && nm_get16(udp) != 500 && nm_get16(udp + 2) != 500)
		return 0;
	nm_put32(datagram, 0);
	memcpy(datagram + (*had_marker ? 0 : 4), udp + 8, len);
	return len + (*had_marker ? 0 : 4);
}

/* How many with the marker there are, tshark says: udpencap.non_esp_marker && isakmp.length. */
static void test_recorded(void **state)
{
	static const struct {
		const char *name;
		unsigned int with_marker, opening;
	} files[] = {
		{"captures/isakmp4500.pcap", 11, 0},
		{"strongswan/aes128gcm16.pcap", 2, 1},
		{"strongswan/aes256gcm16.pcap", 4, 1},
		{"strongswan/chacha20poly1305.pcap", 2, 1},
		{"strongswan/aes128-sha1.pcap", 2, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct capture capture;
		unsigned int with_marker = 0, first = 0;
		uint8_t datagram[2048];

		if (!capture_open(&capture, files[i].name)) {
			print_message("skipped: no oracle data\n");
			skip();
		}
		while (capture_next(&capture)) {
			bool had_marker = false;
			size_t len = ike_of(&capture, datagram, &had_marker);

			if (len == 0)
				continue;
			if (nm_ike_check(datagram, len) != 0)
				fail_msg("%s: refused", files[i].name);
			with_marker += had_marker;
			if (nm_ike_major(datagram) == 2)
				first += nm_ike_is_first(datagram);
		}
		assert_int_equal(with_marker, files[i].with_marker);
		assert_int_equal(first, files[i].opening);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_fields),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
