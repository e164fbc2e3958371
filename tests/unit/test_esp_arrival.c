/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes in trains: packets of several SAs in one, too short ones among them, next headers that
 * do not fit what is inside, and bare ESP, which says nothing of where its peer is. What is sealed
 * here is sealed by hand, and it need not be right.
 */
#include "esp_test.h"

#include <natmux/error.h>
#include <natmux/esp.h>

#include "esp/inner.h"
#include "tests/fakes/inner_packets.h"

enum { SAS = 3, WIRE = 1 << 15, UDP = 17, DUMMY = 59 };

static struct natmux_esp *esp;
static struct esp_tunnel tunnels[SAS];
static uint8_t wire[WIRE];
static struct natmux_train train;
static size_t delivered_n;
static uint16_t delivered_ports[64];
static uint8_t last_packet[2048];
static uint64_t drops[NATMUX_DROP_COUNT];
static struct natmux_esp_event last_event;
static size_t events_n;

/* Whoever is called tries to change SAs: what came of it, and how often. */
static bool meddles;
static unsigned int refused_n;

static void meddle(void)
{
	struct natmux_sa_config config = tunnels[1].in_config;

	if (!meddles)
		return;
	assert_int_equal(natmux_esp_sa_delete(esp, NATMUX_SA_IN, ESP_SPI, NULL), NATMUX_EBUSY);
	config.spi = ESP_SPI + 77;
	assert_int_equal(natmux_esp_sa_add(esp, 0, &config), NATMUX_EBUSY);
	refused_n++;
}

static void keep_trains(void *user, const struct natmux_train *from, size_t n)
{
	(void)user;
	(void)from;
	(void)n;
	fail_msg("nothing is sent here");
}

static void keep_packet(void *user, const struct natmux_gathered *packet)
{
	const uint8_t *data = packet->parts[0].data;

	(void)user;
	assert_in_range(delivered_n, 0, ARRAY_SIZE(delivered_ports) - 1);
	delivered_ports[delivered_n++] = nm_get16(data + (data[0] >> 4 == 4 ? 20 : 40));
	assert_in_range(packet->parts[0].len, 1, sizeof(last_packet));
	memcpy(last_packet, data, packet->parts[0].len);
	meddle();
}

static void keep_drop(void *user, enum natmux_drop drop, uint64_t n)
{
	(void)user;
	drops[drop] += n;
	meddle();
}

static struct natmux_addr place;

/* Where packets to the peer go. */
static void keep_place(void *user, const struct natmux_sa_info *info)
{
	if (info->direction == NATMUX_SA_OUT)
		memcpy(user, &info->path.remote, sizeof(info->path.remote));
}

static void keep_event(void *user, const struct natmux_esp_event *event)
{
	(void)user;
	last_event = *event;
	events_n++;
	meddle();
}

/* Peers that seal by hand, and a plane with all of their inbound SAs. */
static int begin(void **state)
{
	struct natmux_esp_config config;

	(void)state;
	assert_true(sodium_init() >= 0);
	natmux_esp_config_init(&config);
	config.random.fill = esp_fill;
	config.send = keep_trains;
	config.deliver = keep_packet;
	config.drop = keep_drop;
	config.event = keep_event;
	assert_int_equal(natmux_esp_new(&config, &esp), 0);
	for (unsigned int i = 0; i < SAS; i++) {
		esp_tunnel_config(&tunnels[i], NATMUX_SUITE_AES128GCM16);
		tunnels[i].out_config.spi = tunnels[i].in_config.spi = ESP_SPI + i;
		esp_tunnel_begin(&tunnels[i]);
		assert_int_equal(natmux_esp_sa_add(esp, 0, &tunnels[i].in_config), 0);
	}
	train = (struct natmux_train){.data = wire, .path = tunnels[0].in_config.path};
	delivered_n = events_n = refused_n = 0;
	meddles = false;
	memset(drops, 0, sizeof(drops));
	return 0;
}

