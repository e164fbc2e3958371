/* SPDX-License-Identifier: Apache-2.0 */
/* SAs and policies from one plane to another, and planes that refuse half way. Both are fakes. */
#include "sa_plane_test.h"

#include <natmux/error.h>
#include "daemon/planes/sa_plane_move.h"
#include "tests/fakes/fake_sa_plane.h"

static const char traveller[] =
	IN("a", 256, "replay-window = 64\nselectors = { \"src 10.2.0.0/16\", \"dst ::1\" }\n")
		OUT("b", 257, "192.0.2.2", "soft-packets = 100\nhard-bytes = 5000\nesn = yes\n")
			POLICY("p", 1, 8, "reqid = 7\n");

/* A plane with the two SAs and the policy of `traveller`, through which something has gone. */
static struct nm_sa_plane depart(struct fake_sa_plane *fake)
{
	struct nm_config *config = parse_sas(traveller);
	struct nm_sa_plane from;
	char message[512];

	*fake = (struct fake_sa_plane){.sas_len = 0};
	from = fake_sa_plane(fake);
	assert_int_equal(nm_sa_plane_apply(&from, 4, NULL, config, message, sizeof(message)), 0);
	fake->sas[0].config.sequence = 70;
	fake->sas[1].config.sequence = 500;
	fake->sas[0].config.roam = NATMUX_ROAM_PORT;
	fake->sas[1].config.roam = NATMUX_ROAM_NO;
	fake->counters.packets = 60;
	fake->counters.bytes = 6000;
	nm_config_free(config);
	return from;
}

/* All goes along: key, numbers, what is left of limits; outbound numbers jump. */
static void test_move(void **state)
{
	struct fake_sa_plane old, new = {.sas_len = 0};
	struct nm_sa_plane from = depart(&old), to = fake_sa_plane(&new);
	struct nm_sa_plane_moved moved;
	char why[NM_SA_PLANE_WHY];
	uint8_t key[20];

	(void)state;
	memcpy(key, old.keys[1], sizeof(key));
	old.sas[0].config.soft.seconds = 20;
	old.sas[0].config.hard.seconds = 100;
	assert_int_equal(nm_sa_plane_move(&from, &to, NULL, 30000, &moved, why), 0);
	assert_int_equal(moved.sas, 2);
	assert_int_equal(moved.policies, 1);
	assert_int_equal(old.sas_len + old.policies_len, 0);
	assert_int_equal(new.sas_len, 2);
	assert_int_equal(new.policies_len, 1);
	assert_int_equal(new.sas[0].config.sequence, 70);
	assert_int_equal(new.sas[0].config.replay_window, 64);
	assert_int_equal(new.sas[0].config.roam, NATMUX_ROAM_PORT);
	assert_int_equal(new.sas[1].config.roam, NATMUX_ROAM_NO);
	assert_int_equal(new.sas[0].config.selectors_len, 2);
	assert_int_equal(new.selectors[0][0].source.bits, 16);
	assert_int_equal(new.sas[1].config.sequence, 500 + NM_SA_PLANE_MOVE_MARGIN);
	assert_true(new.sas[1].config.has_esn);
	assert_int_equal(new.sas[1].config.soft.packets, 40);
	assert_int_equal(new.sas[1].config.hard.bytes, 1); /* used up: dead with the next packet */
	assert_int_equal(new.sas[1].config.hard.packets, 0);
	/* Half a minute old. */
	assert_int_equal(new.sas[0].config.soft.seconds, 1);
	assert_int_equal(new.sas[0].config.hard.seconds, 70);
	assert_int_equal(new.sas[1].config.hard.seconds, 0);
	assert_memory_equal(new.keys[1], key, sizeof(key));
	/* And back. */
	assert_int_equal(nm_sa_plane_move(&to, &from, NULL, 30000, &moved, why), 0);
	assert_int_equal(new.sas_len + new.policies_len, 0);
	assert_int_equal(old.sas[1].config.sequence, 500 + 2 * NM_SA_PLANE_MOVE_MARGIN);
}

/* Whatever call the new plane fails in: all is where it was. */
static void test_move_fails(void **state)
{
	for (unsigned int call = 1; call <= 3; call++) {
		struct fake_sa_plane old, new = {.fail_at = call, .fail_with = NATMUX_ESYSTEM};
		struct nm_sa_plane from = depart(&old), to = fake_sa_plane(&new);
		struct nm_sa_plane_moved moved = {7, 7, 7};
		char why[NM_SA_PLANE_WHY];

		new.fail_why = "the moon is full";
		assert_int_equal(
			nm_sa_plane_move(&from, &to, NULL, 30000, &moved, why), NATMUX_ESYSTEM);
		assert_string_equal(why, call == 1   ? "SA 0x00000100: the moon is full"
					 : call == 2 ? "SA 0x00000101: the moon is full"
						     : "the moon is full");
		assert_int_equal(moved.sas, 7);
		assert_int_equal(new.sas_len + new.policies_len, 0);
		assert_int_equal(old.sas_len, 2);
		assert_int_equal(old.policies_len, 1);
	}
	(void)state;
}

