/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of docs/conformance.md that only a whole plane can keep: what is let in, moved, told and
 * refused. Each test begins with the ids of its rows.
 */
#include "esp_ledger_test.h"

static struct natmux_addr test_addr(const char *text)
{
	struct natmux_addr addr;

	assert_int_equal(natmux_addr_parse(text, 0, &addr), 0);
	return addr;
}

static const struct natmux_random randomness = {.fill = esp_fill};

static struct natmux_train *send_one(void)
{
	struct inner_spec spec = plain(4, UDP);

	return send_spec(&spec);
}

static struct natmux_sa_info shown;

static void keep_info(void *user, const struct natmux_sa_info *info)
{
	(void)user;
	shown = *info;
}

static const struct natmux_sa_info *info_of(const struct natmux_esp *esp)
{
	natmux_esp_sas(esp, keep_info, NULL);
	return &shown;
}

static void test_n1_e1_e2_spi(void **state)
{
	static const uint32_t refused[] = {0, 1, 255};
	struct natmux_sa_config config = sa_config(NATMUX_SA_IN, SPI);
	struct natmux_train *train;

	(void)state;
	start_plain();
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		config.spi = refused[i];
		assert_int_equal(natmux_esp_sa_add(b, 0, &config), NATMUX_EINVAL);
	}
	config.spi = 256;
	assert_int_equal(natmux_esp_sa_add(b, 0, &config), 0);
	train = send_one();
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		nm_put32(wire, refused[i]);
		receive(train, 0);
		assert_int_equal(drops[NATMUX_DROP_ESP_NO_SA], i + 1);
	}
	assert_int_equal(delivered_n, 0);
	stop();
}

/* Whether a lifetime, a counter, or silence of the peer: a keepalive counts for nothing. */
static void test_n6_n11_keepalive_is_nothing(void **state)
{
	uint8_t octet = 0xff;
	struct natmux_train train = {.data = &octet, .len = 1, .segment = 1};
	uint64_t used_ms;

	(void)state;
	start_plain();
	used_ms = info_of(b)->used_ms;
	train.path.remote = test_addr("198.51.100.9:1");
	train.path.local = test_addr("192.0.2.1:4500");
	receive(&train, 5000);
	assert_int_equal(info_of(b)->used_ms, used_ms);
	assert_int_equal(info_of(b)->path.remote.port, 4500);
	assert_int_equal(delivered_n + events_n + trains_n, 0);
	stop();
}

/* RFC 4301 5.2 step 4, RFC 3948 5.1: an authentic packet is no reason to believe its addresses. */
static void test_n7_a2_inner_addresses(void **state)
{
	static const struct {
		const char *source, *destination;
		uint8_t protocol;
		uint16_t port;
		bool is_let_in;
	} cases[] = {
		{"0.0.0.0/0", "0.0.0.0/0", 0, 0, true},
		{"10.1.0.7/32", "10.2.0.7/32", UDP, 2000, true},
		{"10.1.0.8/32", "0.0.0.0/0", 0, 0, false},
		{"0.0.0.0/0", "10.2.0.6/32", 0, 0, false},
		{"10.2.0.0/16", "10.1.0.0/16", 0, 0, false}, /* the other way round */
		{"0.0.0.0/0", "0.0.0.0/0", TCP, 0, false},
		{"0.0.0.0/0", "0.0.0.0/0", UDP, 2001, false},
		{"::/0", "::/0", 0, 0, false},
	};
	struct inner_spec spec = plain(4, UDP);

	(void)state;
	spec.host = 7;
	spec.source_port = 1000;
	spec.destination_port = 2000;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI);
		struct natmux_sa_config in = sa_config(NATMUX_SA_IN, SPI);
		static uint8_t packet[INNER_MAX];
		struct natmux_selector selector;

		/* The fake's own addresses, whichever they are. */
		inner_build(&spec, packet);
		nm_put32(packet + 12, 0x0a010007);
		nm_put32(packet + 16, 0x0a020007);
		inner_fix(packet);
		selector = selector_of(
			cases[i].source, cases[i].destination, cases[i].protocol, cases[i].port);
		in.selectors = &selector;
		in.selectors_len = 1;
		start(&out, &in);
		natmux_esp_output(a, 0, &(struct natmux_inner){.data = packet, .len = 28 + LEN}, 1);
		receive(&trains[0], 0);
		assert_int_equal(delivered_n, cases[i].is_let_in);
		assert_int_equal(drops[NATMUX_DROP_ESP_SELECTOR], !cases[i].is_let_in);
		assert_int_equal(info_of(b)->counters.selector, !cases[i].is_let_in);
		if (!cases[i].is_let_in)
			assert_int_equal(events[0].drop, NATMUX_DROP_ESP_SELECTOR);
		stop();
	}
}

