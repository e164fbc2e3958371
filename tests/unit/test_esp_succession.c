/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An SA that replaces another: with the same key it goes on where that one was (RFC 4106 3.1: no IV
 * twice; RFC 4303 3.4.3: no packet twice), with another it begins anew. And keys that are kept.
 */
#include "test.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <natmux/error.h>
#include <natmux/esp.h>

#include "base/bytes.h"
#include <natmux/inner.h>

enum { SPI = 0x1000, REQID = 7, WIRE = 1 << 16 };

static struct natmux_esp *esp;
static uint8_t wire[WIRE];
static size_t wire_len;
static unsigned int delivered;
static uint64_t drops[NATMUX_DROP_COUNT];
static struct natmux_esp_event last_event;
static uint8_t dice = 1;
static uint64_t clock_ms = 5000;

static void keep_train(void *user, const struct natmux_train *train, size_t n)
{
	(void)user;
	(void)n;
	wire_len = train->len;
	memcpy(wire, train->data, train->len);
}

static void count_packet(void *user, const struct natmux_gathered *packet)
{
	(void)user;
	(void)packet;
	delivered++;
}

static void count_drop(void *user, enum natmux_drop drop, uint64_t n)
{
	(void)user;
	drops[drop] += n;
}

static void keep_event(void *user, const struct natmux_esp_event *event)
{
	(void)user;
	last_event = *event;
}

/* Another value at each call. */
static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, dice++, len);
}

static const uint8_t key_a[20] = {1, 2, 3}, key_b[20] = {9, 8, 7};

static struct natmux_sa_config make_config(enum natmux_sa_direction direction, const uint8_t *key)
{
	struct natmux_sa_config config;

	natmux_sa_config_init(&config);
	config.direction = direction;
	config.spi = SPI;
	config.suite = NATMUX_SUITE_AES128GCM16;
	config.key = key;
	config.key_len = 20;
	config.reqid = REQID;
	config.path.remote = (struct natmux_addr){.ip = {192, 0, 2, 2}, .port = 4500, .family = 4};
	return config;
}

static int begin(void **state)
{
	struct natmux_policy policy = {
		.action = NATMUX_POLICY_PROTECT,
		.reqid = REQID,
		.selector = {.source_ports = {0, 65535}, .destination_ports = {0, 65535}},
	};
	struct natmux_esp_config config;

	(void)state;
	natmux_esp_config_init(&config);
	config.random.fill = fill;
	config.send = keep_train;
	config.deliver = count_packet;
	config.drop = count_drop;
	config.event = keep_event;
	config.keeps_keys = *(bool *)*state;
	assert_int_equal(natmux_esp_new(&config, &esp), 0);
	natmux_prefix_parse("0.0.0.0/0", &policy.selector.source);
	natmux_prefix_parse("0.0.0.0/0", &policy.selector.destination);
	assert_int_equal(natmux_esp_policy_add(esp, &policy), 0);
	delivered = 0;
	memset(&last_event, 0, sizeof(last_event));
	memset(drops, 0, sizeof(drops));
	return 0;
}

static int end(void **state)
{
	(void)state;
	natmux_esp_free(esp);
	return 0;
}

static void add(const struct natmux_sa_config *config)
{
	assert_int_equal(natmux_esp_sa_check(esp, config), 0);
	assert_int_equal(natmux_esp_sa_add(esp, 0, config), 0);
}

static void send_one(void)
{
	uint8_t packet[28] = {0x45, 0, 0, 28, [8] = 64, [9] = 17, [12] = 10, [16] = 10};
	struct natmux_inner inner = {.data = packet, .len = sizeof(packet)};

	wire_len = 0;
	natmux_esp_output(esp, 0, &inner, 1);
}

static void receive(const uint8_t *packet, size_t len, uint8_t last_octet)
{
	uint8_t copy[256];
	struct natmux_train train = {.data = copy, .len = (uint32_t)len};

	memcpy(copy, packet, len);
	train.path.remote = (struct natmux_addr){
		.ip = {192, 0, 2, last_octet}, .port = 4500, .family = NATMUX_FAMILY_IPV4};
	natmux_esp_input(esp, clock_ms, &train, 1);
}

static uint32_t sent_number(void)
{
	send_one();
	return wire_len > 0 ? nm_get32(wire + 4) : 0;
}

