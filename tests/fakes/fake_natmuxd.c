/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A natmuxd for natmuxctl's tests: the real control server with a made-up daemon behind it, on
 * the socket named in argv[1]. While a capture runs it shows the same few datagrams again and
 * again, and something happens every 20 ms. Ends at SIGTERM, or with the script that started it.
 */
#include <stdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <natmux/error.h>
#include "daemon/control/control.h"
#include "tests/fakes/fake_server.h"

static struct fake_server fake;
static struct nm_control *control;
static uv_timer_t tick;
static uv_signal_t terminate;

/* An IKE_SA_INIT request's header behind the marker: RFC 3948 2.2, RFC 7296 3.1. */
static const uint8_t ike[32] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20,
	34, 0x08, 0, 0, 0, 0, 0, 0, 0, 28};
/* SPI 0x1000, sequence 1. */
static const uint8_t esp[40] = {0, 0, 0x10, 0, 0, 0, 0, 1, 0xaa};
static const uint8_t stun[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 'f', 'a', 'k', 'e'};
static const uint8_t keepalive[1] = {0xff};

static void show(enum natmux_class cls, bool is_sent, const uint8_t *data, uint32_t len,
	const char *local, const char *remote)
{
	struct natmux_train train = {
		.data = data, .len = len, .path = {fake_addr(local), fake_addr(remote)}};

	fake_server_tap(&fake, cls, is_sent, &train);
}

static void on_tick(uv_timer_t *timer)
{
	struct natmux_event event = {.type = NATMUX_EVENT_FLOW_ESTABLISHED,
		.path = {fake_addr("192.0.2.1:4500"), fake_addr("198.51.100.7:1027")}};

	struct natmux_esp_event esp_event = {.type = NATMUX_ESP_EVENT_AUDIT,
		.drop = NATMUX_DROP_ESP_ICV,
		.spi = 0x1001,
		.path = event.path};

	(void)timer;
	fake.now_ms += 20;
	fake.stats.rx[NATMUX_CLASS_ESP].datagrams += 2000;
	show(NATMUX_CLASS_IKE, false, ike, sizeof(ike), "192.0.2.1:4500", "198.51.100.7:1027");
	show(NATMUX_CLASS_IKE, true, ike, sizeof(ike), "192.0.2.1:4500", "198.51.100.7:1027");
	show(NATMUX_CLASS_ESP, false, esp, sizeof(esp), "[2001:db8::1]:4500", "[2001:db8::2]:4500");
	show(NATMUX_CLASS_STUN, false, stun, sizeof(stun), "192.0.2.1:4500", "203.0.113.3:3478");
	show(NATMUX_CLASS_KEEPALIVE, true, keepalive, 1, "0.0.0.0:0", "198.51.100.7:1027");
	nm_control_event(control, &event);
	nm_control_esp_event(control, &esp_event);
}

static void stop(void)
{
	if (uv_is_closing((uv_handle_t *)&tick))
		return;
	nm_control_free(control, NULL, NULL);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_close((uv_handle_t *)&terminate, NULL);
}

static void on_terminate(uv_signal_t *handle, int number)
{
	(void)handle;
	(void)number;
	stop();
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	char message[512];

	if (argc < 2 || !loop)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	fake_server_init(&fake, loop);
	fake.config.user_plane.export_keys = true;
	fake_server_add_plane(&fake);
	if (argc > 2) {
		fake.reload_result = NATMUX_EINVAL;
		fake.reload_message = argv[2];
	}
	if (nm_control_new(fake_server_of(&fake), argv[1], &control, message, sizeof(message)) <
		0) {
		fprintf(stderr, "%s\n", message);
		return 1;
	}
	uv_timer_init(loop, &tick);
	uv_timer_start(&tick, on_tick, 20, 20);
	uv_signal_init(loop, &terminate);
	uv_signal_start(&terminate, on_terminate, SIGTERM);
	uv_run(loop, UV_RUN_DEFAULT);
	return uv_loop_close(loop) == 0 ? 0 : 1;
}