/* Transport mode: the checksum of what the receiver sees is right, whatever the NAT has done (3.1.2). */
static void test_n8_transport_checksums(void **state)
{
	static const struct {
		const char *local, *sender, *seen_as;
		uint8_t family, protocol;
		bool is_udp_zero;
	} cases[] = {
		{"192.0.2.1:4500", "192.0.2.2:4500", "203.0.113.7:1024", 4, TCP, false},
		{"192.0.2.1:4500", "192.0.2.2:4500", "203.0.113.7:1024", 4, UDP, false},
		{"192.0.2.1:4500", "192.0.2.2:4500", "203.0.113.7:1024", 4, UDP, true},
		{"[2001:db8::1]:4500", "[2001:db8::2]:4500", "[2001:db8:9::7]:1024", 6, TCP, false},
		{"[2001:db8::1]:4500", "[2001:db8::2]:4500", "[2001:db8:9::7]:1024", 6, UDP, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI);
		struct natmux_sa_config in = sa_config(NATMUX_SA_IN, SPI);
		struct inner_spec spec = plain(cases[i].family, cases[i].protocol);
		static uint8_t packet[INNER_MAX];
		struct natmux_inner inner = {.data = packet};

		out.mode = in.mode = NATMUX_SA_TRANSPORT;
		out.path.local = test_addr(cases[i].sender);
		out.path.remote = in.path.local = test_addr(cases[i].local);
		in.path.remote = (struct natmux_addr){0};
		start(&out, &in);
		inner.len = (uint32_t)inner_build(&spec, packet);
		if (cases[i].is_udp_zero)
			nm_put16(packet + 26, 0);
		natmux_esp_output(a, 0, &inner, 1);
		assert_int_equal(trains_n, 1);
		trains[0].path.remote = test_addr(cases[i].seen_as);
		trains[0].path.local = test_addr(cases[i].local);
		receive(&trains[0], 0);
		assert_int_equal(delivered_n, 1);
		assert_int_equal(delivered_len, inner.len);
		assert_true(inner_is_right(delivered, delivered_len));
		if (cases[i].is_udp_zero)
			assert_int_equal(nm_get16(delivered + 26), 0);
		stop();
	}
}

/* A packet with a wrong number, key, window or time is no word of the peer's (RFC 7296 2.23). */
static void test_i8_what_moves_nobody(void **state)
{
	static const struct {
		enum natmux_roam roam;
		const char *from;
		bool moves;
	} cases[] = {
		{NATMUX_ROAM_YES, "198.51.100.9:77", true},
		{NATMUX_ROAM_PORT, "192.0.2.2:77", true},
		{NATMUX_ROAM_PORT, "198.51.100.9:4500", false},
		{NATMUX_ROAM_NO, "192.0.2.2:77", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI);
		struct natmux_sa_config in = sa_config(NATMUX_SA_IN, SPI);
		struct natmux_train first, forged;
		static uint8_t copy[WIRE];

		in.roam = cases[i].roam;
		start(&out, &in);
		first = *send_one();
		memcpy(copy, wire, first.len);
		first.path.remote = test_addr("192.0.2.2:4500");
		receive(&first, 0);
		/* The same again, from elsewhere: a replay. */
		memcpy(wire, copy, first.len);
		first.path.remote = test_addr(cases[i].from);
		receive(&first, 10000);
		/* The next number, forged. */
		forged = *send_one();
		wire[forged.data - wire + 20] ^= 1;
		forged.path.remote = test_addr(cases[i].from);
		receive(&forged, 20000);
		assert_int_equal(drops[NATMUX_DROP_ESP_REPLAY], 1);
		assert_int_equal(drops[NATMUX_DROP_ESP_ICV], 1);
		assert_int_equal(info_of(b)->path.remote.port, 4500);
		/* And the true one. */
		forged = *send_one();
		forged.path.remote = test_addr(cases[i].from);
		receive(&forged, 30000);
		assert_int_equal(delivered_n, 2);
		assert_int_equal(natmux_addr_equal(&info_of(b)->path.remote, &forged.path.remote),
			cases[i].moves);
		stop();
	}
}

