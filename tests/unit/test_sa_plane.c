/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations into a real plane, and their differences: all of one, or nothing. */
#include "sa_plane_test.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>
#include "daemon/user/user_plane.h"
#include "daemon/user/user_sa_plane.h"
#include "tests/fakes/fake_sa_plane.h"

static struct natmux_esp *esp;

/* daemon/user/user_plane.h: a plane without device. */

struct natmux_esp *nm_user_plane_esp(struct nm_user_plane *plane)
{
	return plane ? esp : NULL;
}

uint64_t nm_user_plane_now_ms(const struct nm_user_plane *plane)
{
	(void)plane;
	return 1000;
}

static unsigned int changes;

void nm_user_plane_changed(struct nm_user_plane *plane)
{
	(void)plane;
	changes++;
}

static int apply(const struct nm_config *before, const struct nm_config *after, char message[512])
{
	static char somebody;
	struct nm_sa_plane plane = nm_user_sa_plane((struct nm_user_plane *)&somebody);

	return nm_sa_plane_apply(&plane, after->user_plane.sas, before, after, message, 512);
}

static void ignore_trains(void *user, const struct natmux_train *trains, size_t n)
{
	(void)user;
	(void)trains;
	(void)n;
}

static void ignore_packet(void *user, const struct natmux_gathered *packet)
{
	(void)user;
	(void)packet;
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 0x5a, len);
}

static void make_plane(uint32_t sas_max, uint32_t policies_max)
{
	struct natmux_esp_config config;

	natmux_esp_config_init(&config);
	config.sas_max = sas_max;
	config.policies_max = policies_max;
	config.random.fill = fill;
	config.send = ignore_trains;
	config.deliver = ignore_packet;
	assert_int_equal(natmux_esp_new(&config, &esp), 0);
}

/* What the plane has, as a text: "in 256, out 257 192.0.2.2, | 10 protect 7 24," */
static char shown[1024];

static void show_sa(void *user, const struct natmux_sa_info *info)
{
	char addr[NATMUX_ADDR_TEXT], one[160];

	(void)user;
	snprintf(one, sizeof(one), "%s %u %s%s, ", info->direction == NATMUX_SA_IN ? "in" : "out",
		info->spi, natmux_addr_format(&info->added_remote, addr),
		info->soft.bytes > 0 ? " soft" : "");
	strcat(shown, one);
}

static void show_policy(void *user, const struct natmux_policy *policy)
{
	char one[64];

	(void)user;
	snprintf(one, sizeof(one), "%u:%d:%u:%u, ", policy->priority, (int)policy->action,
		policy->reqid, policy->selector.destination.bits);
	strcat(shown, one);
}

static const char *show(void)
{
	shown[0] = '\0';
	natmux_esp_sas(esp, show_sa, NULL);
	strcat(shown, "| ");
	natmux_esp_policies(esp, show_policy, NULL);
	return shown;
}

static int change(const char *before_text, const char *after_text, char message[512])
{
	struct nm_config *before = before_text ? parse_sas(before_text) : NULL;
	struct nm_config *after = parse_sas(after_text);
	int err;

	/* As they are in a running natmuxd: what was before has no keys any more. */
	if (before)
		nm_config_wipe_keys(before);
	err = apply(before, after, message);
	nm_config_free(before);
	nm_config_free(after);
	return err;
}

