/* SPDX-License-Identifier: Apache-2.0 */
/* Makes datagrams to measure with. Right by their format, not by their keys. */
#include "bench/gen.h"

#include <stdbool.h>
#include <string.h>

#include <natmux/error.h>

#include "base/bytes.h"
#include "base/writer.h"
#include "stun/proto.h"
#include "wire/ike.h"

enum {
	/* USERNAME 4+24, PRIORITY 4+4, ICE-CONTROLLING 4+8, MESSAGE-INTEGRITY 4+20 */
	ICE_CHECK_SIZE = 28 + 8 + 12 + 24,
};

static const struct {
	const char *name;
	size_t min, max;
} kinds[] = {
#define X(name, text, min, max) {text, min, max},
	NM_GEN_MAP(X)
#undef X
};

/* splitmix64: one multiplication chain, no weak start values. */
uint64_t nm_gen_number(struct nm_gen *gen)
{
	uint64_t z = gen->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void nm_gen_bytes(struct nm_gen *gen, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t number = nm_gen_number(gen);

		memcpy(buf + i, &number, len - i < 8 ? len - i : 8);
	}
}

const char *nm_gen_name(enum nm_gen_kind kind)
{
	return (unsigned int)kind < NM_GEN_COUNT ? kinds[kind].name : NULL;
}

/* CRC-32 of ITU V.42, bit by bit: slow, and independent of the code that is measured. */
static uint32_t crc32(const uint8_t *data, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* An SPI as an IKE daemon chooses it: RFC 4303 2.1 reserves 1 to 255. */
static uint32_t spi(struct nm_gen *gen)
{
	uint32_t number = (uint32_t)nm_gen_number(gen);

	return number > 255 ? number : number + 256;
}

static void make_esp(struct nm_gen *gen, uint8_t *buf, size_t len, uint32_t sequence)
{
	nm_gen_bytes(gen, buf, len);
	nm_put32(buf, spi(gen));
	nm_put32(buf + 4, sequence);
}

/* RFC 7296 3.1, 3.2: an IKE_SA_INIT request with one payload, or none where there is no room. */
static void make_ike(struct nm_gen *gen, uint8_t *buf, size_t len)
{
	bool has_payload = len >= NM_IKE_MIN + NM_IKE_PAYLOAD_HEADER_LEN;

	nm_gen_bytes(gen, buf, len);
	nm_put32(buf, 0);
	nm_put64(buf + NM_IKE_AT_RESPONDER_SPI, 0);
	buf[NM_IKE_AT_NEXT_PAYLOAD] = has_payload ? NM_IKE2_PAYLOAD_MIN : NM_IKE_PAYLOAD_NONE;
	buf[NM_IKE_AT_VERSION] = 0x20;
	buf[NM_IKE_AT_EXCHANGE] = NM_IKE2_SA_INIT;
	buf[NM_IKE_AT_FLAGS] = NM_IKE2_FLAG_INITIATOR;
	nm_put32(buf + NM_IKE_AT_MESSAGE_ID, 0);
	nm_put32(buf + NM_IKE_AT_LENGTH, (uint32_t)(len - NM_NATT_MARKER_LEN));
	if (has_payload)
		nm_put32(buf + NM_IKE_MIN, (uint32_t)(len - NM_IKE_MIN) & 0xffff);
}

static void put_attribute(struct nm_writer *w, struct nm_gen *gen, uint16_t type, uint16_t len)
{
	uint8_t *value;

	nm_write16(w, type);
	nm_write16(w, len);
	value = nm_write_room(w, len);
	if (value)
		nm_gen_bytes(gen, value, len);
}

/* A Binding request whose header announces `len` bytes, with `room` bytes of attributes. */
static void put_request(struct nm_writer *w, struct nm_gen *gen, size_t len, size_t room)
{
	bool is_ice = room >= ICE_CHECK_SIZE;

	nm_write16(w, NM_STUN_BINDING);
	nm_write16(w, (uint16_t)(len - NM_STUN_HEADER_LEN));
	nm_write32(w, NM_STUN_COOKIE);
	nm_gen_bytes(gen, nm_write_room(w, 12), 12);
	if (is_ice) {
		put_attribute(w, gen, NM_STUN_USERNAME, 24);
		put_attribute(w, gen, NM_STUN_PRIORITY, 4);
		put_attribute(w, gen, NM_STUN_ICE_CONTROLLING, 8);
		room -= ICE_CHECK_SIZE;
	}
	if (room > 0)
		put_attribute(w, gen, NM_STUN_SOFTWARE, (uint16_t)(room - 4));
	if (is_ice)
		put_attribute(w, gen, NM_STUN_MESSAGE_INTEGRITY, 20);
}

static void make_stun(struct nm_gen *gen, uint8_t *buf, size_t len, uint32_t crc_error)
{
	struct nm_writer w = nm_writer_init(buf, len);
	size_t body = len - NM_STUN_FINGERPRINT_LEN;

	put_request(&w, gen, len, body - NM_STUN_HEADER_LEN);
	nm_write16(&w, NM_STUN_FINGERPRINT);
	nm_write16(&w, 4);
	/* RFC 8489 14.7: over the message up to the attribute, its length counted in the header. */
	nm_write32(&w, crc32(buf, body) ^ NM_STUN_FINGERPRINT_XOR ^ crc_error);
}

static void make_without_crc(struct nm_gen *gen, uint8_t *buf, size_t len)
{
	struct nm_writer w = nm_writer_init(buf, len);

	put_request(&w, gen, len, len - NM_STUN_HEADER_LEN);
}

/* The parser of STUN walks multiples of four only; attributes here need no padding. */
static bool is_size_possible(enum nm_gen_kind kind, size_t len)
{
	bool is_stun_shaped =
		kind == NM_GEN_STUN || kind == NM_GEN_NO_CRC || kind == NM_GEN_BAD_CRC;

	return len >= kinds[kind].min && len <= kinds[kind].max &&
	       (!is_stun_shaped || len % 4 == 0);
}

int nm_gen_datagram(struct nm_gen *gen, enum nm_gen_kind kind, uint8_t *buf, size_t len)
{
	if ((unsigned int)kind >= NM_GEN_COUNT || !is_size_possible(kind, len))
		return NATMUX_ERANGE;
	switch (kind) {
	case NM_GEN_ESP:
		/* Not the cookie: that is NM_GEN_SEQUENCE. */
		make_esp(gen, buf, len, (uint32_t)nm_gen_number(gen) & 0x0fffffff);
		break;
	case NM_GEN_IKE: make_ike(gen, buf, len); break;
	case NM_GEN_KEEPALIVE: buf[0] = 0xff; break;
	case NM_GEN_STUN: make_stun(gen, buf, len, 0); break;
	case NM_GEN_SEQUENCE: make_esp(gen, buf, len, NM_STUN_COOKIE); break;
	case NM_GEN_NO_CRC: make_without_crc(gen, buf, len); break;
	case NM_GEN_BAD_CRC: make_stun(gen, buf, len, 1); break;
	case NM_GEN_COUNT: break;
	}
	return 0;
}