static void test_numbers_go_on(void **state)
{
	struct natmux_sa_config config = make_config(NATMUX_SA_OUT, key_a);
	uint64_t iv;

	(void)state;
	add(&config);
	assert_int_equal(sent_number(), 1);
	iv = nm_get64(wire + 8);
	assert_int_equal(sent_number(), 2);
	assert_true(nm_get64(wire + 8) == iv + 1);
	config.soft.bytes = 1000;
	add(&config);
	assert_int_equal(sent_number(), 3);
	assert_true(nm_get64(wire + 8) == iv + 2);
	/* What it was told to begin with counts when it is more, and only then. */
	config.sequence = 1;
	add(&config);
	assert_int_equal(sent_number(), 4);
	config.sequence = 100;
	add(&config);
	assert_int_equal(sent_number(), 101);
	assert_true(nm_get64(wire + 8) == iv + 100);
	config.has_esn = true;
	config.sequence = 0;
	add(&config);
	assert_int_equal(sent_number(), 102);
	assert_true(nm_get64(wire + 8) == iv + 101);
}

static void test_numbers_begin_anew(void **state)
{
	struct natmux_sa_config config = make_config(NATMUX_SA_OUT, key_a);
	uint64_t iv;

	(void)state;
	add(&config);
	assert_int_equal(sent_number(), 1);
	iv = nm_get64(wire + 8);
	config.key = key_b;
	add(&config);
	assert_int_equal(sent_number(), 1);
	assert_true(nm_get64(wire + 8) != iv);
	config.suite = NATMUX_SUITE_AES128GCM8;
	add(&config);
	assert_int_equal(sent_number(), 1);
	/* Gone and made again, as after a restart: the IVs of before do not come back. */
	iv = nm_get64(wire + 8);
	assert_int_equal(natmux_esp_sa_delete(esp, NATMUX_SA_OUT, SPI, &config.path.remote), 0);
	add(&config);
	assert_int_equal(sent_number(), 1);
	assert_true(nm_get64(wire + 8) != iv);
}

static void test_window_goes_on(void **state)
{
	static const uint32_t windows[] = {1024, 64, 8192, 0};
	struct natmux_sa_config out = make_config(NATMUX_SA_OUT, key_a);
	struct natmux_sa_config in = make_config(NATMUX_SA_IN, key_a);
	uint8_t first[256];
	size_t len;

	(void)state;
	add(&out);
	add(&in);
	send_one();
	len = wire_len;
	memcpy(first, wire, len);
	receive(first, len, 2);
	assert_int_equal(delivered, 1);
	for (size_t i = 0; i < 3; i++) {
		in.replay_window = windows[i];
		add(&in);
		receive(first, len, 2);
		assert_int_equal(delivered, 1);
		assert_int_equal(drops[NATMUX_DROP_ESP_REPLAY], i + 1);
	}
	send_one();
	receive(wire, wire_len, 2);
	assert_int_equal(delivered, 2);
	/* Another key: another window. What the old one let through means nothing to it. */
	in.key = out.key = key_b;
	add(&in);
	add(&out);
	send_one();
	assert_int_equal(nm_get32(wire + 4), 1);
	receive(wire, wire_len, 2);
	assert_int_equal(delivered, 3);
}

/* What is missing in a window is still missing in one of another size, if that reaches so far. */
static void test_gaps_go_on(void **state)
{
	static const uint32_t windows[] = {1024, 64, 8192, 65};
	struct natmux_sa_config out = make_config(NATMUX_SA_OUT, key_a);
	struct natmux_sa_config in = make_config(NATMUX_SA_IN, key_a);
	uint8_t kept[5][256];
	size_t len = 0;

	(void)state;
	add(&out);
	add(&in);
	for (size_t i = 0; i < 5; i++) {
		send_one();
		len = wire_len;
		memcpy(kept[i], wire, len);
	}
	receive(kept[4], len, 2);
	for (size_t i = 0; i < 4; i++) {
		in.replay_window = windows[i];
		add(&in);
		receive(kept[i], len, 2);
		assert_int_equal(delivered, i + 2);
		receive(kept[i], len, 2);
		receive(kept[4], len, 2);
		assert_int_equal(delivered, i + 2);
	}
	/* Narrower, and back: what it was too narrow for is gone for good. */
	for (size_t i = 0; i < 40; i++) {
		send_one();
		if (i == 0)
			memcpy(kept[0], wire, len);
	}
	receive(wire, len, 2);
	in.replay_window = 32;
	add(&in);
	in.replay_window = 1024;
	add(&in);
	receive(kept[0], len, 2);
	assert_int_equal(delivered, 6);
}

/* Where ESN comes or goes the end of the numbers is another: an SA does not inherit that. */
static void test_end_of_numbers_is_its_own(void **state)
{
	struct natmux_sa_config config = make_config(NATMUX_SA_OUT, key_a);

	(void)state;
	config.sequence = UINT32_MAX - 2;
	add(&config);
	assert_int_equal(sent_number(), UINT32_MAX - 1);
	config.has_esn = true;
	config.sequence = 0;
	add(&config);
	assert_int_equal(sent_number(), UINT32_MAX);
	send_one();
	assert_true(wire_len > 0);
	assert_int_equal(nm_get32(wire + 4), 0);
	assert_int_equal(sent_number(), 1);
	/* And back: 32 bits have no room for any more. */
	config.has_esn = false;
	add(&config);
	send_one();
	assert_int_equal(wire_len, 0);
}

