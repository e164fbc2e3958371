/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floods one UDP port with datagrams of several kinds from ten thousand made-up sources, and
 * counts what comes back to them. For tests, in a namespace whose routes lead nowhere else; what
 * the flood does to the receiver is for the test to look at. After each part of it "sent" on standard
 * output, and it goes on when there is a line on standard input, or no more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FLOOD_MAP(X)                                                                               \
	X(RANDOM, "random", random_fill)          /* ESP by the rule, most of it */                \
	X(STUN, "stun", stun_fill)                /* Binding requests with a right FINGERPRINT */  \
	X(STUN_LIKE, "stun-like", stun_like_fill) /* the same with a wrong CRC */                  \
	X(IKE, "ike", ike_fill)                   /* IKE_SA_INIT by its header */                  \
	X(IKE_LIKE, "ike-like", ike_like_fill)    /* the marker, then noise */

enum {
	HEADERS = 28, /* IPv4 20, UDP 8 */
	PAYLOAD_MAX = 512,
	BATCH = 64,
	PART = 3000,      /* as many as a receiver's socket surely holds */
	SOURCES = 10000,  /* 198.18.0.0/15: RFC 2544, for tests like this */
	SOURCE_PORTS = 4, /* of each source */
	COUNT_MAX = 2000000,
	DRAIN_MS = 500,
	STUN_COOKIE = 0x2112A442,
	STUN_LEN = 96, /* 20 header, 4 + 64 SOFTWARE, 8 FINGERPRINT */
	STUN_SOFTWARE = 0x8022,
	STUN_FINGERPRINT = 0x8028,
	IKE_HEADER = 28,
};

enum kind {
#define X(name, text, fill) KIND_##name,
	FLOOD_MAP(X)
#undef X
		KIND_COUNT
};

struct flood {
	int raw_fd, reply_fd;
	struct sockaddr_in to;
	uint64_t random;
	uint64_t sent[KIND_COUNT], refused;
	uint64_t stun_replies, larger, other_replies;
	uint8_t packets[BATCH][HEADERS + PAYLOAD_MAX];
};

/* xorshift64*: the same flood every time. */
static uint64_t random_next(struct flood *flood)
{
	flood->random ^= flood->random >> 12;
	flood->random ^= flood->random << 25;
	flood->random ^= flood->random >> 27;
	return flood->random * 0x2545F4914F6CDD1Du;
}

static void random_bytes(struct flood *flood, uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(random_next(flood) >> 56);
}

static void put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value & 0xffff);
}

static uint32_t crc32_of(const uint8_t *data, size_t len)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0xEDB88320u & -(crc & 1u));
	}
	return ~crc;
}

static size_t random_fill(struct flood *flood, uint8_t *data)
{
	size_t len = 1 + random_next(flood) % PAYLOAD_MAX;

	random_bytes(flood, data, len);
	return len;
}

static size_t stun_fill(struct flood *flood, uint8_t *data)
{
	put16(data, 0x0001);
	put16(data + 2, STUN_LEN - 20);
	put32(data + 4, STUN_COOKIE);
	random_bytes(flood, data + 8, 12);
	put16(data + 20, STUN_SOFTWARE);
	put16(data + 22, 64);
	memset(data + 24, 'x', 64);
	put16(data + 88, STUN_FINGERPRINT);
	put16(data + 90, 4);
	put32(data + 92, crc32_of(data, 88) ^ 0x5354554E); /* RFC 8489 14.7 */
	return STUN_LEN;
}

static size_t stun_like_fill(struct flood *flood, uint8_t *data)
{
	size_t len = stun_fill(flood, data);

	data[len - 1] ^= 0x01;
	return len;
}

static size_t ike_fill(struct flood *flood, uint8_t *data)
{
	size_t len = IKE_HEADER + 100;

	memset(data, 0, 4 + IKE_HEADER);
	random_bytes(flood, data + 4, 8);
	data[4 + 16] = 33;   /* next payload: SA */
	data[4 + 17] = 0x20; /* version 2.0 */
	data[4 + 18] = 34;   /* IKE_SA_INIT */
	data[4 + 19] = 0x08; /* from the initiator */
	put32(data + 4 + 24, (uint32_t)len);
	random_bytes(flood, data + 4 + IKE_HEADER, len - IKE_HEADER);
	put16(data + 4 + IKE_HEADER + 2,
		(unsigned)(len - IKE_HEADER)); /* one payload of all that */
	return 4 + len;
}

static size_t ike_like_fill(struct flood *flood, uint8_t *data)
{
	size_t len = 4 + random_next(flood) % 200;

	random_bytes(flood, data, len);
	memset(data, 0, 4);
	return len;
}

/* One datagram from a made-up source. Returns its length with headers. */
static size_t packet_fill(struct flood *flood, uint8_t *packet, enum kind kind)
{
	static size_t (*const fills[])(struct flood *, uint8_t *) = {
#define X(name, text, fill) [KIND_##name] = (fill),
		FLOOD_MAP(X)
#undef X
	};
	uint64_t pick = random_next(flood) >> 16;
	size_t len = fills[kind](flood, packet + HEADERS);

	memset(packet, 0, HEADERS);
	packet[0] = 0x45;
	put16(packet + 2, (unsigned)(HEADERS + len));
	packet[8] = 64;
	packet[9] = IPPROTO_UDP;
	put32(packet + 12, 0xC6120001u + (uint32_t)(pick % SOURCES)); /* 198.18.0.1 and on */
	memcpy(packet + 16, &flood->to.sin_addr, 4);
	put16(packet + 20, 20000 + (unsigned)(pick / SOURCES % SOURCE_PORTS));
	put16(packet + 22, ntohs(flood->to.sin_port));
	put16(packet + 24, (unsigned)(8 + len)); /* checksum 0: none (RFC 768) */
	return HEADERS + len;
}

