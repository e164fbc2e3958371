/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of natmux's Unix handoff (docs/unix-handoff.md): subscribes to IKE, prints each message
 * and answers every IKE_SA_INIT request with NO_PROPOSAL_CHOSEN. Needs nothing but a C library.
 *
 *   cc handoff_client.c -o handoff_client && ./handoff_client /run/natmux/handoff.sock
 *
 * With a number behind the path it ends after so many answers.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEADER_LEN = 64, FRAME_MAX = HEADER_LEN + 65535 };
enum { TYPE_HELLO = 1, TYPE_WELCOME, TYPE_DATAGRAM, TYPE_STATS, TYPE_ERROR };
enum { CLASS_IKE = 1, CLASS_ESP = 2 };

/* Where the fields stand. An address: family, 0, port (2), scope (4), IP (16). */
enum {
	AT_VERSION = 4,
	AT_TYPE = 5,
	AT_CLASS = 6,
	AT_SEGMENT = 8,
	AT_CLASSES = 12,
	AT_WORD = 14,
	AT_LOCAL = 16,
	AT_REMOTE = 40,
	ADDR_PORT = 2,
	ADDR_IP = 8,
};

/* In a datagram with IKE: four zero octets, then the header of RFC 7296 3.1. */
enum { MARKER_LEN = 4, IKE_LEN = MARKER_LEN + 28, ANSWER_LEN = IKE_LEN + 8 };
enum { IKE_SA_INIT = 34, FLAG_INITIATOR = 0x08, FLAG_RESPONSE = 0x20 };

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int connect_to(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	if (fd < 0)
		die("socket");
	if (strlen(path) >= sizeof(sun.sun_path)) {
		fprintf(stderr, "%s: path too long\n", path);
		exit(1);
	}
	strcpy(sun.sun_path, path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		die(path);
	return fd;
}

/* One message of the socket is one frame. */
static void send_frame(int fd, const uint8_t *frame, size_t len)
{
	if (send(fd, frame, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send");
}

static void start_frame(uint8_t frame[HEADER_LEN], uint8_t type)
{
	memset(frame, 0, HEADER_LEN);
	memcpy(frame, "nmux", 4);
	frame[AT_VERSION] = 1;
	frame[AT_TYPE] = type;
}

static void send_hello(int fd)
{
	uint8_t frame[HEADER_LEN];

	start_frame(frame, TYPE_HELLO);
	put16(frame + AT_CLASSES, 1 << CLASS_IKE);
	send_frame(fd, frame, sizeof(frame));
}

static const char *addr_text(const uint8_t *addr, char text[64])
{
	char ip[INET6_ADDRSTRLEN] = "?";

	inet_ntop(addr[0] == 4 ? AF_INET : AF_INET6, addr + ADDR_IP, ip, sizeof(ip));
	snprintf(text, 64, addr[0] == 4 ? "%s:%u" : "[%s]:%u", ip, get16(addr + ADDR_PORT));
	return text;
}

static void print_ike(const uint8_t *frame, const uint8_t *ike, size_t len)
{
	char local[64], remote[64];

	printf("IKE %s -> %s: %zu bytes, exchange %u, %s\n", addr_text(frame + AT_REMOTE, remote),
		addr_text(frame + AT_LOCAL, local), len, ike[22],
		ike[23] & FLAG_RESPONSE ? "response" : "request");
	fflush(stdout);
}

static int is_sa_init_request(const uint8_t *ike)
{
	return ike[21] >> 4 == 2 && ike[22] == IKE_SA_INIT && (ike[23] & FLAG_INITIATOR) &&
	       !(ike[23] & FLAG_RESPONSE);
}

/* RFC 7296 2.6: without an SA the responder's SPI stays zero. 3.10: one Notify payload. */
static void answer(int fd, const uint8_t *frame, const uint8_t *request)
{
	uint8_t reply[HEADER_LEN + ANSWER_LEN], *ike = reply + HEADER_LEN;

	start_frame(reply, TYPE_DATAGRAM);
	reply[AT_CLASS] = CLASS_IKE;
	memcpy(reply + AT_LOCAL, frame + AT_LOCAL, 48); /* both addresses: back the way it came */
	memset(ike, 0, ANSWER_LEN);
	memcpy(ike + 4, request + 4, 8); /* the initiator's SPI */
	ike[20] = 41;                    /* next payload: Notify */
	ike[21] = 0x20;                  /* version 2.0 */
	ike[22] = IKE_SA_INIT;
	ike[23] = FLAG_RESPONSE;
	put16(ike + 30, ANSWER_LEN - MARKER_LEN);
	put16(ike + IKE_LEN + 2, 8);  /* length of the payload */
	put16(ike + IKE_LEN + 6, 14); /* NO_PROPOSAL_CHOSEN */
	send_frame(fd, reply, sizeof(reply));
}

/* Returns how many requests it answered: none or one. */
static int handle(int fd, const uint8_t *frame, size_t len)
{
	const uint8_t *payload = frame + HEADER_LEN;

	if (len < HEADER_LEN || memcmp(frame, "nmux", 4) != 0 || frame[AT_VERSION] != 1) {
		fprintf(stderr, "not a frame\n");
		exit(1);
	}
	len -= HEADER_LEN;
	switch (frame[AT_TYPE]) {
	case TYPE_WELCOME:
		printf("welcome: classes 0x%x\n", get16(frame + AT_CLASSES));
		fflush(stdout);
		return 0;
	case TYPE_ERROR:
		fprintf(stderr, "error %u: %.*s\n", get16(frame + AT_WORD), (int)len,
			(const char *)payload);
		return 0;
	case TYPE_DATAGRAM:
		if (frame[AT_CLASS] != CLASS_IKE || len < IKE_LEN)
			return 0;
		print_ike(frame, payload, len);
		if (!is_sa_init_request(payload))
			return 0;
		answer(fd, frame, payload);
		return 1;
	default: return 0; /* a later natmux may say more */
	}
}

int main(int argc, char **argv)
{
	static uint8_t frame[FRAME_MAX];
	long left = argc > 2 ? strtol(argv[2], NULL, 10) : -1;
	int fd;

	if (argc < 2) {
		fprintf(stderr, "usage: %s SOCKET [ANSWERS]\n", argv[0]);
		return 2;
	}
	fd = connect_to(argv[1]);
	send_hello(fd);
	while (left != 0) {
		ssize_t len = recv(fd, frame, sizeof(frame), 0);

		if (len < 0)
			die("recv");
		if (len == 0)
			break; /* natmux has closed the connection */
		if (handle(fd, frame, (size_t)len) > 0 && left > 0)
			left--;
	}
	close(fd);
	return 0;
}
