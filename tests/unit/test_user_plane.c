/* SPDX-License-Identifier: Apache-2.0 */
/* The plane on a real loop, behind a real mux, with a made-up device: both ways, and their troubles. */
#include "config_test.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <natmux/error.h>
#include "base/bytes.h"
#include "daemon/user/user_plane.h"
#include "tests/fakes/fake_inner_tun.h"

static uv_loop_t loop;
static struct natmux_mux *mux;
static struct nm_user_plane *plane;
static uint8_t wire[64 * 1024];
static struct natmux_train sent;
static size_t sent_n;
static struct natmux_esp_event events[16];
static size_t events_n;

static int read_key(const char *path, uint8_t *key, size_t len, char *message, size_t size)
{
	(void)path;
	(void)message;
	(void)size;
	memset(key, 0x42, len);
	return 0;
}

/* What goes out by one SA comes in by another: the same key and SPI. */
static const char base[] = "esp = user\nhandoff = none\n"
			   "sa out { direction = out\nspi = 0x1000\nsuite = aes128gcm16\n"
			   "key-file = /k\nremote = 192.0.2.2\nreqid = 1 }\n"
			   "sa in { direction = in\nspi = 0x1000\nsuite = aes128gcm16\n"
			   "key-file = /k\nreqid = 1 }\n"
			   "policy p { reqid = 1\npriority = 5\nselector = \"dst 10.0.0.0/8\" }\n";

static struct nm_config *parse_with(const char *more)
{
	static const struct nm_config_world world = {.read_key = read_key};
	char text[2048];

	snprintf(text, sizeof(text), "%s%s", base, more);
	return parse_in(&world, text);
}

static void keep_sent(void *user, const struct natmux_train *trains, size_t n)
{
	(void)user;
	sent_n += n;
	sent = trains[n - 1];
	memcpy(wire, sent.data, sent.len);
	sent.data = wire;
}

static void keep_event(void *user, const struct natmux_esp_event *event)
{
	(void)user;
	events[events_n++ % 16] = *event;
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 0x5a, len);
}

static int open_plane(const char *more)
{
	static const struct natmux_random random = {.fill = fill};
	struct nm_user_plane_setup setup = {.loop = &loop, .send = keep_sent, .event = keep_event};
	struct natmux_mux_config mux_config;
	int err;

	natmux_mux_config_init(&mux_config);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(natmux_mux_new(&mux_config, &random, &mux), 0);
	sent_n = events_n = 0;
	setup.config = parse_with(more);
	setup.mux = mux;
	err = nm_user_plane_open(&setup, &plane);
	for (size_t i = 0; i < setup.config->sas_len && err == 0; i++)
		assert_null(setup.config->sas[i].key);
	nm_config_free(setup.config);
	return err;
}

static void close_plane(void)
{
	nm_user_plane_close(plane);
	nm_user_plane_close(plane);
	uv_run(&loop, UV_RUN_DEFAULT);
	nm_user_plane_free(plane);
	assert_false(fake_inner_tun.is_open);
	natmux_mux_free(mux);
	assert_int_equal(uv_loop_close(&loop), 0);
	nm_user_plane_close(NULL);
	nm_user_plane_free(NULL);
}

static int setup_fake(void **state)
{
	(void)state;
	fake_inner_tun_reset();
	return 0;
}

static uint64_t drops(enum natmux_drop drop)
{
	return natmux_mux_stats(mux)->drops[drop];
}

/* An IPv4 UDP packet to 10.0.0.1 (or another first octet), its checksums left to others. */
static uint32_t make_udp(uint8_t *packet, uint8_t net, uint32_t len)
{
	memset(packet, 0, len);
	packet[0] = 0x45;
	nm_put16(packet + 2, (uint16_t)len);
	packet[8] = 64;
	packet[9] = 17;
	packet[12] = 192;
	packet[16] = net;
	packet[19] = 1;
	nm_put16(packet + 20, 1000);
	nm_put16(packet + 22, 2000);
	nm_put16(packet + 24, (uint16_t)(len - 20));
	for (uint32_t i = 28; i < len; i++)
		packet[i] = (uint8_t)i;
	return len;
}

static void run(void)
{
	uv_run(&loop, UV_RUN_NOWAIT);
}

/* What was sent comes back as if the peer had sent it. */
static void bring_back(void)
{
	struct natmux_train train = sent;

	train.path.remote.port = 61000;
	natmux_mux_input(mux, uv_now(&loop), &train, 1);
}

