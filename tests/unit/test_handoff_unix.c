/* SPDX-License-Identifier: Apache-2.0 */
/* The hub of the Unix handoff with made-up clients: who gets what, who may send what, who is slow. */
#include "test.h"

#include <stdlib.h>
#include <natmux/error.h>
#include "../fakes/fake_mux.h"
#include "base/bytes.h"
#include "bench/alloc.h"
#include "dispatcher/handoff_frame.h"
#include "dispatcher/handoff_unix.h"

enum {
	CLIENTS = 3,
	QUEUE = 10,
	KEPT_MAX = 128,
	IKE = 1 << NM_FRAME_CLASS_IKE,
	ESP = 1 << NM_FRAME_CLASS_ESP,
};

/* What a client's socket has taken. */
struct socket {
	enum nm_unix_sent answer;
	size_t takes; /* frames before it blocks, while `answer` is TAKEN */
	size_t n, calls;
	struct {
		uint8_t header[NM_FRAME_HEADER_LEN];
		uint8_t payload[2048];
		size_t len;
	} kept[KEPT_MAX];
};

static struct natmux_mux mux;
static struct nm_unix_hub *hub;
static struct socket sockets[CLIENTS];
static struct natmux_train train;

static enum nm_unix_sent take(void *user, uint32_t client, const uint8_t *header, size_t header_len,
	const uint8_t *payload, size_t len)
{
	struct socket *s = &((struct socket *)user)[client];

	assert_int_equal(header_len, NM_FRAME_HEADER_LEN);
	s->calls++;
	if (s->answer != NM_UNIX_TAKEN)
		return s->answer;
	if (s->takes == 0)
		return NM_UNIX_BLOCKED;
	s->takes--;
	if (s->n < KEPT_MAX && len <= sizeof(s->kept[0].payload)) {
		memcpy(s->kept[s->n].header, header, header_len);
		if (len > 0)
			memcpy(s->kept[s->n].payload, payload, len);
		s->kept[s->n].len = len;
		s->n++;
	}
	return NM_UNIX_TAKEN;
}

static struct nm_unix_config config_of(void)
{
	return (struct nm_unix_config){
		.clients_max = CLIENTS,
		.queue_datagrams = QUEUE,
		.queue_bytes = NM_FRAME_MAX,
		.io = {take, sockets},
		.mux = &mux,
	};
}

static void start(void)
{
	struct nm_unix_config config = config_of();

	memset(&mux, 0, sizeof(mux));
	memset(sockets, 0, sizeof(sockets));
	for (size_t i = 0; i < CLIENTS; i++)
		sockets[i].takes = SIZE_MAX;
	assert_int_equal(nm_unix_hub_new(&config, &hub), 0);
}

static void stop(void)
{
	nm_unix_hub_free(hub);
	hub = NULL;
}

static uint32_t open_client(void)
{
	uint32_t client = UINT32_MAX;

	assert_int_equal(nm_unix_hub_open(hub, &client), 0);
	return client;
}

static int send_frame(uint32_t client, const struct nm_frame *frame)
{
	size_t len = NM_FRAME_HEADER_LEN + frame->len;
	uint8_t *data = malloc(len);
	int result;

	nm_frame_encode(data, frame);
	if (frame->len > 0)
		memcpy(data + NM_FRAME_HEADER_LEN, frame->payload, frame->len);
	result = nm_unix_hub_input(hub, client, data, len, &train);
	if (result == 1) /* borrowed: as good as gone once `data` is */
		assert_ptr_equal(train.data, data + NM_FRAME_HEADER_LEN);
	free(data);
	return result;
}

static void hello(uint32_t client, uint16_t classes, uint16_t flags)
{
	struct nm_frame frame = {.type = NM_FRAME_HELLO, .classes = classes, .word = flags};

	assert_int_equal(send_frame(client, &frame), 0);
}

