/* SPDX-License-Identifier: Apache-2.0 */
/* Two planes back to back in memory: what goes into one comes out of the other. */
#include "esp_plane_test.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "can_lock.h"

enum { SPI_AB = 0x1000, SPI_BA = 0x2000 };

static uint16_t path_mtu = 1500;

static struct natmux_esp *make_plane(void)
{
	struct natmux_esp_config config;

	plane_config(&config);
	config.can_tcp = config.can_udp = true;
	config.keepalive_ms = 20000;
	config.path_mtu = path_mtu;
	return plane_new(&config);
}

static void start(void)
{
	struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI_AB);
	struct natmux_sa_config in = sa_config(NATMUX_SA_IN, SPI_AB);

	forget();
	a = make_plane();
	b = make_plane();
	assert_int_equal(natmux_esp_sa_add(a, 0, &out), 0);
	assert_int_equal(natmux_esp_sa_add(b, 0, &in), 0);
	add_policy(a, "10.0.0.0/8", "10.2.0.0/16");
}

/* An IPv4 UDP packet of `len` octets from 10.1.0.1 to 10.2.0.1; the checksums may be wrong. */
static uint32_t make_udp(uint8_t *packet, uint32_t len)
{
	memset(packet, 0, len);
	packet[0] = 0x45;
	nm_put16(packet + 2, (uint16_t)len);
	packet[8] = 64;
	packet[9] = 17;
	nm_put32(packet + 12, 0x0a010001);
	nm_put32(packet + 16, 0x0a020001);
	nm_put16(packet + 20, 1000);
	nm_put16(packet + 22, 2000);
	nm_put16(packet + 24, (uint16_t)(len - 20));
	for (uint32_t i = 28; i < len; i++)
		packet[i] = (uint8_t)i;
	return len;
}

static void output(uint8_t *packet, uint32_t len)
{
	struct natmux_inner inner = {.data = packet, .len = len};

	natmux_esp_output(a, 0, &inner, 1);
}

static void test_one_packet(void **state)
{
	uint8_t packet[300];

	(void)state;
	start();
	output(packet, make_udp(packet, sizeof(packet)));
	assert_int_equal(trains_n, 1);
	assert_int_equal(nm_get32(wire), SPI_AB);
	assert_int_equal(nm_get32(wire + 4), 1);
	assert_int_equal(trains[0].path.remote.port, 4500);
	natmux_esp_input(b, 0, trains, trains_n);
	assert_int_equal(delivered_n, 1);
	assert_int_equal(delivered_len, sizeof(packet));
	assert_memory_equal(delivered, packet, sizeof(packet));
	stop();
}

static void test_replay_and_forgery(void **state)
{
	uint8_t packet[300], copy[512];

	(void)state;
	start();
	output(packet, make_udp(packet, sizeof(packet)));
	memcpy(copy, wire, trains[0].len);
	wire[40] ^= 1;
	natmux_esp_input(b, 0, trains, 1);
	assert_int_equal(drops[NATMUX_DROP_ESP_ICV], 1);
	memcpy(wire, copy, trains[0].len);
	natmux_esp_input(b, 0, trains, 1);
	assert_int_equal(delivered_n, 1);
	memcpy(wire, copy, trains[0].len);
	natmux_esp_input(b, 0, trains, 1);
	assert_int_equal(delivered_n, 1);
	assert_int_equal(drops[NATMUX_DROP_ESP_REPLAY], 1);
	nm_put32(wire, 0x9999);
	natmux_esp_input(b, 0, trains, 1);
	assert_int_equal(drops[NATMUX_DROP_ESP_NO_SA], 1);
	assert_int_equal(events_n, 3);
	assert_int_equal(events[2].type, NATMUX_ESP_EVENT_AUDIT);
	assert_int_equal(events[2].spi, 0x9999);
	stop();
}

