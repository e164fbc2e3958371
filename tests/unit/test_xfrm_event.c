/* SPDX-License-Identifier: Apache-2.0 */
/* Events and acknowledgements as Linux sent them, and as nobody should. */
#include "xfrm_test.h"

#include <errno.h>
#include "xfrm/ack.h"
#include "xfrm/event.h"

static struct xfrm_test_case recorded;

static struct nm_xfrm_event decode(const char *name, uint16_t type)
{
	struct nm_xfrm_event event;

	xfrm_test_load(name, &recorded);
	assert_int_equal(
		nm_xfrm_event_decode(xfrm_test_find(&recorded, false, type, 0), &event), 0);
	return event;
}

static void test_states(void **state)
{
	struct nm_xfrm_event e = decode("event state-added", XFRM_MSG_NEWSA);

	(void)state;
	assert_int_equal(e.type, NM_XFRM_EVENT_STATE_ADDED);
	assert_int_equal(e.sequence, 0x5678);
	assert_int_equal(e.state.spi, 0x3000);
	assert_int_equal(e.state.source.port, 4500);
	assert_int_equal(e.state.destination.port, 4501);
	assert_int_equal(e.id.spi, 0x3000);
	e = decode("event state-updated", XFRM_MSG_UPDSA);
	assert_int_equal(e.type, NM_XFRM_EVENT_STATE_UPDATED);
	assert_int_equal(e.state.destination.port, 5555);
	e = decode("event state-deleted", XFRM_MSG_DELSA);
	assert_int_equal(e.type, NM_XFRM_EVENT_STATE_DELETED);
	assert_true(e.has_state);
	assert_int_equal(e.id.spi, 0x3000);
	assert_int_equal(e.state.spi, 0x3000);
	assert_int_equal(e.state.reqid, 1);
	assert_string_equal(e.state.aead.name, "rfc4106(gcm(aes))");
	e = decode("event states-flushed", XFRM_MSG_FLUSHSA);
	assert_int_equal(e.type, NM_XFRM_EVENT_STATES_FLUSHED);
	assert_int_equal(e.protocol, NM_XFRM_PROTO_ESP);
	e = decode("event soft", XFRM_MSG_EXPIRE);
	assert_int_equal(e.type, NM_XFRM_EVENT_STATE_EXPIRED);
	assert_false(e.is_hard);
	assert_int_equal(e.state.spi, 0x3000);
	assert_int_equal(e.state.limits.soft_packets, 1);
	assert_int_equal(e.state.usage.packets, 1);
	e = decode("event hard", XFRM_MSG_EXPIRE);
	assert_true(e.is_hard);
	e = decode("event replay", XFRM_MSG_NEWAE);
	assert_int_equal(e.type, NM_XFRM_EVENT_STATE_REPLAY);
	assert_int_equal(e.id.spi, 0x3000);
	assert_int_equal(e.state.replay.out, 1);
	assert_int_equal(e.state.usage.packets, 0); /* counted when it has left */
	assert_true(e.state.usage.added_at > 1700000000);
	assert_true(e.ae_flags & XFRM_AE_CR);
	e = decode("state get numbers", XFRM_MSG_NEWAE);
	assert_int_equal(e.id.spi, 0x2201);
	assert_int_equal(e.state.reqid, 0x2201);
}

