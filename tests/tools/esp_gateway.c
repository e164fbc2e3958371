/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user ESP plane between a TUN device and plain UDP sockets, with SAs and policies from a file:
 * what natmuxd does, without the dispatcher. For tests that need no more than that.
 *
 *	esp_gateway FILE
 *
 * The file has a statement on each line, of a word and pairs of names and values:
 *
 *	tun esp0 ipv4 10.2.0.1/24 ipv6 fd02::1/64 mtu 1400
 *	listen 192.0.2.1:4500
 *	sa in|out spi N suite WORD key HEX remote ADDR:PORT [mode transport] [esn yes] [sequence N]
 *		[window N] [reqid N] [roam no]
 *	policy src PREFIX dst PREFIX reqid N
 *
 * SIGUSR1 writes a line for each SA with its counters. A statement stays on one line.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <natmux/error.h>
#include <natmux/esp.h>

#include "io/inner_tun.h"

enum { SOCKETS_MAX = 2, BATCH = 16, DATAGRAM_MAX = 65536 };

struct gateway {
	struct natmux_esp *esp;
	struct nm_inner_tun *tun;
	struct {
		int fd;
		struct natmux_addr local;
	} sockets[SOCKETS_MAX];
	size_t sockets_len;
	uint64_t drops[NATMUX_DROP_COUNT];
};

static struct gateway gw;
static volatile sig_atomic_t wants_counters;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "esp_gateway: %s: %s\n", what, why);
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void send_train(const struct natmux_train *train)
{
	struct sockaddr_storage to;
	socklen_t to_len =
		(socklen_t)natmux_addr_to_sockaddr(&train->path.remote, (struct sockaddr *)&to);
	uint32_t step = train->segment ? train->segment : train->len;

	for (size_t s = 0; s < gw.sockets_len; s++) {
		if (gw.sockets[s].local.family != train->path.remote.family)
			continue;
		for (uint32_t at = 0; at < train->len; at += step) {
			uint32_t left = train->len - at;

			if (sendto(gw.sockets[s].fd, train->data + at, left < step ? left : step, 0,
				    (struct sockaddr *)&to, to_len) < 0)
				perror("sendto");
		}
		return;
	}
}

static void on_send(void *user, const struct natmux_train *trains, size_t n)
{
	(void)user;
	for (size_t i = 0; i < n; i++)
		send_train(&trains[i]);
}

static void on_deliver(void *user, const struct natmux_gathered *packet)
{
	(void)user;
	if (nm_inner_tun_write(nm_inner_tun_queue(gw.tun, 0), packet, 1) != 1)
		fprintf(stderr, "TUN takes no super-packet of this kind\n");
}

static void on_event(void *user, const struct natmux_esp_event *event)
{
	char before[NATMUX_ADDR_TEXT], now[NATMUX_ADDR_TEXT];

	(void)user;
	printf("event %d spi %08x drop %s seq %u: %s -> %s\n", (int)event->type, event->spi,
		natmux_drop_name(event->drop), event->sequence,
		natmux_addr_format(&event->path_before.remote, before),
		natmux_addr_format(&event->path.remote, now));
}

static void on_drop(void *user, enum natmux_drop drop, uint64_t packets)
{
	(void)user;
	gw.drops[drop] += packets;
}

static void on_log(void *user, enum natmux_log_level level, const char *text)
{
	(void)user;
	(void)level;
	fprintf(stderr, "%s\n", text);
}

static void on_random(void *user, void *buf, size_t len)
{
	(void)user;
	randombytes_buf(buf, len);
}

/* The value behind a name in a statement of words; NULL: not there. */
static const char *value_of(char *words[], size_t n, const char *name)
{
	for (size_t i = 0; i + 1 < n; i++)
		if (strcmp(words[i], name) == 0)
			return words[i + 1];
	return NULL;
}

static const char *value_or(char *words[], size_t n, const char *name, const char *other)
{
	const char *value = value_of(words, n, name);

	return value ? value : other;
}

static uint64_t number_of(char *words[], size_t n, const char *name, uint64_t other)
{
	const char *value = value_of(words, n, name);

	return value ? strtoull(value, NULL, 0) : other;
}

static void make_host(const char *text, struct nm_tun_address *host)
{
	char addr[NATMUX_ADDR_TEXT];
	const char *slash = text ? strchr(text, '/') : NULL;

	if (!slash)
		return;
	snprintf(addr, sizeof(addr), "%.*s", (int)(slash - text), text);
	if (natmux_addr_parse(addr, 0, &host->ip) < 0)
		fail("address", text);
	host->bits = (uint8_t)atoi(slash + 1);
}

