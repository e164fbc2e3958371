/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the Unix handoff: their bytes, and every way of breaking them. */
#include "test.h"

#include <stdlib.h>
#include "dispatcher/handoff_frame.h"
#include "hex.h"

/* DATAGRAM, IKE, TOS 3, 192.0.2.1:4500 and 203.0.113.7:31022, marker and an empty IKE header. */
static const char datagram[] =
	"6e6d7578 01 03 01 03 00000000 0000 0000"
	"04 00 1194 00000000 c0000201000000000000000000000000"
	"04 00 792e 00000000 cb007107000000000000000000000000"
	"00000000 1122334455667788 0000000000000000 00202508 00000000 0000001c";

static size_t make(uint8_t out[256])
{
	return unhex(datagram, out);
}

static void test_decode(void **state)
{
	uint8_t data[256];
	size_t len = make(data);
	struct nm_frame frame = {0};
	char text[NATMUX_ADDR_TEXT];

	(void)state;
	assert_int_equal(len, 64 + 32);
	assert_int_equal(nm_frame_decode(data, len, &frame), NM_FRAME_GOOD);
	assert_int_equal(frame.type, NM_FRAME_DATAGRAM);
	assert_int_equal(frame.cls, NM_FRAME_CLASS_IKE);
	assert_int_equal(frame.tos, 3);
	assert_int_equal(frame.segment, 0);
	assert_string_equal(natmux_addr_format(&frame.path.local, text), "192.0.2.1:4500");
	assert_string_equal(natmux_addr_format(&frame.path.remote, text), "203.0.113.7:31022");
	assert_int_equal(frame.len, 32);
	assert_ptr_equal(frame.payload, data + 64);
}

static void test_encode(void **state)
{
	uint8_t data[256], header[NM_FRAME_HEADER_LEN];
	struct nm_frame frame = {0};

	(void)state;
	make(data);
	assert_int_equal(nm_frame_decode(data, 96, &frame), NM_FRAME_GOOD);
	memset(header, 0xa5, sizeof(header));
	nm_frame_encode(header, &frame);
	assert_memory_equal(header, data, sizeof(header));
	/* HELLO: wants IKE and ESP, takes trains. */
	nm_frame_encode(
		header, &(struct nm_frame){
				.type = NM_FRAME_HELLO,
				.classes = 1 << NM_FRAME_CLASS_IKE | 1 << NM_FRAME_CLASS_ESP,
				.word = NM_FRAME_FLAG_TRAINS,
			});
	assert_memory_equal(header, "nmux\x01\x01\0\0\0\0\0\0\0\x06\0\x01", 16);
	for (size_t i = 16; i < sizeof(header); i++)
		assert_int_equal(header[i], 0);
}

/* One byte changed. */
struct change {
	const char *what;
	size_t at;
	uint8_t value;
	enum nm_frame_error error;
};

static void test_changes(void **state)
{
	static const struct change changes[] = {
		{"magic", 0, 'N', NM_FRAME_ERROR_FORMAT}, {"magic", 3, 'y', NM_FRAME_ERROR_FORMAT},
		{"version 0", 4, 0, NM_FRAME_ERROR_VERSION},
		{"version 2", 4, 2, NM_FRAME_ERROR_VERSION},
		{"any type decodes", 5, 0, NM_FRAME_GOOD},
		{"any type decodes", 5, 255, NM_FRAME_GOOD},
		{"class 0", 6, 0, NM_FRAME_ERROR_CLASS}, {"class ESP", 6, 2, NM_FRAME_ERROR_CLASS},
		{"class STUN", 6, 3, NM_FRAME_ERROR_CLASS},
		{"class 255", 6, 255, NM_FRAME_ERROR_CLASS}, {"any TOS", 7, 255, NM_FRAME_GOOD},
		{"segment that cuts the header", 11, 31, NM_FRAME_ERROR_CLASS},
		{"segment as long as the payload", 11, 32, NM_FRAME_GOOD},
		{"segment longer than the payload", 8, 255, NM_FRAME_GOOD},
		{"segment 1 makes IKE to runts", 11, 1, NM_FRAME_ERROR_CLASS},
		{"local of another family", 16, 6, NM_FRAME_ERROR_ADDRESS},
		{"no local family, yet an address", 16, 0, NM_FRAME_ERROR_ADDRESS},
		{"local family 5", 16, 5, NM_FRAME_ERROR_ADDRESS},
		{"local reserved", 17, 1, NM_FRAME_ERROR_ADDRESS},
		{"local with a scope", 23, 1, NM_FRAME_ERROR_ADDRESS},
		{"local IPv4 with a tail", 28, 1, NM_FRAME_ERROR_ADDRESS},
		{"local IPv4 with a tail", 39, 1, NM_FRAME_ERROR_ADDRESS},
		{"no remote family", 40, 0, NM_FRAME_ERROR_ADDRESS},
		{"remote family 4 as ASCII", 40, '4', NM_FRAME_ERROR_ADDRESS},
		{"remote reserved", 41, 1, NM_FRAME_ERROR_ADDRESS},
		{"remote with a scope", 47, 1, NM_FRAME_ERROR_ADDRESS},
		{"remote multicast", 48, 224, NM_FRAME_ERROR_ADDRESS},
		{"remote everybody", 48, 255, NM_FRAME_ERROR_ADDRESS},
		{"remote IPv4 with a tail", 63, 1, NM_FRAME_ERROR_ADDRESS},
		{"IKE without marker", 64, 1, NM_FRAME_ERROR_CLASS},
		{"IKE without marker", 67, 1, NM_FRAME_ERROR_CLASS},
		{"any IKE header", 68, 0, NM_FRAME_GOOD}, /* the daemon's own business */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		uint8_t data[256];
		size_t len = make(data);
		struct nm_frame frame, before;
		enum nm_frame_error error;

		memset(&frame, 0x5a, sizeof(frame));
		before = frame;
		data[changes[i].at] = changes[i].value;
		error = nm_frame_decode(data, len, &frame);
		if (error != changes[i].error)
			fail_msg("%s: %d", changes[i].what, (int)error);
		if (error != NM_FRAME_GOOD)
			assert_memory_equal(&frame, &before, sizeof(frame));
	}
}