static int end(void **state)
{
	(void)state;
	natmux_esp_free(esp);
	for (unsigned int i = 0; i < SAS; i++)
		esp_tunnel_end(&tunnels[i]);
	return 0;
}

/* A UDP packet from that port, sealed behind what is in the train. */
static void add(unsigned int sa, uint8_t family, uint16_t port, uint8_t next_header)
{
	uint8_t *packet = wire + train.len;
	struct inner_spec spec = inner_spec(family, UDP);
	struct nm_seal_item item = {.packet = packet, .next_header = next_header};

	spec.payload_len = family == 4 ? 120 : 100; /* of one length, both */
	spec.source_port = port;
	item.len = (uint32_t)inner_build(&spec, nm_seal_inner(tunnels[sa].out, packet));
	assert_true(nm_seal(tunnels[sa].out, &tunnels[sa].source, &item, 1));
	train.segment = nm_sa_sealed_len(tunnels[sa].out, item.len);
	train.len += train.segment;
}

static void add4(unsigned int sa, uint16_t port)
{
	add(sa, 4, port, NM_PROTO_IPIP);
}

static void input(uint64_t now_ms)
{
	natmux_esp_input(esp, now_ms, &train, 1);
	train.len = 0;
}

/* Each SPI has the SA it names, however they take turns. */
static void test_many_sas_in_a_train(void **state)
{
	static const unsigned int order[] = {0, 0, 1, 0, 2, 2, 2, 1, 0, 0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		add4(order[i], (uint16_t)i);
	input(0);
	assert_int_equal(delivered_n, ARRAY_SIZE(order));
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		assert_int_equal(delivered_ports[i], i);
	assert_int_equal(drops[NATMUX_DROP_ESP_ICV], 0);
}

/* One that nobody knows, one that is forged, and two octets at the end: the others arrive. */
static void test_strangers_in_a_train(void **state)
{
	uint32_t segment;

	(void)state;
	add4(0, 1);
	add4(1, 2);
	add4(0, 3);
	add4(0, 4);
	segment = train.segment;
	nm_put32(wire + segment, 0x77777777);
	wire[2 * segment + 40] ^= 1;
	train.len += 2;
	input(0);
	assert_int_equal(delivered_n, 2);
	assert_int_equal(delivered_ports[0], 1);
	assert_int_equal(delivered_ports[1], 4);
	assert_int_equal(drops[NATMUX_DROP_ESP_NO_SA], 1);
	assert_int_equal(drops[NATMUX_DROP_ESP_ICV], 1);
	assert_int_equal(drops[NATMUX_DROP_ESP_SHORT], 1);
}

/* Authentic, and a lie: RFC 4303 2.6 says what is inside by number. */
static void test_next_header_fits_what_is_inside(void **state)
{
	static const struct {
		uint8_t family, next_header;
		bool is_delivered;
	} cases[] = {
		{4, NM_PROTO_IPIP, true},
		{6, NM_PROTO_IPV6, true},
		{4, NM_PROTO_IPV6, false},
		{6, NM_PROTO_IPIP, false},
		{4, UDP, false},
		{4, 0, false},
		{6, 255, false},
		{4, DUMMY, false},
	};
	uint64_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		delivered_n = 0;
		add(0, cases[i].family, 9, cases[i].next_header);
		input(0);
		assert_int_equal(delivered_n, cases[i].is_delivered);
		wrong += !cases[i].is_delivered && cases[i].next_header != DUMMY;
		assert_int_equal(drops[NATMUX_DROP_ESP_INNER], wrong);
	}
}