static void test_policies(void **state)
{
	struct nm_xfrm_event e = decode("event policy-added", XFRM_MSG_NEWPOLICY);

	(void)state;
	assert_int_equal(e.type, NM_XFRM_EVENT_POLICY_ADDED);
	assert_int_equal(e.policy.direction, NM_XFRM_OUT);
	assert_int_equal(e.policy.templates_len, 1);
	e = decode("event policy-updated", XFRM_MSG_UPDPOLICY);
	assert_int_equal(e.type, NM_XFRM_EVENT_POLICY_UPDATED);
	assert_int_equal(e.policy.priority, 7);
	e = decode("event policy-deleted", XFRM_MSG_DELPOLICY);
	assert_int_equal(e.type, NM_XFRM_EVENT_POLICY_DELETED);
	assert_int_equal(e.policy.priority, 7);
	assert_int_equal(e.policy.templates[0].reqid, 1);
	assert_int_equal(e.policy.selector.destination.bits, 16);
	e = decode("event policy-expired", XFRM_MSG_POLEXPIRE);
	assert_int_equal(e.type, NM_XFRM_EVENT_POLICY_EXPIRED);
	assert_true(e.is_hard);
	assert_int_equal(e.policy.limits.hard_seconds, 1);
	e = decode("event policies-flushed", XFRM_MSG_FLUSHPOLICY);
	assert_int_equal(e.type, NM_XFRM_EVENT_POLICIES_FLUSHED);
}

static void test_acquire(void **state)
{
	const struct natmux_addr us = xfrm_test_addr("192.0.2.1"),
				 them = xfrm_test_addr("192.0.2.2"),
				 inner = xfrm_test_addr("10.2.0.1");
	struct nm_xfrm_event e = decode("event acquire", XFRM_MSG_ACQUIRE);

	(void)state;
	assert_int_equal(e.type, NM_XFRM_EVENT_ACQUIRE);
	assert_true(natmux_addr_equal(&e.state.source, &us));
	assert_true(natmux_addr_equal(&e.state.destination, &them));
	assert_int_equal(e.state.protocol, NM_XFRM_PROTO_ESP);
	assert_int_equal(e.state.reqid, 1);
	assert_int_equal(e.state.mode, XFRM_MODE_TUNNEL);
	assert_true(e.state.sequence != 0);
	assert_true(natmux_addr_equal(&e.state.selector.destination.base, &inner));
	assert_int_equal(e.state.selector.destination.bits, 32);
	assert_int_equal(e.policy.priority, 7);
	assert_int_equal(e.policy.selector.destination.bits, 16);
}

/* The wire's family is the template's; where that says none, the packet's. */
static void test_acquire_families(void **state)
{
	struct nlmsghdr *message;
	struct nlattr *attr;
	struct nm_xfrm_event e;

	(void)state;
	xfrm_test_load("event acquire", &recorded);
	message = xfrm_test_find(&recorded, false, XFRM_MSG_ACQUIRE, 0);
	((struct xfrm_user_acquire *)mnl_nlmsg_get_payload(message))->sel.family = AF_INET6;
	assert_int_equal(nm_xfrm_event_decode(message, &e), 0);
	assert_int_equal(e.state.destination.family, NATMUX_FAMILY_IPV4);
	assert_int_equal(e.state.selector.destination.base.family, NATMUX_FAMILY_IPV6);
	mnl_attr_for_each(
		attr, message, sizeof(struct xfrm_user_acquire)) if (mnl_attr_get_type(attr) ==
								     XFRMA_TMPL)(
		(struct xfrm_user_tmpl *)mnl_attr_get_payload(attr))
		->family = 0;
	assert_int_equal(nm_xfrm_event_decode(message, &e), 0);
	assert_int_equal(e.state.destination.family, NATMUX_FAMILY_IPV6);
}

/* Attributes that no recorded event has are read all the same. */
static void test_marks(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		bool is_policy;
	} cases[] = {{"event state-added", XFRM_MSG_NEWSA, false},
		{"event soft", XFRM_MSG_EXPIRE, false}, {"event replay", XFRM_MSG_NEWAE, false},
		{"event policy-added", XFRM_MSG_NEWPOLICY, true},
		{"event policy-expired", XFRM_MSG_POLEXPIRE, true}};
	const struct xfrm_mark mark = {.v = 0x11, .m = 0xff};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nlmsghdr *message;
		struct nm_xfrm_event e;
		const struct nm_xfrm_mark *got = cases[i].is_policy ? &e.policy.mark : &e.id.mark;

		xfrm_test_load(cases[i].name, &recorded);
		message = xfrm_test_find(&recorded, false, cases[i].type, 0);
		mnl_attr_put(message, XFRMA_MARK, sizeof(mark), &mark);
		assert_int_equal(nm_xfrm_event_decode(message, &e), 0);
		assert_int_equal(got->value, 0x11);
		assert_int_equal(got->mask, 0xff);
		if (cases[i].is_policy)
			continue;
		assert_int_equal(e.state.mark.value, 0x11);
		assert_int_equal(e.state.protocol, NM_XFRM_PROTO_ESP);
	}
}

