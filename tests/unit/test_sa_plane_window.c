/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SAs that go from the user plane to a kernel that is a fake and back while packets come, sealed ones
 * at the user plane and numbers at the kernel: none is accepted twice, none that could have been
 * accepted is lost. Ledger rows E18, E3 and E4 across a move.
 */
#include "kernel_test.h"

#include <errno.h>
#include <sodium.h>
#include <natmux/inner.h>
#include "base/bytes.h"
#include "daemon/planes/sa_plane_move.h"
#include "daemon/user/user_plane.h"
#include "daemon/user/user_sa_plane.h"

enum { IN_SPI = 0x101, OUT_SPI = 0x100, SEALED = 200, LEN = 128 };

static struct natmux_esp *esp;
static struct nm_sa_plane user_plane;
static uint8_t sealed[SEALED + 1][LEN]; /* by number */
static size_t sealed_len;
static unsigned int delivered;
static uint32_t sent; /* the last number that the user plane has sent */

/* daemon/user/user_plane.h: a plane without device. */

struct natmux_esp *nm_user_plane_esp(struct nm_user_plane *of)
{
	(void)of;
	return esp;
}

uint64_t nm_user_plane_now_ms(const struct nm_user_plane *of)
{
	(void)of;
	return now;
}

void nm_user_plane_changed(struct nm_user_plane *of)
{
	(void)of;
}

static void keep_number(void *user, const struct natmux_train *train, size_t n)
{
	(void)user;
	(void)n;
	sent = nm_get32(train->data + 4);
}

static void count_packet(void *user, const struct natmux_gathered *packet)
{
	(void)user;
	(void)packet;
	delivered++;
}

/* The peer's packets with numbers from `first` on, as it has sealed them. */
static void seal_all(bool has_esn, uint64_t first)
{
	static const uint8_t inner[28] = {0x45, 0, 0, 28, [8] = 64, [9] = 17, [12] = 10, [16] = 10};
	const struct natmux_random random = {.fill = fill};
	struct nm_sa_order peer = order(NATMUX_SA_OUT, IN_SPI, "192.0.2.1");
	struct natmux_sa *sa;

	peer.config.has_esn = has_esn;
	peer.config.sequence = first - 1;
	assert_int_equal(natmux_sa_new(&peer.config, &random, &sa), 0);
	for (size_t i = 1; i <= SEALED; i++) {
		struct natmux_esp_packet packet = {
			.data = sealed[i], .size = LEN, .len = sizeof(inner), .next_header = 4};

		memcpy(sealed[i] + natmux_sa_headroom(sa), inner, sizeof(inner));
		assert_int_equal(natmux_sa_seal(sa, &packet, 1), 1);
		assert_int_equal((uint32_t)packet.sequence, (uint32_t)(first + i - 1));
		sealed_len = packet.len;
	}
	natmux_sa_free(sa);
}

/* The user plane gets the i-th packet. Whether it has opened it. */
static bool user_opens(unsigned int i)
{
	uint8_t copy[LEN];
	struct natmux_train train = {
		.data = copy, .len = (uint32_t)sealed_len, .path.remote = addr("192.0.2.2")};
	unsigned int before = delivered;

	train.path.remote.port = 4500;
	memcpy(copy, sealed[i], sealed_len);
	natmux_esp_input(esp, now, &train, 1);
	return delivered > before;
}

/* The kernel gets number `n`. Whether it has accepted it. */
static bool kernel_opens(uint64_t n)
{
	return fake_xfrm_receive(&fake, "192.0.2.1", IN_SPI, n);
}

static void send_one(void)
{
	uint8_t packet[28] = {0x45, 0, 0, 28, [8] = 64, [9] = 17, [12] = 10, [16] = 10};
	struct natmux_inner inner = {.data = packet, .len = sizeof(packet)};

	sent = 0;
	natmux_esp_output(esp, now, &inner, 1);
}

static int setup_both(void **state)
{
	struct natmux_esp_config config;
	static char somebody;

	if (setup(state) < 0)
		return -1;
	natmux_esp_config_init(&config);
	config.random.fill = fill;
	config.send = keep_number;
	config.deliver = count_packet;
	config.keeps_keys = true;
	user_plane = nm_user_sa_plane((struct nm_user_plane *)&somebody);
	return natmux_esp_new(&config, &esp);
}