static void test_both_ways(void **state)
{
	uint8_t packet[200];
	uint32_t len = make_udp(packet, 10, sizeof(packet));
	struct nm_user_plane_status status;

	(void)state;
	assert_int_equal(open_plane("user-plane { address4 = \"10.9.0.1/16\" tun = t7 }"), 0);
	assert_string_equal(fake_inner_tun.config.name, "t7");
	assert_int_equal(fake_inner_tun.config.mtu, 1438);
	assert_int_equal(fake_inner_tun.config.ipv4.bits, 16);
	assert_true(fake_inner_tun.config.use_tso && fake_inner_tun.config.use_uso);
	fake_inner_tun_put(packet, len, NULL);
	run();
	assert_int_equal(sent_n, 1);
	assert_int_equal(sent.path.remote.port, 4500);
	assert_int_equal(nm_get32(wire), 0x1000);
	assert_int_equal(natmux_mux_stats(mux)->tx[NATMUX_CLASS_ESP].datagrams, 1);
	bring_back();
	assert_int_equal(fake_inner_tun.written_n, 1);
	assert_int_equal(fake_inner_tun.written[0].len, len);
	assert_memory_equal(fake_inner_tun.written[0].data, packet, len);
	assert_int_equal(events_n, 1);
	assert_int_equal(events[0].type, NATMUX_ESP_EVENT_MOVED);
	nm_user_plane_get_status(plane, &status);
	assert_string_equal(status.tun, "t7");
	assert_int_equal(status.mtu, 1438);
	assert_int_equal(status.sas, 2);
	assert_int_equal(status.policies, 1);
	assert_true(status.has_tso && status.has_uso && !status.is_gone && !status.has_bare);
	assert_null(status.tso_why);
	assert_non_null(nm_user_plane_esp(plane));
	assert_null(nm_user_plane_esp(NULL));
	/* A drop of the plane is one of the mux. */
	bring_back();
	assert_int_equal(drops(NATMUX_DROP_ESP_REPLAY), 1);
	close_plane();
}

/* More than one round of reading holds. */
static void test_many(void **state)
{
	uint8_t packet[100];

	(void)state;
	assert_int_equal(open_plane(""), 0);
	for (int i = 0; i < FAKE_INNER_PACKETS; i++)
		fake_inner_tun_put(packet, make_udp(packet, 10, sizeof(packet)), NULL);
	run();
	assert_int_equal(fake_inner_tun.to_read_n, 0);
	assert_int_equal(natmux_mux_stats(mux)->tx[NATMUX_CLASS_ESP].datagrams, 128);
	close_plane();
}

/* A super-packet of four datagrams of 50 octets. */
static void put_super(void)
{
	static const struct natmux_offload offload = {.kind = NATMUX_OFFLOAD_UDP,
		.needs_checksum = 1,
		.header_len = 28,
		.segment = 50,
		.checksum_start = 20,
		.checksum_offset = 6};
	uint8_t packet[28 + 200];

	fake_inner_tun_put(packet, make_udp(packet, 10, sizeof(packet)), &offload);
}

/* Super-packets in, out, and in pieces to a device that does not take them any more. */
static void test_super_packets(void **state)
{
	const struct fake_inner_written *written = fake_inner_tun.written;

	(void)state;
	assert_int_equal(open_plane(""), 0);
	put_super();
	run();
	assert_int_equal(natmux_train_count(&sent), 4);
	bring_back();
	assert_int_equal(fake_inner_tun.written_n, 1);
	assert_int_equal(written[0].offload.kind, NATMUX_OFFLOAD_UDP);
	assert_int_equal(written[0].len, 28 + 200);

	fake_inner_tun.refuses_super = true;
	put_super();
	run();
	bring_back();
	assert_int_equal(fake_inner_tun.written_n, 5);
	for (uint32_t i = 1; i < 5; i++) {
		assert_int_equal(written[i].offload.kind, NATMUX_OFFLOAD_NONE);
		assert_int_equal(written[i].offload.needs_checksum, 0);
		assert_int_equal(written[i].len, 28 + 50);
		assert_int_equal(written[i].data[28], 28 + 50 * (i - 1));
	}
	/* From then on the plane makes none. */
	fake_inner_tun.refuses_super = false;
	put_super();
	run();
	bring_back();
	assert_int_equal(fake_inner_tun.written_n, 9);
	assert_int_equal(written[8 % 8].len, 28 + 50);
	close_plane();
}

static void test_device_drops(void **state)
{
	uint8_t packet[100];

	(void)state;
	assert_int_equal(open_plane(""), 0);
	fake_inner_tun_put(packet, make_udp(packet, 10, sizeof(packet)), NULL);
	run();
	fake_inner_tun.status.written.drops = 3;
	bring_back();
	assert_int_equal(drops(NATMUX_DROP_TUN_WRITE), 3);
	bring_back();
	assert_int_equal(drops(NATMUX_DROP_TUN_WRITE), 3);
	/* Deleted: the loop must not run for it for ever. */
	fake_inner_tun.status.is_gone = true;
	fake_inner_tun_put(packet, make_udp(packet, 11, sizeof(packet)), NULL);
	run();
	assert_int_equal(drops(NATMUX_DROP_OUT_POLICY), 1);
	fake_inner_tun_put(packet, make_udp(packet, 11, sizeof(packet)), NULL);
	run();
	assert_int_equal(fake_inner_tun.to_read_n, 1);
	close_plane();
}

