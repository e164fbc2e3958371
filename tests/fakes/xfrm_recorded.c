/* SPDX-License-Identifier: Apache-2.0 */
/* Reads recorded netlink messages, and compares others with them. */
#include "tests/unit/xfrm_test.h"

#include <ctype.h>

static uint8_t *byte_order(uint8_t *p, size_t size)
{
	static const uint16_t one = 1;
	uint8_t first;

	memcpy(&first, &one, 1);
	for (size_t i = 0; first != 1 && i < size / 2; i++) {
		uint8_t other = p[i];

		p[i] = p[size - 1 - i];
		p[size - 1 - i] = other;
	}
	return p + size;
}

/*
 * The fields of structures that are in the machine's order, as offsets: a letter of size (h 2, w 4,
 * l 8) for each, x an octet to leave as it is.
 */
#define ADDRESS "xxxxxxxxxxxxxxxx"
#define SELECTOR                                                                                   \
	ADDRESS ADDRESS "xxxxxxxx"                                                                 \
			"h"                                                                        \
			"xxxxxx"                                                                   \
			"ww"
#define ID      ADDRESS "xxxxxxxx"
#define USER_ID ADDRESS "xxxxhxx"
#define LIMITS  "llllllll"
#define USAGE   "llll"
#define STATE                                                                                      \
	SELECTOR ID ADDRESS LIMITS USAGE "wwwww"                                                   \
					 "h"                                                       \
					 "xxxxxxxxxx"
#define POLICY   SELECTOR LIMITS USAGE "wwxxxxxxxx"
#define TEMPLATE ID "hxx" ADDRESS "wxxxxwww"
#define HEADER   "whhww"

static void swap(uint8_t *p, size_t len, const char *layout)
{
	uint8_t *end = p + len;

	for (; *layout; layout++) {
		size_t size = *layout == 'h' ? 2 : *layout == 'w' ? 4 : *layout == 'l' ? 8 : 1;

		if ((size_t)(end - p) < size)
			return;
		p = byte_order(p, size);
	}
}

static const struct {
	uint16_t type;
	const char *layout;
} fixed_parts[] = {
	{XFRM_MSG_NEWSA, STATE},
	{XFRM_MSG_UPDSA, STATE},
	{XFRM_MSG_EXPIRE, STATE "xxxxxxxx"},
	{XFRM_MSG_DELSA, USER_ID},
	{XFRM_MSG_GETSA, USER_ID},
	{XFRM_MSG_ALLOCSPI, STATE "ww"},
	{XFRM_MSG_NEWPOLICY, POLICY},
	{XFRM_MSG_UPDPOLICY, POLICY},
	{XFRM_MSG_POLEXPIRE, POLICY "xxxxxxxx"},
	{XFRM_MSG_DELPOLICY, SELECTOR "wxxxx"},
	{XFRM_MSG_GETPOLICY, SELECTOR "wxxxx"},
	{XFRM_MSG_ACQUIRE, ID ADDRESS SELECTOR POLICY "wwww"},
	{XFRM_MSG_FLUSHSA, "xxxx"},
	{XFRM_MSG_FLUSHPOLICY, ""},
	{XFRM_MSG_NEWAE, USER_ID ADDRESS "ww"},
	{XFRM_MSG_GETAE, USER_ID ADDRESS "ww"},
	{XFRM_MSG_MAPPING, USER_ID "w" ADDRESS ADDRESS "xxxx"},
	{NLMSG_ERROR, "w" HEADER},
	{NLMSG_DONE, "w"},
};

