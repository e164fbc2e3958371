/* SPDX-License-Identifier: Apache-2.0 */
/* The capture's filter and queue, and the ring of events: what is kept, lost and said. */
#include "test.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include "daemon/control/control_capture.h"
#include "daemon/control/control_events.h"

static struct nm_capture capture;
static uint64_t now_us;

static uint64_t fake_now_us(void)
{
	return now_us++;
}

static struct nm_capture_filter everything(void)
{
	return (struct nm_capture_filter){.classes = (1u << NATMUX_CLASS_COUNT) - 1,
		.received = true,
		.sent = true,
		.snaplen = NM_CAPTURE_SNAPLEN_MAX};
}

static void start(struct nm_capture_filter filter)
{
	now_us = 1790000000000000;
	assert_int_equal(nm_capture_start(&capture, &filter, fake_now_us), 0);
}

static struct natmux_train train_of(const uint8_t *data, uint32_t len, uint32_t segment)
{
	struct natmux_train train = {.data = data, .len = len, .segment = segment, .tos = 0xb8};

	natmux_addr_parse("192.0.2.1:4500", 0, &train.path.local);
	natmux_addr_parse("198.51.100.7:1027", 0, &train.path.remote);
	return train;
}

static int teardown(void **state)
{
	(void)state;
	nm_capture_stop(&capture);
	assert_false(nm_capture_is_running(&capture));
	return 0;
}

/* Takes one datagram out and checks its length and its bytes, which all have the value `fill`. */
static void expect_next(uint32_t length, uint32_t kept, uint8_t fill)
{
	static uint8_t data[NM_CAPTURE_SNAPLEN_MAX];
	json_t *json = nm_capture_next(&capture);
	const char *base64 = json_string_value(json_object_get(json, "data"));
	size_t n;

	assert_non_null(json);
	assert_int_equal(json_integer_value(json_object_get(json, "length")), length);
	assert_int_equal(sodium_base642bin(data, sizeof(data), base64, strlen(base64), NULL, &n,
				 NULL, sodium_base64_VARIANT_ORIGINAL),
		0);
	assert_int_equal(n, kept);
	for (size_t i = 0; i < n; i++)
		if (data[i] != fill)
			fail_msg("byte %zu of %zu is %02x", i, n, data[i]);
	json_decref(json);
}

static void test_datagram_as_json(void **state)
{
	static const uint8_t data[] = {0, 0, 0, 0, 1, 2, 3};
	struct natmux_train train = train_of(data, sizeof(data), 0);
	struct nm_capture_filter filter = everything();
	json_t *json;
	char *text;

	(void)state;
	filter.snaplen = 5;
	start(filter);
	nm_capture_tap(&capture, NATMUX_CLASS_IKE, true, &train);
	json = nm_capture_next(&capture);
	text = json_dumps(json, JSON_COMPACT);
	assert_string_equal(text,
		"{\"time_us\":1790000000000000,\"class\":\"ike\",\"direction\":\"out\","
		"\"local\":\"192.0.2.1:4500\",\"remote\":\"198.51.100.7:1027\",\"tos\":184,"
		"\"length\":7,\"data\":\"AAAAAAE=\"}");
	free(text);
	json_decref(json);
}

static void test_filter(void **state)
{
	static const struct {
		uint32_t classes;
		bool received, sent;
		enum natmux_class cls;
		bool is_sent, is_taken;
	} cases[] = {
		{1 << NATMUX_CLASS_ESP, true, true, NATMUX_CLASS_ESP, false, true},
		{1 << NATMUX_CLASS_ESP, true, true, NATMUX_CLASS_IKE, false, false},
		{1 << NATMUX_CLASS_ESP, true, false, NATMUX_CLASS_ESP, true, false},
		{1 << NATMUX_CLASS_ESP, false, true, NATMUX_CLASS_ESP, false, false},
		{1 << NATMUX_CLASS_ESP, false, true, NATMUX_CLASS_ESP, true, true},
		{1 << NATMUX_CLASS_RUNT, true, true, NATMUX_CLASS_RUNT, false, true},
		{0, true, true, NATMUX_CLASS_RUNT, false, false},
	};
	struct natmux_train train = train_of((const uint8_t *)"x", 1, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_capture_filter filter = everything();

		filter.classes = cases[i].classes;
		filter.received = cases[i].received;
		filter.sent = cases[i].sent;
		start(filter);
		nm_capture_tap(&capture, cases[i].cls, cases[i].is_sent, &train);
		assert_int_equal(nm_capture_has_next(&capture), cases[i].is_taken);
		nm_capture_stop(&capture);
	}
}