/* Back to the machine as it came, with what is left to do about its checksum. */
static void test_bypass(void **state)
{
	static const struct natmux_offload offload = {
		.needs_checksum = 1, .checksum_start = 20, .checksum_offset = 6};
	static const struct natmux_offload super = {.kind = NATMUX_OFFLOAD_UDP,
		.needs_checksum = 1,
		.header_len = 28,
		.segment = 24,
		.checksum_start = 20,
		.checksum_offset = 6};
	uint8_t packet[100];

	(void)state;
	assert_int_equal(open_plane("policy b { action = bypass\nselector = \"dst 11.0.0.0/8\" }\n"
				    "policy d { action = discard\nselector = \"dst 12.0.0.0/8\" }"),
		0);
	fake_inner_tun_put(packet, make_udp(packet, 11, sizeof(packet)), &offload);
	fake_inner_tun_put(packet, make_udp(packet, 12, sizeof(packet)), &offload);
	run();
	assert_int_equal(sent_n, 0);
	assert_int_equal(fake_inner_tun.written_n, 1);
	make_udp(packet, 11, sizeof(packet));
	assert_memory_equal(fake_inner_tun.written[0].data, packet, sizeof(packet));
	assert_memory_equal(&fake_inner_tun.written[0].offload, &offload, sizeof(offload));
	assert_int_equal(drops(NATMUX_DROP_OUT_POLICY), 1);
	/* A super-packet, too: a stream that were left out of it would never get on. */
	fake_inner_tun_put(packet, make_udp(packet, 11, sizeof(packet)), &super);
	run();
	assert_int_equal(fake_inner_tun.written_n, 2);
	assert_memory_equal(&fake_inner_tun.written[1].offload, &super, sizeof(super));
	assert_int_equal(drops(NATMUX_DROP_OUT_POLICY), 1);
	close_plane();
}

/* The plane's clock is the loop's, and a reload sets it anew. */
static void test_clock(void **state)
{
	struct nm_config *before = parse_with("");
	struct nm_config *after =
		parse_with("sa late { direction = in\nspi = 0x2000\nsuite = aes128gcm16\n"
			   "key-file = /k\nsoft-seconds = 1\nhard-seconds = 2 }");
	struct nm_config *bad =
		parse_with("sa a { direction = in\nspi = 0x3000\nsuite = aes128gcm16\n"
			   "key-file = /k }");
	char message[NM_CONFIG_MESSAGE_SIZE];

	(void)state;
	assert_int_equal(open_plane("keepalive { mode = off }"), 0);
	assert_int_equal(nm_user_plane_reload(plane, before, after, message, sizeof(message)), 0);
	assert_null(after->sas[0].key);
	/* A key that is no key of the suite: refused, in words. */
	bad->sas[2].key_len = 3;
	assert_int_equal(
		nm_user_plane_reload(plane, after, bad, message, sizeof(message)), NATMUX_EINVAL);
	assert_non_null(strstr(message, "sa \"a\""));
	while (events_n < 2)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(events[0].type, NATMUX_ESP_EVENT_SOFT);
	assert_int_equal(events[0].spi, 0x2000);
	assert_int_equal(events[1].type, NATMUX_ESP_EVENT_HARD);
	close_plane();
	nm_config_free(before);
	nm_config_free(after);
	nm_config_free(bad);
}

static void test_open_fails(void **state)
{
	(void)state;
	fake_inner_tun.open_result = NATMUX_EEXISTS;
	assert_int_equal(open_plane(""), NATMUX_EEXISTS);
	close_plane();
	fake_inner_tun.open_result = 0;
	assert_int_equal(open_plane("user-plane { sas = 2 policies = 1 }"), 0);
	close_plane();
}

/* The made-up device has one queue: then there is one worker, and the reason is kept. */
static void test_fewer_workers(void **state)
{
	struct nm_user_plane_status status;

	(void)state;
	assert_int_equal(open_plane("user-plane { workers = 2 }"), 0);
	assert_int_equal(nm_user_plane_start(plane), 0);
	nm_user_plane_get_status(plane, &status);
	assert_int_equal(status.workers, 1);
	assert_non_null(status.workers_why);
	nm_user_plane_pause(plane);
	nm_user_plane_resume(plane);
	close_plane();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_both_ways, setup_fake),
		cmocka_unit_test_setup(test_many, setup_fake),
		cmocka_unit_test_setup(test_super_packets, setup_fake),
		cmocka_unit_test_setup(test_device_drops, setup_fake),
		cmocka_unit_test_setup(test_bypass, setup_fake),
		cmocka_unit_test_setup(test_clock, setup_fake),
		cmocka_unit_test_setup(test_open_fails, setup_fake),
		cmocka_unit_test_setup(test_fewer_workers, setup_fake),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