static void test_mapping(void **state)
{
	const struct natmux_addr before = xfrm_test_addr("192.0.2.2:4444"),
				 port = xfrm_test_addr("192.0.2.2:5555"),
				 address = xfrm_test_addr("192.0.2.3:5555");
	struct nm_xfrm_event e = decode("event mapping-port", XFRM_MSG_MAPPING);

	(void)state;
	assert_int_equal(e.type, NM_XFRM_EVENT_MAPPING);
	assert_int_equal(e.id.spi, 0x3100);
	assert_int_equal(e.reqid, 2);
	assert_true(natmux_addr_equal(&e.before, &before));
	assert_true(natmux_addr_equal(&e.now, &port));
	e = decode("event mapping-address", XFRM_MSG_MAPPING);
	assert_true(natmux_addr_equal(&e.before, &before));
	assert_true(natmux_addr_equal(&e.now, &address));
}

static const struct {
	const char *name;
	uint16_t type;
	bool is_fixed; /* without attributes: one octet less is too few */
} events[] = {
	{"event state-added", XFRM_MSG_NEWSA, false},
	{"event state-deleted", XFRM_MSG_DELSA, false},
	{"event states-flushed", XFRM_MSG_FLUSHSA, false},
	{"event hard", XFRM_MSG_EXPIRE, true},
	{"event replay", XFRM_MSG_NEWAE, false},
	{"event policy-deleted", XFRM_MSG_DELPOLICY, false},
	{"event policy-expired", XFRM_MSG_POLEXPIRE, false},
	{"event policies-flushed", XFRM_MSG_FLUSHPOLICY, false},
	{"event acquire", XFRM_MSG_ACQUIRE, false},
	{"event mapping-port", XFRM_MSG_MAPPING, true},
};

/* At every octet: nothing behind it is read, and on failure nothing is written. */
static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct nlmsghdr *message;
		unsigned int errors = 0;
		uint32_t whole;

		xfrm_test_load(events[i].name, &recorded);
		message = xfrm_test_find(&recorded, false, events[i].type, 0);
		whole = message->nlmsg_len;
		for (uint32_t len = whole; len-- > 16;) {
			struct nm_xfrm_event event = {.reqid = 77};
			uint8_t *copy = malloc(len);
			int err;

			assert_non_null(copy);
			message->nlmsg_len = len;
			memcpy(copy, message, len);
			err = nm_xfrm_event_decode((void *)copy, &event);
			assert_true(
				err == 0 || err == NATMUX_ETRUNCATED || err == NATMUX_EMALFORMED);
			if (err != 0)
				assert_int_equal(event.reqid, 77);
			errors += err != 0;
			free(copy);
		}
		/* An attribute or padding that is missing as a whole goes unnoticed. */
		assert_true(errors >= (whole - 16) * 3 / 4 || whole <= 28);
		if (events[i].is_fixed)
			assert_true(errors >= whole - 16 - 8);
	}
}