static void test_move_refuses(void **state)
{
	struct fake_sa_plane old, new = {.sas_len = 0};
	struct nm_sa_plane from = depart(&old), to = fake_sa_plane(&new);
	struct nm_sa_plane_moved moved;
	char why[NM_SA_PLANE_WHY];

	(void)state;
	old.hides_keys = true;
	assert_int_equal(nm_sa_plane_move(&from, &to, NULL, 30000, &moved, why), NATMUX_EINVAL);
	assert_string_equal(why, "SA 0x00000100: its key cannot be had");
	old.hides_keys = false;
	/* No number twice: there have to be as many as are left out. */
	old.sas[1].config.has_esn = false;
	old.sas[1].config.sequence = UINT32_MAX - NM_SA_PLANE_MOVE_MARGIN + 1;
	assert_int_equal(nm_sa_plane_move(&from, &to, NULL, 30000, &moved, why), NATMUX_EINVAL);
	assert_string_equal(why, "SA 0x00000101: it has too few numbers left: it wants a new key");
	assert_int_equal(new.sas_len + new.policies_len, 0);
	old.sas[1].config.sequence--;
	/* Inbound, one whose extended numbers were taken away from it. */
	old.sas[0].config.sequence = UINT64_C(1) << 32;
	assert_int_equal(nm_sa_plane_move(&from, &to, NULL, 30000, &moved, why), NATMUX_EINVAL);
	assert_string_equal(why, "SA 0x00000100: it has too few numbers left: it wants a new key");
	old.sas[0].config.sequence--;
	assert_int_equal(nm_sa_plane_move(&from, &to, NULL, 30000, &moved, why), 0);
	assert_int_equal(new.sas[1].config.sequence, UINT32_MAX);
}

/* The old plane ends with more than it has told, and the new one cannot be told: the SAs are in neither. */
static void test_move_loses(void **state)
{
	const struct natmux_replay_state last = {.top = 1 << 20};
	struct fake_sa_plane old, new = {.fail_at = 4, .fail_with = NATMUX_ENOMEM};
	struct nm_sa_plane from = depart(&old), to = fake_sa_plane(&new);
	struct nm_sa_plane_moved moved;
	char why[NM_SA_PLANE_WHY];

	(void)state;
	old.last = &last;
	from = fake_sa_plane(&old);
	assert_int_equal(nm_sa_plane_move(&from, &to, NULL, 30000, &moved, why), 0);
	assert_int_equal(moved.lost, 1);
	assert_int_equal(old.sas_len, 0);
	assert_int_equal(new.sas_len, 1);
	assert_int_equal(new.sas[0].config.spi, 257);
	assert_int_equal(new.sas[0].config.sequence, 1 << 20);
}

/* The old plane does not let go of its SAs: what goes on counting there goes on nowhere else. */
static void test_move_from_one_that_keeps(void **state)
{
	const struct natmux_replay_state last = {.top = 1 << 20};
	struct fake_sa_plane old, new = {.sas_len = 0};
	struct nm_sa_plane from = depart(&old), to = fake_sa_plane(&new);
	struct nm_sa_plane_moved moved;
	char why[NM_SA_PLANE_WHY];

	(void)state;
	old.last = &last;
	old.keeps_sas = true;
	from = fake_sa_plane(&old);
	assert_int_equal(nm_sa_plane_move(&from, &to, NULL, 30000, &moved, why), 0);
	assert_int_equal(moved.lost, 2);
	assert_int_equal(old.sas_len, 2);
	assert_int_equal(new.sas_len, 0);
	assert_int_equal(new.policies_len, 1); /* what they protected is not in the clear */
}

/* Nor does the new one, which refuses the policy afterwards. */
static void test_move_back_from_one_that_keeps(void **state)
{
	const struct natmux_replay_state last = {.top = 1 << 20};
	struct fake_sa_plane old,
		new = {.fail_at = 3, .fail_with = NATMUX_ENOMEM, .last = &last, .keeps_sas = true};
	struct nm_sa_plane from = depart(&old), to = fake_sa_plane(&new);
	struct nm_sa_plane_moved moved;
	char why[NM_SA_PLANE_WHY];

	(void)state;
	assert_int_equal(nm_sa_plane_move(&from, &to, NULL, 30000, &moved, why), NATMUX_ENOMEM);
	assert_int_equal(moved.lost, 2);
	assert_int_equal(old.sas_len, 0);
	assert_int_equal(old.policies_len, 1);
	assert_int_equal(new.policies_len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_move_fails),
		cmocka_unit_test(test_move_refuses),
		cmocka_unit_test(test_move_loses),
		cmocka_unit_test(test_move_from_one_that_keeps),
		cmocka_unit_test(test_move_back_from_one_that_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