/* A connected client that has said HELLO and forgotten the answer. */
static uint32_t subscriber(uint16_t classes, uint16_t flags)
{
	uint32_t client = open_client();

	hello(client, classes, flags);
	assert_int_equal(sockets[client].n, 1);
	sockets[client].n = 0;
	return client;
}

static struct nm_frame received(uint32_t client, size_t i)
{
	static uint8_t data[NM_FRAME_HEADER_LEN + 2048];
	struct nm_frame frame = {0};

	assert_true(i < sockets[client].n);
	memcpy(data, sockets[client].kept[i].header, NM_FRAME_HEADER_LEN);
	memcpy(data + NM_FRAME_HEADER_LEN, sockets[client].kept[i].payload,
		sockets[client].kept[i].len);
	assert_int_equal(
		nm_frame_decode(data, NM_FRAME_HEADER_LEN + sockets[client].kept[i].len, &frame),
		NM_FRAME_GOOD);
	return frame;
}

/* ESP whose first four bytes count its datagrams, or IKE. */
static struct natmux_train from_network(bool is_ike, uint32_t len, uint32_t segment)
{
	static uint8_t data[65536];
	struct natmux_train result = {
		.data = data,
		.len = len,
		.segment = segment,
		.flow = 1,
		.tos = 0xb8,
	};
	uint32_t number = 1;

	memset(data, 0, len);
	for (uint32_t at = 0; !is_ike && at<len; at += segment> 0 ? segment : len)
		nm_put32(data + at, number++ << 16);
	assert_int_equal(natmux_addr_parse("192.0.2.1:4500", 0, &result.path.local), 0);
	assert_int_equal(natmux_addr_parse("203.0.113.7:31022", 0, &result.path.remote), 0);
	return result;
}

static void give(bool is_ike, uint32_t len, uint32_t segment)
{
	struct natmux_train one = from_network(is_ike, len, segment);

	nm_unix_sink.input(hub, 0, &one, 1);
}

/* IKE, 32 bytes, from a client: local is left to natmux. */
static struct nm_frame outgoing(void)
{
	static const uint8_t payload[32] = {0, 0, 0, 0, 1};
	struct nm_frame frame = {
		.type = NM_FRAME_DATAGRAM,
		.cls = NM_FRAME_CLASS_IKE,
		.tos = 2,
		.payload = payload,
		.len = sizeof(payload),
	};

	assert_int_equal(natmux_addr_parse("203.0.113.7:31022", 0, &frame.path.remote), 0);
	return frame;
}

static void test_new_refuses(void **state)
{
	struct nm_unix_config config;
	struct nm_unix_hub *none = NULL;

	(void)state;
	config = config_of();
	config.clients_max = 0;
	assert_int_equal(nm_unix_hub_new(&config, &none), NATMUX_ERANGE);
	config.clients_max = NM_UNIX_CLIENTS_MAX + 1;
	assert_int_equal(nm_unix_hub_new(&config, &none), NATMUX_ERANGE);
	config = config_of();
	config.queue_datagrams = 0;
	assert_int_equal(nm_unix_hub_new(&config, &none), NATMUX_ERANGE);
	config.queue_datagrams = 65537;
	assert_int_equal(nm_unix_hub_new(&config, &none), NATMUX_ERANGE);
	config = config_of();
	config.queue_bytes = NM_FRAME_MAX - 1;
	assert_int_equal(nm_unix_hub_new(&config, &none), NATMUX_ERANGE);
	config.queue_bytes = (64 << 20) + 1;
	assert_int_equal(nm_unix_hub_new(&config, &none), NATMUX_ERANGE);
	assert_null(none);
	config = (struct nm_unix_config){.clients_max = 1, .queue_datagrams = 65536};
	config.queue_bytes = 64 << 20;
	assert_int_equal(nm_unix_hub_new(&config, &none), 0); /* the largest there is */
	nm_unix_hub_free(none);
	nm_unix_hub_free(NULL);
}