static void test_train_is_taken_apart(void **state)
{
	uint8_t data[25] = {0};
	struct natmux_train train = train_of(data, sizeof(data), 10), empty = train_of(NULL, 0, 0);

	(void)state;
	memset(data, 1, 10);
	memset(data + 10, 2, 10);
	memset(data + 20, 3, 5);
	start(everything());
	nm_capture_tap(&capture, NATMUX_CLASS_ESP, false, &train);
	nm_capture_tap(&capture, NATMUX_CLASS_RUNT, false, &empty);
	assert_int_equal(nm_capture_count(&capture).taken, 4);
	expect_next(10, 10, 1);
	expect_next(10, 10, 2);
	expect_next(5, 5, 3);
	expect_next(0, 0, 0);
	assert_false(nm_capture_has_next(&capture));
}

static void test_count_ends_within_a_train(void **state)
{
	static const uint8_t data[30];
	struct natmux_train train = train_of(data, sizeof(data), 10);
	struct nm_capture_filter filter = everything();

	(void)state;
	filter.count = 4;
	start(filter);
	for (int i = 0; i < 3; i++)
		nm_capture_tap(&capture, NATMUX_CLASS_ESP, false, &train);
	assert_int_equal(nm_capture_count(&capture).taken, 4);
	assert_int_equal(nm_capture_count(&capture).dropped, 0);
	for (int i = 0; i < 4; i++) {
		assert_false(nm_capture_is_complete(&capture));
		expect_next(10, 10, 0);
	}
	assert_true(nm_capture_is_complete(&capture));
}

/* Nobody reads: the queue fills up, the rest is counted, and what was in it is intact. */
static void test_full_queue_counts(void **state)
{
	static uint8_t data[60000];
	struct natmux_train train = train_of(data, sizeof(data), 0);
	uint64_t taken;

	(void)state;
	start(everything());
	for (int i = 0; i < 200; i++) {
		memset(data, i, sizeof(data));
		nm_capture_tap(&capture, NATMUX_CLASS_ESP, false, &train);
	}
	taken = nm_capture_count(&capture).taken;
	assert_true(taken > 60 && taken < 70);
	assert_int_equal(nm_capture_count(&capture).dropped, 200 - taken);
	for (uint64_t i = 0; i < taken; i++)
		expect_next(sizeof(data), sizeof(data), (uint8_t)i);
	assert_false(nm_capture_has_next(&capture));
}

/* Many turns of a queue that never empties, with every length: nothing is lost or mixed up. */
static void test_queue_wraps(void **state)
{
	static uint8_t data[65535];
	unsigned int in = 0, out = 0;

	(void)state;
	start(everything());
	while (out < 600) {
		while (in < out + 50) {
			uint32_t len = in * 7919 % 65536;
			struct natmux_train train = train_of(data, len, 0);

			memset(data, (int)(in & 0xff), len);
			nm_capture_tap(&capture, NATMUX_CLASS_ESP, false, &train);
			in++;
		}
		assert_int_equal(nm_capture_count(&capture).dropped, 0);
		for (unsigned int i = 0; i < 1 + out % 40; i++, out++)
			expect_next(out * 7919 % 65536, out * 7919 % 65536, out & 0xff);
	}
}

static void push(struct nm_control_events *events, const char *name)
{
	struct natmux_event event = {.type = NATMUX_EVENT_SERVER_LOST, .name = name};

	nm_control_events_push(events, 1, &event);
}

static void test_event_ring(void **state)
{
	static struct nm_control_events events;

	(void)state;
	assert_int_equal(nm_control_events_oldest(&events), 1);
	assert_null(nm_control_events_get(&events, 0));
	assert_null(nm_control_events_get(&events, 1));
	push(&events, "first");
	assert_int_equal(nm_control_events_oldest(&events), 1);
	assert_string_equal(nm_control_events_get(&events, 1)->name, "first");
	assert_null(nm_control_events_get(&events, 2));
	for (int i = 2; i <= NM_CONTROL_EVENTS; i++)
		push(&events, NULL);
	assert_string_equal(nm_control_events_get(&events, 1)->name, "first");
	push(&events, "a name that is longer than any name may be, and then some");
	assert_null(nm_control_events_get(&events, 1));
	assert_int_equal(nm_control_events_oldest(&events), 2);
	assert_non_null(nm_control_events_get(&events, 2));
	assert_int_equal(nm_control_events_get(&events, 65)->number, 65);
	assert_int_equal(strlen(nm_control_events_get(&events, 65)->name), 31);
	assert_null(nm_control_events_get(&events, 66));
	assert_null(nm_control_events_get(&events, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_datagram_as_json, teardown),
		cmocka_unit_test_teardown(test_filter, teardown),
		cmocka_unit_test_teardown(test_train_is_taken_apart, teardown),
		cmocka_unit_test_teardown(test_count_ends_within_a_train, teardown),
		cmocka_unit_test_teardown(test_full_queue_counts, teardown),
		cmocka_unit_test_teardown(test_queue_wraps, teardown),
		cmocka_unit_test(test_event_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
