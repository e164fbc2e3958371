/* SPDX-License-Identifier: Apache-2.0 */
/* A short conversation with XFRM: the questions are xfrm/probe.c's. */
#include "bench/kernel_esp.h"

#include <linux/netlink.h>
#include <sodium.h>
#include <stdio.h>
#include <natmux/error.h>
#include <natmux/random.h>

#include "bench/stopwatch.h"
#include "io/netlink.h"
#include "xfrm/probe.h"

enum { STEP_MS = 100 };

struct asking {
	struct nm_netlink *netlink;
	struct nm_xfrm_session *session;
	bool is_done;
	struct nm_xfrm_answer answer;
};

static uint64_t now_ms(void)
{
	return nm_stopwatch_now_ns() / 1000000;
}

static void fill(void *user, void *bytes, size_t len)
{
	(void)user;
	randombytes_buf(bytes, len);
}

static int send_message(void *user, const void *message, size_t len, int *os_error)
{
	const struct asking *asking = user;

	return nm_netlink_send(asking->netlink, message, len, os_error);
}

static void probed(void *user, const struct nm_xfrm_features *features)
{
	struct asking *asking = user;

	asking->answer = features->why[NM_XFRM_FEATURE_ESP4];
	asking->is_done = true;
}

static void drain(struct asking *asking)
{
	enum nm_netlink_result result;
	size_t len;
	void *bytes;

	do {
		result = nm_netlink_recv(asking->netlink, &bytes, &len);
		if (result == NM_NETLINK_DATA)
			nm_xfrm_session_input(asking->session, bytes, len, now_ms());
	} while (result == NM_NETLINK_DATA || result == NM_NETLINK_LOST);
}

/* The session gives up by itself what is not answered: this ends. */
static int ask(struct asking *asking)
{
	const struct natmux_random random = {.fill = fill};
	int err = nm_xfrm_probe_start(asking->session, &random, probed, asking, now_ms());

	while (err == 0 && !asking->is_done) {
		nm_netlink_wait(asking->netlink, STEP_MS);
		drain(asking);
		nm_xfrm_session_tick(asking->session, now_ms());
	}
	return err;
}

const char *nm_kernel_esp_missing(void)
{
	static struct asking asking;
	const struct nm_netlink_config netlink = {.sys = &nm_sys_real, .protocol = NETLINK_XFRM};
	const struct nm_xfrm_session_config session = {.send = send_message, .user = &asking};
	int err;

	asking = (struct asking){0};
	err = sodium_init() < 0 ? NATMUX_ESYSTEM : nm_netlink_open(&netlink, &asking.netlink);
	if (err == 0)
		err = nm_xfrm_session_new(&session, &asking.session);
	if (err == 0)
		err = ask(&asking);
	nm_xfrm_session_free(asking.session);
	nm_netlink_close(asking.netlink);
	if (err == NATMUX_EUNSUPPORTED)
		return "this kernel has no XFRM (CONFIG_XFRM_USER); use esp = user";
	if (err < 0)
		return natmux_strerror(err);
	return asking.answer.error < 0 ? asking.answer.text : NULL;
}