/* Any octet changed to any of some values: no harm. What sanitizers would see. */
static void test_octets(void **state)
{
	static const uint8_t values[] = {0, 1, 4, 0x7f, 0x80, 0xff};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct nlmsghdr *message;

		xfrm_test_load(events[i].name, &recorded);
		message = xfrm_test_find(&recorded, false, events[i].type, 0);
		for (size_t at = 16; at < message->nlmsg_len; at++)
			for (size_t v = 0; v < sizeof(values); v++) {
				struct nm_xfrm_event event;
				uint8_t *copy = malloc(message->nlmsg_len);

				assert_non_null(copy);
				memcpy(copy, message, message->nlmsg_len);
				copy[at] = values[v];
				(void)nm_xfrm_event_decode((void *)copy, &event);
				free(copy);
			}
	}
}

static void test_unknown(void **state)
{
	static const uint16_t types[] = {0, NLMSG_ERROR, XFRM_MSG_GETSA, XFRM_MSG_REPORT,
		XFRM_MSG_MIGRATE, XFRM_MSG_NEWSADINFO, 0xffff};
	struct nlmsghdr message = {.nlmsg_len = sizeof(message)};
	struct nm_xfrm_event event;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		message.nlmsg_type = types[i];
		assert_int_equal(nm_xfrm_event_decode(&message, &event), NATMUX_ENOTFOUND);
	}
	assert_string_equal(nm_xfrm_event_name(NM_XFRM_EVENT_MAPPING), "mapping");
	assert_null(nm_xfrm_event_name(NM_XFRM_EVENT_COUNT));
}

static void assert_ack(
	const char *name, uint16_t request, int error, int os_error, const char *text)
{
	struct nm_xfrm_answer answer;

	xfrm_test_load(name, &recorded);
	assert_int_equal(nm_xfrm_ack_decode(xfrm_test_find(&recorded, false, NLMSG_ERROR, 0),
				 request, &answer),
		0);
	assert_int_equal(answer.error, error);
	assert_int_equal(answer.os_error, os_error);
	assert_string_equal(answer.text, text);
}

static void test_acks(void **state)
{
	(void)state;
	assert_ack("state plain", XFRM_MSG_NEWSA, 0, 0, "");
	assert_ack("state add twice", XFRM_MSG_NEWSA, NATMUX_EEXISTS, EEXIST,
		"there is a state with this SPI, address and protocol");
	assert_ack(
		"state delete missing", XFRM_MSG_DELSA, NATMUX_ENOTFOUND, ESRCH, "no such state");
	assert_ack("policy add twice", XFRM_MSG_NEWPOLICY, NATMUX_EEXISTS, EEXIST,
		"there is a policy with this selector");
	assert_ack("policy delete missing", XFRM_MSG_DELPOLICY, NATMUX_ENOTFOUND, ENOENT,
		"no such policy");
	assert_ack("state bad algorithm", XFRM_MSG_NEWSA, NATMUX_EUNSUPPORTED, ENOSYS,
		"Requested CRYPT algorithm not found");
	assert_ack("state bad key", XFRM_MSG_NEWSA, NATMUX_EINVAL, EINVAL,
		"Kernel was unable to initialize cryptographic operations");
}

static void test_done(void **state)
{
	struct nm_xfrm_answer answer;

	(void)state;
	xfrm_test_load("state dump", &recorded);
	assert_int_equal(nm_xfrm_ack_decode(xfrm_test_find(&recorded, false, NLMSG_DONE, 0),
				 XFRM_MSG_GETSA, &answer),
		0);
	assert_int_equal(answer.error, 0);
}

