/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of whole planes share: two ends, a and b, and all that either has handed out. */
#ifndef ESP_PLANE_TEST_H
#define ESP_PLANE_TEST_H

#include "esp_test.h"

#include <natmux/error.h>
#include <natmux/esp.h>
#include <natmux/inner.h>
#include "tests/fakes/inner_packets.h"

enum { REQID = 7, WIRE = 1 << 20 };

static struct natmux_esp *a, *b;
static uint8_t wire[WIRE];
static struct natmux_train trains[256];
static size_t trains_n, wire_len;
static uint8_t delivered[70000]; /* the last packet */
static size_t delivered_n, delivered_len;
static struct natmux_offload delivered_offload;
static uint64_t drops[NATMUX_DROP_COUNT];
static struct natmux_esp_event events[64]; /* the last ones */
static size_t events_n;

static inline void keep_trains(void *user, const struct natmux_train *from, size_t n)
{
	(void)user;
	for (size_t i = 0; i < n; i++) {
		assert_in_range(trains_n, 0, ARRAY_SIZE(trains) - 1);
		assert_in_range(from[i].len, 1, WIRE - wire_len);
		trains[trains_n] = from[i];
		memcpy(wire + wire_len, from[i].data, from[i].len);
		trains[trains_n++].data = wire + wire_len;
		wire_len += from[i].len;
	}
}

static inline void keep_packet(void *user, const struct natmux_gathered *packet)
{
	(void)user;
	delivered_n++;
	delivered_len = 0;
	delivered_offload = packet->offload;
	for (uint32_t i = 0; i < packet->parts_len; i++) {
		assert_in_range(packet->parts[i].len, 1, sizeof(delivered) - delivered_len);
		memcpy(delivered + delivered_len, packet->parts[i].data, packet->parts[i].len);
		delivered_len += packet->parts[i].len;
	}
}

static inline void keep_drop(void *user, enum natmux_drop drop, uint64_t n)
{
	(void)user;
	drops[drop] += n;
}

static inline void keep_event(void *user, const struct natmux_esp_event *event)
{
	(void)user;
	events[events_n++ % ARRAY_SIZE(events)] = *event;
}

static inline void forget(void)
{
	trains_n = wire_len = delivered_n = delivered_len = events_n = 0;
	memset(drops, 0, sizeof(drops));
}

/* A plane that hands everything to the functions above. */
static inline void plane_config(struct natmux_esp_config *config)
{
	assert_true(sodium_init() >= 0);
	natmux_esp_config_init(config);
	config->random.fill = esp_fill;
	config->send = keep_trains;
	config->deliver = keep_packet;
	config->drop = keep_drop;
	config->event = keep_event;
}

static inline struct natmux_esp *plane_new(const struct natmux_esp_config *config)
{
	struct natmux_esp *esp;

	assert_int_equal(natmux_esp_new(config, &esp), 0);
	return esp;
}

static inline struct natmux_sa_config sa_config(enum natmux_sa_direction direction, uint32_t spi)
{
	struct natmux_sa_config config;

	esp_config(&config, direction, NATMUX_SUITE_AES128GCM16);
	config.spi = spi;
	config.reqid = REQID;
	return config;
}

static inline void add_policy(struct natmux_esp *esp, const char *source, const char *destination)
{
	struct natmux_policy policy = esp_policy(REQID, source, destination);

	assert_int_equal(natmux_esp_policy_add(esp, &policy), 0);
}

static inline void stop(void)
{
	natmux_esp_free(a);
	natmux_esp_free(b);
}

#endif
