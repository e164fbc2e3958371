/* SPDX-License-Identifier: Apache-2.0 */
/* Messages about states against what `ip xfrm` sends and Linux answers, and against broken ones. */
#include "xfrm_test.h"

#include "xfrm/suite.h"

static uint8_t gcm_key[20];

/* "192.0.2.1" to "192.0.2.2" with aes128gcm16, as record_xfrm.py has them. */
static struct nm_xfrm_state plain_state(void)
{
	struct nm_xfrm_state state;

	for (size_t i = 0; i < sizeof(gcm_key); i++)
		gcm_key[i] = (uint8_t)i;
	nm_xfrm_state_init(&state);
	state.source = xfrm_test_addr("192.0.2.1");
	state.destination = xfrm_test_addr("192.0.2.2");
	state.spi = 0x2000;
	assert_int_equal(
		nm_xfrm_suite_set(&state, NATMUX_SUITE_AES128GCM16, gcm_key, sizeof(gcm_key)), 0);
	return state;
}

static void transport(struct nm_xfrm_state *s)
{
	s->mode = XFRM_MODE_TRANSPORT;
	s->reqid = 7;
}

static void encap(struct nm_xfrm_state *s)
{
	s->encap = NM_XFRM_ENCAP_UDP;
	s->source.port = 4500;
	s->destination.port = 4501;
}

static void esn(struct nm_xfrm_state *s)
{
	s->flags = XFRM_STATE_ESN;
	assert_int_equal(nm_xfrm_replay_init(&s->replay, 128, true), 0);
}

static void window(struct nm_xfrm_state *s)
{
	assert_int_equal(nm_xfrm_replay_init(&s->replay, 1000, false), 0);
	s->replay.window = 1000; /* as `ip` asks for it */
}

static void numbers(struct nm_xfrm_state *s)
{
	assert_int_equal(nm_xfrm_replay_init(&s->replay, 32, false), 0);
	s->replay.in = 0x1122;
	s->replay.out = 0x3344;
}

static void esn_numbers(struct nm_xfrm_state *s)
{
	s->flags = XFRM_STATE_ESN;
	assert_int_equal(nm_xfrm_replay_init(&s->replay, 64, true), 0);
	s->replay.in = UINT64_C(0x500001122);
	s->replay.out = UINT64_C(0x600003344);
}

static void flags(struct nm_xfrm_state *s)
{
	s->flags = XFRM_STATE_NOECN | XFRM_STATE_DECAP_DSCP | XFRM_STATE_NOPMTUDISC |
		   XFRM_STATE_WILDRECV | XFRM_STATE_AF_UNSPEC;
}

static void extra(struct nm_xfrm_state *s)
{
	s->extra_flags = XFRM_SA_XFLAG_DONT_ENCAP_DSCP | XFRM_SA_XFLAG_OSEQ_MAY_WRAP;
}

static void mark(struct nm_xfrm_state *s)
{
	s->mark = (struct nm_xfrm_mark){0x11, 0xff};
}

static void output_mark(struct nm_xfrm_state *s)
{
	s->output_mark = (struct nm_xfrm_mark){0x22, 0xf0};
}

static void if_id(struct nm_xfrm_state *s)
{
	s->if_id = 0x33;
}

static void tfc(struct nm_xfrm_state *s)
{
	s->tfc_pad = 500;
}

static void seq(struct nm_xfrm_state *s)
{
	s->sequence = 0x44000000; /* `ip` turns it round; for the kernel it is a number */
}

static void limits(struct nm_xfrm_state *s)
{
	s->limits = (struct nm_xfrm_limits){
		.soft_bytes = 1000,
		.hard_bytes = 2000,
		.soft_packets = 3000,
		.hard_packets = 4000,
		.soft_seconds = 5000,
		.hard_seconds = 6000,
		.soft_used_seconds = 7000,
		.hard_used_seconds = 8000,
	};
}

