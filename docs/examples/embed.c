/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libnatmux in a program of one's own: any event loop, here poll(2). The program owns the socket,
 * the clock and the randomness; the mux owns nothing of the kind.
 *
 *   cc embed.c $(pkg-config --cflags --libs libnatmux) -o embed && ./embed
 *
 * Without arguments it sends itself one datagram of each class over loopback, shows where each
 * went, and ends. With a port as argument it serves that port until it is interrupted.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <natmux/error.h>
#include <natmux/mux.h>

static unsigned int seen[NATMUX_CLASS_COUNT];

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void fill_random(void *user, void *buf, size_t len)
{
	(void)user;
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort(); /* no randomness, no security */
}

/* A real owner would hand the datagrams to its IKE daemon, or decrypt them. */
static void show(
	const char *owner, enum natmux_class cls, const struct natmux_train *trains, size_t n)
{
	char from[NATMUX_ADDR_TEXT];

	for (size_t i = 0; i < n; i++) {
		printf("%s: %u datagram(s), %u bytes, from %s\n", owner,
			natmux_train_count(&trains[i]), trains[i].len,
			natmux_addr_format(&trains[i].path.remote, from));
		seen[cls] += natmux_train_count(&trains[i]);
	}
}

static void take_ike(void *self, uint64_t now, const struct natmux_train *trains, size_t n)
{
	(void)self;
	(void)now;
	show("IKE daemon", NATMUX_CLASS_IKE, trains, n);
}

static void take_esp(void *self, uint64_t now, const struct natmux_train *trains, size_t n)
{
	(void)self;
	(void)now;
	show("ESP plane ", NATMUX_CLASS_ESP, trains, n);
}

static const struct natmux_sink_ops ike_owner = {.name = "ike", .input = take_ike};
static const struct natmux_sink_ops esp_owner = {.name = "esp", .input = take_esp};

/* What the mux itself has to say: answers to STUN requests, keepalives, questions to servers. */
static void send_output(int fd, struct natmux_mux *mux)
{
	struct natmux_train trains[16];
	size_t n;

	do {
		n = natmux_mux_output(mux, trains, 16);
		for (size_t i = 0; i < n; i++) {
			struct sockaddr_storage to;
			size_t len = natmux_addr_to_sockaddr(
				&trains[i].path.remote, (struct sockaddr *)&to);

			if (sendto(fd, trains[i].data, trains[i].len, 0, (struct sockaddr *)&to,
				    (socklen_t)len) < 0)
				natmux_mux_drop(mux, NATMUX_DROP_UDP_SEND, 1);
		}
	} while (n == 16);
}

static void receive(int fd, struct natmux_mux *mux, const struct natmux_addr *local)
{
	static uint8_t buf[65536];
	struct natmux_train train = {.data = buf, .path.local = *local};
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len);

	if (len < 0 || natmux_addr_from_sockaddr(
			       (struct sockaddr *)&from, from_len, &train.path.remote) < 0)
		return;
	train.len = train.segment = (uint32_t)len;
	natmux_mux_input(mux, now_ms(), &train, 1);
	send_output(fd, mux);
}

/* Milliseconds until the mux wants its timeout; -1: not before something comes in. */
static int wait_ms(const struct natmux_mux *mux)
{
	uint64_t deadline = natmux_mux_next_deadline(mux), now = now_ms();

	if (deadline == UINT64_MAX)
		return -1;
	if (deadline <= now)
		return 0;
	return deadline - now > 60000 ? 60000 : (int)(deadline - now);
}

/* One round of the loop. False when nothing came within `limit_ms`. */
static int serve_once(int fd, struct natmux_mux *mux, const struct natmux_addr *local, int limit_ms)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	int wait = wait_ms(mux), ready;

	if (limit_ms >= 0 && (wait < 0 || wait > limit_ms))
		wait = limit_ms;
	ready = poll(&poller, 1, wait);
	if (ready > 0)
		receive(fd, mux, local);
	natmux_mux_timeout(mux, now_ms());
	send_output(fd, mux);
	return ready > 0;
}

