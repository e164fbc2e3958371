/* SPDX-License-Identifier: Apache-2.0 */
/* The netlink message of the doctor's one ESP state (linux/xfrm.h); a tool of doctor_probe.c. */
#include "ctl/doctor_xfrm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>

static const struct xfrm_userpolicy_info bypass = {
	.action = XFRM_POLICY_ALLOW,
	.sel.family = AF_INET,
	.dir = XFRM_POLICY_OUT,
};
const void *const nm_doctor_bypass = &bypass;
const unsigned int nm_doctor_bypass_size = sizeof(bypass);

enum { KEY_BYTES = 16 + 4 /* AES-128 and the salt, RFC 4106 8.1 */ };

/* An XFRMA_ALG_AEAD attribute: the algorithm and its key in one piece. */
struct aead_attribute {
	struct nlattr head;
	struct {
		char name[64];
		unsigned int key_bits, icv_bits;
		uint8_t key[KEY_BYTES];
	} aead;
};

struct encap_attribute {
	struct nlattr head;
	struct xfrm_encap_tmpl encap;
};

struct state_message {
	struct nlmsghdr head;
	struct xfrm_usersa_info state;
	struct aead_attribute aead;
	struct encap_attribute encap;
};

struct reply_message {
	struct nlmsghdr head;
	struct nlmsgerr error;
	char rest[256]; /* the request, quoted */
};

static void fill_state(struct xfrm_usersa_info *state, enum natmux_family family)
{
	state->family = family == NATMUX_FAMILY_IPV4 ? AF_INET : AF_INET6;
	inet_pton(state->family, family == NATMUX_FAMILY_IPV4 ? "192.0.2.1" : "2001:db8::1",
		&state->saddr);
	inet_pton(state->family, family == NATMUX_FAMILY_IPV4 ? "192.0.2.2" : "2001:db8::2",
		&state->id.daddr);
	state->id.spi = htonl(0x1000);
	state->id.proto = IPPROTO_ESP;
	state->mode = XFRM_MODE_TUNNEL;
	state->lft.soft_byte_limit = state->lft.hard_byte_limit = XFRM_INF;
	state->lft.soft_packet_limit = state->lft.hard_packet_limit = XFRM_INF;
}

static struct state_message make_message(enum natmux_family family)
{
	struct state_message message = {
		/* Not sizeof: the struct's own padding at the end is no attribute. */
		.head = {.nlmsg_len = offsetof(struct state_message, encap) +
				      sizeof(struct encap_attribute),
			.nlmsg_type = XFRM_MSG_NEWSA,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			.nlmsg_seq = 1},
		.aead = {.head = {.nla_len = sizeof(struct aead_attribute),
				 .nla_type = XFRMA_ALG_AEAD},
			.aead = {.name = "rfc4106(gcm(aes))",
				.key_bits = KEY_BYTES * 8,
				.icv_bits = 128}},
		.encap = {.head = {.nla_len = sizeof(struct encap_attribute),
				  .nla_type = XFRMA_ENCAP},
			.encap = {.encap_type = UDP_ENCAP_ESPINUDP,
				.encap_sport = htons(4500),
				.encap_dport = htons(4500)}},
	};

	_Static_assert(sizeof(message.aead) % NLA_ALIGNTO == 0, "attributes follow without a gap");
	fill_state(&message.state, family);
	return message;
}

int nm_doctor_add_esp_state(enum natmux_family family)
{
	struct state_message message = make_message(family);
	struct reply_message reply;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);
	ssize_t n;

	if (fd < 0)
		return errno;
	if (send(fd, &message, message.head.nlmsg_len, 0) < 0)
		goto fail;
	n = recv(fd, &reply, sizeof(reply), 0);
	if (n < 0)
		goto fail;
	close(fd);
	if ((size_t)n < offsetof(struct reply_message, rest) ||
		reply.head.nlmsg_type != NLMSG_ERROR)
		return EPROTO;
	return -reply.error.error;

fail:
	n = errno;
	close(fd);
	return (int)n;
}