static void selector(struct nm_xfrm_state *s)
{
	s->selector = (struct nm_xfrm_selector){
		.source = {xfrm_test_addr("10.1.0.0"), 16},
		.destination = {xfrm_test_addr("10.2.3.0"), 24},
		.protocol = 17,
		.source_port = 53,
		.source_mask = 0xffff,
		.destination_port = 1024,
		.destination_mask = 0xffff,
	};
}

static void selector6(struct nm_xfrm_state *s)
{
	s->flags = XFRM_STATE_AF_UNSPEC;
	s->selector.source = (struct natmux_prefix){xfrm_test_addr("2001:db8:1::"), 48};
	s->selector.destination = (struct natmux_prefix){xfrm_test_addr("2001:db8:2::"), 56};
}

static void nothing(struct nm_xfrm_state *s)
{
	(void)s;
}

static void six(struct nm_xfrm_state *s)
{
	s->source = xfrm_test_addr("2001:db8::1");
	s->destination = xfrm_test_addr("2001:db8::2");
	s->spi = 0x2001;
}

static const struct {
	const char *name;
	void (*change)(struct nm_xfrm_state *state);
} states[] = {
	{"state plain", nothing},
	{"state transport", transport},
	{"state encap", encap},
	{"state esn", esn},
	{"state window", window},
	{"state numbers", numbers},
	{"state esn-numbers", esn_numbers},
	{"state flags", flags},
	{"state extra", extra},
	{"state mark", mark},
	{"state output-mark", output_mark},
	{"state if-id", if_id},
	{"state tfc", tfc},
	{"state seq", seq},
	{"state limits", limits},
	{"state selector", selector},
	{"state selector6", selector6},
	{"state v6", six},
};

static struct xfrm_test_case recorded;

static void test_add(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct nm_xfrm_state s = plain_state();
		struct nm_xfrm_message message;
		int len;

		states[i].change(&s);
		xfrm_test_load(states[i].name, &recorded);
		len = nm_xfrm_state_add(&s, &message);
		assert_int_equal(len, ((struct nlmsghdr *)(void *)message.bytes)->nlmsg_len);
		xfrm_test_assert_same((void *)message.bytes,
			xfrm_test_find(&recorded, true, XFRM_MSG_NEWSA, 0),
			sizeof(struct xfrm_usersa_info));
	}
}

static void assert_algorithm(const struct nm_xfrm_algorithm *a, const struct nm_xfrm_algorithm *b)
{
	assert_int_equal(!a->name, !b->name);
	if (!a->name)
		return;
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->key_len, b->key_len);
	assert_int_equal(a->icv_bits, b->icv_bits);
	if (a->key_len > 0)
		assert_memory_equal(a->key, b->key, a->key_len);
}

/* All that was asked for; the kernel adds what it counts. */
static void assert_state(const struct nm_xfrm_state *a, const struct nm_xfrm_state *b)
{
	assert_true(natmux_addr_equal(&a->source, &b->source));
	assert_true(natmux_addr_equal(&a->destination, &b->destination));
	assert_int_equal(a->spi, b->spi);
	assert_int_equal(a->protocol, b->protocol);
	assert_int_equal(a->encap, b->encap);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->extra_flags, b->extra_flags);
	assert_int_equal(a->reqid, b->reqid);
	assert_int_equal(a->sequence, b->sequence);
	assert_algorithm(&a->aead, &b->aead);
	assert_algorithm(&a->cipher, &b->cipher);
	assert_algorithm(&a->auth, &b->auth);
	assert_memory_equal(&a->limits, &b->limits, sizeof(a->limits));
	assert_int_equal(a->replay.out, b->replay.out);
	assert_int_equal(a->replay.in, b->replay.in);
	assert_int_equal(a->replay.window, b->replay.window);
	assert_int_equal(a->replay.is_ring, b->replay.is_ring);
	assert_int_equal(a->replay.words, b->replay.words);
	assert_memory_equal(&a->mark, &b->mark, sizeof(a->mark));
	assert_memory_equal(&a->output_mark, &b->output_mark, sizeof(a->output_mark));
	assert_int_equal(a->if_id, b->if_id);
	assert_int_equal(a->tfc_pad, b->tfc_pad);
}

