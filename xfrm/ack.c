/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the kernel's acknowledgements and says what its errors mean. */
#include "xfrm/ack.h"

#include <errno.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <natmux/error.h>
#include "xfrm/kernel.h"

enum { MAX_ERRNO = 4095 /* the kernel's */ };

/* What an errno means in answer to any request, or to those of one type. */
static const struct {
	int os_error;
	uint16_t request; /* 0: any */
	int error;
	const char *text;
} meanings[] = {
	{EPROTONOSUPPORT, XFRM_MSG_NEWSA, NATMUX_EUNSUPPORTED, NM_XFRM_NO_ESP},
	{EPROTONOSUPPORT, XFRM_MSG_UPDSA, NATMUX_EUNSUPPORTED, NM_XFRM_NO_ESP},
	{EPERM, 0, NATMUX_ESYSTEM, "not permitted (needs CAP_NET_ADMIN)"},
	{EACCES, 0, NATMUX_ESYSTEM, "not permitted (needs CAP_NET_ADMIN)"},
	{EEXIST, XFRM_MSG_NEWSA, NATMUX_EEXISTS,
		"there is a state with this SPI, address and protocol"},
	{EEXIST, XFRM_MSG_NEWPOLICY, NATMUX_EEXISTS, "there is a policy with this selector"},
	{EEXIST, XFRM_MSG_ALLOCSPI, NATMUX_EEXISTS, "every SPI of the range is taken"},
	{EEXIST, 0, NATMUX_EEXISTS, "exists already"},
	{ESRCH, 0, NATMUX_ENOTFOUND, "no such state"},
	{ENOENT, XFRM_MSG_ALLOCSPI, NATMUX_EEXISTS, "every SPI of the range is taken"},
	{ENOENT, 0, NATMUX_ENOTFOUND, "no such policy"},
	{EBUSY, 0, NATMUX_ESYSTEM, "busy: the kernel is changing it; try again"},
	{ENOSYS, 0, NATMUX_EUNSUPPORTED, "this kernel has not the algorithm"},
	{EOPNOTSUPP, 0, NATMUX_EUNSUPPORTED, "this kernel cannot do that"},
	{EPROTONOSUPPORT, 0, NATMUX_EUNSUPPORTED, "this kernel has no XFRM (CONFIG_XFRM_USER)"},
	{EAFNOSUPPORT, 0, NATMUX_EUNSUPPORTED, "this kernel has no IPv6"},
	{EINVAL, 0, NATMUX_EINVAL, "the kernel refuses the values"},
	{ERANGE, 0, NATMUX_EINVAL, "the kernel refuses an attribute's size"},
	{EMSGSIZE, 0, NATMUX_EINVAL, "too long for the kernel"},
	{ENODEV, 0, NATMUX_ENOTFOUND, "no such interface"},
	{ENOMEM, 0, NATMUX_ENOMEM, "the kernel is out of memory"},
	{ENOBUFS, 0, NATMUX_ESYSTEM, "the kernel had no buffer for its answer"},
	{EAGAIN, 0, NATMUX_ESYSTEM, "it changed while the kernel was telling it; ask again"},
	{ETIMEDOUT, 0, NATMUX_ESYSTEM, "the kernel did not answer"},
};

static void copy_text(struct nm_xfrm_answer *answer, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && text[i] != '\0' && n < NM_XFRM_ANSWER_TEXT - 1; i++)
		answer->text[n++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	answer->text[n] = '\0';
}

/* An error that has no line above: "error 95". */
static void copy_number(struct nm_xfrm_answer *answer, int os_error)
{
	char text[] = "error 0000";
	char *digit = text + sizeof(text) - 2;

	for (unsigned int rest = (unsigned int)os_error; rest > 0 && *digit == '0'; rest /= 10)
		*digit-- = (char)('0' + rest % 10);
	memcpy(answer->text, text, 6);
	memcpy(answer->text + 6, digit + 1, (size_t)(text + sizeof(text) - (digit + 1)));
}

void nm_xfrm_answer_set(struct nm_xfrm_answer *answer, uint16_t request, int os_error)
{
	*answer = (struct nm_xfrm_answer){.os_error = os_error};
	if (os_error == 0)
		return;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (meanings[i].os_error != os_error ||
			(meanings[i].request != 0 && meanings[i].request != request))
			continue;
		answer->error = meanings[i].error;
		copy_text(answer, meanings[i].text, SIZE_MAX);
		return;
	}
	answer->error = NATMUX_ESYSTEM;
	copy_number(answer, os_error);
}

/* The attributes of an extended ACK, from `at` on. */
static int read_extended(const struct nlmsghdr *message, size_t at, struct nm_xfrm_answer *answer)
{
	while (at < message->nlmsg_len) {
		const struct nlattr *attr = (const void *)((const char *)message + at);
		size_t len;

		if (!mnl_attr_ok(attr, (int)(message->nlmsg_len - at)))
			return NATMUX_ETRUNCATED;
		len = mnl_attr_get_payload_len(attr);
		/* A missing ESP is said in words that name the way out; the kernel's do not. */
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG && len > 1 &&
			answer->os_error != EPROTONOSUPPORT && answer->os_error != 0)
			copy_text(answer, mnl_attr_get_payload(attr), len);
		else if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS && len >= 4)
			memcpy(&answer->offset, mnl_attr_get_payload(attr), 4);
		else if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MISS_TYPE && len >= 4)
			answer->attribute = (uint16_t)mnl_attr_get_u32(attr);
		at += MNL_ALIGN(attr->nla_len);
	}
	return 0;
}

/* Where the extended part begins: behind the request that is quoted, unless that was left out. */
static int find_extended(const struct nlmsghdr *message, size_t *at)
{
	struct nlmsgerr fixed;
	size_t begin = MNL_NLMSG_HDRLEN;

	if (message->nlmsg_type == NLMSG_DONE) {
		*at = begin + sizeof(int);
		return 0;
	}
	if (message->nlmsg_len < begin + sizeof(fixed))
		return NATMUX_ETRUNCATED;
	memcpy(&fixed, (const char *)message + begin, sizeof(fixed));
	begin += sizeof(fixed);
	if (!(message->nlmsg_flags & NLM_F_CAPPED)) {
		if (fixed.msg.nlmsg_len < MNL_NLMSG_HDRLEN ||
			fixed.msg.nlmsg_len - MNL_NLMSG_HDRLEN > message->nlmsg_len - begin)
			return NATMUX_ETRUNCATED;
		begin += MNL_ALIGN(fixed.msg.nlmsg_len - MNL_NLMSG_HDRLEN);
	}
	*at = begin;
	return 0;
}

int nm_xfrm_ack_decode(
	const struct nlmsghdr *message, uint16_t request, struct nm_xfrm_answer *answer)
{
	struct nm_xfrm_answer got;
	size_t at;
	int code, err;

	if (message->nlmsg_type != NLMSG_ERROR && message->nlmsg_type != NLMSG_DONE)
		return NATMUX_EMALFORMED;
	if (message->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(code))
		return NATMUX_ETRUNCATED;
	memcpy(&code, mnl_nlmsg_get_payload(message), sizeof(code));
	if (code > 0 || code < -MAX_ERRNO)
		return NATMUX_EMALFORMED;
	nm_xfrm_answer_set(&got, request, -code);
	err = find_extended(message, &at);
	if (err == 0 && message->nlmsg_flags & NLM_F_ACK_TLVS)
		err = read_extended(message, at, &got);
	if (err == 0)
		*answer = got;
	return err;
}
