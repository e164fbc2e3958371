/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's ESP states, by the messages of xfrm/; a tool of doctor_probe.c. */
#include "ctl/doctor_xfrm.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <natmux/sa.h>
#include "xfrm/ack.h"
#include "xfrm/kernel.h"
#include "xfrm/state_message.h"

static const struct xfrm_userpolicy_info bypass = {
	.action = XFRM_POLICY_ALLOW,
	.sel.family = AF_INET,
	.dir = XFRM_POLICY_OUT,
};
const void *const nm_doctor_bypass = &bypass;
const unsigned int nm_doctor_bypass_size = sizeof(bypass);

/* Between addresses of documentation. */
static int make_message(
	enum natmux_family family, enum natmux_suite suite, struct nm_xfrm_message *message)
{
	static const uint8_t key[NATMUX_SUITE_KEY_MAX];
	bool is_v4 = family == NATMUX_FAMILY_IPV4;
	struct natmux_sa_config config;
	struct nm_xfrm_state state;
	const char *why;

	natmux_sa_config_init(&config);
	config.direction = NATMUX_SA_OUT;
	config.spi = 0x1000;
	config.suite = suite;
	config.key = key;
	config.key_len = natmux_suite_key_len(suite);
	natmux_addr_parse(is_v4 ? "192.0.2.1" : "2001:db8::1", 4500, &config.path.local);
	natmux_addr_parse(is_v4 ? "192.0.2.2" : "2001:db8::2", 4500, &config.path.remote);
	return nm_xfrm_state_from_config(&config, &state, &why) < 0
		       ? -1
		       : nm_xfrm_state_add(&state, message);
}

static int exchange(int fd, const struct nm_xfrm_message *message, size_t len)
{
	struct nm_xfrm_message reply;
	struct nlmsghdr *head = (struct nlmsghdr *)(void *)reply.bytes;
	struct nm_xfrm_answer answer;
	ssize_t n;

	if (send(fd, message->bytes, len, 0) < 0)
		return errno;
	n = recv(fd, reply.bytes, sizeof(reply.bytes), 0);
	if (n < 0)
		return errno;
	if ((size_t)n < sizeof(*head) || head->nlmsg_len > (size_t)n ||
		nm_xfrm_ack_decode(head, XFRM_MSG_NEWSA, &answer) < 0)
		return EPROTO;
	return answer.os_error;
}

static int add_state(int fd, enum natmux_family family, enum natmux_suite suite)
{
	struct nm_xfrm_message message;
	int len = make_message(family, suite, &message);

	return len < 0 ? EPROTO : exchange(fd, &message, (size_t)len);
}

int nm_doctor_add_esp_state(enum natmux_family family)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM), error;

	if (fd < 0)
		return errno;
	error = add_state(fd, family, NATMUX_SUITE_AES128GCM16);
	/* The kernel looks for the cipher first: without it, whether there is ESP is not said yet. */
	if (error == ENOSYS && add_state(fd, family, NATMUX_SUITE_NULL_SHA256) == EPROTONOSUPPORT)
		error = EPROTONOSUPPORT;
	close(fd);
	return error;
}