/* ESN goes by mistake and comes back: what lies beyond 32 bits is neither sent nor accepted again. */
static void test_long_numbers_come_back(void **state)
{
	struct natmux_sa_config out = make_config(NATMUX_SA_OUT, key_a);
	struct natmux_sa_config in = make_config(NATMUX_SA_IN, key_a);
	uint8_t kept[256];
	uint64_t iv;
	size_t len;

	(void)state;
	out.has_esn = in.has_esn = true;
	out.sequence = in.sequence = UINT64_C(0x100000005);
	add(&out);
	add(&in);
	send_one();
	len = wire_len;
	memcpy(kept, wire, len);
	iv = nm_get64(wire + 8);
	receive(kept, len, 2);
	assert_int_equal(delivered, 1);
	out.sequence = in.sequence = 0;
	out.has_esn = in.has_esn = false;
	add(&out);
	add(&in);
	send_one();
	assert_int_equal(wire_len, 0);
	out.has_esn = in.has_esn = true;
	add(&out);
	add(&in);
	assert_int_equal(sent_number(), 7);
	assert_true(nm_get64(wire + 8) == iv + 1);
	receive(kept, len, 2);
	assert_int_equal(delivered, 1);
	receive(wire, wire_len, 2);
	assert_int_equal(delivered, 2);
}

/* Told to have seen more than its predecessor has, it does not go back to what that one knew. */
static void test_window_does_not_go_back(void **state)
{
	struct natmux_sa_config out = make_config(NATMUX_SA_OUT, key_a);
	struct natmux_sa_config in = make_config(NATMUX_SA_IN, key_a);

	(void)state;
	add(&out);
	add(&in);
	send_one();
	receive(wire, wire_len, 2);
	assert_int_equal(delivered, 1);
	in.sequence = 3;
	add(&in);
	for (unsigned int number = 2; number <= 5; number++) {
		send_one();
		receive(wire, wire_len, 2);
		assert_int_equal(delivered, number <= 3 ? 1 : number - 2);
	}
	assert_int_equal(drops[NATMUX_DROP_ESP_REPLAY], 2);
}

static void look_at_path(void *user, const struct natmux_sa_info *info)
{
	if (info->direction == NATMUX_SA_OUT)
		*(struct natmux_sa_info *)user = *info;
}

static void look_at_path_of_spi(void *user, const struct natmux_sa_info *info)
{
	struct natmux_sa_info *wanted = user;

	if (info->direction == NATMUX_SA_OUT && info->spi == wanted->spi)
		*wanted = *info;
}

static void test_place_goes_on(void **state)
{
	struct natmux_sa_config out = make_config(NATMUX_SA_OUT, key_a);
	struct natmux_sa_config in = make_config(NATMUX_SA_IN, key_a);
	struct natmux_addr configured = out.path.remote;
	struct natmux_sa_info info;

	(void)state;
	add(&out);
	add(&in);
	send_one();
	receive(wire, wire_len, 77);
	assert_int_equal(last_event.type, NATMUX_ESP_EVENT_MOVED);
	assert_int_equal(last_event.direction, NATMUX_SA_IN);
	out.soft.packets = 1;
	add(&out);
	natmux_esp_sas(esp, look_at_path, &info);
	assert_int_equal(info.path.remote.ip[3], 77);
	assert_true(natmux_addr_equal(&info.added_remote, &configured));
	send_one();
	assert_int_equal(last_event.type, NATMUX_ESP_EVENT_SOFT);
	assert_int_equal(last_event.direction, NATMUX_SA_OUT);
	/* The configuration has the last word when it says something new: another port. */
	out.path.remote.port = 4501;
	add(&out);
	natmux_esp_sas(esp, look_at_path, &info);
	assert_int_equal(info.path.remote.ip[3], 2);
	assert_int_equal(info.path.remote.port, 4501);
	assert_int_equal(natmux_esp_sa_delete(esp, NATMUX_SA_OUT, SPI, &info.added_remote), 0);
}

static struct natmux_addr place_of_out(uint32_t spi)
{
	struct natmux_sa_info info = {.spi = spi};

	natmux_esp_sas(esp, look_at_path_of_spi, &info);
	return info.path.remote;
}