/* The kernel's answer to GETSA. It takes the wire's family where no selector says another. */
static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct nm_xfrm_state want = plain_state(), got;

		states[i].change(&want);
		if (want.selector.source.base.family == 0 && !(want.flags & XFRM_STATE_AF_UNSPEC))
			want.selector.source.base.family = want.selector.destination.base.family =
				want.source.family;
		xfrm_test_load(states[i].name, &recorded);
		assert_int_equal(nm_xfrm_state_decode(
					 xfrm_test_find(&recorded, false, XFRM_MSG_NEWSA, 1), &got),
			0);
		assert_state(&got, &want);
		xfrm_test_assert_selector(&got.selector, &want.selector);
		assert_int_equal(got.direction, 0);
		assert_true(got.usage.added_at > 1700000000);
		assert_int_equal(got.usage.packets, 0);
		assert_false(nm_xfrm_key_is_hidden(&got));
	}
}

/* Every suite: what `ip` sends, what the kernel makes of it, and back to the suite and its key. */
static void test_suites(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NATMUX_SUITE_COUNT; i++) {
		enum natmux_suite suite = (enum natmux_suite)i, found;
		const struct natmux_suite_info *info = natmux_suite_get(suite);
		uint8_t key[NATMUX_SUITE_KEY_MAX], joined[NATMUX_SUITE_KEY_MAX];
		size_t cipher_len = (size_t)info->key_len + info->salt_len;
		struct nm_xfrm_state want = plain_state(), got;
		struct nm_xfrm_message message;
		char name[64];

		for (size_t k = 0; k < natmux_suite_key_len(suite); k++)
			key[k] = (uint8_t)(k < cipher_len ? k : 0x80 + k - cipher_len);
		encap(&want);
		assert_int_equal(nm_xfrm_replay_init(&want.replay, 32, false), 0);
		assert_int_equal(
			nm_xfrm_suite_set(&want, suite, key, natmux_suite_key_len(suite)), 0);
		snprintf(name, sizeof(name), "suite %s", info->name);
		xfrm_test_load(name, &recorded);
		assert_int_equal(nm_xfrm_state_decode(
					 xfrm_test_find(&recorded, true, XFRM_MSG_NEWSA, 0), &got),
			0);
		want.spi = got.spi; /* by its place in record_xfrm.py */
		want.reqid = got.reqid;
		assert_int_equal(got.spi, 0x1000 + got.reqid - 1);
		assert_true(nm_xfrm_state_add(&want, &message) > 0);
		xfrm_test_assert_same((void *)message.bytes,
			xfrm_test_find(&recorded, true, XFRM_MSG_NEWSA, 0),
			sizeof(struct xfrm_usersa_info));
		assert_int_equal(nm_xfrm_state_decode(
					 xfrm_test_find(&recorded, false, XFRM_MSG_NEWSA, 1), &got),
			0);
		assert_state(&got, &want);
		assert_int_equal(nm_xfrm_suite_find(&got, &found), 0);
		assert_int_equal(found, suite);
		assert_int_equal(nm_xfrm_key_join(&got, joined), natmux_suite_key_len(suite));
		assert_memory_equal(joined, key, natmux_suite_key_len(suite));
	}
}