static void make_tun(char *words[], size_t n)
{
	struct nm_inner_tun_config config = {
		.sys = &nm_sys_real,
		.log = {.write = on_log, .level = NATMUX_LOG_INFO},
		.name = words[1],
		.mtu = (uint32_t)number_of(words, n, "mtu", 1400),
		.use_tso = true,
		.use_uso = true,
	};
	const struct nm_inner_tun_status *status;

	make_host(value_of(words, n, "ipv4"), &config.ipv4);
	make_host(value_of(words, n, "ipv6"), &config.ipv6);
	if (nm_inner_tun_open(&config, &gw.tun) < 0)
		exit(1);
	status = nm_inner_tun_status(nm_inner_tun_queue(gw.tun, 0));
	natmux_esp_set_offloads(gw.esp, status->tso.is_written, status->uso.is_written);
}

static void make_socket(char *words[], size_t n)
{
	struct sockaddr_storage sa;
	struct natmux_addr local = {0};
	socklen_t len;
	int fd;

	(void)n;
	if (gw.sockets_len == SOCKETS_MAX || natmux_addr_parse(words[1], 4500, &local) < 0)
		fail("listen", words[1]);
	len = (socklen_t)natmux_addr_to_sockaddr(&local, (struct sockaddr *)&sa);
	fd = socket(sa.ss_family, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) < 0)
		fail(words[1], strerror(errno));
	gw.sockets[gw.sockets_len].fd = fd;
	gw.sockets[gw.sockets_len++].local = local;
}

static void make_sa(char *words[], size_t n)
{
	struct natmux_sa_config config;
	uint8_t key[NATMUX_SUITE_KEY_MAX];
	const char *hex = value_or(words, n, "key", "");
	const char *remote = value_of(words, n, "remote");
	int err;

	natmux_sa_config_init(&config);
	config.direction = strcmp(words[1], "in") == 0 ? NATMUX_SA_IN : NATMUX_SA_OUT;
	config.spi = (uint32_t)number_of(words, n, "spi", 0);
	config.mode = strcmp(value_or(words, n, "mode", "tunnel"), "transport") == 0
			      ? NATMUX_SA_TRANSPORT
			      : NATMUX_SA_TUNNEL;
	config.has_esn = value_of(words, n, "esn") != NULL;
	config.sequence = number_of(words, n, "sequence", 0);
	config.replay_window = (uint32_t)number_of(words, n, "window", config.replay_window);
	config.reqid = (uint32_t)number_of(words, n, "reqid", 0);
	if (strcmp(value_or(words, n, "roam", "yes"), "no") == 0)
		config.roam = NATMUX_ROAM_NO;
	if (natmux_suite_parse(value_or(words, n, "suite", ""), &config.suite) < 0 ||
		sodium_hex2bin(key, sizeof(key), hex, strlen(hex), NULL, &config.key_len, NULL) <
			0 ||
		(remote && natmux_addr_parse(remote, 4500, &config.path.remote) < 0))
		fail("sa", value_or(words, n, "spi", "?"));
	config.key = key;
	config.path.local.family = config.path.remote.family;
	for (size_t s = 0; s < gw.sockets_len; s++)
		if (gw.sockets[s].local.family == config.path.remote.family)
			config.path.local = gw.sockets[s].local;
	err = natmux_esp_sa_add(gw.esp, now_ms(), &config);
	if (err < 0)
		fail(words[3], natmux_strerror(err));
}

static void make_policy(char *words[], size_t n)
{
	struct natmux_policy policy = {
		.action = NATMUX_POLICY_PROTECT,
		.reqid = (uint32_t)number_of(words, n, "reqid", 0),
		.selector = {.source_ports = {0, UINT16_MAX}, .destination_ports = {0, UINT16_MAX}},
	};

	if (natmux_prefix_parse(value_or(words, n, "src", ""), &policy.selector.source) < 0 ||
		natmux_prefix_parse(value_or(words, n, "dst", ""), &policy.selector.destination) <
			0 ||
		natmux_esp_policy_add(gw.esp, &policy) < 0)
		fail("policy", value_or(words, n, "dst", "?"));
}

static const struct {
	const char *name;
	void (*make)(char *words[], size_t n);
} statements[] = {
	{"tun", make_tun},
	{"listen", make_socket},
	{"sa", make_sa},
	{"policy", make_policy},
};

