/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that are put together: how many, how long, in which order, and when they go. */
#include "esp_coalesce_test.h"

/* Packets of these lengths in a row; how many come out. */
static size_t row_of(uint8_t family, uint8_t protocol, const uint32_t *lens, size_t n)
{
	struct inner_spec spec = inner_spec(family, protocol);

	coalesce_check_begin(&check, true, true);
	for (size_t i = 0; i < n; i++) {
		spec.payload_len = lens[i];
		add(&spec);
		spec = next_of(&spec);
	}
	coalesce_check_flush(&check);
	end();
	return check.delivered;
}

static size_t run_of(uint8_t family, uint8_t protocol, uint32_t payload_len, size_t n)
{
	uint32_t lens[1000];

	for (size_t i = 0; i < n; i++)
		lens[i] = payload_len;
	return row_of(family, protocol, lens, n);
}

/* No more parts than a write to the device takes, no longer than a packet can say that it is. */
static void test_limits(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		uint8_t family = i % 2 ? 6 : 4, protocol = i / 2 ? UDP : TCP;

		assert_int_equal(run_of(family, protocol, 100, 64), 1);
		assert_int_equal(check.most_parts, 64);
		assert_int_equal(run_of(family, protocol, 100, 65), 2);
		assert_int_equal(run_of(family, protocol, 1, 1000), 16);
		assert_int_equal(run_of(family, protocol, 1400, 100), 3);
		assert_in_range(check.longest, 65535 - 1400, 65535);
		assert_int_equal(run_of(family, protocol, 9000, 100), 15);
		assert_int_equal(run_of(family, protocol, 40000, 3), 3);
	}
}

/* To the octet: 20 or 40 and 20 of headers, and the rest of 65535. */
static void test_longest(void **state)
{
	static const struct {
		uint8_t family, protocol;
		uint32_t headers;
	} kinds[] = {{4, TCP, 40}, {6, TCP, 60}, {4, UDP, 28}, {6, UDP, 48}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint32_t lens[5] = {13200, 13200, 13200, 13200};

		lens[4] = 65535 - kinds[i].headers - 4 * 13200;
		assert_int_equal(row_of(kinds[i].family, kinds[i].protocol, lens, 5), 1);
		assert_int_equal(check.longest, 65535);
		lens[4]++;
		assert_int_equal(row_of(kinds[i].family, kinds[i].protocol, lens, 5), 2);
		assert_int_equal(check.longest, kinds[i].headers + 4 * 13200);
	}
}

/* Flows that take turns are put together side by side, up to the number of slots. */
static void take_turns(uint8_t flows, size_t each)
{
	struct inner_spec specs[64];

	coalesce_check_begin(&check, true, true);
	for (uint8_t i = 0; i < flows; i++) {
		specs[i] = inner_spec(i % 2 ? 6 : 4, i % 3 ? TCP : UDP);
		specs[i].host = i;
	}
	for (size_t n = 0; n < each; n++) {
		for (uint8_t i = 0; i < flows; i++) {
			add(&specs[i]);
			specs[i] = next_of(&specs[i]);
		}
	}
	coalesce_check_flush(&check);
	end();
}

static void test_many_flows(void **state)
{
	(void)state;
	take_turns(NM_COALESCE_SLOTS, 10);
	assert_int_equal(check.delivered, NM_COALESCE_SLOTS);
	assert_int_equal(check.merged, 10 * NM_COALESCE_SLOTS);
	/* One more, and each makes room for the next before it grew. */
	take_turns(NM_COALESCE_SLOTS + 1, 10);
	assert_int_equal(check.packets, 10 * (NM_COALESCE_SLOTS + 1));
	take_turns(60, 20);
	assert_int_equal(check.packets, 60 * 20);
}

/* It is the oldest that makes room, not the one that came last. */
static void test_who_makes_room(void **state)
{
	struct inner_spec spec = inner_spec(4, UDP), ninth = spec;

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (unsigned int i = 0; i < NM_COALESCE_SLOTS + 2; i++) {
		spec.host = (uint8_t)i;
		add(&spec);
		if (i == NM_COALESCE_SLOTS)
			ninth = next_of(&spec);
	}
	assert_int_equal(check.delivered, 2);
	add(&ninth);
	coalesce_check_flush(&check);
	assert_int_equal(check.merged, 2);
	end();
}

static void test_what_the_device_takes(void **state)
{
	struct inner_spec tcp = inner_spec(4, TCP), udp = inner_spec(4, UDP);

	(void)state;
	for (int takes = 0; takes < 4; takes++) {
		coalesce_check_begin(&check, takes & 1, takes & 2);
		for (int i = 0; i < 5; i++) {
			add(&tcp);
			add(&udp);
			tcp = next_of(&tcp);
			udp = next_of(&udp);
		}
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, (takes & 1 ? 1 : 5) + (takes & 2 ? 1 : 5));
		end();
	}
}

/* A flush leaves nothing behind: the next packet begins anew. */
static void test_flush(void **state)
{
	struct inner_spec spec = inner_spec(4, TCP);

	(void)state;
	coalesce_check_begin(&check, true, true);
	coalesce_check_flush(&check);
	assert_int_equal(check.delivered, 0);
	for (int i = 0; i < 10; i++) {
		add(&spec);
		spec = next_of(&spec);
		coalesce_check_flush(&check);
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, i + 1);
		assert_int_equal(check.last_kind, NATMUX_OFFLOAD_NONE);
	}
	end();
}

/* Packets without ports, or of other protocols, go straight through. */
static void test_other_protocols(void **state)
{
	static const uint8_t protocols[] = {1, 2, 4, 47, 50, 132, 136};
	struct inner_spec spec = inner_spec(4, UDP);
	uint8_t packet[2000];

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (size_t i = 0; i < 10 * ARRAY_SIZE(protocols); i++) {
		size_t len = inner_build(&spec, packet);

		packet[9] = protocols[i / 10];
		add_bytes(packet, len);
		spec = next_of(&spec);
		assert_int_equal(check.delivered, i + 1);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_many_flows),
		cmocka_unit_test(test_who_makes_room),
		cmocka_unit_test(test_what_the_device_takes),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_other_protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