static int teardown_both(void **state)
{
	natmux_esp_free(esp);
	return teardown(state);
}

/* Both directions of a tunnel and its policy, in the user plane. */
static void add_tunnel(bool has_esn, uint32_t window, uint64_t sequence)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, IN_SPI, "192.0.2.2");
	struct nm_sa_order out = order(NATMUX_SA_OUT, OUT_SPI, "192.0.2.2");
	struct nm_policy_order policy = policy_order(5, "src 10.0.0.0/8 dst 10.0.0.0/8");
	char why[NM_SA_PLANE_WHY];

	in.config.has_esn = has_esn;
	in.config.replay_window = window;
	in.config.sequence = sequence;
	assert_int_equal(nm_sa_plane_add(&user_plane, &in, why), 0);
	assert_int_equal(nm_sa_plane_add(&user_plane, &out, why), 0);
	assert_int_equal(nm_sa_plane_policy_add(&user_plane, &policy, why), 0);
}

/* ESP goes where it is told to, and something may come just then. */
static char turns[16];

static int note_turn(void *user, bool is_new, char why[static NM_SA_PLANE_WHY])
{
	int (*meanwhile)(char why[static NM_SA_PLANE_WHY]) = *(int (**)(char *))user;

	strcat(turns, is_new ? "new " : "old ");
	return meanwhile && is_new ? meanwhile(why) : 0;
}

static int move_turning(const struct nm_sa_plane *from, const struct nm_sa_plane *to, bool is_last,
	int (*meanwhile)(char why[static NM_SA_PLANE_WHY]))
{
	const struct nm_sa_plane_turn turn = {note_turn, (void *)&meanwhile, is_last};
	struct nm_sa_plane_moved moved = {0};
	char why[NM_SA_PLANE_WHY];
	int err;

	turns[0] = '\0';
	now += 7;
	err = nm_sa_plane_move(from, to, &turn, now, &moved, why);
	assert_int_equal(err < 0, why[0] != '\0');
	assert_int_equal(moved.lost, 0);
	return err;
}

static int move_while(const struct nm_sa_plane *from, const struct nm_sa_plane *to,
	int (*meanwhile)(char why[static NM_SA_PLANE_WHY]))
{
	return move_turning(from, to, false, meanwhile);
}

static void move_to_kernel(void)
{
	assert_int_equal(move_while(&user_plane, &plane, NULL), 0);
	assert_string_equal(turns, "new ");
	assert_int_equal(nm_sa_plane_count(&user_plane), 0);
}

static void move_to_user(void)
{
	assert_int_equal(move_while(&plane, &user_plane, NULL), 0);
	assert_int_equal(nm_sa_plane_count(&plane), 0);
	assert_int_equal(count_states(), 0);
}

/* What is held back comes after the move, once; what came before it is refused after it. */
static void there_and_back(bool has_esn, uint32_t window, uint64_t first)
{
	seal_all(has_esn, first);
	add_tunnel(has_esn, window, first - 1);
	for (unsigned int i = 1; i <= 30; i++)
		assert_true(i % 3 == 0 || user_opens(i));
	move_to_kernel();
	/* Of what was held back every other one comes now. */
	for (unsigned int i = 1; i <= 30; i++)
		if (i % 6 != 3)
			assert_int_equal(kernel_opens(first + i - 1), i % 6 == 0);
	assert_true(kernel_opens(first + 40 - 1));
	move_to_user();
	for (unsigned int i = 1; i <= 60; i++)
		assert_int_equal(user_opens(i), i % 6 == 3 || (i > 30 && i != 40));
	move_to_kernel();
	for (unsigned int i = 1; i <= 60; i++)
		assert_false(kernel_opens(first + i - 1));
	assert_true(kernel_opens(first + 60));
}

static void test_plain(void **state)
{
	(void)state;
	there_and_back(false, 64, 1);
}

static void test_old_bitmap(void **state)
{
	(void)state;
	/* 32 packets, and none of those that it is tried with is farther behind. */
	seal_all(false, 1000);
	add_tunnel(false, 32, 999);
	assert_true(user_opens(1));
	assert_true(user_opens(20));
	move_to_kernel();
	assert_true(kernel_opens(1010));
	assert_false(kernel_opens(1010));
	assert_false(kernel_opens(1019));
	assert_true(kernel_opens(1031));
	move_to_user();
	assert_false(user_opens(11));
	assert_true(user_opens(12));
	assert_false(user_opens(32));
}

