/* SPDX-License-Identifier: Apache-2.0 */
/* Which packets of a stream may be put together, field by field, and which end one. */
#include "esp_coalesce_test.h"

/* What is special about the first packet, the second, or both. */
typedef void change(struct inner_spec *spec);

#include <stdbool.h>

static void nothing(struct inner_spec *spec)
{
	(void)spec;
}

static void psh(struct inner_spec *spec)
{
	spec->flags |= INNER_PSH;
}

static void fin(struct inner_spec *spec)
{
	spec->flags |= INNER_FIN;
}

static void syn(struct inner_spec *spec)
{
	spec->flags |= INNER_SYN;
}

static void rst(struct inner_spec *spec)
{
	spec->flags |= INNER_RST;
}

static void urg(struct inner_spec *spec)
{
	spec->flags |= INNER_URG;
}

static void ece(struct inner_spec *spec)
{
	spec->flags |= INNER_ECE;
}

static void cwr(struct inner_spec *spec)
{
	spec->flags |= INNER_CWR;
}

static void no_ack(struct inner_spec *spec)
{
	spec->flags = 0;
}

static void reserved(struct inner_spec *spec)
{
	spec->reserved = 1;
}

static void ack(struct inner_spec *spec)
{
	spec->ack++;
}

static void window(struct inner_spec *spec)
{
	spec->window--;
}

static void urgent(struct inner_spec *spec)
{
	spec->urgent = 1;
}

static void gap(struct inner_spec *spec)
{
	spec->sequence++;
}

static void overlap(struct inner_spec *spec)
{
	spec->sequence--;
}

static void repeat(struct inner_spec *spec)
{
	spec->sequence -= spec->payload_len;
}

static void far_ahead(struct inner_spec *spec)
{
	spec->sequence += UINT32_C(1) << 31;
}

static void wrap(struct inner_spec *spec)
{
	spec->sequence = UINT32_MAX - 500;
}

static void options(struct inner_spec *spec)
{
	spec->tcp_options = 12;
	spec->timestamp = 1000;
}

static void other_options(struct inner_spec *spec)
{
	spec->tcp_options = 16;
	spec->timestamp = 1000;
}

static void later_options(struct inner_spec *spec)
{
	spec->tcp_options = 12;
	spec->timestamp = 1001;
}

static void shorter(struct inner_spec *spec)
{
	spec->payload_len--;
}

static void longer(struct inner_spec *spec)
{
	spec->payload_len++;
}

static void one_octet(struct inner_spec *spec)
{
	spec->payload_len = 1;
}

static void empty(struct inner_spec *spec)
{
	spec->payload_len = 0;
}

static void tos(struct inner_spec *spec)
{
	spec->tos = 0xb8;
}

static void ecn(struct inner_spec *spec)
{
	spec->tos |= 3;
}

static void ttl(struct inner_spec *spec)
{
	spec->ttl--;
}

static void no_df(struct inner_spec *spec)
{
	spec->fragment = 0;
}

static void reserved_flag(struct inner_spec *spec)
{
	spec->fragment |= 0x8000;
}

static void same_id(struct inner_spec *spec)
{
	spec->id--;
}

static void far_id(struct inner_spec *spec)
{
	spec->id++;
}

static void last_id(struct inner_spec *spec)
{
	spec->id = UINT16_MAX;
}

static void first_fragment(struct inner_spec *spec)
{
	spec->fragment = INNER_MF;
}

static void later_fragment(struct inner_spec *spec)
{
	spec->fragment = 100;
}

static void ip4_options(struct inner_spec *spec)
{
	spec->ip_options = 4;
}

static void ip6_options(struct inner_spec *spec)
{
	spec->ip_options = 8;
}

static void flow_label(struct inner_spec *spec)
{
	spec->flow_label = 1;
}

static void source_port(struct inner_spec *spec)
{
	spec->source_port++;
}

static void destination_port(struct inner_spec *spec)
{
	spec->destination_port++;
}

static void host(struct inner_spec *spec)
{
	spec->host++;
}

enum { V4 = 1, V6 = 2, ANY = 3 };