/* A UDP super-packet through both: cut, sealed, opened and put together again. */
static void test_super_packet(void **state)
{
	static uint8_t packet[65535];
	uint32_t len = make_udp(packet, 28 + 40 * 1000 + 77);
	struct natmux_inner inner = {
		.data = packet,
		.len = len,
		.offload = {.kind = NATMUX_OFFLOAD_UDP,
			.needs_checksum = 1,
			.header_len = 28,
			.segment = 1000,
			.checksum_start = 20,
			.checksum_offset = 6},
	};

	(void)state;
	start();
	natmux_esp_output(a, 0, &inner, 1);
	assert_int_equal(trains_n, 1);
	assert_int_equal(natmux_train_count(&trains[0]), 41);
	natmux_esp_input(b, 0, trains, trains_n);
	assert_int_equal(delivered_n, 1);
	assert_int_equal(delivered_offload.kind, NATMUX_OFFLOAD_UDP);
	assert_int_equal(delivered_offload.segment, 1000);
	assert_int_equal(delivered_len, len);
	assert_memory_equal(delivered + 28, packet + 28, len - 28);
	stop();
}

static void test_policies_and_sas(void **state)
{
	uint8_t packet[100];
	struct natmux_sa_config bad = sa_config(NATMUX_SA_OUT, SPI_AB);

	(void)state;
	start();
	make_udp(packet, sizeof(packet));
	nm_put32(packet + 16, 0x0b000001);
	output(packet, sizeof(packet));
	assert_int_equal(drops[NATMUX_DROP_OUT_POLICY], 1);
	make_udp(packet, sizeof(packet));
	packet[0] = 0x55;
	output(packet, sizeof(packet));
	assert_int_equal(drops[NATMUX_DROP_OUT_FORMAT], 1);
	/* A replacement with a key of the wrong length changes nothing. */
	bad.key_len--;
	assert_int_equal(natmux_esp_sa_add(a, 0, &bad), NATMUX_EINVAL);
	make_udp(packet, sizeof(packet));
	output(packet, sizeof(packet));
	assert_int_equal(trains_n, 1);
	assert_int_equal(natmux_esp_sa_delete(a, NATMUX_SA_OUT, SPI_AB, &bad.path.remote), 0);
	output(packet, sizeof(packet));
	assert_int_equal(drops[NATMUX_DROP_OUT_NO_SA], 1);
	assert_int_equal(events[events_n - 1].type, NATMUX_ESP_EVENT_ACQUIRE);
	stop();
}

static void test_moving(void **state)
{
	struct natmux_sa_config back = sa_config(NATMUX_SA_OUT, SPI_BA);
	uint8_t packet[100];

	(void)state;
	start();
	assert_int_equal(natmux_esp_sa_add(b, 0, &back), 0);
	add_policy(b, "10.0.0.0/8", "10.2.0.0/16");
	make_udp(packet, sizeof(packet));
	output(packet, sizeof(packet));
	output(packet, sizeof(packet));
	trains[0].path.remote.port = trains[1].path.remote.port = 31022;
	/* The older of the two comes last: it moves nothing (I8). */
	natmux_esp_input(b, 5000, &trains[1], 1);
	assert_int_equal(events[events_n - 1].type, NATMUX_ESP_EVENT_MOVED);
	assert_int_equal(events[events_n - 1].path.remote.port, 31022);
	trains[0].path.remote.port = 5;
	natmux_esp_input(b, 50000, &trains[0], 1);
	assert_int_equal(events_n, 1);
	/* What goes back goes to where the peer is now. */
	trains_n = 0;
	natmux_esp_output(b, 0, &(struct natmux_inner){.data = packet, .len = sizeof(packet)}, 1);
	assert_int_equal(trains[0].path.remote.port, 31022);
	stop();
}