/* `ip` adds the source, which the kernel does not look at for ESP. */
static void assert_same_id(const struct nm_xfrm_message *message, struct nlmsghdr *want)
{
	const struct nlmsghdr *made = (const void *)message->bytes;

	assert_int_equal(made->nlmsg_type, want->nlmsg_type);
	assert_int_equal(made->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	assert_memory_equal(mnl_nlmsg_get_payload(made), mnl_nlmsg_get_payload(want),
		sizeof(struct xfrm_usersa_id));
}

static void test_requests(void **state)
{
	struct nm_xfrm_state s = plain_state();
	struct nm_xfrm_state_id id;
	struct nm_xfrm_message message;
	const struct nlmsghdr *made = (const void *)message.bytes;

	(void)state;
	six(&s);
	id = nm_xfrm_state_id_of(&s);
	xfrm_test_load("state get missing", &recorded);
	assert_int_equal(nm_xfrm_state_get(&id, &message), 40);
	assert_same_id(&message, xfrm_test_find(&recorded, true, XFRM_MSG_GETSA, 0));
	xfrm_test_load("state delete", &recorded);
	assert_int_equal(nm_xfrm_state_delete(&id, &message), 40);
	assert_same_id(&message, xfrm_test_find(&recorded, true, XFRM_MSG_DELSA, 0));

	s = plain_state();
	s.spi = 0x2002;
	mark(&s);
	id = nm_xfrm_state_id_of(&s);
	xfrm_test_load("state delete mark", &recorded);
	assert_int_equal(nm_xfrm_state_delete(&id, &message), 52);
	assert_same_id(&message, xfrm_test_find(&recorded, true, XFRM_MSG_DELSA, 0));

	s = plain_state();
	s.spi = 0x2201;
	id = nm_xfrm_state_id_of(&s);
	xfrm_test_load("state get numbers", &recorded);
	assert_int_equal(nm_xfrm_replay_query(&id, &message), 64);
	xfrm_test_assert_same(made, xfrm_test_find(&recorded, true, XFRM_MSG_GETAE, 0),
		sizeof(struct xfrm_aevent_id));

	s.reqid = 5;
	xfrm_test_load("state allocspi", &recorded);
	assert_int_equal(nm_xfrm_state_alloc_spi(&s, 0x2100, 0x2100, &message), 248);
	xfrm_test_assert_same(made, xfrm_test_find(&recorded, true, XFRM_MSG_ALLOCSPI, 0),
		sizeof(struct xfrm_userspi_info));

	/* `ip` leaves out the octets that align the message. */
	xfrm_test_load("state flush", &recorded);
	assert_int_equal(nm_xfrm_state_flush(NM_XFRM_PROTO_ESP, &message), 20);
	xfrm_test_assert_same(made, xfrm_test_find(&recorded, true, XFRM_MSG_FLUSHSA, 0), 1);

	assert_int_equal(nm_xfrm_state_dump(NM_XFRM_PROTO_ESP, &message), 24);
	assert_int_equal(made->nlmsg_type, XFRM_MSG_GETSA);
	assert_int_equal(made->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
	xfrm_test_load("state update", &recorded);
	s = plain_state();
	six(&s);
	s.reqid = 9;
	assert_true(nm_xfrm_state_update(&s, &message) > 0);
	xfrm_test_assert_same(made, xfrm_test_find(&recorded, true, XFRM_MSG_UPDSA, 0),
		sizeof(struct xfrm_usersa_info));
}

static void test_dump(void **state)
{
	struct nm_xfrm_state got;
	enum natmux_suite suite;

	(void)state;
	xfrm_test_load("state dump", &recorded);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(nm_xfrm_state_decode(
					 xfrm_test_find(&recorded, false, XFRM_MSG_NEWSA, i), &got),
			0);
		assert_int_equal(nm_xfrm_suite_find(&got, &suite), 0);
		assert_int_equal(suite, NATMUX_SUITE_AES128_SHA256);
		assert_int_equal(got.reqid, got.spi);
	}
	xfrm_test_load("state allocspi", &recorded);
	assert_int_equal(
		nm_xfrm_state_decode(xfrm_test_find(&recorded, false, XFRM_MSG_NEWSA, 0), &got), 0);
	assert_int_equal(got.spi, 0x2100);
	assert_int_equal(nm_xfrm_suite_find(&got, &suite), NATMUX_ENOTFOUND);
}

/* What newer kernels have, there and back. */
static void test_new_attributes(void **state)
{
	struct nm_xfrm_state s = plain_state(), got;
	struct nm_xfrm_message message;

	(void)state;
	esn(&s);
	s.direction = NM_XFRM_SA_DIR_OUT;
	s.keepalive_s = 20;
	s.mapping_s = 5;
	s.has_cpu = true;
	s.cpu = 3;
	s.offload_ifindex = 9;
	s.offload_flags = XFRM_OFFLOAD_INBOUND;
	s.replay.out = UINT64_C(0x100000007);
	assert_true(nm_xfrm_state_add(&s, &message) > 0);
	assert_int_equal(nm_xfrm_state_decode((void *)message.bytes, &got), 0);
	assert_int_equal(got.direction, NM_XFRM_SA_DIR_OUT);
	assert_int_equal(got.keepalive_s, 20);
	assert_int_equal(got.mapping_s, 5);
	assert_true(got.has_cpu);
	assert_int_equal(got.cpu, 3);
	assert_int_equal(got.offload_ifindex, 9);
	assert_int_equal(got.offload_flags, XFRM_OFFLOAD_INBOUND);
	/* Linux 6.10: no ring for a state that says it is outbound. */
	assert_int_equal(got.replay.window, 0);
	assert_int_equal(got.replay.words, 0);
	assert_int_equal(got.replay.out, UINT64_C(0x100000007));
}

static void test_replay_set(void **state)
{
	struct nm_xfrm_state s = plain_state();
	struct nm_xfrm_state_id id = nm_xfrm_state_id_of(&s);
	struct nm_xfrm_message message;
	const struct nlmsghdr *made = (const void *)message.bytes;

	(void)state;
	numbers(&s);
	assert_int_equal(nm_xfrm_replay_set(&id, &s.replay, &message), 64 + 4 + 12);
	assert_int_equal(made->nlmsg_type, XFRM_MSG_NEWAE);
	assert_int_equal(made->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_REPLACE);
	/* The whole ring, empty or not: the kernel compares sizes. */
	esn(&s);
	assert_int_equal(nm_xfrm_replay_set(&id, &s.replay, &message), 64 + 4 + 24 + 16);
	assert_int_equal(nm_xfrm_replay_init(&s.replay, NM_XFRM_WINDOW_MAX, true), 0);
	assert_int_equal(nm_xfrm_replay_set(&id, &s.replay, &message), 64 + 4 + 24 + 512);
	s.replay.words++;
	assert_int_equal(nm_xfrm_replay_set(&id, &s.replay, &message), NATMUX_EINVAL);
}

static void test_bad_build(void **state)
{
	static uint8_t long_key[3000];
	struct nm_xfrm_state s = plain_state();
	struct nm_xfrm_message message;

	(void)state;
	s.destination = (struct natmux_addr){0};
	assert_int_equal(nm_xfrm_state_add(&s, &message), NATMUX_EINVAL);
	assert_int_equal(nm_xfrm_state_alloc_spi(&s, 1, 2, &message), NATMUX_EINVAL);
	s = plain_state();
	assert_int_equal(nm_xfrm_state_alloc_spi(&s, 2, 1, &message), NATMUX_EINVAL);
	s.replay.words = NM_XFRM_BITMAP_WORDS + 1;
	assert_int_equal(nm_xfrm_state_add(&s, &message), NATMUX_EINVAL);
	s = plain_state();
	s.aead.key = long_key;
	s.aead.key_len = sizeof(long_key);
	assert_int_equal(nm_xfrm_state_add(&s, &message), NATMUX_ENOSPACE);
	/* The largest there is: everything, and the largest ring full. */
	s = plain_state();
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		states[i].change(&s);
	assert_int_equal(nm_xfrm_replay_init(&s.replay, NM_XFRM_WINDOW_MAX, true), 0);
	nm_xfrm_replay_close(&s.replay, 1 << 20);
	assert_int_equal(nm_xfrm_suite_set(&s, NATMUX_SUITE_AES256_SHA512, long_key, 96), 0);
	assert_true(nm_xfrm_state_add(&s, &message) > 0);
}

/* One octet less each time: an error, or the same as before (what is missing is an attribute). */
static void test_truncated(void **state)
{
	static const char *const names[] = {
		"state esn-numbers", "state encap", "suite aes256-sha512"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct nlmsghdr *message;
		uint32_t whole;

		xfrm_test_load(names[i], &recorded);
		message = xfrm_test_find(&recorded, false, XFRM_MSG_NEWSA, 1);
		whole = message->nlmsg_len;
		for (uint32_t len = whole; len-- > 16;) {
			/* Where it is: behind it there is nothing that may be read. */
			uint8_t *copy = malloc(len);
			struct nm_xfrm_state got;
			int err;

			assert_non_null(copy);
			memset(&got, 0x5a, sizeof(got));
			message->nlmsg_len = len;
			memcpy(copy, message, len);
			err = nm_xfrm_state_decode((void *)copy, &got);
			if (len < 16 + sizeof(struct xfrm_usersa_info) || len % 4 != 0) {
				assert_int_equal(err, NATMUX_ETRUNCATED);
				assert_int_equal(got.spi, 0x5a5a5a5a);
			} else {
				assert_true(err == 0 || err == NATMUX_ETRUNCATED);
			}
			free(copy);
		}
	}
}

struct lie {
	uint16_t type; /* of the attribute; 0: the fixed part */
	size_t at;     /* in its value */
	uint32_t value;
	int error;
};

/* One number made wrong each. */
static void test_lies(void **state)
{
	static const struct lie lies[] = {
		{XFRMA_ALG_AUTH_TRUNC, 64, 257, NATMUX_ETRUNCATED},
		{XFRMA_ALG_AUTH_TRUNC, 64, UINT32_MAX, NATMUX_ETRUNCATED},
		{XFRMA_ALG_AUTH_TRUNC, 64, UINT32_MAX - 7, NATMUX_ETRUNCATED},
		{XFRMA_ALG_AUTH, 64, 1 << 20, NATMUX_ETRUNCATED},
		{XFRMA_ALG_CRYPT, 64, 129, NATMUX_ETRUNCATED},
		{XFRMA_ENCAP, 0, 0x01000100, NATMUX_EMALFORMED},
		{0, 40, 0x00090009, NATMUX_EMALFORMED}, /* selector's family */
		{0, 40, 0x21210002, NATMUX_EMALFORMED}, /* its prefixes; either byte order */
		{0, 40, 0x00022121, NATMUX_EMALFORMED},
		{0, 212, 0x00030003, NATMUX_EMALFORMED}, /* the state's family */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct nm_xfrm_state got = {.spi = 77};
		struct nlmsghdr *message;
		uint8_t *at;

		xfrm_test_load("suite aes128-sha256", &recorded);
		message = xfrm_test_find(&recorded, false, XFRM_MSG_NEWSA, 1);
		at = mnl_nlmsg_get_payload(message);
		if (lies[i].type != 0) {
			struct nlattr *attr;

			mnl_attr_for_each(attr, message,
				sizeof(struct xfrm_usersa_info)) if (attr->nla_type == lies[i].type)
				at = mnl_attr_get_payload(attr);
		}
		memcpy(at + lies[i].at, &lies[i].value, 4);
		assert_int_equal(nm_xfrm_state_decode(message, &got), lies[i].error);
		assert_int_equal(got.spi, 77);
	}
}

static void assert_ring_refused(uint32_t words, uint32_t window, int error)
{
	struct nm_xfrm_state s = plain_state(), got;
	struct nm_xfrm_message message;
	struct nlmsghdr *made = (void *)message.bytes;
	struct nlattr *attr;

	esn(&s);
	assert_true(nm_xfrm_state_add(&s, &message) > 0);
	mnl_attr_for_each(attr, made,
		sizeof(struct xfrm_usersa_info)) if (attr->nla_type == XFRMA_REPLAY_ESN_VAL)
	{
		memcpy(mnl_attr_get_payload(attr), &words, 4);
		memcpy((uint8_t *)mnl_attr_get_payload(attr) + 20, &window, 4);
	}
	assert_int_equal(nm_xfrm_state_decode(made, &got), error);
}

/* A ring that is shorter than what every ring begins with. */
static void test_ring_cut(void **state)
{
	struct nlmsghdr *message;
	struct nm_xfrm_state got;
	struct nlattr *attr, *ring = NULL;

	(void)state;
	xfrm_test_load("state esn", &recorded);
	message = xfrm_test_find(&recorded, false, XFRM_MSG_NEWSA, 1);
	mnl_attr_for_each(attr, message,
		sizeof(struct xfrm_usersa_info)) if (mnl_attr_get_type(attr) ==
						     XFRMA_REPLAY_ESN_VAL) ring = attr;
	assert_non_null(ring);
	assert_int_equal(nm_xfrm_state_decode(message, &got), 0);
	/* The last attribute: the message ends with it. */
	message->nlmsg_len = (uint32_t)((uint8_t *)ring - (uint8_t *)message) + 4 + 20;
	ring->nla_len = 4 + 20;
	assert_int_equal(nm_xfrm_state_decode(message, &got), NATMUX_ETRUNCATED);
}

/* The old form's bitmap has 32 bits, whatever the byte beside it says. */
static void test_old_window(void **state)
{
	static const uint8_t said[] = {0, 31, 32, 33, 255}, used[] = {0, 31, 32, 32, 32};
	struct nlmsghdr *message;
	struct nm_xfrm_state got;

	(void)state;
	xfrm_test_load("state numbers", &recorded);
	message = xfrm_test_find(&recorded, false, XFRM_MSG_NEWSA, 1);
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		struct xfrm_usersa_info *info = mnl_nlmsg_get_payload(message);

		info->replay_window = said[i];
		assert_int_equal(nm_xfrm_state_decode(message, &got), 0);
		assert_int_equal(got.replay.window, used[i]);
	}
}