static void test_places(void **state)
{
	uint32_t client = 77;

	(void)state;
	start();
	for (uint32_t i = 0; i < CLIENTS; i++)
		assert_int_equal(open_client(), i);
	assert_int_equal(nm_unix_hub_open(hub, &client), NATMUX_EFULL);
	assert_int_equal(client, 77);
	nm_unix_hub_close(hub, 1);
	nm_unix_hub_close(hub, 1);
	nm_unix_hub_close(hub, 1000);
	assert_int_equal(open_client(), 1);
	stop();
}

static void test_hello(void **state)
{
	uint32_t client;
	struct nm_frame frame;

	(void)state;
	start();
	client = open_client();
	give(true, 32, 0);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_NO_CLIENT], 1);
	assert_int_equal(sockets[client].calls, 0);
	hello(client, 0xffff, 0xffff); /* it gets what there is */
	frame = received(client, 0);
	assert_int_equal(frame.type, NM_FRAME_WELCOME);
	assert_int_equal(frame.classes, IKE | ESP);
	assert_int_equal(frame.word, NM_FRAME_FLAG_TRAINS);
	assert_int_equal(frame.len, 0);
	give(true, 32, 0);
	assert_int_equal(sockets[client].n, 2);
	hello(client, 0, 0); /* and may change its mind */
	assert_int_equal(received(client, 2).classes, 0);
	give(true, 32, 0);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_NO_CLIENT], 2);
	assert_int_equal(sockets[client].n, 3);
	stop();
}

static void test_classes(void **state)
{
	uint32_t ike, esp, both;

	(void)state;
	start();
	ike = subscriber(IKE, 0);
	esp = subscriber(ESP, 0);
	both = subscriber(IKE | ESP, 0);
	give(true, 32, 0);
	give(false, 100, 0);
	give(false, 100, 0);
	assert_int_equal(sockets[ike].n, 1);
	assert_int_equal(sockets[esp].n, 2);
	assert_int_equal(sockets[both].n, 3);
	assert_int_equal(received(both, 0).cls, NM_FRAME_CLASS_IKE);
	assert_int_equal(received(both, 1).cls, NM_FRAME_CLASS_ESP);
	nm_unix_hub_close(hub, esp);
	nm_unix_hub_close(hub, both);
	give(false, 300, 100);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_NO_CLIENT], 3);
	assert_int_equal(fake_mux_drops(&mux), 3);
	stop();
}

static void test_what_a_client_sees(void **state)
{
	uint32_t client;
	struct natmux_train sent;
	struct nm_frame frame;

	(void)state;
	start();
	client = subscriber(ESP, 0);
	sent = from_network(false, 1000, 0);
	nm_unix_sink.input(hub, 0, &sent, 1);
	frame = received(client, 0);
	assert_int_equal(frame.type, NM_FRAME_DATAGRAM);
	assert_int_equal(frame.tos, 0xb8);
	assert_int_equal(frame.segment, 0);
	assert_true(natmux_addr_equal(&frame.path.local, &sent.path.local));
	assert_true(natmux_addr_equal(&frame.path.remote, &sent.path.remote));
	assert_int_equal(frame.len, 1000);
	assert_memory_equal(frame.payload, sent.data, 1000);
	stop();
}

/* One frame for the client that wants it so, one per datagram for the other. */
static void test_trains(void **state)
{
	uint32_t one, many;

	(void)state;
	start();
	many = subscriber(ESP, NM_FRAME_FLAG_TRAINS);
	one = subscriber(ESP, 0);
	give(false, 1010, 100);
	assert_int_equal(sockets[many].n, 1);
	assert_int_equal(received(many, 0).segment, 100);
	assert_int_equal(received(many, 0).len, 1010);
	assert_int_equal(sockets[one].n, 11);
	for (uint32_t i = 0; i < 11; i++) {
		struct nm_frame frame = received(one, i);

		assert_int_equal(frame.segment, 0);
		assert_int_equal(frame.len, i < 10 ? 100 : 10);
		assert_int_equal(nm_get32(frame.payload), (i + 1) << 16);
	}
	give(false, 100, 100);
	assert_int_equal(received(many, 1).segment, 0);
	stop();
}

