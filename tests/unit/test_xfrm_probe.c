/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel is asked to find out what it knows, and what is made of its answers. */
#include "xfrm_test.h"

#include <errno.h>
#include "tests/fakes/fake_xfrm.h"
#include "xfrm/probe.h"

static struct fake_xfrm kernel;
static struct nm_xfrm_session *session;

static void begin(void)
{
	const struct nm_xfrm_session_config config = {.timeout_ms = 1000,
		.portid = FAKE_XFRM_PORTID,
		.send = fake_xfrm_send,
		.user = &kernel};

	fake_xfrm_init(&kernel);
	assert_int_equal(nm_xfrm_session_new(&config, &session), 0);
}

static int teardown(void **state)
{
	(void)state;
	nm_xfrm_session_free(session);
	session = NULL;
	return 0;
}

static struct nm_xfrm_features found;
static unsigned int found_times;

static void on_features(void *user, const struct nm_xfrm_features *features)
{
	(void)user;
	found = *features;
	found_times++;
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 7, len);
}

/* Each answer takes this long to come. */
static void probe(uint64_t answer_ms)
{
	static const struct natmux_random random = {.fill = fill};
	uint64_t now_ms = 0;

	found_times = 0;
	assert_int_equal(nm_xfrm_probe_start(session, &random, on_features, NULL, now_ms), 0);
	for (int i = 0; i < 50 && found_times == 0; i++) {
		now_ms += answer_ms;
		(void)fake_xfrm_deliver(&kernel, session, now_ms);
		nm_xfrm_session_tick(session, now_ms);
	}
	assert_int_equal(found_times, 1);
	assert_true(nm_xfrm_session_is_idle(session));
}

static void test_knows_all(void **state)
{
	(void)state;
	begin();
	probe(0);
	for (size_t i = 0; i < NM_XFRM_FEATURE_COUNT; i++)
		assert_true(found.has[i]);
	assert_int_equal(fake_xfrm_requests(&kernel, XFRM_MSG_NEWSA), 2);
}

/* It loads modules before it answers: each question has its own time, not all of them together. */
static void test_slow(void **state)
{
	(void)state;
	begin();
	probe(900);
	for (size_t i = 0; i < NM_XFRM_FEATURE_COUNT; i++)
		assert_true(found.has[i]);
	assert_int_equal(nm_xfrm_session_status(session)->timeouts, 0);
}

static void test_silent(void **state)
{
	(void)state;
	begin();
	kernel.is_silent = true;
	probe(1000);
	for (size_t i = 0; i < NM_XFRM_FEATURE_COUNT; i++)
		assert_false(found.has[i]);
	assert_int_equal(found.why[NM_XFRM_FEATURE_ESP4].os_error, ETIMEDOUT);
	assert_int_equal(nm_xfrm_session_status(session)->timeouts, 1);
}

static void test_linux_6_1(void **state)
{
	(void)state;
	begin();
	kernel.attributes_end = NM_XFRMA_SA_DIR;
	probe(0);
	assert_true(found.has[NM_XFRM_FEATURE_MAPPING_THRESHOLD]);
	assert_false(found.has[NM_XFRM_FEATURE_DIRECTION]);
	assert_false(found.has[NM_XFRM_FEATURE_KEEPALIVE]);
	assert_false(found.has[NM_XFRM_FEATURE_CPU]);
	assert_true(found.has[NM_XFRM_FEATURE_ESP4]);
}

static void test_no_esp(void **state)
{
	(void)state;
	begin();
	kernel.has_no_esp = true;
	probe(0);
	assert_true(found.has[NM_XFRM_FEATURE_XFRM]);
	assert_false(found.has[NM_XFRM_FEATURE_ESP4]);
	assert_string_equal(found.why[NM_XFRM_FEATURE_ESP4].text, NM_XFRM_NO_ESP);
	assert_non_null(strstr(found.why[NM_XFRM_FEATURE_ESP6].text, "CONFIG_INET6_ESP"));
}

/* Another one is asked for. */
static void test_algorithm_missing(void **state)
{
	(void)state;
	begin();
	kernel.fail_type = XFRM_MSG_NEWSA;
	kernel.fail_error = ENOSYS;
	probe(0);
	assert_true(found.has[NM_XFRM_FEATURE_ESP4]);
	assert_int_equal(fake_xfrm_requests(&kernel, XFRM_MSG_NEWSA), 3);
}

static void test_not_permitted(void **state)
{
	(void)state;
	begin();
	kernel.fail_error = EPERM;
	probe(0);
	assert_false(found.has[NM_XFRM_FEATURE_XFRM]);
	assert_false(found.has[NM_XFRM_FEATURE_ESP4]);
	assert_int_equal(found.why[NM_XFRM_FEATURE_ESP4].os_error, EPERM);
	assert_int_equal(fake_xfrm_requests(&kernel, XFRM_MSG_NEWSA), 0);
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(nm_xfrm_feature_word(NM_XFRM_FEATURE_KEEPALIVE), "keepalive");
	assert_null(nm_xfrm_feature_word(NM_XFRM_FEATURE_COUNT));
	assert_null(nm_xfrm_feature_text(NM_XFRM_FEATURE_COUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_knows_all, teardown),
		cmocka_unit_test_teardown(test_slow, teardown),
		cmocka_unit_test_teardown(test_silent, teardown),
		cmocka_unit_test_teardown(test_linux_6_1, teardown),
		cmocka_unit_test_teardown(test_no_esp, teardown),
		cmocka_unit_test_teardown(test_algorithm_missing, teardown),
		cmocka_unit_test_teardown(test_not_permitted, teardown),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