static const struct {
	const char *name;
	uint8_t protocol;
	int families;
	change *both, *first, *second;
	bool is_merged;
} rules[] = {
	{"in a row", TCP, ANY, nothing, nothing, nothing, true},
	{"PSH ends it", TCP, ANY, nothing, nothing, psh, true},
	{"PSH on the first", TCP, ANY, nothing, psh, nothing, false},
	{"PSH on both", TCP, ANY, psh, nothing, nothing, false},
	{"FIN", TCP, ANY, nothing, nothing, fin, false},
	{"FIN on the first", TCP, ANY, nothing, fin, nothing, false},
	{"SYN", TCP, ANY, nothing, nothing, syn, false},
	{"SYN on both", TCP, ANY, syn, nothing, nothing, false},
	{"RST", TCP, ANY, nothing, nothing, rst, false},
	{"RST on both", TCP, ANY, rst, nothing, nothing, false},
	{"URG", TCP, ANY, nothing, nothing, urg, false},
	{"URG on both", TCP, ANY, urg, nothing, nothing, false},
	{"ECE", TCP, ANY, nothing, nothing, ece, false},
	{"ECE on both", TCP, ANY, ece, nothing, nothing, false},
	{"CWR", TCP, ANY, nothing, nothing, cwr, false},
	{"CWR on the first", TCP, ANY, nothing, cwr, nothing, false},
	{"no ACK", TCP, ANY, nothing, nothing, no_ack, false},
	{"no ACK on both", TCP, ANY, no_ack, nothing, nothing, false},
	{"reserved bits", TCP, ANY, nothing, nothing, reserved, false},
	{"reserved bits on both", TCP, ANY, reserved, nothing, nothing, true},
	{"acknowledgement", TCP, ANY, nothing, nothing, ack, false},
	{"window", TCP, ANY, nothing, nothing, window, false},
	{"urgent pointer", TCP, ANY, nothing, nothing, urgent, false},
	{"urgent pointer on both", TCP, ANY, urgent, nothing, nothing, true},
	{"gap", TCP, ANY, nothing, nothing, gap, false},
	{"overlap", TCP, ANY, nothing, nothing, overlap, false},
	{"repeat", TCP, ANY, nothing, nothing, repeat, false},
	{"far ahead", TCP, ANY, nothing, nothing, far_ahead, false},
	{"around 2^32", TCP, ANY, wrap, nothing, nothing, true},
	{"timestamps", TCP, ANY, options, nothing, nothing, true},
	{"later timestamp", TCP, ANY, nothing, options, later_options, false},
	{"more options", TCP, ANY, nothing, options, other_options, false},
	{"options on the second", TCP, ANY, nothing, nothing, options, false},
	{"options on the first", TCP, ANY, nothing, options, nothing, false},
	{"shorter", TCP, ANY, nothing, nothing, shorter, true},
	{"one octet", TCP, ANY, nothing, nothing, one_octet, true},
	{"longer", TCP, ANY, nothing, nothing, longer, false},
	{"acknowledgement alone", TCP, ANY, nothing, nothing, empty, false},
	{"acknowledgements alone", TCP, ANY, empty, nothing, nothing, false},
	{"octet by octet", TCP, ANY, one_octet, nothing, nothing, true},
	{"TOS", TCP, ANY, nothing, nothing, tos, false},
	{"TOS on both", TCP, ANY, tos, nothing, nothing, true},
	{"ECN", TCP, ANY, nothing, nothing, ecn, false},
	{"ECN on both", TCP, ANY, ecn, nothing, nothing, true},
	{"TTL", TCP, ANY, nothing, nothing, ttl, false},
	{"DF on the first", TCP, V4, nothing, nothing, no_df, false},
	{"DF on the second", TCP, V4, nothing, no_df, nothing, false},
	{"no DF", TCP, V4, no_df, nothing, nothing, true},
	{"reserved flag", TCP, V4, nothing, nothing, reserved_flag, false},
	{"same identification", TCP, V4, nothing, nothing, same_id, false},
	{"identification ahead", TCP, V4, nothing, nothing, far_id, false},
	{"identification around 2^16", TCP, V4, last_id, nothing, nothing, true},
	{"options of IPv4", TCP, V4, ip4_options, nothing, nothing, false},
	{"options of the first", TCP, V4, nothing, ip4_options, nothing, false},
	{"extension headers", TCP, V6, ip6_options, nothing, nothing, false},
	{"extension header of the second", TCP, V6, nothing, nothing, ip6_options, false},
	{"flow label", TCP, V6, nothing, nothing, flow_label, false},
	{"source port", TCP, ANY, nothing, nothing, source_port, false},
	{"destination port", TCP, ANY, nothing, nothing, destination_port, false},
	{"addresses", TCP, ANY, nothing, nothing, host, false},
	{"first fragments", TCP, V4, first_fragment, nothing, nothing, false},
	{"fragment behind", TCP, V4, nothing, nothing, first_fragment, false},
	{"later fragments", TCP, V4, later_fragment, nothing, nothing, false},
	{"datagrams", UDP, ANY, nothing, nothing, nothing, true},
	{"shorter datagram", UDP, ANY, nothing, nothing, shorter, true},
	{"datagram of one octet", UDP, ANY, nothing, nothing, one_octet, true},
	{"longer datagram", UDP, ANY, nothing, nothing, longer, false},
	{"empty datagram", UDP, ANY, nothing, nothing, empty, false},
	{"empty datagrams", UDP, ANY, empty, nothing, nothing, false},
	{"TOS of a datagram", UDP, ANY, nothing, nothing, tos, false},
	{"TTL of a datagram", UDP, ANY, nothing, nothing, ttl, false},
	{"DF of a datagram", UDP, V4, nothing, nothing, no_df, false},
	{"identification of a datagram", UDP, V4, nothing, nothing, far_id, false},
	{"flow label of a datagram", UDP, V6, nothing, nothing, flow_label, false},
	{"options of a datagram", UDP, V4, ip4_options, nothing, nothing, false},
	{"extensions of a datagram", UDP, V6, ip6_options, nothing, nothing, false},
	{"port of a datagram", UDP, ANY, nothing, nothing, source_port, false},
	{"fragments of datagrams", UDP, V4, first_fragment, nothing, nothing, false},
};