static void test_ring_lies(void **state)
{
	(void)state;
	assert_ring_refused(4, 128, 0);
	assert_ring_refused(4, 129, NATMUX_EMALFORMED);
	assert_ring_refused(NM_XFRM_BITMAP_WORDS + 1, 128, NATMUX_EMALFORMED);
	assert_ring_refused(UINT32_MAX, UINT32_MAX, NATMUX_EMALFORMED);
	assert_ring_refused(0x08000000, 128, NATMUX_EMALFORMED);
	assert_ring_refused(0, 1, NATMUX_EMALFORMED);
}

static void test_name_without_end(void **state)
{
	struct nm_xfrm_state s = plain_state(), got;
	struct nm_xfrm_message message;

	(void)state;
	assert_true(nm_xfrm_state_add(&s, &message) > 0);
	memset(message.bytes + 16 + sizeof(struct xfrm_usersa_info) + 4, 'x', 64);
	assert_int_equal(nm_xfrm_state_decode((void *)message.bytes, &got), NATMUX_EMALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_suites),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_new_attributes),
		cmocka_unit_test(test_replay_set),
		cmocka_unit_test(test_bad_build),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_ring_cut),
		cmocka_unit_test(test_old_window),
		cmocka_unit_test(test_ring_lies),
		cmocka_unit_test(test_name_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