static const struct {
	uint16_t type;
	const char *layout;
} attributes[] = {
	{XFRMA_SA, STATE},
	{XFRMA_POLICY, POLICY},
	{XFRMA_TMPL, TEMPLATE TEMPLATE},
	{XFRMA_ENCAP, "h"},
	{XFRMA_REPLAY_VAL, "www"},
	{XFRMA_REPLAY_ESN_VAL, "wwwwww"},
	{XFRMA_LTIME_VAL, USAGE},
	{XFRMA_LASTUSED, "l"},
	{XFRMA_MARK, "ww"},
	{XFRMA_TFCPAD, "w"},
	{XFRMA_SA_EXTRA_FLAGS, "w"},
	{XFRMA_SET_MARK, "w"},
	{XFRMA_SET_MARK_MASK, "w"},
	{XFRMA_IF_ID, "w"},
	{XFRMA_OFFLOAD_DEV, "w"},
};

static size_t layout_len(const char *layout)
{
	size_t len = 0;

	for (; *layout; layout++)
		len += *layout == 'h' ? 2 : *layout == 'w' ? 4 : *layout == 'l' ? 8 : 1;
	return len;
}

/* That the layouts are those of the machine's structures, which have the same sizes everywhere. */
static void check_layouts(void)
{
	assert_int_equal(layout_len(STATE), sizeof(struct xfrm_usersa_info));
	assert_int_equal(layout_len(USER_ID), sizeof(struct xfrm_usersa_id));
	assert_int_equal(layout_len(POLICY), sizeof(struct xfrm_userpolicy_info));
	assert_int_equal(layout_len(TEMPLATE), sizeof(struct xfrm_user_tmpl));
	assert_int_equal(
		layout_len(ID ADDRESS SELECTOR POLICY "wwww"), sizeof(struct xfrm_user_acquire));
	assert_int_equal(layout_len(USER_ID ADDRESS "ww"), sizeof(struct xfrm_aevent_id));
}

static void swap_attribute(uint16_t type, uint8_t *value, size_t len)
{
	/* 64 octets of name, then one or two numbers, then the key. */
	if (type == XFRMA_ALG_AEAD || type == XFRMA_ALG_AUTH_TRUNC)
		swap(value + 64, len - 64, "ww");
	else if (type == XFRMA_ALG_AUTH || type == XFRMA_ALG_CRYPT)
		swap(value + 64, len - 64, "w");
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (attributes[i].type == type)
			swap(value, len, attributes[i].layout);
}

static void swap_message(struct xfrm_test_message *m)
{
	struct nlmsghdr header;
	size_t at = sizeof(header);

	swap(m->bytes, m->len, HEADER);
	memcpy(&header, m->bytes, sizeof(header));
	for (size_t i = 0; i < ARRAY_SIZE(fixed_parts); i++)
		if (fixed_parts[i].type == header.nlmsg_type) {
			swap(m->bytes + at, m->len - at, fixed_parts[i].layout);
			at += MNL_ALIGN(layout_len(fixed_parts[i].layout));
		}
	/* A dump's request has no fixed part; what `ip` puts there instead is not looked at. */
	if (header.nlmsg_type == NLMSG_ERROR && !(header.nlmsg_flags & NLM_F_CAPPED)) {
		uint32_t quoted;

		memcpy(&quoted, m->bytes + 20, sizeof(quoted));
		at = 20 + MNL_ALIGN(quoted);
	}
	while (at + 4 <= m->len) {
		struct nlattr attr;

		swap(m->bytes + at, 4, "hh");
		memcpy(&attr, m->bytes + at, sizeof(attr));
		if (attr.nla_len < 4 || attr.nla_len > m->len - at)
			return;
		if (header.nlmsg_type != NLMSG_ERROR)
			swap_attribute(attr.nla_type, m->bytes + at + 4, attr.nla_len - 4u);
		at += MNL_ALIGN(attr.nla_len);
	}
}

/* "0a0b 00*14 c0": octets, the last one many times where there is a star. */
static void read_message(const char *text, struct xfrm_test_message *m)
{
	unsigned int byte, times;
	int used;

	*m = (struct xfrm_test_message){.to_kernel = *text == '>'};
	for (text++; *text;) {
		if (isspace((unsigned char)*text)) {
			text++;
			continue;
		}
		if (sscanf(text, "%2x*%u%n", &byte, &times, &used) < 2) {
			assert_int_equal(sscanf(text, "%2x%n", &byte, &used), 1);
			times = 1;
		}
		text += used;
		for (; times > 0; times--) {
			assert_true(m->len < sizeof(m->bytes));
			m->bytes[m->len++] = (uint8_t)byte;
		}
	}
	swap_message(m);
}