/* Without a window replays are delivered, but still say nothing about where the peer is. */
static void test_i8_replays_without_window(void **state)
{
	struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI),
				in = sa_config(NATMUX_SA_IN, SPI);
	static uint8_t copy[WIRE];
	struct natmux_train train;

	(void)state;
	in.replay_window = 0;
	start(&out, &in);
	train = *send_one();
	memcpy(copy, wire, train.len);
	receive(&train, 0);
	memcpy(wire, copy, train.len);
	train.path.remote = test_addr("198.51.100.9:77");
	receive(&train, 10000);
	assert_int_equal(delivered_n, 2);
	assert_int_equal(info_of(b)->path.remote.port, 4500);
	train = *send_one();
	train.path.remote = test_addr("198.51.100.9:77");
	receive(&train, 20000);
	assert_int_equal(info_of(b)->path.remote.port, 77);
	stop();
}

/* RFC 4303 3.3.3: told before, told at the end, and no number twice. */
static void test_e3_e4_numbers_end(void **state)
{
	struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI),
				in = sa_config(NATMUX_SA_IN, SPI);
	struct inner_spec spec = plain(4, UDP);
	static uint8_t packet[INNER_MAX];

	(void)state;
	out.sequence = in.sequence = UINT32_MAX - 2;
	start(&out, &in);
	send_one();
	assert_int_equal(events_n, 1);
	assert_int_equal(events[0].type, NATMUX_ESP_EVENT_SOFT);
	assert_int_equal(nm_get32(trains[0].data + 4), UINT32_MAX - 1);
	send_one();
	assert_int_equal(nm_get32(trains[1].data + 4), UINT32_MAX);
	for (int i = 0; i < 3; i++)
		send_inner(&spec, packet);
	assert_int_equal(trains_n, 2);
	assert_int_equal(drops[NATMUX_DROP_ESP_DEAD] + drops[NATMUX_DROP_OUT_NO_SA], 3);
	assert_true(events_n >= 2);
	assert_int_equal(events[1].type, NATMUX_ESP_EVENT_HARD);
	assert_int_equal(events[1].spi, SPI);
	for (size_t i = 2; i < events_n; i++) /* told once */
		assert_int_equal(events[i].type, NATMUX_ESP_EVENT_ACQUIRE);
	assert_true(info_of(a)->is_dead);
	assert_int_equal(info_of(a)->sequence, UINT32_MAX);
	natmux_esp_input(b, 0, trains, 2);
	assert_int_equal(delivered_n, 2);
	stop();
}

/* RFC 4303 2.2.1: with ESN the same place is passed, and the half that nobody sees is in the ICV. */
static void test_e5_extended_numbers_go_on(void **state)
{
	struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI),
				in = sa_config(NATMUX_SA_IN, SPI);

	(void)state;
	out.has_esn = in.has_esn = true;
	out.sequence = in.sequence = UINT32_MAX - 1;
	start(&out, &in);
	for (int i = 0; i < 3; i++)
		send_one();
	assert_int_equal(nm_get32(trains[0].data + 4), UINT32_MAX);
	assert_int_equal(nm_get32(trains[1].data + 4), 0);
	assert_int_equal(nm_get32(trains[2].data + 4), 1);
	natmux_esp_input(b, 0, trains, 3);
	assert_int_equal(delivered_n, 3);
	assert_true(info_of(b)->sequence == (UINT64_C(1) << 32) + 1);
	assert_int_equal(events_n, 0);
	stop();

	/* A receiver in another subspace takes none of them for authentic. */
	in.sequence = (UINT64_C(7) << 32) - 2;
	start(&out, &in);
	send_one();
	send_one();
	natmux_esp_input(b, 0, trains, 2);
	assert_int_equal(delivered_n, 0);
	assert_int_equal(drops[NATMUX_DROP_ESP_ICV], 2);
	stop();
}

/* RFC 4303 2.6: we can send them; received, they are no event, no drop and no packet. */
static void test_e9_dummies(void **state)
{
	struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI),
				in = sa_config(NATMUX_SA_IN, SPI);
	struct natmux_esp_packet dummy = {
		.data = wire, .size = WIRE, .len = 333, .next_header = 59};
	struct natmux_train train = {.path = in.path, .data = wire};
	struct natmux_sa *sender;

	(void)state;
	start(&out, &in);
	assert_int_equal(natmux_sa_new(&out, &randomness, &sender), 0);
	assert_int_equal(natmux_sa_seal(sender, &dummy, 1), 1);
	train.len = train.segment = (uint32_t)dummy.len;
	receive(&train, 0);
	assert_int_equal(delivered_n + events_n + trains_n, 0);
	for (size_t i = 0; i < NATMUX_DROP_COUNT; i++)
		assert_int_equal(drops[i], 0);
	assert_int_equal(info_of(b)->counters.dummy, 1);
	/* It was authentic all the same: its number has been used. */
	receive(&train, 0);
	assert_int_equal(drops[NATMUX_DROP_ESP_REPLAY], 1);
	natmux_sa_free(sender);
	stop();
}