static void test_changes(void **state)
{
	static const struct {
		const char *before, *after, *first, *then;
	} cases[] = {
		{"", "", "| ", "| "},
		{IN("a", 256, ""), IN("a", 256, ""), "in 256 -, | ", "in 256 -, | "},
		{IN("a", 256, ""), "", "in 256 -, | ", "| "},
		{"", OUT("a", 256, "192.0.2.2", ""), "| ", "out 256 192.0.2.2:4500, | "},
		/* Another name, the same SA: nothing changes. */
		{IN("a", 256, ""), IN("b", 256, ""), "in 256 -, | ", "in 256 -, | "},
		{IN("a", 256, ""), IN("a", 256, "soft-bytes = 9\n"), "in 256 -, | ",
			"in 256 - soft, | "},
		/* Rekeyed: the new one, then the old one goes. */
		{OUT("a", 256, "192.0.2.2", ""), OUT("a", 257, "192.0.2.2", ""),
			"out 256 192.0.2.2:4500, | ", "out 257 192.0.2.2:4500, | "},
		/* The same SPI of two peers. */
		{OUT("a", 256, "192.0.2.2", ""),
			OUT("a", 256, "192.0.2.2", "") OUT("b", 256, "192.0.2.3", ""),
			"out 256 192.0.2.2:4500, | ",
			"out 256 192.0.2.2:4500, out 256 192.0.2.3:4500, | "},
		{POLICY("p", 1, 8, "reqid = 7\n"), POLICY("p", 1, 8, "reqid = 8\n"), "| 1:0:7:8, ",
			"| 1:0:8:8, "},
		{POLICY("p", 1, 8, "reqid = 7\n"), POLICY("q", 2, 8, "action = discard\n"),
			"| 1:0:7:8, ", "| 2:2:0:8, "},
		{POLICY("p", 1, 8, "reqid = 7\n") POLICY("q", 2, 16, "action = bypass\n"),
			POLICY("q", 2, 16, "action = bypass\n"), "| 1:0:7:8, 2:1:0:16, ",
			"| 2:1:0:16, "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char message[512];

		make_plane(4, 4);
		assert_int_equal(change(NULL, cases[i].before, message), 0);
		assert_string_equal(show(), cases[i].first);
		assert_int_equal(change(cases[i].before, cases[i].after, message), 0);
		assert_string_equal(message, "");
		assert_string_equal(show(), cases[i].then);
		natmux_esp_free(esp);
	}
}

static void find_sequence(void *user, const struct natmux_sa_info *info)
{
	*(uint64_t *)user = info->sequence;
}

/* A changed SA with the old key goes on counting, one with a new key begins again. */
static void test_key_changes(void **state)
{
	uint64_t sequence;
	struct natmux_sa_config config;
	struct nm_config *first = parse_sas(OUT("a", 256, "192.0.2.2", ""));
	struct nm_config *again = parse_sas(OUT("a", 256, "192.0.2.2", "soft-bytes = 9\n"));
	struct nm_config *other = parse_sas(OUT("a", 256, "192.0.2.2", "soft-bytes = 9\n"));
	char message[512];

	(void)state;
	make_plane(4, 4);
	nm_config_sa_fill(&first->sas[0], 4500, &config);
	config.sequence = 1000;
	assert_int_equal(natmux_esp_sa_add(esp, 0, &config), 0);
	nm_config_wipe_keys(first);
	assert_int_equal(apply(first, again, message), 0);
	natmux_esp_sas(esp, find_sequence, &sequence);
	assert_int_equal(sequence, 1000);
	/* Only the file's content is another. */
	other->sas[0].key[0] ^= 1;
	other->sas[0].key_mark[0] ^= 1;
	assert_int_equal(apply(again, other, message), 0);
	natmux_esp_sas(esp, find_sequence, &sequence);
	assert_int_equal(sequence, 0);
	natmux_esp_free(esp);
	nm_config_free(first);
	nm_config_free(again);
	nm_config_free(other);
}

/* What somebody else put into the plane stays, unless the file takes its place. */
static void test_beside_others(void **state)
{
	struct nm_config *config = parse_sas(
		IN("x", 999, "") IN("y", 256, "") POLICY("z", 1, 8, "action = discard\n"));
	struct natmux_sa_config sa;
	struct natmux_policy policy;
	char message[512];

	(void)state;
	make_plane(4, 4);
	for (size_t i = 0; i < 2; i++) {
		nm_config_sa_fill(&config->sas[i], 4500, &sa);
		assert_int_equal(natmux_esp_sa_add(esp, 0, &sa), 0);
	}
	nm_config_policy_fill(&config->policies[0], &policy);
	assert_int_equal(natmux_esp_policy_add(esp, &policy), 0);
	assert_int_equal(
		change(NULL, IN("a", 256, "soft-bytes = 9\n") POLICY("p", 1, 8, "reqid = 7\n"),
			message),
		0);
	assert_string_equal(show(), "in 999 -, in 256 - soft, | 1:0:7:8, ");
	assert_int_equal(change(IN("a", 256, "soft-bytes = 9\n") POLICY("p", 1, 8, "reqid = 7\n"),
				 "", message),
		0);
	assert_string_equal(show(), "in 999 -, | ");
	/* Gone already: a reload without it is none the worse. */
	assert_int_equal(change(IN("a", 256, ""), "", message), 0);
	nm_config_free(config);
	natmux_esp_free(esp);
}

static void test_room(void **state)
{
#define TWO "user-plane { sas = 2 }\n"
	static const char two[] = TWO IN("a", 256, "") IN("b", 257, "");
	static const char other_two[] = TWO IN("a", 258, "") IN("b", 259, "");
	static const char one[] = TWO IN("a", 258, "");
	struct nm_config *foreign = parse_sas(IN("x", 999, ""));
	struct natmux_sa_config sa;
	char message[512];

	(void)state;
	make_plane(2, 4);
	assert_int_equal(change(NULL, two, message), 0);
	/* Not enough for old and new at a time, but for each. */
	assert_int_equal(change(two, other_two, message), 0);
	show();
	assert_non_null(strstr(shown, "in 258 -"));
	assert_non_null(strstr(shown, "in 259 -"));
	assert_null(strstr(shown, "in 256 -"));
	/* Room that natmuxctl has taken since. */
	assert_int_equal(change(other_two, one, message), 0);
	nm_config_sa_fill(&foreign->sas[0], 4500, &sa);
	assert_int_equal(natmux_esp_sa_add(esp, 0, &sa), 0);
	assert_int_equal(change(one, two, message), NATMUX_EFULL);
	assert_string_equal(message, "natmux.conf: user-plane.sas: found 2 beside 1 that natmuxctl "
				     "added, allowed are 2 in all (nothing was changed)");
	show();
	assert_non_null(strstr(shown, "in 258 -"));
	assert_non_null(strstr(shown, "in 999 -"));
	nm_config_free(foreign);
	natmux_esp_free(esp);
}

static void test_nothing_or_all(void **state)
{
	static const char before[] =
		IN("a", 256, "") POLICY("p", 1, 8, "reqid = 7\n") POLICY("q", 2, 8, "reqid = 7\n");
	static const char after[] = IN("a", 257, "") POLICY("p", 1, 9, "reqid = 8\n")
		POLICY("r", 3, 10, "reqid = 8\n") POLICY("s", 4, 11, "reqid = 8\n");
	char message[512];

	(void)state;
	make_plane(2, 2);
	assert_int_equal(change(NULL, before, message), 0);
	assert_string_equal(show(), "in 256 -, | 1:0:7:8, 2:0:7:8, ");
	assert_int_equal(change(before, after, message), NATMUX_EFULL);
	assert_string_equal(message, "natmux.conf:16: policy \"s\": table or queue is full "
				     "(nothing was changed)");
	/* The order in the table may be another: policies have their own. */
	show();
	assert_non_null(strstr(shown, "in 256 -, | "));
	assert_non_null(strstr(shown, "1:0:7:8, "));
	assert_non_null(strstr(shown, "2:0:7:8, "));
	assert_null(strstr(shown, ":8:"));
	natmux_esp_free(esp);
}

/* Whatever call a plane fails in, its reason is told, and nothing has changed but for SAs. */
static void test_any_failure(void **state)
{
	static const char before_text[] = IN("a", 256, "") POLICY("p", 1, 8, "reqid = 7\n");
	static const char after_text[] =
		IN("a", 256, "soft-bytes = 9\n") IN("b", 257, "") POLICY("q", 2, 9, "reqid = 7\n");
	static const struct {
		unsigned int call;
		const char *message;
		uint64_t soft_bytes; /* of the first SA afterwards */
	} cases[] = {
		{1, "natmux.conf:3: sa \"a\": the moon is full (nothing was changed)", 0},
		{2, "natmux.conf:9: sa \"b\": the moon is full (nothing was changed)", 0},
		{3, "natmux.conf:14: policy \"q\": the moon is full (nothing was changed)", 0},
		/* sa_check was wrong: to be told all the same. */
		{4, "natmux.conf:3: sa \"a\": the moon is full (nothing was changed)", 0},
		{5,
			"natmux.conf:9: sa \"b\": the moon is full (SAs that were replaced or "
			"removed before it stay so: 1; nothing else was changed)",
			9},
	};
	struct nm_config *before = parse_sas(before_text), *after = parse_sas(after_text);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake_sa_plane fake = {.sas_len = 0};
		struct nm_sa_plane plane = fake_sa_plane(&fake);
		char message[512];

		assert_int_equal(
			nm_sa_plane_apply(&plane, 4, NULL, before, message, sizeof(message)), 0);
		fake.calls = 0;
		fake.fail_at = cases[i].call;
		fake.fail_with = NATMUX_ESYSTEM;
		fake.fail_why = "the moon is full";
		assert_int_equal(
			nm_sa_plane_apply(&plane, 4, before, after, message, sizeof(message)),
			NATMUX_ESYSTEM);
		assert_string_equal(message, cases[i].message);
		assert_int_equal(fake.sas_len, 1);
		assert_int_equal(fake.sas[0].config.soft.bytes, cases[i].soft_bytes);
		assert_int_equal(nm_sa_plane_count(&plane), 1);
		assert_int_equal(nm_sa_plane_policy_count(&plane), 1);
		assert_int_equal(fake.policies[0].policy.priority, 1);
	}
	nm_config_free(before);
	nm_config_free(after);
}