static void test_wide(void **state)
{
	(void)state;
	there_and_back(false, 4096, UINT32_MAX - 300);
}

/* The high half changes amid all this. */
static void test_extended(void **state)
{
	(void)state;
	there_and_back(true, 64, (UINT64_C(1) << 32) - 20);
}

static void test_extended_window_of_any_size(void **state)
{
	(void)state;
	there_and_back(true, 100, (UINT64_C(7) << 32) - 35);
}

/* Packets that the kernel was working on while it was asked: it has the last word as it goes. */
static void test_under_way_in_the_kernel(void **state)
{
	(void)state;
	seal_all(false, 1);
	add_tunnel(false, 64, 0);
	assert_true(user_opens(10));
	move_to_kernel();
	fake.traffic = 3; /* 11 to 13, after it was asked */
	move_to_user();
	fake.traffic = 0;
	for (unsigned int i = 10; i <= 13; i++)
		assert_false(user_opens(i));
	assert_true(user_opens(9));
	assert_true(user_opens(14));
}

/* More was sent meanwhile than the margin has room for: no number twice even so. */
static void test_margin_is_not_all(void **state)
{
	(void)state;
	add_tunnel(false, 64, 0);
	send_one();
	assert_int_equal(sent, 1);
	move_to_kernel();
	fake.traffic = 2 * NM_SA_PLANE_MOVE_MARGIN;
	move_to_user();
	fake.traffic = 0;
	send_one();
	assert_int_equal(sent, 1 + 3 * NM_SA_PLANE_MOVE_MARGIN + 1);
}

/* Those of the SAs, which go well. */
static unsigned int policies_before_ours;

static int refuse_policies(char why[static NM_SA_PLANE_WHY])
{
	(void)why;
	fake.fail_type = XFRM_MSG_UPDPOLICY;
	fake.fail_error = ENOMEM;
	fake.fail_skip = policies_before_ours;
	fake.traffic = 4; /* taken and sent by the time that it is taken back */
	return 0;
}

/* The kernel refuses the policy, and had the SAs long enough to use them. */
static void test_refused_half_way(void **state)
{
	(void)state;
	seal_all(false, 1);
	add_tunnel(false, 64, 0);
	send_one();
	assert_true(user_opens(5));
	move_to_kernel();
	policies_before_ours = fake_xfrm_requests(&fake, XFRM_MSG_UPDPOLICY) - 1;
	move_to_user();
	assert_true(user_opens(7));
	assert_true(move_while(&user_plane, &plane, refuse_policies) < 0);
	fake.traffic = 0;
	assert_string_equal(turns, "new old ");
	assert_int_equal(count_states(), 0);
	assert_int_equal(nm_sa_plane_count(&user_plane), 2);
	assert_int_equal(nm_sa_plane_policy_count(&user_plane), 1);
	for (unsigned int i = 7; i <= 11; i++)
		assert_false(user_opens(i));
	assert_false(user_opens(5));
	assert_true(user_opens(6));
	assert_true(user_opens(12));
	send_one();
	assert_int_equal(sent, 1 + 3 * NM_SA_PLANE_MOVE_MARGIN + 4 + 1);
}

static int refuse_turn(char why[static NM_SA_PLANE_WHY])
{
	strcpy(why, "no such option");
	return NATMUX_ESYSTEM;
}

/* Nothing is asked, added or taken when ESP does not turn. */
static void test_no_turn(void **state)
{
	(void)state;
	seal_all(false, 1);
	add_tunnel(false, 64, 0);
	assert_true(user_opens(5));
	assert_int_equal(move_while(&user_plane, &plane, refuse_turn), NATMUX_ESYSTEM);
	assert_string_equal(turns, "new ");
	assert_int_equal(fake_xfrm_requests(&fake, XFRM_MSG_NEWSA), 0);
	assert_int_equal(nm_sa_plane_count(&user_plane), 2);
	assert_true(user_opens(4));
	assert_false(user_opens(5));
	send_one();
	assert_int_equal(sent, 1);
}