static void test_keepalives(void **state)
{
	uint8_t packet[100];

	(void)state;
	start();
	assert_int_equal(natmux_esp_next_deadline(a), 20000);
	assert_true(natmux_esp_next_deadline(b) == UINT64_MAX); /* it only receives */
	natmux_esp_timeout(a, 19999);
	assert_int_equal(trains_n, 0);
	natmux_esp_timeout(a, 20000);
	assert_int_equal(trains_n, 1);
	assert_int_equal(trains[0].len, 1);
	assert_int_equal(wire[0], 0xff);
	assert_int_equal(natmux_esp_next_deadline(a), 40000);
	/* Traffic puts it off. */
	make_udp(packet, sizeof(packet));
	natmux_esp_output(
		a, 30000, &(struct natmux_inner){.data = packet, .len = sizeof(packet)}, 1);
	natmux_esp_timeout(a, 40000);
	assert_int_equal(trains_n, 2);
	assert_int_equal(natmux_esp_next_deadline(a), 50000);
	stop();
}

/* Two SAs to one peer, the old one and the new: one octet is enough for both. */
static void test_one_keepalive_for_a_peer(void **state)
{
	struct natmux_sa_config second = sa_config(NATMUX_SA_OUT, SPI_AB + 1);

	(void)state;
	start();
	assert_int_equal(natmux_esp_sa_add(a, 0, &second), 0);
	natmux_esp_timeout(a, 20000);
	assert_int_equal(trains_n, 1);
	second.spi++;
	second.reqid++;
	assert_int_equal(natmux_esp_sa_add(a, 0, &second), 0);
	natmux_esp_timeout(a, 40000);
	assert_int_equal(trains_n, 3);
	stop();
}

static void test_lifetimes(void **state)
{
	struct natmux_sa_config config = sa_config(NATMUX_SA_OUT, SPI_AB);
	uint8_t packet[100];

	(void)state;
	start();
	make_udp(packet, sizeof(packet));
	config.soft = (struct natmux_lifetime){.packets = 3, .seconds = 60};
	config.hard = (struct natmux_lifetime){.bytes = 500, .seconds = 100};
	assert_int_equal(natmux_esp_sa_add(a, 1000, &config), 0);
	for (int i = 0; i < 4; i++)
		output(packet, sizeof(packet));
	assert_int_equal(events_n, 1); /* told once */
	assert_int_equal(events[0].type, NATMUX_ESP_EVENT_SOFT);
	output(packet, sizeof(packet));
	assert_int_equal(events_n, 2);
	assert_int_equal(events[1].type, NATMUX_ESP_EVENT_HARD);
	assert_int_equal(trains_n, 5);
	output(packet, sizeof(packet)); /* 500 octets have gone: no more */
	assert_int_equal(trains_n, 5);
	assert_int_equal(drops[NATMUX_DROP_OUT_NO_SA], 1);

	/* By the clock. */
	config.soft.packets = config.hard.bytes = 0;
	assert_int_equal(natmux_esp_sa_add(a, 1000, &config), 0);
	events_n = 0;
	natmux_esp_timeout(a, 60999);
	assert_int_equal(events_n, 0);
	natmux_esp_timeout(a, 61000);
	assert_int_equal(events_n, 1);
	assert_int_equal(events[0].type, NATMUX_ESP_EVENT_SOFT);
	natmux_esp_timeout(a, 101000);
	assert_int_equal(events[1].type, NATMUX_ESP_EVENT_HARD);
	assert_int_equal(events_n, 2);
	stop();
}

/*
 * Transport mode between hosts behind a NAT: the receiver's header has the addresses it sees, and a
 * checksum that is right for them (row N8).
 */
static void test_transport(void **state)
{
	struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI_AB);
	struct natmux_sa_config in = sa_config(NATMUX_SA_IN, SPI_AB);
	struct natmux_inner inner;
	uint8_t packet[200], want[200];

	(void)state;
	start();
	out.mode = in.mode = NATMUX_SA_TRANSPORT;
	assert_int_equal(natmux_esp_sa_add(a, 0, &out), 0);
	assert_int_equal(natmux_esp_sa_add(b, 0, &in), 0);
	make_udp(packet, sizeof(packet));
	inner = (struct natmux_inner){.data = packet,
		.len = sizeof(packet),
		.offload = {.needs_checksum = 1, .checksum_start = 20, .checksum_offset = 6}};
	natmux_esp_output(a, 0, &inner, 1);
	assert_int_equal(trains_n, 1);
	/* 8 + 8 + 180 + pad and trailer to a multiple of four + 16: no IP header inside. */
	assert_int_equal(trains[0].len, 8 + 8 + 184 + 16);
	trains[0].path.remote.ip[3] = 99; /* translated on the way */
	natmux_esp_input(b, 0, trains, 1);
	assert_int_equal(delivered_n, 1);
	assert_int_equal(delivered_len, sizeof(packet));
	assert_memory_equal(delivered + 12, trains[0].path.remote.ip, 4);
	assert_memory_equal(delivered + 16, trains[0].path.local.ip, 4);
	/* Both checksums, made anew: the same octets. */
	memcpy(want, delivered, sizeof(want));
	inner_fix(want);
	assert_memory_equal(delivered, want, sizeof(want));
	stop();
}