static FILE *open_recorded(void)
{
	const char *source = getenv("NATMUX_SOURCE");
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/vectors/xfrm/recorded.txt", source ? source : ".");
	file = fopen(path, "r");
	if (!file)
		fail_msg("cannot read %s", path);
	return file;
}

void xfrm_test_load(const char *name, struct xfrm_test_case *c)
{
	static char line[16384];
	FILE *file = open_recorded();
	bool is_it = false;

	check_layouts();
	c->n = 0;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "case ", 5) == 0)
			is_it = strcmp(line + 5, name) == 0;
		else if (is_it && (*line == '<' || *line == '>')) {
			assert_true(c->n < XFRM_TEST_MESSAGES);
			read_message(line, &c->messages[c->n++]);
		}
	}
	fclose(file);
	if (c->n == 0)
		fail_msg("no case \"%s\" was recorded", name);
}

struct nlmsghdr *xfrm_test_find(
	struct xfrm_test_case *c, bool to_kernel, uint16_t type, size_t index)
{
	for (size_t i = 0; i < c->n; i++) {
		struct nlmsghdr *header = (void *)c->messages[i].bytes;

		assert_true(c->messages[i].len >= sizeof(*header));
		if (c->messages[i].to_kernel == to_kernel && header->nlmsg_type == type &&
			index-- == 0) {
			assert_int_equal(header->nlmsg_len, c->messages[i].len);
			return header;
		}
	}
	fail_msg("no message of type 0x%x was recorded", type);
	return NULL;
}

static const struct nlattr *find_attribute(
	const struct nlmsghdr *message, size_t fixed_len, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(
		attr, message, fixed_len) if (mnl_attr_get_type(attr) == type) return attr;
	return NULL;
}

void xfrm_test_assert_same(
	const struct nlmsghdr *made, const struct nlmsghdr *recorded, size_t fixed_len)
{
	assert_int_equal(made->nlmsg_type, recorded->nlmsg_type);
	assert_memory_equal(
		mnl_nlmsg_get_payload(made), mnl_nlmsg_get_payload(recorded), fixed_len);
	for (uint16_t type = 0; type < 64; type++) {
		const struct nlattr *a = find_attribute(made, fixed_len, type);
		const struct nlattr *b = find_attribute(recorded, fixed_len, type);

		if (!a != !b)
			fail_msg("attribute %u is in one message only", type);
		if (!a)
			continue;
		assert_int_equal(a->nla_len, b->nla_len);
		assert_memory_equal(mnl_attr_get_payload(a), mnl_attr_get_payload(b),
			mnl_attr_get_payload_len(a));
	}
}

void xfrm_test_assert_selector(const struct nm_xfrm_selector *a, const struct nm_xfrm_selector *b)
{
	assert_true(natmux_addr_equal(&a->source.base, &b->source.base));
	assert_true(natmux_addr_equal(&a->destination.base, &b->destination.base));
	assert_int_equal(a->source.bits, b->source.bits);
	assert_int_equal(a->destination.bits, b->destination.bits);
	assert_int_equal(a->protocol, b->protocol);
	assert_int_equal(a->source_port, b->source_port);
	assert_int_equal(a->source_mask, b->source_mask);
	assert_int_equal(a->destination_port, b->destination_port);
	assert_int_equal(a->destination_mask, b->destination_mask);
}

struct natmux_addr xfrm_test_addr(const char *text)
{
	struct natmux_addr addr;

	if (natmux_addr_parse(text, 0, &addr) < 0)
		fail_msg("no address: %s", text);
	return addr;
}