/* SAs that were added go again; only what took another's place, or made room, cannot. */
static void test_failure_is_undone(void **state)
{
#define A   IN("a", 256, "")
#define B   IN("b", 257, "")
#define C   IN("c", 258, "")
#define OLD POLICY("p", 1, 8, "reqid = 7\n")
#define NEW POLICY("p", 1, 8, "reqid = 8\n")
	static const struct {
		const char *before, *after;
		uint32_t sas_max;
		unsigned int call; /* that fails */
		const char *rest;  /* of the message */
		size_t sas;        /* afterwards */
	} cases[] = {
		{A, A B C, 4, 4, "(nothing was changed)", 1},
		{A OLD, B C NEW, 4, 5, "(nothing was changed)", 1},
		{A B, C IN("d", 259, ""), 2, 3, "stay so: 2; nothing else was changed)", 0},
		{A, B IN("a", 256, "soft-bytes = 9\n") C, 4, 6, "stay so: 1; nothing else", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_config *before = parse_sas(cases[i].before),
				 *after = parse_sas(cases[i].after);
		struct fake_sa_plane fake = {.sas_len = 0};
		struct nm_sa_plane plane = fake_sa_plane(&fake);
		char message[512];

		assert_int_equal(
			nm_sa_plane_apply(&plane, 4, NULL, before, message, sizeof(message)), 0);
		fake.calls = 0;
		fake.fail_at = cases[i].call;
		fake.fail_with = NATMUX_ENOMEM;
		assert_int_equal(nm_sa_plane_apply(&plane, cases[i].sas_max, before, after, message,
					 sizeof(message)),
			NATMUX_ENOMEM);
		if (!strstr(message, cases[i].rest))
			fail_msg("%zu: \"%s\" lacks \"%s\"", i, message, cases[i].rest);
		assert_int_equal(fake.sas_len, cases[i].sas);
		assert_int_equal(fake.policies_len, before->policies_len);
		if (fake.policies_len > 0)
			assert_int_equal(fake.policies[0].policy.reqid, 7);
		nm_config_free(before);
		nm_config_free(after);
	}
}

/* A policy that changes is replaced, not deleted and added: in between there would be none. */
static void test_policies_in_place(void **state)
{
	struct nm_config *before = parse_sas(POLICY("p", 1, 8, "reqid = 7\n"));
	struct nm_config *after = parse_sas(POLICY("p", 1, 8, "reqid = 8\n"));
	struct nm_config *elsewhere = parse_sas(POLICY("p", 2, 8, "reqid = 8\n"));
	struct fake_sa_plane fake = {.can_replace = true};
	struct nm_sa_plane plane = fake_sa_plane(&fake);
	char message[512];

	(void)state;
	assert_int_equal(nm_sa_plane_apply(&plane, 4, NULL, before, message, sizeof(message)), 0);
	assert_int_equal(nm_sa_plane_apply(&plane, 4, before, after, message, sizeof(message)), 0);
	assert_int_equal(fake.policies_deleted, 0);
	assert_int_equal(fake.policies_len, 1);
	assert_int_equal(fake.policies[0].policy.reqid, 8);
	assert_int_equal(
		nm_sa_plane_apply(&plane, 4, after, elsewhere, message, sizeof(message)), 0);
	assert_int_equal(fake.policies_deleted, 0);
	assert_int_equal(fake.policies_len, 1);
	assert_int_equal(fake.policies[0].policy.priority, 2);
	nm_config_free(before);
	nm_config_free(after);
	nm_config_free(elsewhere);
}

/* A plane that says no more than an error is spoken for. */
static void test_reasons(void **state)
{
	struct fake_sa_plane fake = {.fail_at = 1, .fail_with = NATMUX_EFULL};
	struct nm_sa_plane plane = fake_sa_plane(&fake);
	struct nm_sa_order order = {.config.spi = 256};
	char why[NM_SA_PLANE_WHY] = "old";

	(void)state;
	assert_int_equal(nm_sa_plane_add(&plane, &order, why), NATMUX_EFULL);
	assert_string_equal(why, "table or queue is full");
	assert_int_equal(nm_sa_plane_add(&plane, &order, why), 0);
	assert_string_equal(why, "");
	nm_sa_plane_set_keepalive(&plane, 7000);
	assert_int_equal(fake.keepalive_ms, 7000);
}

/* The user plane has no marks and says so, and what it does leaves its clock right. */
static void test_user_plane_words(void **state)
{
	static char somebody;
	struct nm_sa_plane plane = nm_user_sa_plane((struct nm_user_plane *)&somebody);
	struct nm_sa_order marks[4] = {{.kernel.mark = {1, 1}}, {.kernel.output_mark = {0, 1}},
		{.kernel.if_id = 1}, {.kernel.offload = "eth0"}};
	struct nm_policy_order policies[2] = {{.mark = {0, 1}}, {.if_id = 1}};
	char why[NM_SA_PLANE_WHY];

	(void)state;
	assert_null(nm_user_sa_plane(NULL).ops);
	make_plane(4, 4);
	for (size_t i = 0; i < 4; i++) {
		natmux_sa_config_init(&marks[i].config);
		assert_int_equal(nm_sa_plane_check(&plane, &marks[i], why), NATMUX_EINVAL);
		assert_int_equal(nm_sa_plane_add(&plane, &marks[i], why), NATMUX_EINVAL);
		assert_non_null(strstr(why, "the user plane has none"));
	}
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(nm_sa_plane_policy_add(&plane, &policies[i], why), NATMUX_EINVAL);
	assert_int_equal(nm_sa_plane_count(&plane) + nm_sa_plane_policy_count(&plane), 0);
	changes = 0;
	nm_sa_plane_set_keepalive(&plane, 1000);
	assert_int_equal(changes, 1);
	natmux_esp_free(esp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_key_changes),
		cmocka_unit_test(test_beside_others),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_nothing_or_all),
		cmocka_unit_test(test_any_failure),
		cmocka_unit_test(test_failure_is_undone),
		cmocka_unit_test(test_policies_in_place),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_user_plane_words),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