static void read_line(char *line)
{
	char *words[64], *save = NULL;
	size_t n = 0;

	for (char *word = strtok_r(line, " \t\n", &save); word && n < 64;
		word = strtok_r(NULL, " \t\n", &save))
		words[n++] = word;
	if (n == 0)
		return;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (n > 1 && strcmp(statements[i].name, words[0]) == 0) {
			statements[i].make(words, n);
			return;
		}
	fail("no statement", words[0]);
}

static void read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[1024];

	if (!file)
		fail(path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		read_line(line);
	fclose(file);
}

static void show_sa(void *user, const struct natmux_sa_info *info)
{
	const struct natmux_sa_counters *c = &info->counters;
	char remote[NATMUX_ADDR_TEXT];

	(void)user;
	printf("sa %s spi %08x suite %s remote %s sequence %llu packets %llu lost %llu late %llu "
	       "duplicate %llu replayed %llu bad_icv %llu short %llu selector %llu\n",
		info->direction == NATMUX_SA_IN ? "in" : "out", info->spi,
		natmux_suite_get(info->suite)->name, natmux_addr_format(&info->path.remote, remote),
		(unsigned long long)info->sequence, (unsigned long long)c->packets,
		(unsigned long long)c->lost, (unsigned long long)c->late,
		(unsigned long long)c->duplicate, (unsigned long long)c->replayed,
		(unsigned long long)c->bad_icv, (unsigned long long)c->too_short,
		(unsigned long long)c->selector);
}

static void show(void)
{
	wants_counters = 0;
	natmux_esp_sas(gw.esp, show_sa, NULL);
	for (unsigned int i = 0; i < NATMUX_DROP_COUNT; i++)
		if (gw.drops[i] > 0)
			printf("drop %s %llu\n", natmux_drop_name((enum natmux_drop)i),
				(unsigned long long)gw.drops[i]);
	puts("end");
	fflush(stdout);
}

static void on_signal(int number)
{
	(void)number;
	wants_counters = 1;
}

static void receive(size_t s)
{
	static uint8_t data[DATAGRAM_MAX];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(gw.sockets[s].fd, data, sizeof(data), MSG_DONTWAIT,
		(struct sockaddr *)&from, &from_len);
	struct natmux_train train = {.data = data, .flow = NATMUX_FLOW_NONE};

	if (n < 8 || natmux_addr_from_sockaddr(
			     (struct sockaddr *)&from, from_len, &train.path.remote) < 0)
		return;
	train.path.local = gw.sockets[s].local;
	train.len = train.segment = (uint32_t)n;
	natmux_esp_input(gw.esp, now_ms(), &train, 1);
}

static void take_inner(void)
{
	struct natmux_inner packets[BATCH];
	size_t n = nm_inner_tun_read(nm_inner_tun_queue(gw.tun, 0), packets, BATCH);

	natmux_esp_output(gw.esp, now_ms(), packets, n);
}

static void run(void)
{
	struct pollfd fds[1 + SOCKETS_MAX] = {
		{.fd = nm_inner_tun_fd(nm_inner_tun_queue(gw.tun, 0)), .events = POLLIN}};

	for (size_t s = 0; s < gw.sockets_len; s++)
		fds[1 + s] = (struct pollfd){.fd = gw.sockets[s].fd, .events = POLLIN};
	for (;;) {
		if (wants_counters)
			show();
		if (poll(fds, (nfds_t)(1 + gw.sockets_len), 100) < 0)
			continue;
		if (fds[0].revents & POLLIN)
			take_inner();
		for (size_t s = 0; s < gw.sockets_len; s++)
			if (fds[1 + s].revents & POLLIN)
				receive(s);
		natmux_esp_timeout(gw.esp, now_ms());
	}
}

int main(int argc, char *argv[])
{
	struct natmux_esp_config config;
	struct sigaction action = {.sa_handler = on_signal};

	if (argc != 2 || sodium_init() < 0) {
		fputs("usage: esp_gateway FILE\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	natmux_esp_config_init(&config);
	config.random.fill = on_random;
	config.log = (struct natmux_log){.write = on_log, .level = NATMUX_LOG_INFO};
	config.send = on_send;
	config.deliver = on_deliver;
	config.event = on_event;
	config.drop = on_drop;
	if (natmux_esp_new(&config, &gw.esp) < 0)
		fail("plane", "not made");
	read_file(argv[1]);
	if (!gw.tun || gw.sockets_len == 0)
		fail(argv[1], "neither tun nor listen may be missing");
	sigaction(SIGUSR1, &action, NULL);
	puts("ready");
	run();
}
