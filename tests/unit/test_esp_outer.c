/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the outside sees and what fits it: DF, path MTUs, packets that are too big, TFC padding that gives
 * way, dummies, MSS. Ledger rows A7, A8, E9, E10, E22.
 */
#include "esp_plane_test.h"

static struct natmux_sa_config out_config, in_config;
static bool clamps_mss;
static uint16_t path_mtu;

static struct natmux_esp *make_plane(void)
{
	struct natmux_esp_config config;

	plane_config(&config);
	config.path_mtu = path_mtu;
	config.clamps_mss = clamps_mss;
	return plane_new(&config);
}

static int setup(void **state)
{
	(void)state;
	forget();
	esp_config(&out_config, NATMUX_SA_OUT, NATMUX_SUITE_AES128GCM16);
	esp_config(&in_config, NATMUX_SA_IN, NATMUX_SUITE_AES128GCM16);
	out_config.reqid = in_config.reqid = REQID;
	clamps_mss = false;
	path_mtu = 1500;
	return 0;
}

static void start(void)
{
	a = make_plane();
	b = make_plane();
	assert_int_equal(natmux_esp_sa_add(a, 0, &out_config), 0);
	assert_int_equal(natmux_esp_sa_add(b, 0, &in_config), 0);
	add_policy(a, "0.0.0.0/0", "0.0.0.0/0");
	add_policy(a, "::/0", "::/0");
}

/* A whole packet of `len` octets through A, at a time. */
static void output_at(uint64_t now_ms, const struct inner_spec *spec, uint32_t len)
{
	static uint8_t memory[70000];
	struct inner_spec whole = *spec;
	struct natmux_inner inner = {.data = memory + NATMUX_INNER_ROOM, .len = len};
	uint32_t header = (spec->family == 4 ? 20 : 40) + (spec->protocol == 6 ? 20 : 8);

	whole.payload_len = len - header;
	assert_int_equal(inner_build(&whole, inner.data), len);
	natmux_esp_output(a, now_ms, &inner, 1);
}

/* What B makes of everything that A has sent. */
static void input_all(void)
{
	size_t n = trains_n;

	for (size_t i = 0; i < n; i++)
		natmux_esp_input(b, 0, &trains[i], 1);
}

static struct natmux_sa_info shown;

static void show(void *user, const struct natmux_sa_info *info)
{
	(void)user;
	shown = *info;
}