/* A packet that does not fit: told with DF, cut without, and what is cut fits and is whole. */
static void test_too_big(void **state)
{
	uint8_t packet[4000], whole[4000] = {0};
	size_t payload = 0;

	(void)state;
	start();
	make_udp(packet, 1600);
	packet[6] = 0x40;
	output(packet, 1600);
	assert_int_equal(trains_n, 0);
	assert_int_equal(drops[NATMUX_DROP_OUT_TOO_BIG], 1);
	assert_int_equal(delivered_n, 1);
	assert_int_equal(delivered[9], 1);
	assert_int_equal(delivered[20], 3);
	assert_int_equal(delivered[21], 4);
	/* 1500 - 28 - 8 - 8 - 16 = 1440, of which 2 are the trailer's: 1438. */
	assert_int_equal(nm_get16(delivered + 26), 1438);
	assert_memory_equal(delivered + 28, packet, 28);
	/* An ICMP error is not answered with another. */
	packet[9] = 1;
	packet[20] = 3;
	output(packet, 1600);
	assert_int_equal(delivered_n, 1);

	make_udp(packet, sizeof(packet));
	output(packet, sizeof(packet));
	assert_int_equal(trains_n, 1);
	assert_int_equal(natmux_train_count(&trains[0]), 3);
	assert_in_range(trains[0].segment, 1, 1500 - 28);
	for (size_t i = 0; i < 3; i++) {
		struct natmux_train one = trains[0];
		unsigned int offset;

		one.data += i * one.segment;
		one.len = i < 2 ? one.segment : one.len - 2 * one.segment;
		delivered_n = 0;
		natmux_esp_input(b, 0, &one, 1);
		assert_int_equal(delivered_n, 1);
		offset = (nm_get16(delivered + 6) & 0x1fffu) * 8;
		memcpy(whole + offset, delivered + 20, delivered_len - 20);
		payload += delivered_len - 20;
		assert_int_equal((nm_get16(delivered + 6) & 0x2000) != 0, i < 2);
	}
	assert_int_equal(payload, sizeof(packet) - 20);
	assert_memory_equal(whole, packet + 20, payload);
	stop();
}

/* A super-packet of segments that do not fit: with DF its sender hears of it, without they are cut. */
static void test_too_big_super(void **state)
{
	static uint8_t packet[10000];
	struct natmux_inner inner = {
		.data = packet,
		.offload = {.kind = NATMUX_OFFLOAD_UDP,
			.needs_checksum = 1,
			.header_len = 28,
			.segment = 1411,
			.checksum_start = 20,
			.checksum_offset = 6},
	};

	(void)state;
	for (int has_df = 0; has_df < 2; has_df++) {
		start();
		inner.len = make_udp(packet, 28 + 4 * 1411 + 9);
		packet[6] = has_df ? 0x40 : 0;
		natmux_esp_output(a, 0, &inner, 1);
		assert_int_equal(trains_n > 0, !has_df);
		assert_int_equal(drops[NATMUX_DROP_OUT_TOO_BIG], has_df ? 5 : 0);
		assert_int_equal(delivered_n, has_df);
		if (has_df)
			assert_int_equal(nm_get16(delivered + 26), 1438);
		/* An octet less of payload, and they fit. */
		trains_n = 0;
		inner.offload.segment = 1410;
		natmux_esp_output(a, 0, &inner, 1);
		assert_int_equal(trains_n, 1);
		inner.offload.segment = 1411;
		stop();
	}
}

