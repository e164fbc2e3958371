/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libnatmux-esp, one SA by itself: seals packets and opens them again, for a program that has its
 * own sockets, tables and paths. No socket, thread, clock, or allocation after natmux_sa_new().
 *
 *   cc seal_open.c $(pkg-config --cflags --libs libnatmux-esp) -o seal_open && ./seal_open
 *
 * Seals one packet and opens it, then a vector of 32, of which the network forges one and sends
 * another twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <natmux/error.h>
#include <natmux/sa.h>

enum { VECTOR = 32, ROOM = 256, SPI = 0x1234abcd, IPV4 = 4 /* what is inside: RFC 4303 2.6 */ };

static void fill_random(void *user, void *buf, size_t len)
{
	(void)user;
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort(); /* no randomness, no security */
}

/* Both ends of one SA. Its key would come from IKE: KEYMAT, as natmux/suite.h says. */
static int make_sa(
	enum natmux_sa_direction direction, const uint8_t *key, size_t len, struct natmux_sa **sa)
{
	const struct natmux_random random_source = {.fill = fill_random};
	struct natmux_sa_config config;

	natmux_sa_config_init(&config);
	config.direction = direction;
	config.spi = SPI;
	config.suite = NATMUX_SUITE_AES128GCM16;
	config.key = key; /* copied into locked memory */
	config.key_len = len;
	config.has_esn = true;
	return natmux_sa_new(&config, &random_source, sa);
}

/* An inner packet: natmux_sa_seal() does not look into it. */
static size_t write_inner(uint8_t *inner, unsigned int number)
{
	return 1 + (size_t)snprintf((char *)inner, ROOM / 2, "this is packet %u", number);
}

/* Packet `number` in memory of ours, with room in front for SPI, sequence number and IV. */
static struct natmux_esp_packet prepare(
	const struct natmux_sa *out, uint8_t memory[ROOM], unsigned int number)
{
	struct natmux_esp_packet packet = {.data = memory, .size = ROOM, .next_header = IPV4};

	packet.len = write_inner(memory + natmux_sa_headroom(out), number);
	return packet;
}

static int one_packet(struct natmux_sa *out, struct natmux_sa *in)
{
	static uint8_t memory[ROOM];
	struct natmux_esp_packet packet = prepare(out, memory, 0);

	if (natmux_sa_seal(out, &packet, 1) != 1) {
		fprintf(stderr, "sealing: %s\n", natmux_strerror(packet.error));
		return 1;
	}
	printf("sealed: %zu octets of ESP, sequence number %llu\n", packet.len,
		(unsigned long long)packet.sequence);
	/* packet.data, packet.len is what would be sent in UDP, and received. */
	if (natmux_sa_open(in, &packet, 1) != 1) {
		fprintf(stderr, "opening: %s\n", natmux_strerror(packet.error));
		return 1;
	}
	printf("opened: \"%s\"\n", (const char *)packet.inner);
	return packet.next_header != IPV4;
}

/* Vectors cost less than packets one by one, and each packet has its own error. */
static int many_packets(struct natmux_sa *out, struct natmux_sa *in)
{
	static uint8_t memory[VECTOR][ROOM];
	struct natmux_esp_packet packets[VECTOR];
	const struct natmux_sa_counters *counters = natmux_sa_counters_of(in);
	size_t opened;

	for (unsigned int i = 0; i < VECTOR; i++)
		packets[i] = prepare(out, memory[i], i);
	if (natmux_sa_seal(out, packets, VECTOR) != VECTOR)
		return 1;
	memory[7][packets[7].len - 1] ^= 1;           /* forged */
	memcpy(memory[9], memory[8], packets[8].len); /* sent twice; 9 is lost */
	opened = natmux_sa_open(in, packets, VECTOR);
	for (unsigned int i = 0; i < VECTOR; i++)
		if (packets[i].error < 0)
			printf("packet %u: %s\n", i, natmux_strerror(packets[i].error));
	printf("opened %zu of %d; forged: %llu, replayed: %llu\n", opened, VECTOR,
		(unsigned long long)counters->bad_icv,
		(unsigned long long)(counters->duplicate + counters->replayed));
	return !(opened == VECTOR - 2 && packets[7].error == NATMUX_EAUTH &&
		 packets[9].error == NATMUX_EEXISTS);
}

int main(void)
{
	uint8_t key[NATMUX_SUITE_KEY_MAX];
	size_t len = natmux_suite_key_len(NATMUX_SUITE_AES128GCM16);
	struct natmux_sa *out = NULL, *in = NULL;
	int err, status = 1;

	fill_random(NULL, key, len);
	err = make_sa(NATMUX_SA_OUT, key, len, &out);
	if (err == 0)
		err = make_sa(NATMUX_SA_IN, key, len, &in);
	explicit_bzero(key, sizeof(key));
	if (err < 0)
		fprintf(stderr, "natmux_sa_new: %s\n", natmux_strerror(err));
	else
		status = one_packet(out, in) || many_packets(out, in);
	natmux_sa_free(in);
	natmux_sa_free(out);
	return status;
}