/* A new SA to a peer that moved begins where the peer is, however it was configured. */
static void test_place_is_handed_on(void **state)
{
	struct natmux_sa_config out = make_config(NATMUX_SA_OUT, key_a);
	struct natmux_sa_config in = make_config(NATMUX_SA_IN, key_a);

	(void)state;
	add(&out);
	add(&in);
	send_one();
	receive(wire, wire_len, 77);
	assert_int_equal(place_of_out(SPI).ip[3], 77);
	out.spi = SPI + 1;
	out.key = key_b;
	add(&out);
	assert_int_equal(place_of_out(SPI + 1).ip[3], 77);
	/* Not to a peer that somebody has written down elsewhere, nor one of another reqid. */
	out.spi = SPI + 2;
	out.path.remote.ip[3] = 3;
	add(&out);
	assert_int_equal(place_of_out(SPI + 2).ip[3], 3);
	out.spi = SPI + 3;
	out.path.remote.ip[3] = 2;
	out.reqid = REQID + 1;
	add(&out);
	assert_int_equal(place_of_out(SPI + 3).ip[3], 2);
}

/* With none left that knows, the next packets from the peer tell. */
static void test_place_is_told(void **state)
{
	static const struct {
		enum natmux_roam roam;
		uint8_t from; /* last octet of where the peer is */
		bool is_told;
	} cases[] = {{NATMUX_ROAM_YES, 77, true}, {NATMUX_ROAM_PORT, 77, false},
		{NATMUX_ROAM_NO, 77, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_sa_config out = make_config(NATMUX_SA_OUT, key_a);
		struct natmux_sa_config in = make_config(NATMUX_SA_IN, key_a);

		in.roam = cases[i].roam;
		in.path.remote.family =
			NATMUX_FAMILY_NONE; /* from anywhere: the first says where */
		add(&out);
		add(&in);
		send_one();
		receive(wire, wire_len, cases[i].from);
		assert_int_equal(
			natmux_esp_sa_delete(esp, NATMUX_SA_OUT, SPI, &out.path.remote), 0);
		out.sequence = 1;
		add(&out);
		assert_int_equal(place_of_out(SPI).ip[3], 2);
		memset(&last_event, 0, sizeof(last_event));
		clock_ms += 2000;
		send_one();
		receive(wire, wire_len, cases[i].from);
		assert_int_equal(place_of_out(SPI).ip[3], cases[i].is_told ? 77 : 2);
		assert_int_equal(last_event.type == NATMUX_ESP_EVENT_MOVED, cases[i].is_told);
		assert_int_equal(
			natmux_esp_sa_delete(esp, NATMUX_SA_OUT, SPI, &out.path.remote), 0);
		assert_int_equal(natmux_esp_sa_delete(esp, NATMUX_SA_IN, SPI, NULL), 0);
	}
}

static void test_check_changes_nothing(void **state)
{
	struct natmux_sa_config config = make_config(NATMUX_SA_OUT, key_a);

	(void)state;
	add(&config);
	assert_int_equal(sent_number(), 1);
	config.key_len = 19;
	assert_int_equal(natmux_esp_sa_check(esp, &config), NATMUX_EINVAL);
	assert_int_equal(natmux_esp_sa_add(esp, 0, &config), NATMUX_EINVAL);
	config.key_len = 20;
	config.spi = 255;
	assert_int_equal(natmux_esp_sa_check(esp, &config), NATMUX_EINVAL);
	config.spi = SPI;
	config.suite = NATMUX_SUITE_COUNT;
	assert_int_equal(natmux_esp_sa_check(esp, &config), NATMUX_EINVAL);
	assert_int_equal(natmux_esp_sa_add(esp, 0, &config), NATMUX_EINVAL);
	assert_int_equal(sent_number(), 2);
}

static void look_at_key(void *user, const struct natmux_sa_info *info)
{
	const uint8_t **wanted = user;

	if (!*wanted) {
		assert_null(info->key);
		assert_int_equal(info->key_len, 0);
		return;
	}
	assert_int_equal(info->key_len, 20);
	assert_memory_equal(info->key, *wanted, 20);
}

static void test_keys(void **state)
{
	struct natmux_sa_config config = make_config(NATMUX_SA_OUT, key_a);
	bool keeps = *(bool *)*state;
	const uint8_t *wanted = keeps ? key_a : NULL;

	add(&config);
	natmux_esp_sas(esp, look_at_key, &wanted);
	config.key = key_b;
	add(&config);
	wanted = keeps ? key_b : NULL;
	natmux_esp_sas(esp, look_at_key, &wanted);
}

int main(void)
{
	static bool yes = true, no = false;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate_setup_teardown(test_numbers_go_on, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(test_numbers_begin_anew, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(test_window_goes_on, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(test_gaps_go_on, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(
			test_end_of_numbers_is_its_own, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(
			test_long_numbers_come_back, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(
			test_window_does_not_go_back, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(test_place_goes_on, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(test_place_is_handed_on, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(test_place_is_told, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(
			test_check_changes_nothing, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(test_keys, begin, end, &no),
		cmocka_unit_test_prestate_setup_teardown(test_keys, begin, end, &yes),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