/* RFC 7296 3.1 behind the marker: an empty IKE_SA_INIT request, and the like. */
static const uint8_t ike[] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20,
	34, 8, 0, 0, 0, 0, 0, 0, 0, 28};
static const uint8_t esp[] = {0xc1, 0x5b, 0x0a, 0x01, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
	9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
static const uint8_t keepalive[] = {0xff};
/* RFC 8489: a Binding request with SOFTWARE and FINGERPRINT. */
static const uint8_t stun[] = "\x00\x01\x00\x24\x21\x12\xa4\x42"
			      "\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
			      "\x80\x22\x00\x18"
			      "natmux embedding example"
			      "\x80\x28\x00\x04\x3f\xb7\x95\x1a";

/* Sends one datagram of each class to our own port, from another socket. */
static int send_one_of_each(const struct natmux_addr *local)
{
	struct sockaddr_storage to;
	size_t len = natmux_addr_to_sockaddr(local, (struct sockaddr *)&to);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, (socklen_t)len) < 0 ||
		send(fd, ike, sizeof(ike), 0) < 0 || send(fd, esp, sizeof(esp), 0) < 0 ||
		send(fd, keepalive, sizeof(keepalive), 0) < 0 ||
		send(fd, stun, sizeof(stun) - 1, 0) < 0) {
		perror("sending");
		return -1;
	}
	return fd;
}

/* Exit status: whether each class reached its owner and the STUN request was answered. */
static int run_demo(int fd, struct natmux_mux *mux, const struct natmux_addr *local)
{
	const struct natmux_stats *stats = natmux_mux_stats(mux);
	int client = send_one_of_each(local), answered = 0;
	uint8_t reply[576];

	if (client < 0)
		return 1;
	while (serve_once(fd, mux, local, 200))
		;
	if (recv(client, reply, sizeof(reply), MSG_DONTWAIT) > 20 && reply[0] == 1 && reply[1] == 1)
		answered = 1;
	close(client);
	printf("keepalives: %llu, STUN requests: %llu, answered: %s\n",
		(unsigned long long)stats->rx[NATMUX_CLASS_KEEPALIVE].datagrams,
		(unsigned long long)stats->rx[NATMUX_CLASS_STUN].datagrams,
		answered ? "yes" : "no");
	return !(seen[NATMUX_CLASS_IKE] == 1 && seen[NATMUX_CLASS_ESP] == 1 &&
		 stats->rx[NATMUX_CLASS_KEEPALIVE].datagrams == 1 && answered);
}

/* A UDP socket on 127.0.0.1; port 0: the kernel chooses. Tells the address in `local`. */
static int open_port(const char *port, struct natmux_addr *local)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	sin.sin_port = htons((uint16_t)(port ? atoi(port) : 0));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
		getsockname(fd, (struct sockaddr *)&sin, &len) < 0 ||
		natmux_addr_from_sockaddr((struct sockaddr *)&sin, len, local) < 0) {
		perror("opening the port");
		return -1;
	}
	return fd;
}

int main(int argc, char **argv)
{
	const struct natmux_random random_source = {.fill = fill_random};
	struct natmux_mux_config config;
	struct natmux_addr local;
	struct natmux_mux *mux;
	int err, status = 0, fd = open_port(argc > 1 ? argv[1] : NULL, &local);

	if (fd < 0)
		return 1;
	natmux_mux_config_init(&config);
	err = natmux_mux_new(&config, &random_source, &mux);
	if (err < 0) {
		fprintf(stderr, "natmux_mux_new: %s\n", natmux_strerror(err));
		return 1;
	}
	natmux_mux_set_sink(mux, NATMUX_CLASS_IKE, &ike_owner, NULL);
	natmux_mux_set_sink(mux, NATMUX_CLASS_ESP, &esp_owner, NULL);
	natmux_mux_set_locals(mux, now_ms(), &local, 1);
	if (argc > 1)
		for (;;)
			serve_once(fd, mux, &local, -1);
	else
		status = run_demo(fd, mux, &local);
	natmux_mux_free(mux);
	close(fd);
	return status;
}