/* Two addresses written over the good ones. */
static void test_addresses(void **state)
{
	static const struct {
		const char *local, *remote;
		enum nm_frame_error error;
	} cases[] = {
		{"00 00 0000 00000000 00000000000000000000000000000000",
			"04 00 0001 00000000 cb007107000000000000000000000000", NM_FRAME_GOOD},
		{"04 00 0000 00000000 00000000000000000000000000000000",
			"04 00 0001 00000000 cb007107000000000000000000000000", NM_FRAME_GOOD},
		{"04 00 0000 00000000 c0000201000000000000000000000000",
			"04 00 0001 00000000 cb007107000000000000000000000000",
			NM_FRAME_ERROR_ADDRESS}, /* an address without a port */
		{"04 00 1194 00000000 00000000000000000000000000000000",
			"04 00 0001 00000000 cb007107000000000000000000000000", NM_FRAME_GOOD},
		{"00 00 0000 00000000 00000000000000000000000000000000",
			"04 00 0000 00000000 cb007107000000000000000000000000",
			NM_FRAME_ERROR_ADDRESS},
		{"00 00 0000 00000000 00000000000000000000000000000000",
			"04 00 0001 00000000 00000000000000000000000000000000",
			NM_FRAME_ERROR_ADDRESS},
		{"00 00 0001 00000000 00000000000000000000000000000000",
			"04 00 0001 00000000 cb007107000000000000000000000000",
			NM_FRAME_ERROR_ADDRESS},
		{"00 00 0000 00000001 00000000000000000000000000000000",
			"04 00 0001 00000000 cb007107000000000000000000000000",
			NM_FRAME_ERROR_ADDRESS},
		{"06 00 0000 00000000 00000000000000000000000000000000",
			"06 00 0001 00000000 20010db8000000000000000000000007", NM_FRAME_GOOD},
		{"06 00 1194 00000002 fe800000000000000000000000000001",
			"06 00 0001 00000002 fe800000000000000000000000000007", NM_FRAME_GOOD},
		{"06 00 0000 00000000 00000000000000000000000000000000",
			"06 00 0001 00000002 20010db8000000000000000000000007",
			NM_FRAME_ERROR_ADDRESS}, /* a scope that means nothing */
		{"06 00 0000 00000000 00000000000000000000000000000000",
			"06 00 0001 00000000 00000000000000000000ffffcb007107",
			NM_FRAME_ERROR_ADDRESS}, /* IPv4 in disguise */
		{"06 00 1194 00000000 00000000000000000000ffffc0000201",
			"06 00 0001 00000000 20010db8000000000000000000000007",
			NM_FRAME_ERROR_ADDRESS},
		{"06 00 0000 00000000 00000000000000000000000000000000",
			"06 00 0001 00000000 ff020000000000000000000000000001",
			NM_FRAME_ERROR_ADDRESS},
		{"06 00 0000 00000000 00000000000000000000000000000000",
			"06 00 0001 00000000 00000000000000000000000000000000",
			NM_FRAME_ERROR_ADDRESS},
		{"00 00 0000 00000000 00000000000000000000000000000000",
			"05 00 0001 00000000 cb007107000000000000000000000000",
			NM_FRAME_ERROR_ADDRESS}, /* a family that is none */
		{"00 00 0000 00000000 00000000000000000000000000000000",
			"06 00 0001 00000000 000000000000000000000000000100ff", NM_FRAME_GOOD},
		{"04 00 0000 00000000 00000000000000000000000000000000",
			"06 00 0001 00000000 20010db8000000000000000000000007",
			NM_FRAME_ERROR_ADDRESS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t data[256];
		size_t len = make(data);
		struct nm_frame frame;
		enum nm_frame_error error;

		assert_int_equal(unhex(cases[i].local, data + 16), 24);
		assert_int_equal(unhex(cases[i].remote, data + 40), 24);
		data[6] = NM_FRAME_CLASS_IKE;
		error = nm_frame_decode(data, len, &frame);
		if (error != cases[i].error)
			fail_msg("case %zu: %d", i, (int)error);
	}
}

/* Every prefix, in a block of its own size. */
static void test_truncated(void **state)
{
	uint8_t data[256];
	size_t len = make(data);

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut > 0 ? cut : 1);
		struct nm_frame frame;
		enum nm_frame_error expected = cut < 64   ? NM_FRAME_ERROR_FORMAT
					       : cut > 64 ? NM_FRAME_ERROR_CLASS
							  : NM_FRAME_ERROR_SIZE;

		memcpy(exact, data, cut);
		assert_int_equal(nm_frame_decode(exact, cut, &frame), expected);
		free(exact);
	}
}