/* IPv6 fits with 1280 octets into any path, and senders are not asked for less (RFC 8200 5). */
static void test_too_big6(void **state)
{
	uint8_t packet[1281] = {0x60, [6] = 59, [7] = 64, [8] = 0xfd, 1, [24] = 0xfd, 2};
	struct natmux_policy policy = {
		.action = NATMUX_POLICY_PROTECT,
		.reqid = REQID,
		.selector = {.source_ports = {0, 65535}, .destination_ports = {0, 65535}},
	};

	(void)state;
	path_mtu = 1280;
	start();
	path_mtu = 1500;
	assert_int_equal(natmux_prefix_parse("fd01::/16", &policy.selector.source), 0);
	assert_int_equal(natmux_prefix_parse("fd02::/16", &policy.selector.destination), 0);
	assert_int_equal(natmux_esp_policy_add(a, &policy), 0);
	nm_put16(packet + 4, 1280 - 40);
	output(packet, 1280);
	assert_int_equal(trains_n, 1);
	/* 8 + 8 + 1280 + pad and trailer to a multiple of four + 16 */
	assert_int_equal(trains[0].len, 8 + 8 + 1284 + 16);
	nm_put16(packet + 4, 1281 - 40);
	output(packet, 1281);
	assert_int_equal(trains_n, 1);
	assert_int_equal(drops[NATMUX_DROP_OUT_TOO_BIG], 1);
	assert_int_equal(delivered_n, 1);
	assert_int_equal(delivered[40], 2);
	assert_int_equal(nm_get32(delivered + 44), 1280);
	stop();
}

static void count_warning(void *user, enum natmux_log_level level, const char *text)
{
	if (level == NATMUX_LOG_WARNING && strstr(text, "RLIMIT_MEMLOCK"))
		++*(int *)user;
}

/* Somebody who may lock nothing adds SAs of several suites. The exit status: how often it was said. */
static int add_unlocked(void)
{
	static const enum natmux_suite suites[] = {NATMUX_SUITE_AES128GCM16,
		NATMUX_SUITE_AES256GCM16, NATMUX_SUITE_AES128_SHA256, NATMUX_SUITE_AES128GCM16};
	const struct rlimit none = {0, 0};
	struct natmux_esp_config config;
	struct natmux_esp *esp;
	int warnings = 0;

	if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (geteuid() == 0 && setuid(65534) < 0))
		return 99;
	natmux_esp_config_init(&config);
	config.random.fill = esp_fill;
	config.send = keep_trains;
	config.deliver = keep_packet;
	config.log = (struct natmux_log){count_warning, &warnings, NATMUX_LOG_WARNING};
	if (natmux_esp_new(&config, &esp) < 0)
		return 98;
	for (uint32_t i = 0; i < ARRAY_SIZE(suites); i++) {
		struct natmux_sa_config sa = sa_config(NATMUX_SA_OUT, 0x5000 + i);

		sa.suite = suites[i];
		sa.key_len = natmux_suite_key_len(sa.suite);
		if (natmux_esp_sa_add(esp, 0, &sa) < 0)
			return 97;
	}
	natmux_esp_free(esp);
	return warnings;
}

/* Memory that may be swapped is told of once, not with each of 100,000 SAs. */
static void test_unlocked_is_said_once(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	assert_true(sodium_init() >= 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(add_unlocked());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), CAN_LOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_packet),
		cmocka_unit_test(test_replay_and_forgery),
		cmocka_unit_test(test_super_packet),
		cmocka_unit_test(test_policies_and_sas),
		cmocka_unit_test(test_moving),
		cmocka_unit_test(test_keepalives),
		cmocka_unit_test(test_one_keepalive_for_a_peer),
		cmocka_unit_test(test_lifetimes),
		cmocka_unit_test(test_transport),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_too_big_super),
		cmocka_unit_test(test_too_big6),
		cmocka_unit_test(test_unlocked_is_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