/* The socket is full: frames wait, in order, up to the bound; then they are lost, and counted. */
static void test_slow(void **state)
{
	uint32_t slow, quick;

	(void)state;
	start();
	slow = subscriber(ESP, 0);
	quick = subscriber(ESP, 0);
	sockets[slow].takes = 2;
	give(false, 1500, 100); /* 15 datagrams: 2 taken, 10 wait, 3 lost */
	assert_int_equal(sockets[slow].n, 2);
	assert_int_equal(sockets[quick].n, 15);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_SLOW], 3);
	assert_int_equal(fake_mux_drops(&mux), 3);
	/* While something waits the socket is not tried: that would overtake. */
	sockets[slow].calls = 0;
	give(false, 100, 0);
	assert_int_equal(sockets[slow].calls, 0);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_SLOW], 4);
	sockets[slow].takes = 4;
	assert_true(nm_unix_hub_writable(hub, slow));
	assert_int_equal(sockets[slow].n, 6);
	give(false, 100, 0);
	sockets[slow].takes = SIZE_MAX;
	assert_false(nm_unix_hub_writable(hub, slow));
	assert_int_equal(sockets[slow].n, 2 + 10 + 1);
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(nm_get32(received(slow, i).payload), (i + 1) << 16);
	assert_false(nm_unix_hub_writable(hub, slow));
	give(false, 100, 0);
	assert_int_equal(sockets[slow].n, 14);
	stop();
}

/* The bound in bytes: NM_FRAME_MAX of them, whatever the count. */
static void test_slow_in_bytes(void **state)
{
	uint32_t slow;

	(void)state;
	start();
	slow = subscriber(ESP, NM_FRAME_FLAG_TRAINS);
	sockets[slow].takes = 0;
	give(false, 40000, 0);
	give(false, 40000, 0);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_SLOW], 1);
	give(false, 2000, 200); /* fits in bytes, but 1 + 10 datagrams are too many */
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_SLOW], 11);
	give(false, 1800, 200);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_SLOW], 11);
	nm_unix_hub_close(hub, slow);
	assert_int_equal(open_client(), slow);
	sockets[slow].takes = SIZE_MAX;
	assert_false(nm_unix_hub_writable(hub, slow)); /* what waited went with the old client */
	assert_int_equal(sockets[slow].n, 0);
	stop();
}

static void test_broken(void **state)
{
	uint32_t broken, other;

	(void)state;
	start();
	broken = subscriber(ESP, 0);
	other = subscriber(ESP, 0);
	sockets[broken].answer = NM_UNIX_BROKEN;
	sockets[broken].calls = 0;
	give(false, 300, 100);
	give(false, 300, 100);
	assert_int_equal(sockets[broken].calls, 1);
	assert_int_equal(sockets[other].n, 6);
	assert_int_equal(fake_mux_drops(&mux), 0);
	nm_unix_hub_close(hub, other);
	give(false, 300, 100);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_NO_CLIENT], 3);
	nm_unix_hub_close(hub, broken);
	sockets[broken].answer = NM_UNIX_TAKEN;
	assert_int_equal(open_client(), broken);
	hello(broken, ESP, 0);
	give(false, 300, 100);
	assert_int_equal(sockets[broken].n, 1 + 3);
	/* Broken while frames wait. */
	sockets[broken].takes = 0;
	give(false, 300, 100);
	sockets[broken].answer = NM_UNIX_BROKEN;
	assert_false(nm_unix_hub_writable(hub, broken));
	assert_false(nm_unix_hub_writable(hub, broken));
	stop();
}