static void test_sizes(void **state)
{
	static const struct {
		uint32_t len, segment;
		enum nm_frame_error error;
	} cases[] = {
		{65507, 0, NM_FRAME_GOOD},
		{65508, 0, NM_FRAME_ERROR_SIZE},
		{65535, 0, NM_FRAME_ERROR_SIZE},
		{65536, 0, NM_FRAME_ERROR_FORMAT},
		{65507, 65507, NM_FRAME_GOOD},
		{65487, 40000, NM_FRAME_GOOD},
		{65488, 40000, NM_FRAME_ERROR_SIZE},
		{64 * 100, 100, NM_FRAME_GOOD},
		{64 * 100 + 1, 100, NM_FRAME_ERROR_SIZE},
		{63 * 100 + 4, 100, NM_FRAME_GOOD},
		{63 * 100 + 3, 100, NM_FRAME_ERROR_CLASS}, /* the last one is a runt */
		{65487, 1, NM_FRAME_ERROR_SIZE},
		{0, 0, NM_FRAME_ERROR_SIZE},
		{4, 0, NM_FRAME_GOOD},
		{3, 0, NM_FRAME_ERROR_CLASS},
		{1, 0, NM_FRAME_ERROR_CLASS},
	};
	uint8_t *data = malloc(64 + 65536);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_frame frame;
		enum nm_frame_error error;

		memset(data, 0x11, 64 + 65536);
		make(data);
		memset(data + 64, 0x11, 32);
		data[6] = NM_FRAME_CLASS_ESP;
		data[8] = (uint8_t)(cases[i].segment >> 24);
		data[9] = (uint8_t)(cases[i].segment >> 16);
		data[10] = (uint8_t)(cases[i].segment >> 8);
		data[11] = (uint8_t)cases[i].segment;
		error = nm_frame_decode(data, 64 + cases[i].len, &frame);
		if (error != cases[i].error)
			fail_msg("%u by %u: %d", cases[i].len, cases[i].segment, (int)error);
	}
	free(data);
}

/* A keepalive and a STUN message are neither IKE nor ESP. */
static void test_other_classes(void **state)
{
	static const char *const payloads[] = {
		"ff",
		/* RFC 8489 Binding request that ends in a right FINGERPRINT. */
		"00010008 2112a442 0102030405060708090a0b0c 80280004 ",
	};
	uint8_t data[256] = {0};
	struct nm_frame frame;

	(void)state;
	make(data);
	data[6] = NM_FRAME_CLASS_ESP;
	unhex(payloads[0], data + 64);
	assert_int_equal(nm_frame_decode(data, 65, &frame), NM_FRAME_ERROR_CLASS);
	/* The CRC-32 of these 20 bytes, XOR 0x5354554e, by zlib. */
	assert_int_equal(unhex(payloads[1], data + 64), 24);
	assert_int_equal(unhex("5b20f9cc", data + 64 + 24), 4);
	assert_int_equal(nm_frame_decode(data, 64 + 28, &frame), NM_FRAME_ERROR_CLASS);
	data[64 + 27] ^= 1; /* and with a wrong one it is ESP by the rule */
	assert_int_equal(nm_frame_decode(data, 64 + 28, &frame), NM_FRAME_GOOD);
}

static void test_error_texts(void **state)
{
	(void)state;
	assert_string_equal(nm_frame_error_text(NM_FRAME_GOOD), "no error");
#define X(name, value, text)                                                                       \
	assert_string_equal(nm_frame_error_text(NM_FRAME_ERROR_##name), text);                     \
	assert_int_equal(NM_FRAME_ERROR_##name, value);
	NM_FRAME_ERROR_MAP(X)
#undef X
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_other_classes),
		cmocka_unit_test(test_error_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