static void test_meanings(void **state)
{
	static const struct {
		int os_error;
		uint16_t request;
		int error;
		const char *text;
	} cases[] = {
		{EPROTONOSUPPORT, XFRM_MSG_NEWSA, NATMUX_EUNSUPPORTED,
			"this kernel has no ESP (CONFIG_INET_ESP); use esp = user"},
		{EPROTONOSUPPORT, XFRM_MSG_UPDSA, NATMUX_EUNSUPPORTED,
			"this kernel has no ESP (CONFIG_INET_ESP); use esp = user"},
		{EPERM, XFRM_MSG_NEWSA, NATMUX_ESYSTEM, "not permitted (needs CAP_NET_ADMIN)"},
		{EBUSY, XFRM_MSG_DELSA, NATMUX_ESYSTEM,
			"busy: the kernel is changing it; try again"},
		{ENOENT, XFRM_MSG_ALLOCSPI, NATMUX_EEXISTS, "every SPI of the range is taken"},
		{ETIMEDOUT, 0, NATMUX_ESYSTEM, "the kernel did not answer"},
		{ENOMEM, 0, NATMUX_ENOMEM, "the kernel is out of memory"},
		{EIO, 0, NATMUX_ESYSTEM, "error 5"},
		{EHOSTUNREACH, 0, NATMUX_ESYSTEM, "error 113"},
		{4095, 0, NATMUX_ESYSTEM, "error 4095"},
		{100, 0, NATMUX_ESYSTEM, "error 100"},
		{0, 0, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_xfrm_answer answer;

		nm_xfrm_answer_set(&answer, cases[i].request, cases[i].os_error);
		assert_int_equal(answer.error, cases[i].error);
		assert_int_equal(answer.os_error, cases[i].os_error);
		assert_string_equal(answer.text, cases[i].text);
	}
}

/* An acknowledgement made by hand: an errno, a quoted request, attributes. */
struct made {
	_Alignas(4) uint8_t bytes[1024];
	struct nlmsghdr *header;
};

static void make(struct made *made, int code, uint16_t flags, uint32_t quoted)
{
	const struct nlmsghdr request = {.nlmsg_len = quoted};

	memset(made, 0, sizeof(*made));
	made->header = (void *)made->bytes;
	made->header->nlmsg_len = 16 + 4 + 16;
	made->header->nlmsg_type = NLMSG_ERROR;
	made->header->nlmsg_flags = flags;
	memcpy(made->bytes + 16, &code, 4);
	memcpy(made->bytes + 20, &request, sizeof(request));
}

static void add(struct made *made, uint16_t type, const void *value, size_t len)
{
	mnl_attr_put(made->header, type, len, value);
}

static void test_extended(void **state)
{
	static const uint32_t offset = 40, missing = XFRMA_ALG_AEAD;
	struct nm_xfrm_answer answer;
	struct made made;
	char text[400];

	(void)state;
	make(&made, -EINVAL, NLM_F_CAPPED | NLM_F_ACK_TLVS, 300);
	add(&made, NLMSGERR_ATTR_OFFS, &offset, 4);
	add(&made, NLMSGERR_ATTR_MISS_TYPE, &missing, 4);
	add(&made, NLMSGERR_ATTR_MSG, "bad\x1b[1m\n", 9);
	assert_int_equal(nm_xfrm_ack_decode(made.header, XFRM_MSG_NEWSA, &answer), 0);
	assert_int_equal(answer.offset, 40);
	assert_int_equal(answer.attribute, XFRMA_ALG_AEAD);
	assert_string_equal(answer.text, "bad?[1m?");
	/* Without an end, and longer than there is room. */
	memset(text, 'x', sizeof(text));
	make(&made, -EINVAL, NLM_F_CAPPED | NLM_F_ACK_TLVS, 16);
	add(&made, NLMSGERR_ATTR_MSG, text, sizeof(text));
	assert_int_equal(nm_xfrm_ack_decode(made.header, XFRM_MSG_NEWSA, &answer), 0);
	assert_int_equal(strlen(answer.text), NM_XFRM_ANSWER_TEXT - 1);
	/* Empty ones leave natmux's own words. */
	make(&made, -ESRCH, NLM_F_CAPPED | NLM_F_ACK_TLVS, 16);
	add(&made, NLMSGERR_ATTR_MSG, "", 1);
	add(&made, NLMSGERR_ATTR_OFFS, &offset, 3);
	add(&made, NLMSGERR_ATTR_MISS_TYPE, &missing, 2);
	assert_int_equal(nm_xfrm_ack_decode(made.header, XFRM_MSG_DELSA, &answer), 0);
	assert_string_equal(answer.text, "no such state");
	assert_int_equal(answer.offset, 0);
	assert_int_equal(answer.attribute, 0);
	/* The way out is in natmux's words only. */
	make(&made, -EPROTONOSUPPORT, NLM_F_CAPPED | NLM_F_ACK_TLVS, 16);
	add(&made, NLMSGERR_ATTR_MSG, "Requested type not found", 25);
	assert_int_equal(nm_xfrm_ack_decode(made.header, XFRM_MSG_NEWSA, &answer), 0);
	assert_string_equal(answer.text, NM_XFRM_NO_ESP);
	/* A warning on success is none of the user's concern here. */
	make(&made, 0, NLM_F_CAPPED | NLM_F_ACK_TLVS, 16);
	add(&made, NLMSGERR_ATTR_MSG, "warning", 8);
	assert_int_equal(nm_xfrm_ack_decode(made.header, XFRM_MSG_NEWSA, &answer), 0);
	assert_string_equal(answer.text, "");
}

static void test_bad_acks(void **state)
{
	static const struct {
		int code;
		uint16_t flags;
		uint32_t quoted, len;
		int error;
	} cases[] = {
		{1, NLM_F_CAPPED, 16, 36, NATMUX_EMALFORMED},
		{-4096, NLM_F_CAPPED, 16, 36, NATMUX_EMALFORMED},
		{INT32_MIN, NLM_F_CAPPED, 16, 36, NATMUX_EMALFORMED},
		{-1, NLM_F_CAPPED, 16, 16, NATMUX_ETRUNCATED},
		{-1, NLM_F_CAPPED, 16, 19, NATMUX_ETRUNCATED},
		{-1, NLM_F_CAPPED, 16, 35, NATMUX_ETRUNCATED}, {-1, 0, 15, 36, NATMUX_ETRUNCATED},
		{-1, 0, 0, 36, NATMUX_ETRUNCATED}, {-1, 0, 17, 36, NATMUX_ETRUNCATED},
		{-1, 0, UINT32_MAX, 36, NATMUX_ETRUNCATED},
		{-1, NLM_F_CAPPED | NLM_F_ACK_TLVS, 16, 37, NATMUX_ETRUNCATED},
		{-1, NLM_F_CAPPED | NLM_F_ACK_TLVS, 16, 40, NATMUX_ETRUNCATED}, /* length 0 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_xfrm_answer answer = {.offset = 77};
		struct made made;

		make(&made, cases[i].code, cases[i].flags, cases[i].quoted);
		made.header->nlmsg_len = cases[i].len;
		assert_int_equal(nm_xfrm_ack_decode(made.header, 0, &answer), cases[i].error);
		assert_int_equal(answer.offset, 77);
	}
}

static void test_truncated_ack(void **state)
{
	struct nlmsghdr *message;

	(void)state;
	xfrm_test_load("state bad key", &recorded);
	message = xfrm_test_find(&recorded, false, NLMSG_ERROR, 0);
	for (uint32_t len = message->nlmsg_len; len-- > 16;) {
		struct nm_xfrm_answer answer = {.offset = 77};
		uint8_t *copy = malloc(len);
		int err;

		assert_non_null(copy);
		message->nlmsg_len = len;
		memcpy(copy, message, len);
		err = nm_xfrm_ack_decode((void *)copy, XFRM_MSG_NEWSA, &answer);
		if (err != 0)
			assert_int_equal(answer.offset, 77);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_acquire),
		cmocka_unit_test(test_acquire_families),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_acks),
		cmocka_unit_test(test_done),
		cmocka_unit_test(test_meanings),
		cmocka_unit_test(test_extended),
		cmocka_unit_test(test_bad_acks),
		cmocka_unit_test(test_truncated_ack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