/* Bare ESP has no port: it is opened, and where the peer takes ESP in UDP stays what it was. */
static void test_bare_moves_nobody(void **state)
{
	(void)state;
	add4(0, 1);
	train.path.remote.port = 0;
	train.path.remote.ip[3] = 99;
	input(5000);
	assert_int_equal(delivered_n, 1);
	assert_int_equal(events_n, 0);
	add4(0, 2);
	train.path.remote.port = 77;
	input(50000);
	assert_int_equal(delivered_n, 2);
	assert_int_equal(events_n, 1);
	assert_int_equal(last_event.type, NATMUX_ESP_EVENT_MOVED);
	assert_int_equal(last_event.path.remote.port, 77);
}

/* An SA that waits for anybody takes the place of the first packet, and then keeps to its word. */
static void test_first_packet_says_where(void **state)
{
	struct natmux_sa_config config = tunnels[0].in_config;

	(void)state;
	config.path = (struct natmux_path){0};
	config.roam = NATMUX_ROAM_NO;
	assert_int_equal(natmux_esp_sa_delete(esp, NATMUX_SA_IN, config.spi, NULL), 0);
	assert_int_equal(natmux_esp_sa_add(esp, 0, &config), 0);
	train.path.remote.port = 77;
	add4(0, 1);
	input(10);
	assert_int_equal(events_n, 1);
	assert_int_equal(last_event.path.remote.port, 77);
	train.path.remote.port = 78;
	add4(0, 2);
	input(100000);
	assert_int_equal(events_n, 1);
	assert_int_equal(delivered_n, 2);
}

/* Once a second at most, or a peer of two addresses would be told of with every packet. */
static void test_moves_once_a_second(void **state)
{
	static const struct {
		uint64_t now_ms;
		uint16_t port;
		size_t events;
	} steps[] = {
		{10000, 1, 1},
		{10500, 2, 1},
		{10999, 2, 1},
		{11000, 2, 2},
		{11001, 1, 2},
		{12000, 1, 3},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		train.path.remote.port = steps[i].port;
		add4(0, (uint16_t)i);
		input(steps[i].now_ms);
		assert_int_equal(events_n, steps[i].events);
	}
}

/*
 * An inbound SA that waits for anybody is told by its first packet where the peer is. Its pair knows
 * the address already, and takes another only if the peer may move.
 */
static void test_first_packet_moves_no_pair_that_stays(void **state)
{
	static const struct {
		enum natmux_roam roam;
		uint8_t ip;
		uint16_t port;
		bool has_moved;
	} cases[] = {
		{NATMUX_ROAM_NO, 2, 4501, true}, /* a NAT's port */
		{NATMUX_ROAM_NO, 3, 4500, false},
		{NATMUX_ROAM_PORT, 3, 4500, false},
		{NATMUX_ROAM_PORT, 2, 4501, true},
		{NATMUX_ROAM_YES, 3, 4501, true},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_sa_config in = tunnels[0].in_config, out = tunnels[0].out_config;
		struct natmux_addr seen = in.path.remote, want = in.path.remote;

		seen.ip[3] = cases[i].ip;
		seen.port = cases[i].port;
		in.spi = out.spi = ESP_SPI;
		in.reqid = out.reqid = 5;
		in.roam = cases[i].roam;
		in.path = (struct natmux_path){0};
		assert_int_equal(natmux_esp_sa_delete(esp, NATMUX_SA_IN, in.spi, NULL), 0);
		natmux_esp_sa_delete(esp, NATMUX_SA_OUT, out.spi, &out.path.remote);
		assert_int_equal(natmux_esp_sa_add(esp, 0, &in), 0);
		assert_int_equal(natmux_esp_sa_add(esp, 0, &out), 0);
		add4(0, 1);
		train.path.remote = seen;
		input(5000 * i);
		assert_int_equal(last_event.type, NATMUX_ESP_EVENT_MOVED);
		assert_true(natmux_addr_equal(&last_event.path.remote, &seen));
		natmux_esp_sas(esp, keep_place, &place);
		assert_true(natmux_addr_equal(&place, cases[i].has_moved ? &seen : &want));
	}
}

