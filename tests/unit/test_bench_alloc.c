/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing on the packet path allocates: counted in front of the allocator, exactly. */
#include "test.h"

#include <stdlib.h>
#include "bench/alloc.h"
#include "bench/gen.h"
#include "bench/port.h"

enum { FLOWS = 1000, TRAIN = 40, LEN = 64 };

static void test_counter_counts(void **state)
{
	uint64_t before = nm_alloc_count();
	void *volatile block = malloc(10);
	void *volatile other = calloc(2, 10);
	void *aligned = NULL;

	(void)state;
	assert_int_equal(nm_alloc_count() - before, 2);
	block = realloc(block, 100);
	assert_int_equal(nm_alloc_count() - before, 3);
	free(block);
	free(other);
	assert_int_equal(nm_alloc_count() - before, 3);
	assert_int_equal(posix_memalign(&aligned, 64, 64), 0);
	assert_int_equal(nm_alloc_count() - before, 4);
	free(aligned);
	block = aligned_alloc(64, 64);
	assert_int_equal(nm_alloc_count() - before, 5);
	free(block);
}

static struct natmux_train train_of(uint32_t flow, const uint8_t *data, uint32_t len, uint32_t unit)
{
	struct natmux_train train = {.data = data, .len = len, .segment = unit};

	train.flow = NATMUX_FLOW_NONE;
	nm_port_path(flow, &train.path);
	return train;
}

/* Trains of one kind of datagram, from flows known and unknown. */
static void feed(struct nm_port *port, enum nm_gen_kind kind, uint32_t unit, uint32_t count)
{
	uint8_t data[TRAIN * LEN];
	struct nm_gen gen = {0};

	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(nm_gen_datagram(&gen, kind, data + i * unit, unit), 0);
	for (uint32_t flow = 0; flow < 2 * FLOWS; flow++) {
		struct natmux_train train = train_of(flow, data, unit * count, unit);

		nm_port_input(port, &train, 1);
	}
}

static void send_back(struct nm_port *port)
{
	uint8_t data[LEN];
	struct nm_gen gen = {0};

	assert_int_equal(nm_gen_datagram(&gen, NM_GEN_ESP, data, sizeof(data)), 0);
	for (uint32_t flow = 0; flow < 2 * FLOWS; flow++) {
		struct natmux_train train = train_of(flow, data, LEN, LEN);

		natmux_mux_sent(port->mux, port->now_ms, &train, 1);
	}
}

/* Everything a port meets: each class, new flows, answers, keepalives, expiry. */
static void test_packet_path_allocates_nothing(void **state)
{
	struct nm_port port;
	struct natmux_train output[NM_PORT_OUTPUT];
	uint64_t before;

	(void)state;
	assert_int_equal(nm_port_init(&port), 0);
	assert_int_equal(nm_port_establish(&port, FLOWS), 0);
	before = nm_alloc_count();
	feed(&port, NM_GEN_ESP, LEN, TRAIN);
	feed(&port, NM_GEN_ESP, LEN, 1);
	feed(&port, NM_GEN_SEQUENCE, LEN, TRAIN);
	feed(&port, NM_GEN_BAD_CRC, LEN, TRAIN);
	feed(&port, NM_GEN_IKE, LEN, 2);
	feed(&port, NM_GEN_KEEPALIVE, 1, 1);
	feed(&port, NM_GEN_STUN, LEN, TRAIN);
	feed(&port, NM_GEN_STUN, 28, 1);
	send_back(&port);
	port.now_ms += 24 * 3600 * 1000;
	natmux_mux_timeout(port.mux, port.now_ms);
	while (natmux_mux_output(port.mux, output, NM_PORT_OUTPUT) == NM_PORT_OUTPUT)
		;
	assert_int_equal(nm_alloc_count() - before, 0);

	/* It did go all these ways. */
	assert_int_equal(port.datagrams[NATMUX_CLASS_ESP], (3 * TRAIN + 1) * 2 * FLOWS);
	assert_int_equal(port.datagrams[NATMUX_CLASS_IKE], FLOWS + 2 * 2 * FLOWS);
	assert_int_equal(
		natmux_mux_stats(port.mux)->rx[NATMUX_CLASS_KEEPALIVE].datagrams, 2 * FLOWS);
	assert_true(port.sent > 0);
	nm_port_done(&port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter_counts),
		cmocka_unit_test(test_packet_path_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