static void test_from_client(void **state)
{
	uint32_t client;
	struct nm_frame frame;

	(void)state;
	start();
	client = subscriber(0, 0); /* sends, wants nothing */
	frame = outgoing();
	assert_int_equal(send_frame(client, &frame), 1);
	assert_int_equal(train.len, 32);
	assert_int_equal(train.segment, 32);
	assert_int_equal(train.tos, 2);
	assert_true(train.flow == NATMUX_FLOW_NONE);
	assert_true(natmux_addr_equal(&train.path.remote, &frame.path.remote));
	assert_int_equal(train.path.local.family, NATMUX_FAMILY_IPV4); /* a bare family */
	assert_int_equal(train.path.local.port, 0);
	assert_int_equal(natmux_addr_parse("192.0.2.1:4500", 0, &frame.path.local), 0);
	assert_int_equal(send_frame(client, &frame), 1);
	assert_true(natmux_addr_equal(&train.path.local, &frame.path.local));
	assert_int_equal(fake_mux_drops(&mux), 0);
	stop();
}

static void test_train_from_client(void **state)
{
	uint32_t client;
	struct nm_frame frame;
	uint8_t payload[250];

	(void)state;
	start();
	client = subscriber(0, 0);
	memset(payload, 0x11, sizeof(payload));
	frame = outgoing();
	frame.cls = NM_FRAME_CLASS_ESP;
	frame.payload = payload;
	frame.len = sizeof(payload);
	frame.segment = 100;
	assert_int_equal(send_frame(client, &frame), 1);
	assert_int_equal(train.segment, 100);
	assert_int_equal(natmux_train_count(&train), 3);
	stop();
}

static void assert_error(uint32_t client, enum nm_frame_error error)
{
	struct nm_frame frame = received(client, sockets[client].n - 1);

	assert_int_equal(frame.type, NM_FRAME_ERROR);
	assert_int_equal(frame.word, error);
	assert_int_equal(frame.len, strlen(nm_frame_error_text(error)));
	assert_memory_equal(frame.payload, nm_frame_error_text(error), frame.len);
}

static void test_bad_frames(void **state)
{
	uint32_t client;
	struct nm_frame frame = outgoing();

	(void)state;
	start();
	client = open_client();
	assert_int_equal(send_frame(client, &frame), 0);
	assert_error(client, NM_FRAME_ERROR_NO_HELLO);
	assert_int_equal(send_frame(client, &(struct nm_frame){.type = NM_FRAME_STATS}), 0);
	assert_error(client, NM_FRAME_ERROR_NO_HELLO);
	hello(client, IKE, 0);
	assert_int_equal(nm_unix_hub_input(hub, client, NULL, 0, &train), 0);
	assert_error(client, NM_FRAME_ERROR_FORMAT);
	assert_int_equal(send_frame(client, &(struct nm_frame){.type = NM_FRAME_WELCOME}), 0);
	assert_error(client, NM_FRAME_ERROR_TYPE);
	assert_int_equal(send_frame(client, &(struct nm_frame){.type = NM_FRAME_ERROR}), 0);
	assert_error(client, NM_FRAME_ERROR_TYPE);
	frame.cls = NM_FRAME_CLASS_ESP;
	assert_int_equal(send_frame(client, &frame), 0);
	assert_error(client, NM_FRAME_ERROR_CLASS);
	frame = outgoing();
	frame.path.remote.port = 0;
	assert_int_equal(send_frame(client, &frame), 0);
	assert_error(client, NM_FRAME_ERROR_ADDRESS);
	frame = outgoing();
	assert_int_equal(send_frame(client, &frame), 1); /* still there */
	frame.len = 0;
	assert_int_equal(send_frame(client, &frame), NATMUX_EMALFORMED); /* the eighth */
	assert_error(client, NM_FRAME_ERROR_SIZE);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_FRAME], NM_UNIX_BAD_FRAMES_MAX);
	assert_int_equal(fake_mux_drops(&mux), NM_UNIX_BAD_FRAMES_MAX);
	stop();
}

static void test_other_version(void **state)
{
	uint8_t data[NM_FRAME_HEADER_LEN];
	uint32_t client;

	(void)state;
	start();
	client = open_client();
	nm_frame_encode(data, &(struct nm_frame){.type = NM_FRAME_HELLO});
	data[4] = 2;
	assert_int_equal(
		nm_unix_hub_input(hub, client, data, sizeof(data), &train), NATMUX_EMALFORMED);
	assert_error(client, NM_FRAME_ERROR_VERSION);
	stop();
}