/* Each way of an SA, for what may be cut and what may not, and for IPv6. */
static void test_df(void **state)
{
	static const struct {
		enum natmux_df df;
		uint8_t family;
		uint16_t inner, outer;
	} cases[] = {
		{NATMUX_DF_COPY, 4, 0, 0},
		{NATMUX_DF_COPY, 4, INNER_DF, 1},
		{NATMUX_DF_COPY, 6, 0, 1},
		{NATMUX_DF_SET, 4, 0, 1},
		{NATMUX_DF_SET, 4, INNER_DF, 1},
		{NATMUX_DF_SET, 6, 0, 1},
		{NATMUX_DF_CLEAR, 4, 0, 0},
		{NATMUX_DF_CLEAR, 4, INNER_DF, 0},
		{NATMUX_DF_CLEAR, 6, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct inner_spec spec = inner_spec(cases[i].family, 17);

		setup(NULL);
		spec.fragment = cases[i].inner;
		out_config.df = cases[i].df;
		start();
		output_at(0, &spec, 1000);
		assert_int_equal(trains_n, 1);
		if (trains[0].dont_fragment != cases[i].outer)
			fail_msg("case %zu", i);
		stop();
	}
}

/* Packets that want DF and others are no train, and none is lost by that. */
static void test_df_parts_trains(void **state)
{
	static uint8_t memory[6][2048];
	struct natmux_inner packets[6];

	(void)state;
	start();
	for (size_t i = 0; i < 6; i++) {
		struct inner_spec spec = inner_spec(4, 17);

		spec.fragment = i / 2 == 1 ? INNER_DF : 0;
		packets[i] = (struct natmux_inner){.data = memory[i] + NATMUX_INNER_ROOM};
		packets[i].len = (uint32_t)inner_build(&spec, packets[i].data);
	}
	natmux_esp_output(a, 0, packets, 6);
	assert_int_equal(trains_n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(natmux_train_count(&trains[i]), 2);
		assert_int_equal(trains[i].dont_fragment, i == 1);
	}
	input_all();
	assert_int_equal(delivered_n, 6);
	stop();
}

/* A path that takes less: what fits it, for how long, and what the SA says of it. */
static void test_path_mtu(void **state)
{
	const uint32_t overhead = 20 + 8 + 8 + 8 + 16 + 2; /* IP UDP ESP IV ICV trailer */
	struct inner_spec spec = inner_spec(4, 17);
	struct natmux_addr other = out_config.path.remote;

	(void)state;
	spec.fragment = INNER_DF;
	start();
	output_at(0, &spec, 1500 - overhead);
	assert_int_equal(trains_n, 1);
	other.ip[3]++;
	natmux_esp_set_path_mtu(a, 0, &other, 1000);
	output_at(0, &spec, 1500 - overhead);
	assert_int_equal(trains_n, 2);

	/* Any port of the peer. */
	other = out_config.path.remote;
	other.port = 1;
	natmux_esp_set_path_mtu(a, 1000, &other, 1400);
	natmux_esp_sas(a, show, NULL);
	assert_int_equal(shown.path_mtu, 1400);
	output_at(2000, &spec, 1400 - overhead);
	assert_int_equal(trains_n, 3);
	output_at(2000, &spec, 1400 - overhead + 4);
	assert_int_equal(trains_n, 3);
	assert_int_equal(delivered_n, 1);
	assert_in_range(nm_get16(delivered + 26), 1400 - overhead, 1400 - overhead + 3);
	assert_int_equal(drops[NATMUX_DROP_OUT_TOO_BIG], 1);

	/* RFC 1191 6.3: after ten minutes it is tried again. */
	output_at(1000 + 600 * 1000 - 1, &spec, 1500 - overhead);
	assert_int_equal(trains_n, 3);
	output_at(1000 + 600 * 1000, &spec, 1500 - overhead);
	assert_int_equal(trains_n, 4);
	natmux_esp_sas(a, show, NULL);
	assert_int_equal(shown.path_mtu, 1500);

	/* Nobody makes it useless, and nobody raises it. */
	natmux_esp_set_path_mtu(a, 0, &other, 1);
	natmux_esp_sas(a, show, NULL);
	assert_int_equal(shown.path_mtu, 576);
	natmux_esp_set_path_mtu(a, 0, &other, UINT32_MAX);
	natmux_esp_sas(a, show, NULL);
	assert_int_equal(shown.path_mtu, 1500);
	stop();
}

/* What nothing is sent to any more is forgotten as well, and not shown for ever. */
static void test_path_mtu_is_forgotten(void **state)
{
	const uint64_t age = 600 * 1000;

	(void)state;
	start();
	assert_int_equal(natmux_esp_next_deadline(a), UINT64_MAX);
	natmux_esp_set_path_mtu(a, 1000, &out_config.path.remote, 1400);
	assert_int_equal(natmux_esp_next_deadline(a), 1000 + age);
	natmux_esp_timeout(a, 1000 + age - 1);
	natmux_esp_sas(a, show, NULL);
	assert_int_equal(shown.path_mtu, 1400);
	/* Told again meanwhile: it counts from then on. */
	natmux_esp_set_path_mtu(a, 5000, &out_config.path.remote, 1300);
	natmux_esp_timeout(a, 1000 + age);
	natmux_esp_sas(a, show, NULL);
	assert_int_equal(shown.path_mtu, 1300);
	assert_int_equal(natmux_esp_next_deadline(a), 5000 + age);
	natmux_esp_timeout(a, 5000 + age);
	natmux_esp_sas(a, show, NULL);
	assert_int_equal(shown.path_mtu, 1500);
	assert_int_equal(natmux_esp_next_deadline(a), UINT64_MAX);
	stop();
}

/* too-big = cut: whole it goes, and without DF. */
static void test_cut_outside(void **state)
{
	static const struct {
		enum natmux_sa_mode mode;
		enum natmux_too_big too_big;
		uint8_t family;
		uint16_t fragment;
		bool is_sent;
	} cases[] = {
		{NATMUX_SA_TUNNEL, NATMUX_TOO_BIG_TELL, 4, INNER_DF, false},
		{NATMUX_SA_TUNNEL, NATMUX_TOO_BIG_CUT, 4, INNER_DF, true},
		{NATMUX_SA_TUNNEL, NATMUX_TOO_BIG_TELL, 6, 0, false},
		{NATMUX_SA_TUNNEL, NATMUX_TOO_BIG_CUT, 6, 0, true},
		/* in transport mode there is nothing inside that could be cut */
		{NATMUX_SA_TRANSPORT, NATMUX_TOO_BIG_TELL, 4, 0, true},
		{NATMUX_SA_TRANSPORT, NATMUX_TOO_BIG_TELL, 4, INNER_DF, false},
		{NATMUX_SA_TRANSPORT, NATMUX_TOO_BIG_CUT, 4, INNER_DF, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct inner_spec spec = inner_spec(cases[i].family, 17);

		setup(NULL);
		spec.fragment = cases[i].fragment;
		out_config.too_big = cases[i].too_big;
		out_config.mode = in_config.mode = cases[i].mode;
		out_config.df = NATMUX_DF_SET;
		start();
		output_at(0, &spec, 3000);
		if ((trains_n == 1) != cases[i].is_sent)
			fail_msg("case %zu", i);
		if (trains_n == 1) {
			assert_int_equal(trains[0].dont_fragment, 0);
			assert_int_equal(natmux_train_count(&trains[0]), 1);
			input_all();
			assert_int_equal(delivered_n, 1);
			assert_int_equal(delivered_len, 3000);
		}
		assert_int_equal(drops[NATMUX_DROP_OUT_TOO_BIG], !cases[i].is_sent);
		stop();
	}
}

/* What no datagram holds is told, whatever the SA wants. */
static void test_cut_has_an_end(void **state)
{
	struct inner_spec spec = inner_spec(4, 17);

	(void)state;
	spec.fragment = INNER_DF;
	out_config.too_big = NATMUX_TOO_BIG_CUT;
	start();
	output_at(0, &spec, (65507 - 8 - 8 - 16) / 4 * 4 - 2);
	assert_int_equal(trains_n, 1);
	assert_in_range(trains[0].len, 65504, 65507);
	output_at(0, &spec, 65535);
	assert_int_equal(trains_n, 1);
	assert_int_equal(drops[NATMUX_DROP_OUT_TOO_BIG], 1);
	stop();
}

/* Datagrams of a super-packet that may be cut are, one by one. */
static void test_super_packet_is_cut(void **state)
{
	static uint8_t memory[20000];
	struct inner_spec spec = inner_spec(4, 17);
	struct natmux_inner inner = {.data = memory + NATMUX_INNER_ROOM};

	(void)state;
	spec.fragment = 0;
	spec.payload_len = 5000;
	inner.len = (uint32_t)inner_build(&spec, inner.data);
	inner.offload = (struct natmux_offload){.kind = NATMUX_OFFLOAD_UDP,
		.needs_checksum = 1,
		.header_len = 28,
		.segment = 2000,
		.checksum_start = 20,
		.checksum_offset = 6};
	start();
	natmux_esp_output(a, 0, &inner, 1);
	input_all();
	/* 2000, 2000 and 1000: two pieces, two, one. */
	assert_int_equal(delivered_n, 5);
	assert_int_equal(drops[NATMUX_DROP_OUT_TOO_BIG], 0);
	stop();
}

/* More padding than fits: as much as fits, nothing is refused, and no sender hears nonsense. */
static void test_tfc_gives_way(void **state)
{
	static const uint16_t mtus[] = {576, 1280, 1500, 9000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mtus) * 2; i++) {
		uint16_t mtu = mtus[i / 2];
		uint32_t most = mtu - 20u - 8;
		struct inner_spec spec = inner_spec(4, 17);

		setup(NULL);
		spec.fragment = INNER_DF;
		out_config.tfc_pad = 9000;
		/* By configuration, and by what a router has told. */
		path_mtu = i % 2 ? mtu : 9001;
		start();
		if (i % 2 == 0)
			natmux_esp_set_path_mtu(a, 0, &out_config.path.remote, mtu);
		for (uint32_t len = 29; len < 500; len += 67)
			output_at(0, &spec, len);
		assert_true(trains_n > 0);
		for (size_t j = 0; j < trains_n; j++)
			assert_int_equal(trains[j].segment, most / 4 * 4);
		input_all();
		assert_int_equal(delivered_len, 29 + 7 * 67 > 500 ? 431 : 431 + 67);
		output_at(0, &spec, mtu);
		assert_in_range(nm_get16(delivered + 26), 500, mtu);
		natmux_esp_sas(a, show, NULL);
		assert_int_equal(shown.tfc_pad, 9000);
		stop();
	}
}

/* Runs the clock of A to a time, deadline by deadline. */
static void run_to(uint64_t from_ms, uint64_t to_ms)
{
	uint64_t at = natmux_esp_next_deadline(a);

	for (; at <= to_ms; at = natmux_esp_next_deadline(a)) {
		assert_true(at >= from_ms);
		natmux_esp_timeout(a, at);
		assert_true(natmux_esp_next_deadline(a) > at);
	}
}

/* In silence they come, by chance; traffic keeps them away; nobody sees them at the other end. */
static void test_dummies(void **state)
{
	struct inner_spec spec = inner_spec(4, 17);
	size_t lens = 0;

	(void)state;
	out_config.dummy_seconds = 10;
	start();
	run_to(0, 1000000);
	/* A hundred, give or take; 5 to 15 seconds apart. */
	assert_in_range(trains_n, 67, 200);
	for (size_t i = 0; i < trains_n; i++) {
		assert_in_range(trains[i].len, 8 + 8 + 24 + 16, 1500 - 28);
		lens += i > 0 && trains[i].len != trains[i - 1].len;
	}
	assert_true(lens > trains_n / 2);
	natmux_esp_sas(a, show, NULL);
	assert_int_equal(shown.counters.dummy, trains_n);
	assert_int_equal(shown.counters.packets, 0);
	assert_int_equal(shown.used_ms, 0);
	input_all();
	assert_int_equal(delivered_n, 0);
	natmux_esp_sas(b, show, NULL);
	assert_int_equal(shown.counters.dummy, trains_n);
	for (size_t i = 0; i < NATMUX_DROP_COUNT; i++)
		assert_int_equal(drops[i], 0);

	forget();
	for (uint64_t now = 1000000; now < 1100000; now += 4000) {
		output_at(now, &spec, 100);
		run_to(now, now + 3999);
	}
	assert_int_equal(trains_n, 25);
	stop();
}

/* Off by default, and not for ever: dead SAs, and those that are not in use, send none. */
static void test_no_dummies(void **state)
{
	(void)state;
	start();
	assert_true(natmux_esp_next_deadline(a) == UINT64_MAX);
	stop();

	out_config.dummy_seconds = 1;
	out_config.hard.packets = 3;
	start();
	run_to(0, 100000);
	assert_int_equal(trains_n, 3);
	stop();

	setup(NULL);
	out_config.dummy_seconds = 3600;
	start();
	run_to(0, 1799999);
	assert_int_equal(trains_n, 0);
	/* A newer SA of the reqid has the traffic, and wants none. */
	out_config.spi++;
	out_config.dummy_seconds = 0;
	assert_int_equal(natmux_esp_sa_add(a, 1800000, &out_config), 0);
	run_to(0, 100000000);
	assert_int_equal(trains_n, 0);
	stop();
}

/* As the traffic before it: DSCP and DF do not tell a dummy from a packet. */
static void test_dummies_look_alike(void **state)
{
	struct inner_spec spec = inner_spec(4, 17);

	(void)state;
	spec.fragment = INNER_DF;
	spec.tos = 0xb8;
	out_config.dummy_seconds = 1;
	out_config.tfc_pad = 1400;
	start();
	output_at(0, &spec, 100);
	run_to(0, 3000);
	assert_true(trains_n >= 2);
	for (size_t i = 0; i < trains_n; i++) {
		assert_int_equal(trains[i].tos, 0xb8);
		assert_int_equal(trains[i].dont_fragment, 1);
		assert_in_range(trains[i].len, 1400 + 34, 1500 - 28);
	}
	stop();
}

/* A SYN through A and B: 40 or 60 octets of headers, and an MSS option in front of the others. */
static uint16_t mss_through(uint8_t family, uint16_t mss)
{
	static uint8_t memory[2048];
	uint8_t *packet = memory + NATMUX_INNER_ROOM;
	struct inner_spec spec = inner_spec(family, 6);
	uint32_t tcp = family == 4 ? 20 : 40;
	struct natmux_inner inner = {.data = packet};

	spec.flags = INNER_SYN;
	spec.payload_len = 0;
	spec.tcp_options = 8;
	inner.len = (uint32_t)inner_build(&spec, packet);
	memcpy(packet + tcp + 20, (const uint8_t[]){2, 4, (uint8_t)(mss >> 8), (uint8_t)mss}, 4);
	inner_fix(packet);
	forget();
	natmux_esp_output(a, 0, &inner, 1);
	assert_int_equal(trains_n, 1);
	natmux_esp_input(b, 0, &trains[0], 1);
	assert_int_equal(delivered_n, 1);
	assert_true(inner_is_right(delivered, delivered_len));
	return nm_get16(delivered + tcp + 22);
}

/* On the way out by the SA that seals; on the way in by the one that answers. */
static void test_mss(void **state)
{
	struct natmux_sa_config back;

	(void)state;
	clamps_mss = true;
	start();
	assert_int_equal(mss_through(4, 1460), 1438 - 40);
	assert_int_equal(mss_through(4, 1398), 1398);
	assert_int_equal(mss_through(4, 536), 536);
	assert_int_equal(mss_through(6, 1440), 1438 - 60);
	natmux_esp_set_path_mtu(a, 0, &out_config.path.remote, 1280);
	assert_int_equal(mss_through(4, 1460), 1218 - 40);
	assert_int_equal(mss_through(6, 1440), 1280 - 60);
	esp_config(&back, NATMUX_SA_OUT, NATMUX_SUITE_AES256_SHA512);
	back.reqid = REQID;
	assert_int_equal(natmux_esp_sa_add(b, 0, &back), 0);
	natmux_esp_set_path_mtu(b, 0, &back.path.remote, 1000);
	/* 1000 - 28 - 8 - 16 - 32, whole blocks of 16 without the trailer: 910. */
	assert_int_equal(mss_through(4, 1460), 910 - 40);
	stop();

	clamps_mss = false;
	start();
	assert_int_equal(mss_through(4, 1460), 1460);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_df, setup),
		cmocka_unit_test_setup(test_df_parts_trains, setup),
		cmocka_unit_test_setup(test_path_mtu, setup),
		cmocka_unit_test_setup(test_path_mtu_is_forgotten, setup),
		cmocka_unit_test_setup(test_cut_outside, setup),
		cmocka_unit_test_setup(test_cut_has_an_end, setup),
		cmocka_unit_test_setup(test_super_packet_is_cut, setup),
		cmocka_unit_test_setup(test_tfc_gives_way, setup),
		cmocka_unit_test_setup(test_dummies, setup),
		cmocka_unit_test_setup(test_no_dummies, setup),
		cmocka_unit_test_setup(test_dummies_look_alike, setup),
		cmocka_unit_test_setup(test_mss, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