static int batch_send(struct flood *flood, uint64_t first, unsigned n)
{
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	unsigned done = 0;

	memset(messages, 0, sizeof(messages));
	for (unsigned i = 0; i < n; i++) {
		enum kind kind = (enum kind)((first + i) % KIND_COUNT);

		parts[i].iov_base = flood->packets[i];
		parts[i].iov_len = packet_fill(flood, flood->packets[i], kind);
		messages[i].msg_hdr.msg_name = &flood->to;
		messages[i].msg_hdr.msg_namelen = sizeof(flood->to);
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		flood->sent[kind]++;
	}
	while (done < n) {
		int sent = sendmmsg(flood->raw_fd, messages + done, n - done, 0);

		if (sent > 0) {
			done += (unsigned)sent;
		} else if (errno == ENOBUFS || errno == EAGAIN) {
			flood->refused++;
			done++;
		} else if (errno != EINTR) {
			perror("flood: sendmmsg");
			return -1;
		}
	}
	return 0;
}

static void reply_count(struct flood *flood, const uint8_t *packet, size_t len)
{
	if (len < HEADERS || memcmp(packet + 12, &flood->to.sin_addr, 4) != 0)
		return;
	if (len < HEADERS + 20 || packet[HEADERS + 4] != 0x21 || packet[HEADERS + 5] != 0x12) {
		flood->other_replies++;
		return;
	}
	flood->stun_replies++;
	if (len - HEADERS > STUN_LEN)
		flood->larger++;
}

static void replies_read(struct flood *flood)
{
	uint8_t packet[2048];

	for (;;) {
		ssize_t len = recv(flood->reply_fd, packet, sizeof(packet), MSG_DONTWAIT);

		if (len < 0)
			return;
		reply_count(flood, packet, (size_t)len);
	}
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t when_ns)
{
	struct timespec when = {
		.tv_sec = (time_t)(when_ns / 1000000000u),
		.tv_nsec = (long)(when_ns % 1000000000u),
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

/* Says that a part has gone, and waits for a line on standard input; its end: no more waiting. */
static void part_end(void)
{
	int c;

	puts("sent");
	fflush(stdout);
	do {
		c = getchar();
	} while (c != EOF && c != '\n');
}

static int flood_run(struct flood *flood, uint64_t count, uint64_t per_s)
{
	uint64_t start_ns = now_ns();
	uint64_t sent = 0, part = 0;

	while (sent < count) {
		unsigned n = count - sent < BATCH ? (unsigned)(count - sent) : BATCH;

		if (batch_send(flood, sent, n) < 0)
			return -1;
		sent += n;
		replies_read(flood);
		sleep_until(start_ns + sent * 1000000000u / per_s);
		if (sent - part >= PART) {
			part_end();
			part = sent;
		}
	}
	for (int i = 0; i < DRAIN_MS / 10; i++) {
		sleep_until(now_ns() + 10000000u);
		replies_read(flood);
	}
	/* The time in which all that was counted was answered. */
	printf("{\"sent\":%llu,\"seconds\":%.3f", (unsigned long long)sent,
		(double)(now_ns() - start_ns) / 1e9);
	return 0;
}

static void flood_print(const struct flood *flood)
{
	static const char *const names[] = {
#define X(name, text, fill) [KIND_##name] = (text),
		FLOOD_MAP(X)
#undef X
	};

	for (int kind = 0; kind < KIND_COUNT; kind++)
		printf(",\"%s\":%llu", names[kind], (unsigned long long)flood->sent[kind]);
	printf(",\"refused\":%llu,\"stun-replies\":%llu,\"larger-replies\":%llu,"
	       "\"other-replies\":%llu}\n",
		(unsigned long long)flood->refused, (unsigned long long)flood->stun_replies,
		(unsigned long long)flood->larger, (unsigned long long)flood->other_replies);
}

static bool number_parse(const char *text, uint64_t max, uint64_t *value)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || number == 0 || number > max)
		return false;
	*value = number;
	return true;
}

static int sockets_open(struct flood *flood)
{
	int bytes = 16 * 1024 * 1024;

	flood->raw_fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	flood->reply_fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	if (flood->raw_fd < 0 || flood->reply_fd < 0) {
		perror("flood: raw socket");
		return -1;
	}
	/* Best effort: with a small buffer replies are missed, and the test sees fewer. */
	setsockopt(flood->reply_fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return 0;
}

int main(int argc, char **argv)
{
	static struct flood flood = {.random = 0x9E3779B97F4A7C15u, .raw_fd = -1, .reply_fd = -1};
	uint64_t port, count, per_s;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &flood.to.sin_addr) != 1 ||
		!number_parse(argv[2], 65535, &port) || !number_parse(argv[3], COUNT_MAX, &count) ||
		!number_parse(argv[4], COUNT_MAX, &per_s)) {
		fprintf(stderr, "usage: flood ADDRESS PORT COUNT PER-SECOND (at most %d)\n",
			COUNT_MAX);
		return 2;
	}
	flood.to.sin_family = AF_INET;
	flood.to.sin_port = htons((uint16_t)port);
	if (sockets_open(&flood) < 0 || flood_run(&flood, count, per_s) < 0)
		return 1;
	flood_print(&flood);
	return 0;
}
