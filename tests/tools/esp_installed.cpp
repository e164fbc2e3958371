/* SPDX-License-Identifier: Apache-2.0 */
/* The installed libnatmux-esp in C++: every header of it, a packet there and back, a plane. */
#include <natmux/error.h>
#include <natmux/esp.h>
#include <natmux/inner.h>
#include <natmux/sa.h>
#include <natmux/suite.h>

#include <string.h>

static void fill(void *, void *buf, size_t len)
{
	memset(buf, 1, len);
}

static void ignore_trains(void *, const natmux_train *, size_t)
{
}
static void ignore_packet(void *, const natmux_gathered *)
{
}

static natmux_sa *make_sa(natmux_sa_direction direction, natmux_suite suite)
{
	static const uint8_t key[NATMUX_SUITE_KEY_MAX] = {7};
	const natmux_random random = {fill, nullptr};
	natmux_sa *sa = nullptr;
	natmux_sa_config config;

	natmux_sa_config_init(&config);
	config.direction = direction;
	config.spi = 4711;
	config.suite = suite;
	config.key = key;
	config.key_len = natmux_suite_key_len(suite);
	return natmux_sa_new(&config, &random, &sa) == 0 ? sa : nullptr;
}

static bool goes_there_and_back(natmux_suite suite)
{
	natmux_sa *out = make_sa(NATMUX_SA_OUT, suite), *in = make_sa(NATMUX_SA_IN, suite);
	uint8_t memory[256] = {};
	natmux_esp_packet packet = {};
	bool is_good;

	packet.data = memory;
	packet.size = sizeof(memory);
	packet.len = 100;
	packet.next_header = 4;
	is_good = out && in && natmux_sa_seal(out, &packet, 1) == 1 &&
		  natmux_sa_open(in, &packet, 1) == 1 && packet.len == 100;
	natmux_sa_free(out);
	natmux_sa_free(in);
	return is_good;
}

static bool makes_a_plane()
{
	natmux_esp *plane = nullptr;
	natmux_esp_config config;

	natmux_esp_config_init(&config);
	config.random.fill = fill;
	config.send = ignore_trains;
	config.deliver = ignore_packet;
	if (natmux_esp_new(&config, &plane) != 0)
		return false;
	natmux_esp_free(plane);
	return true;
}

int main()
{
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++)
		if (!goes_there_and_back(static_cast<natmux_suite>(suite)))
			return 1;
	return makes_a_plane() ? 0 : 1;
}
