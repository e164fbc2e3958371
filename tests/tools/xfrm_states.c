/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the kernel's ESP states, a line for each, with what an older ip-xfrm does not show. */
#include <linux/netlink.h>
#include <stdio.h>
#include <natmux/error.h>
#include "io/netlink.h"
#include "xfrm/session.h"

static struct nm_netlink *netlink;

static int send_message(void *user, const void *message, size_t len, int *os_error)
{
	(void)user;
	return nm_netlink_send(netlink, message, len, os_error);
}

static void print_state(void *user, const struct nm_xfrm_state *s)
{
	static const char *const directions[] = {"any", "in", "out"};

	(void)user;
	printf("spi 0x%x dir %s keepalive %u if-id %u output-mark 0x%x/0x%x dport %u\n", s->spi,
		directions[s->direction % 3], s->keepalive_s, s->if_id, s->output_mark.value,
		s->output_mark.mask, s->destination.port);
}

static void note_answer(void *user, const struct nm_xfrm_answer *answer)
{
	*(struct nm_xfrm_answer *)user = *answer;
}

static int list(struct nm_xfrm_session *session)
{
	struct nm_xfrm_answer answer = {.error = NATMUX_ESYSTEM};
	const struct nm_xfrm_request request = {
		.state = print_state, .done = note_answer, .user = &answer};
	struct nm_xfrm_message message;
	void *bytes;
	size_t len;

	if (nm_xfrm_state_dump(NM_XFRM_PROTO_ESP, &message) < 0 ||
		nm_xfrm_session_request(session, &message, &request, 0) < 0)
		return 1;
	while (!nm_xfrm_session_is_idle(session) && nm_netlink_wait(netlink, 2000))
		if (nm_netlink_recv(netlink, &bytes, &len) == NM_NETLINK_DATA)
			nm_xfrm_session_input(session, bytes, len, 0);
	return answer.error != 0;
}

int main(void)
{
	const struct nm_netlink_config config = {.sys = &nm_sys_real, .protocol = NETLINK_XFRM};
	struct nm_xfrm_session_config talk = {.send = send_message};
	struct nm_xfrm_session *session = NULL;
	int status = 1;

	if (nm_netlink_open(&config, &netlink) < 0)
		return status;
	talk.portid = nm_netlink_portid(netlink);
	if (nm_xfrm_session_new(&talk, &session) == 0)
		status = list(session);
	nm_xfrm_session_free(session);
	nm_netlink_close(netlink);
	return status;
}