static void check_rule(size_t line, uint8_t family)
{
	struct inner_spec first = inner_spec(family, rules[line].protocol), second;

	coalesce_check_begin(&check, true, true);
	rules[line].both(&first);
	second = next_of(&first);
	rules[line].first(&first);
	rules[line].second(&second);
	add(&first);
	add(&second);
	coalesce_check_flush(&check);
	if (check.wrong)
		fail_msg("%s, IPv%u: %s", rules[line].name, family, check.wrong);
	if (check.delivered != (rules[line].is_merged ? 1 : 2))
		fail_msg("%s, IPv%u: %zu packets", rules[line].name, family, check.delivered);
	end();
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].families & V4)
			check_rule(i, 4);
		if (rules[i].families & V6)
			check_rule(i, 6);
	}
}

/* Behind what ends a super-packet comes another one. */
static void test_what_ends(void **state)
{
	static change *const ends[] = {psh, shorter};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct inner_spec spec = inner_spec(4, TCP);

		coalesce_check_begin(&check, true, true);
		for (int packet = 0; packet < 9; packet++) {
			struct inner_spec one = spec;

			if (packet % 3 == 2)
				ends[i](&one);
			add(&one);
			spec = next_of(&one);
			spec.flags = INNER_ACK;
			spec.payload_len = 1000;
		}
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, 3);
		assert_int_equal(check.merged, 9);
		end();
	}
}

/* Whatever cannot be put together goes behind what its flow has under way. */
static void test_order(void **state)
{
	static change *const odd[] = {fin, empty, ip4_options, first_fragment, tos, repeat};
	struct inner_spec spec = inner_spec(4, TCP);

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (size_t i = 0; i < 20 * ARRAY_SIZE(odd); i++) {
		struct inner_spec one = spec;

		if (i % 5 == 4)
			odd[i / 5 % ARRAY_SIZE(odd)](&one);
		add(&one);
		spec = next_of(&spec);
	}
	assert_true(check.delivered > 0);
	end();
	assert_true(check.merged > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_what_ends),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
