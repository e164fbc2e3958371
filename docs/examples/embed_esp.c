/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libnatmux-esp, a whole plane: SAs, policies, lifetimes, keepalives and peers that move, in a
 * program that has its own sockets and TUN device. Here it has neither: two planes, "hq" and
 * "branch", are joined by arrays.
 *
 *   cc embed_esp.c $(pkg-config --cflags --libs libnatmux-esp) -o embed_esp && ./embed_esp
 *
 * Sends a packet from hq to branch, and one that no policy wants; then an hour passes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <natmux/error.h>
#include <natmux/esp.h>

enum { WIRE_MAX = 65536, SPI = 0x1001, REQID = 1, PACKET_LEN = 60 };

struct gateway {
	const char *name;
	struct natmux_esp *plane;
	struct gateway *peer;
	uint64_t now_ms;
	unsigned int delivered, dropped, events;
};

static void fill_random(void *user, void *buf, size_t len)
{
	(void)user;
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort(); /* no randomness, no security */
}

/*
 * Sealed trains. A program sends them to train->path.remote, with UDP_SEGMENT if it can; they are
 * borrowed, so what cannot be sent at once is copied or dropped.
 */
static void take_sealed(void *user, const struct natmux_train *trains, size_t n)
{
	static uint8_t wire[WIRE_MAX]; /* the receiver's buffer: natmux_esp_input() works in it */
	struct gateway *gateway = user;
	char to[NATMUX_ADDR_TEXT];

	for (size_t i = 0; i < n; i++) {
		struct natmux_train received = trains[i];

		printf("%s sends %u octets to %s\n", gateway->name, trains[i].len,
			natmux_addr_format(&trains[i].path.remote, to));
		memcpy(wire, trains[i].data, trains[i].len);
		received.data = wire;
		received.path.local = trains[i].path.remote;
		received.path.remote = trains[i].path.local;
		natmux_esp_input(gateway->peer->plane, gateway->peer->now_ms, &received, 1);
	}
}

/* An opened packet, or many under one header: what a TUN device is given with one writev(2). */
static void take_opened(void *user, const struct natmux_gathered *packet)
{
	struct gateway *gateway = user;
	uint32_t len = 0;

	for (uint32_t i = 0; i < packet->parts_len; i++)
		len += packet->parts[i].len;
	printf("%s delivers %u octets\n", gateway->name, len);
	gateway->delivered++;
}

static const char *const event_names[] = {
#define X(name, text) text,
	NATMUX_ESP_EVENT_MAP(X)
#undef X
};

/* A program asks its IKE daemon for new keys at "sa-soft" and "sa-acquire". */
static void take_event(void *user, const struct natmux_esp_event *event)
{
	struct gateway *gateway = user;

	printf("%s: %s, SPI %#x\n", gateway->name, event_names[event->type], event->spi);
	gateway->events++;
}

static void take_drop(void *user, enum natmux_drop drop, uint64_t packets)
{
	struct gateway *gateway = user;

	printf("%s drops %llu: %s\n", gateway->name, (unsigned long long)packets,
		natmux_drop_text(drop));
	gateway->dropped += (unsigned int)packets;
}

static int make_plane(struct gateway *gateway)
{
	struct natmux_esp_config config;

	natmux_esp_config_init(&config);
	config.random.fill = fill_random;
	config.keepalive_ms = 20000; /* RFC 3948 4 */
	config.send = take_sealed;
	config.deliver = take_opened;
	config.event = take_event;
	config.drop = take_drop;
	config.user = gateway;
	return natmux_esp_new(&config, &gateway->plane);
}

