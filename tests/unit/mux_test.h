/* SPDX-License-Identifier: Apache-2.0 */
/* A mux that remembers what it was given and gave, and datagrams of each class for it. */
#ifndef MUX_TEST_H
#define MUX_TEST_H

#include "slow_rule.h"
#include "test.h"

#include <stdlib.h>
#include <natmux/mux.h>
#include "base/bytes.h"
#include "dispatcher/mux.h"

enum { MINUTE = 60000, KEPT_MAX = 300 };

struct kept {
	size_t trains, datagrams, closed, calls;
	struct natmux_train train[KEPT_MAX];
	uint8_t first[KEPT_MAX][8];
};

static struct natmux_mux *mux;
static struct kept ike, esp, ice;
static size_t events[NATMUX_EVENT_COUNT];
static struct natmux_event last_event;

static inline void keep(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	struct kept *kept = self;

	(void)now_ms;
	kept->calls++;
	assert_in_range(n, 1, 64);
	for (size_t i = 0; i < n; i++) {
		assert_in_range(kept->trains, 0, KEPT_MAX - 1);
		kept->train[kept->trains] = trains[i];
		memcpy(kept->first[kept->trains++], trains[i].data,
			trains[i].len < 8 ? trains[i].len : 8);
		kept->datagrams += natmux_train_count(&trains[i]);
	}
}

static inline void keep_closed(void *self, uint32_t flow, const struct natmux_path *path)
{
	(void)flow;
	(void)path;
	((struct kept *)self)->closed++;
}

static const struct natmux_sink_ops keeper = {
	.name = "keeper",
	.input = keep,
	.flow_closed = keep_closed,
};

static inline void on_event(void *user, const struct natmux_event *event)
{
	(void)user;
	events[event->type]++;
	last_event = *event;
}

static inline void fill(void *user, void *buf, size_t len)
{
	(void)user;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)rand();
}

static const struct natmux_random randomness = {.fill = fill};

static inline void start_with(const struct natmux_mux_config *config)
{
	memset(&ike, 0, sizeof(ike));
	memset(&esp, 0, sizeof(esp));
	memset(&ice, 0, sizeof(ice));
	memset(events, 0, sizeof(events));
	assert_int_equal(natmux_mux_new(config, &randomness, &mux), 0);
	assert_int_equal(natmux_mux_set_sink(mux, NATMUX_CLASS_IKE, &keeper, &ike), 0);
	assert_int_equal(natmux_mux_set_sink(mux, NATMUX_CLASS_ESP, &keeper, &esp), 0);
	natmux_mux_set_event_handler(mux, on_event, NULL);
}

static inline void start(void)
{
	struct natmux_mux_config config;

	natmux_mux_config_init(&config);
	start_with(&config);
}

static inline void stop(void)
{
	natmux_mux_free(mux);
	mux = NULL;
}

static inline struct natmux_path path_of(const char *remote)
{
	struct natmux_path path;

	assert_int_equal(natmux_addr_parse(remote, 4500, &path.remote), 0);
	assert_int_equal(
		natmux_addr_parse(path.remote.family == NATMUX_FAMILY_IPV4 ? "192.0.2.1:4500"
									   : "[2001:db8::1]:4500",
			0, &path.local),
		0);
	return path;
}

static inline void input_train(
	uint64_t now, const char *remote, const uint8_t *data, uint32_t len, uint32_t segment)
{
	struct natmux_train train = {
		.data = data, .len = len, .segment = segment, .path = path_of(remote)};

	natmux_mux_input(mux, now, &train, 1);
}

static inline void input(uint64_t now, const char *remote, const uint8_t *data, uint32_t len)
{
	input_train(now, remote, data, len, len);
}

static inline void sent(uint64_t now, const char *remote, const uint8_t *data, uint32_t len)
{
	struct natmux_train train = {.data = data,
		.len = len,
		.segment = len,
		.flow = NATMUX_FLOW_NONE,
		.path = path_of(remote)};

	natmux_mux_sent(mux, now, &train, 1);
}

static inline uint64_t drops(enum natmux_drop drop)
{
	return natmux_mux_stats(mux)->drops[drop];
}

static inline uint64_t drops_in_all(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < NATMUX_DROP_COUNT; i++)
		sum += drops(i);
	return sum;
}

enum { IKE_LEN = 4 + 28 + 8 };

/* IKE_SA_INIT request with one small payload (RFC 7296 3.1, 3.2). */
static const uint8_t ike_init[IKE_LEN] = {
	0, 0, 0, 0,                             /* marker */
	1, 2, 3, 4, 5, 6, 7, 8,                 /* initiator SPI */
	0, 0, 0, 0, 0, 0, 0, 0,                 /* responder SPI */
	33, 0x20, 34, 0x08, 0, 0, 0, 0,         /* SA, 2.0, IKE_SA_INIT, initiator, id 0 */
	0, 0, 0, IKE_LEN - 4, 0, 0, 0, 8, 0, 0, /* length; payload header: none, length 8 */
};

/* Its answer. */
static const uint8_t ike_init_answer[IKE_LEN] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9,
	9, 9, 9, 33, 0x20, 34, 0x20, 0, 0, 0, 0, 0, 0, 0, IKE_LEN - 4, 0, 0, 0, 8};

/* IKE_AUTH with an encrypted payload, request and answer. */
static const uint8_t ike_auth[IKE_LEN] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9,
	9, 46, 0x20, 35, 0x08, 0, 0, 0, 1, 0, 0, 0, IKE_LEN - 4, 0, 0, 0, 8};

static const uint8_t ike_auth_answer[IKE_LEN] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9,
	9, 9, 9, 46, 0x20, 35, 0x20, 0, 0, 0, 1, 0, 0, 0, IKE_LEN - 4, 0, 0, 0, 8};

static const uint8_t esp_packet[40] = {0xc0, 1, 2, 3, 0, 0, 0, 1};

static const uint8_t keepalive[1] = {0xff};

static inline void establish(uint64_t now, const char *remote)
{
	input(now, remote, ike_init, IKE_LEN);
	sent(now, remote, ike_init_answer, IKE_LEN);
	input(now, remote, ike_auth, IKE_LEN);
	sent(now, remote, ike_auth_answer, IKE_LEN);
}

/* A STUN message of `len` bytes (a multiple of 4, 28 or 36 and more): SOFTWARE fills it up. */
static inline void make_stun(uint8_t *msg, uint16_t type, size_t len)
{
	memset(msg, 0, len);
	nm_put16(msg, type);
	nm_put16(msg + 2, (uint16_t)(len - 20));
	nm_put32(msg + 4, 0x2112a442);
	memset(msg + 8, 0x77, 12);
	if (len > 28) {
		nm_put16(msg + 20, 0x8022);
		nm_put16(msg + 22, (uint16_t)(len - 20 - 4 - 8));
	}
	nm_put16(msg + len - 8, 0x8028);
	nm_put16(msg + len - 6, 4);
	nm_put32(msg + len - 4, slow_crc32(msg, len - 8) ^ 0x5354554e);
}

static inline size_t answers(uint64_t now, const char *remote, const uint8_t *msg, uint32_t len,
	struct natmux_train *out)
{
	input(now, remote, msg, len);
	return natmux_mux_output(mux, out, 1);
}

#endif