static int look_at_both(char why[static NM_SA_PLANE_WHY])
{
	(void)why;
	assert_int_equal(nm_sa_plane_count(&plane), 2);
	assert_int_equal(nm_sa_plane_policy_count(&plane), 1);
	assert_int_equal(nm_sa_plane_count(&user_plane), 2);
	assert_true(kernel_opens(6));
	return 0;
}

/* What comes first when ESP turns finds its SA. */
static void test_turn_last(void **state)
{
	(void)state;
	seal_all(false, 1);
	add_tunnel(false, 64, 0);
	assert_true(user_opens(5));
	assert_int_equal(move_turning(&user_plane, &plane, true, look_at_both), 0);
	assert_string_equal(turns, "new ");
	assert_int_equal(nm_sa_plane_count(&user_plane), 0);
	assert_false(kernel_opens(5));
	assert_false(kernel_opens(6));
	assert_true(kernel_opens(4));
}

/* ESP has stayed where it was, and has nothing to come back from. */
static void test_refused_before_turn(void **state)
{
	(void)state;
	seal_all(false, 1);
	add_tunnel(false, 64, 0);
	fake.fail_type = XFRM_MSG_UPDPOLICY;
	fake.fail_error = ENOMEM;
	assert_true(move_turning(&user_plane, &plane, true, NULL) < 0);
	assert_string_equal(turns, "");
	assert_int_equal(count_states(), 0);
	assert_int_equal(nm_sa_plane_count(&user_plane), 2);
	assert_true(user_opens(1));
}

/* The kernel has had the SAs, and sent with one: no number twice. */
static void test_no_turn_at_last(void **state)
{
	(void)state;
	seal_all(false, 1);
	add_tunnel(false, 64, 0);
	send_one();
	fake.traffic = 4;
	assert_int_equal(move_turning(&user_plane, &plane, true, refuse_turn), NATMUX_ESYSTEM);
	fake.traffic = 0;
	assert_string_equal(turns, "new ");
	assert_int_equal(count_states(), 0);
	assert_int_equal(nm_sa_plane_count(&plane), 0);
	assert_int_equal(nm_sa_plane_count(&user_plane), 2);
	send_one();
	assert_int_equal(sent, 1 + NM_SA_PLANE_MOVE_MARGIN + 4 + 1);
}

/* The kernel does not tell what it ends with: what it was asked just before counts. */
static void test_last_words_are_lost(void **state)
{
	struct natmux_replay_state last = {.top = 7};

	(void)state;
	seal_all(false, 1);
	add_tunnel(false, 64, 0);
	move_to_kernel();
	fake.has_group = false;
	assert_true(kernel_opens(9));
	assert_int_equal(nm_sa_plane_take(&plane, NATMUX_SA_IN, IN_SPI, NULL, &last), 0);
	assert_int_equal(last.top, 9);
	assert_int_equal(last.seen[0], 1);
	last.top = 7;
	assert_int_equal(
		nm_sa_plane_take(&plane, NATMUX_SA_IN, IN_SPI, NULL, &last), NATMUX_ENOTFOUND);
	assert_int_equal(last.top, 7);
}

/* It could not be asked before: what it tells as it goes is all there is. */
static void test_only_last_words(void **state)
{
	struct natmux_replay_state last = {.top = 7};

	(void)state;
	seal_all(false, 1);
	add_tunnel(false, 64, 0);
	move_to_kernel();
	assert_true(kernel_opens(9));
	fake.fail_type = XFRM_MSG_GETSA;
	fake.fail_error = ENOBUFS;
	assert_int_equal(nm_sa_plane_take(&plane, NATMUX_SA_IN, IN_SPI, NULL, &last), 0);
	assert_int_equal(last.top, 9);
	assert_int_equal(last.seen[0], 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_both, teardown_both)
	const struct CMUnitTest tests[] = {
		TEST(test_plain),
		TEST(test_old_bitmap),
		TEST(test_wide),
		TEST(test_extended),
		TEST(test_extended_window_of_any_size),
		TEST(test_under_way_in_the_kernel),
		TEST(test_margin_is_not_all),
		TEST(test_refused_half_way),
		TEST(test_no_turn),
		TEST(test_turn_last),
		TEST(test_refused_before_turn),
		TEST(test_no_turn_at_last),
		TEST(test_last_words_are_lost),
		TEST(test_only_last_words),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