/* RFC 4303 3.2: there is no word and no number for a suite without integrity. */
static void test_e12_always_integrity(void **state)
{
	static const char *const words[] = {"null", "null-null", "null-none", "aes128", "aes256"};
	enum natmux_suite suite;

	(void)state;
	for (unsigned int i = 0; i < NATMUX_SUITE_COUNT; i++)
		assert_true(natmux_suite_get((enum natmux_suite)i)->icv_len >= 8);
	assert_null(natmux_suite_get(NATMUX_SUITE_COUNT));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_int_equal(natmux_suite_parse(words[i], &suite), NATMUX_ENOTFOUND);
	assert_int_equal(natmux_suite_parse("null-sha256", &suite), 0);
}

/* One packet for each auditable reason of RFC 4303 4 that the plane has to judge. */
static void spoil_nothing(struct natmux_train *train)
{
	(void)train;
}

static void spoil_spi(struct natmux_train *train)
{
	nm_put32(wire + (train->data - wire), 0x7777);
}

static void spoil_icv(struct natmux_train *train)
{
	wire[train->data - wire + train->len - 1] ^= 0x80;
}

static void spoil_number(struct natmux_train *train)
{
	nm_put32(wire + (train->data - wire) + 4, 1); /* the first packet had it */
}

static void end_sa(struct natmux_train *train)
{
	(void)train;
	natmux_esp_timeout(b, 100000);
}

static void test_e1_e19_e20_audit(void **state)
{
	static const struct {
		void (*spoil)(struct natmux_train *train);
		enum natmux_drop drop;
		uint32_t spi, sequence;
	} cases[] = {
		{spoil_spi, NATMUX_DROP_ESP_NO_SA, 0x7777, 2},
		{spoil_icv, NATMUX_DROP_ESP_ICV, SPI, 2},
		{spoil_number, NATMUX_DROP_ESP_REPLAY, SPI, 1},
		{end_sa, NATMUX_DROP_ESP_DEAD, SPI, 2},
		{spoil_nothing, NATMUX_DROP_COUNT, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_sa_config out = sa_config(NATMUX_SA_OUT, SPI);
		struct natmux_sa_config in = sa_config(NATMUX_SA_IN, SPI);
		const struct natmux_esp_event *told;
		struct natmux_train *train;
		size_t sent;

		in.hard.seconds = 100;
		start(&out, &in);
		receive(send_one(), 0);
		train = send_one();
		train->path.remote = test_addr("198.51.100.5:5555");
		cases[i].spoil(train);
		events_n = 0;
		sent = trains_n;
		receive(train, 100000);
		assert_int_equal(trains_n, sent); /* nobody is answered */
		if (cases[i].drop == NATMUX_DROP_COUNT) {
			assert_int_equal(delivered_n, 2);
			stop();
			continue;
		}
		assert_int_equal(delivered_n, 1);
		assert_int_equal(drops[cases[i].drop], 1);
		assert_int_equal(events_n, 1);
		told = &events[0];
		assert_int_equal(told->type, NATMUX_ESP_EVENT_AUDIT);
		assert_int_equal(told->drop, cases[i].drop);
		assert_int_equal(told->spi, cases[i].spi);
		assert_int_equal(told->sequence, cases[i].sequence);
		assert_true(natmux_addr_equal(&told->path.remote, &train->path.remote));
		assert_true(natmux_addr_equal(&told->path.local, &train->path.local));
		/* Counted each time, told once a second: a flood is no flood of events. */
		nm_put32(wire, 0x7777);
		for (int n = 0; n < 10; n++)
			receive(&trains[0], 200000);
		assert_int_equal(events_n, 2);
		receive(&trains[0], 201000);
		assert_int_equal(events_n, 3);
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_n1_e1_e2_spi),
		cmocka_unit_test(test_n6_n11_keepalive_is_nothing),
		cmocka_unit_test(test_n7_a2_inner_addresses),
		cmocka_unit_test(test_n8_transport_checksums),
		cmocka_unit_test(test_i8_what_moves_nobody),
		cmocka_unit_test(test_i8_replays_without_window),
		cmocka_unit_test(test_e3_e4_numbers_end),
		cmocka_unit_test(test_e5_extended_numbers_go_on),
		cmocka_unit_test(test_e9_dummies),
		cmocka_unit_test(test_e12_always_integrity),
		cmocka_unit_test(test_e1_e19_e20_audit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