static void test_nobody(void **state)
{
	struct nm_frame frame = outgoing();

	(void)state;
	start();
	assert_int_equal(send_frame(0, &frame), 0);
	assert_int_equal(send_frame(CLIENTS, &frame), 0);
	assert_int_equal(send_frame(UINT32_MAX, &frame), 0);
	assert_false(nm_unix_hub_writable(hub, CLIENTS));
	assert_int_equal(fake_mux_drops(&mux), 0);
	stop();
}

static void sum_up(void *user, const struct nm_unix_client_info *info)
{
	struct nm_unix_client_info *last = user;

	*last = *info;
}

static void test_stats(void **state)
{
	uint32_t client;
	struct nm_frame frame;
	struct nm_unix_client_info info = {0};

	(void)state;
	start();
	client = subscriber(ESP, 0);
	sockets[client].takes = 1;
	give(false, 100 * 13, 100); /* 1 sent, 10 wait, 2 lost */
	frame = outgoing();
	assert_int_equal(send_frame(client, &frame), 1);
	nm_unix_hub_clients(hub, sum_up, &info);
	assert_true(info.is_welcome && info.wants_esp && !info.wants_ike);
	assert_true(info.sent == 1 && info.lost == 2 && info.received == 1);
	assert_int_equal(info.waiting, 10);
	sockets[client].takes = 5;
	assert_true(nm_unix_hub_writable(hub, client));
	assert_int_equal(send_frame(client, &(struct nm_frame){.type = NM_FRAME_STATS}), 0);
	sockets[client].takes = SIZE_MAX;
	assert_false(nm_unix_hub_writable(hub, client));
	frame = received(client, sockets[client].n - 1);
	assert_int_equal(frame.type, NM_FRAME_STATS);
	assert_int_equal(frame.len, 40);
	assert_true(nm_get64(frame.payload) == 6);
	assert_true(nm_get64(frame.payload + 8) == 2);
	assert_true(nm_get64(frame.payload + 16) == 5);
	assert_true(nm_get64(frame.payload + 24) == 1);
	assert_true(nm_get64(frame.payload + 32) == 0);
	stop();
}

/* A client that asks and never reads: its own queue is all it can fill. */
static void test_flood_of_questions(void **state)
{
	uint32_t client, other;

	(void)state;
	start();
	client = subscriber(0, 0);
	other = subscriber(IKE, 0);
	sockets[client].takes = 0;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(send_frame(client, &(struct nm_frame){.type = NM_FRAME_STATS}), 0);
	give(true, 32, 0);
	assert_int_equal(sockets[other].n, 1);
	sockets[client].takes = SIZE_MAX;
	assert_false(nm_unix_hub_writable(hub, client));
	assert_int_equal(sockets[client].n, QUEUE);
	stop();
}

static void test_allocates_nothing(void **state)
{
	uint32_t client;
	uint64_t before;

	(void)state;
	start();
	client = subscriber(ESP | IKE, 0);
	before = nm_alloc_count();
	for (int i = 0; i < 100; i++) {
		sockets[client].takes = (size_t)(i % 7);
		give(false, 1500, 100);
		give(true, 32, 0);
		sockets[client].takes = 10;
		nm_unix_hub_writable(hub, client);
		nm_unix_hub_input(hub, client, NULL, 0, &train);
		nm_unix_hub_close(hub, client);
		assert_int_equal(nm_unix_hub_open(hub, &client), 0);
	}
	assert_true(nm_alloc_count() == before);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_refuses),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_what_a_client_sees),
		cmocka_unit_test(test_trains),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_slow_in_bytes),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_from_client),
		cmocka_unit_test(test_train_from_client),
		cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_flood_of_questions),
		cmocka_unit_test(test_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