/* RFC 6040 4.2: a mark on the way changes two bits of the packet, and nothing beside them. */
static void test_mark_changes_nothing_else(void **state)
{
	enum { ECT0 = 2, CE = 3 };

	(void)state;
	for (uint8_t family = 4; family <= 6; family += 2) {
		static uint8_t want[2048];
		struct inner_spec spec = inner_spec(family, UDP);
		struct nm_seal_item item = {.packet = wire};

		spec.tos = 0xb8 | ECT0;
		spec.flow_label = 0xabcde;
		item.len = (uint32_t)inner_build(&spec, nm_seal_inner(tunnels[0].out, wire));
		item.next_header = family == 4 ? NM_PROTO_IPIP : NM_PROTO_IPV6;
		assert_true(nm_seal(tunnels[0].out, &tunnels[0].source, &item, 1));
		train.len = nm_sa_sealed_len(tunnels[0].out, item.len);
		train.segment = 0;
		train.tos = CE;
		input(0);
		spec.tos = 0xb8 | CE;
		inner_build(&spec, want);
		assert_memory_equal(last_packet, want, item.len);
	}
	assert_int_equal(delivered_n, 2);
}

/* Beyond its hard limit an SA opens nothing. */
static void test_dead_sa(void **state)
{
	struct natmux_sa_config config = tunnels[0].in_config;

	(void)state;
	config.hard.packets = 1;
	assert_int_equal(natmux_esp_sa_add(esp, 0, &config), 0);
	add4(0, 1);
	input(0);
	assert_int_equal(delivered_n, 1);
	assert_int_equal(last_event.type, NATMUX_ESP_EVENT_HARD);
	add4(0, 2);
	input(0);
	assert_int_equal(delivered_n, 1);
	assert_int_equal(drops[NATMUX_DROP_ESP_DEAD], 1);
}

static void meddle_each(void *user, const struct natmux_sa_info *info)
{
	(void)user;
	(void)info;
	meddle();
}

/* A plane that is looking at its SAs lets nobody take them away, whatever it is called for. */
static void test_nobody_meddles(void **state)
{
	struct natmux_sa_config config = tunnels[2].in_config;

	(void)state;
	meddles = true;
	train.path.remote.port = 77;
	add4(0, 1);
	input(2000);
	assert_int_equal(delivered_n, 1);
	assert_int_equal(events_n, 1);
	assert_int_equal(refused_n, 2);
	wire[8] ^= 1;
	train.len = train.segment;
	input(2010);
	assert_in_range(refused_n, 3, 4);
	refused_n = 0;
	natmux_esp_sas(esp, meddle_each, NULL);
	assert_int_equal(refused_n, SAS);
	/* And by the clock. */
	meddles = false;
	config.hard.seconds = 1;
	assert_int_equal(natmux_esp_sa_add(esp, 0, &config), 0);
	meddles = true;
	refused_n = 0;
	natmux_esp_timeout(esp, 4000);
	assert_int_equal(refused_n, 1);
	meddles = false;
	assert_int_equal(natmux_esp_sa_delete(esp, NATMUX_SA_IN, ESP_SPI, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_sas_in_a_train, begin, end),
		cmocka_unit_test_setup_teardown(test_strangers_in_a_train, begin, end),
		cmocka_unit_test_setup_teardown(test_next_header_fits_what_is_inside, begin, end),
		cmocka_unit_test_setup_teardown(test_bare_moves_nobody, begin, end),
		cmocka_unit_test_setup_teardown(test_first_packet_says_where, begin, end),
		cmocka_unit_test_setup_teardown(test_moves_once_a_second, begin, end),
		cmocka_unit_test_setup_teardown(
			test_first_packet_moves_no_pair_that_stays, begin, end),
		cmocka_unit_test_setup_teardown(test_mark_changes_nothing_else, begin, end),
		cmocka_unit_test_setup_teardown(test_dead_sa, begin, end),
		cmocka_unit_test_setup_teardown(test_nobody_meddles, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