/* One end of the SA from hq to branch; the other direction would be another SA, with a key of its own. */
static int add_sa(struct gateway *gateway, enum natmux_sa_direction direction,
	const struct natmux_path *path, const uint8_t *key, size_t len)
{
	struct natmux_sa_config config;

	natmux_sa_config_init(&config);
	config.direction = direction;
	config.spi = SPI;
	config.suite = NATMUX_SUITE_AES256GCM16;
	config.key = key;
	config.key_len = len;
	config.path = *path;
	config.reqid = REQID;
	config.soft.seconds = 3000;
	config.hard.seconds = 3600;
	return natmux_esp_sa_add(gateway->plane, gateway->now_ms, &config);
}

static int add_policy(struct gateway *gateway, const char *source, const char *destination)
{
	struct natmux_policy policy = {
		.action = NATMUX_POLICY_PROTECT,
		.reqid = REQID,
		.selector = {.source_ports = {0, 65535}, .destination_ports = {0, 65535}},
	};
	int err = natmux_prefix_parse(source, &policy.selector.source);

	if (err == 0)
		err = natmux_prefix_parse(destination, &policy.selector.destination);
	return err < 0 ? err : natmux_esp_policy_add(gateway->plane, &policy);
}

static int configure(struct gateway *hq, struct gateway *branch)
{
	uint8_t key[NATMUX_SUITE_KEY_MAX];
	size_t len = natmux_suite_key_len(NATMUX_SUITE_AES256GCM16);
	struct natmux_path there, back;
	int err = natmux_addr_parse("203.0.113.1:4500", 0, &there.local);

	if (err == 0)
		err = natmux_addr_parse("198.51.100.1:4500", 0, &there.remote);
	back.local = there.remote;
	back.remote = there.local;
	fill_random(NULL, key, len);
	if (err == 0)
		err = add_sa(hq, NATMUX_SA_OUT, &there, key, len);
	if (err == 0)
		err = add_sa(branch, NATMUX_SA_IN, &back, key, len);
	explicit_bzero(key, sizeof(key));
	return err < 0 ? err : add_policy(hq, "192.168.1.0/24", "192.168.2.0/24");
}

/* An IPv4 packet to 192.168.`net`.9, as a TUN device hands it out: with room on both sides. */
static void send_inner(struct gateway *gateway, uint8_t net)
{
	static uint8_t memory[NATMUX_INNER_ROOM + PACKET_LEN + NATMUX_INNER_ROOM];
	const uint8_t header[20] = {0x45, 0, 0, PACKET_LEN, 0, 0, 0, 0, 64, 253, 0, 0, 192, 168, 1,
		7, 192, 168, net, 9};
	struct natmux_inner packet = {.data = memory + NATMUX_INNER_ROOM, .len = PACKET_LEN};

	memcpy(packet.data, header, sizeof(header));
	natmux_esp_output(gateway->plane, gateway->now_ms, &packet, 1);
}

/* What an event loop does: sleep until the next deadline, and say so. */
static void let_time_pass(struct gateway *gateway, uint64_t until_ms)
{
	uint64_t deadline;

	while ((deadline = natmux_esp_next_deadline(gateway->plane)) <= until_ms) {
		gateway->now_ms = deadline;
		natmux_esp_timeout(gateway->plane, deadline);
	}
	gateway->now_ms = until_ms;
}

int main(void)
{
	struct gateway hq = {.name = "hq"}, branch = {.name = "branch"};
	int err;

	hq.peer = &branch;
	branch.peer = &hq;
	err = make_plane(&hq);
	if (err == 0)
		err = make_plane(&branch);
	if (err == 0)
		err = configure(&hq, &branch);
	if (err < 0) {
		fprintf(stderr, "natmux: %s\n", natmux_strerror(err));
	} else {
		send_inner(&hq, 2);
		send_inner(&hq, 3); /* no policy: RFC 4301 5.1 discards it */
		let_time_pass(&branch, 3600 * 1000);
	}
	natmux_esp_free(branch.plane);
	natmux_esp_free(hq.plane);
	/* Soft and hard lifetime of the one SA at branch. */
	return !(err == 0 && branch.delivered == 1 && hq.dropped == 1 && branch.events == 2);
}
