/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: shown by one request, to whom it is allowed, and by no other. */
#include "control_sas_test.h"

enum { MANY_SAS = NM_CONTROL_SAS_MAX + 10 };

static void each_of_many(void *self, nm_sa_each *each, void *user)
{
	static const struct nm_sa_kernel none;
	static const uint8_t key[20] = {1};
	const struct nm_sa_seen seen = {"user", self, &none};
	struct natmux_sa_info *info = self;

	info->suite = NATMUX_SUITE_AES128GCM16;
	info->key = key;
	info->key_len = sizeof(key);
	for (info->spi = 256; info->spi < 256 + MANY_SAS; info->spi++)
		each(user, &seen);
}

/* A user plane with more SAs than one answer takes. */
static struct nm_sa_plane many_sas(struct natmux_sa_info *info)
{
	static const struct nm_sa_plane_ops ops = {.name = "user", .sas = each_of_many};

	return (struct nm_sa_plane){&ops, info};
}

static void test_export_is_off(void **state)
{
	(void)state;
	expect_error("{\"command\":\"sa-export\"}", "failed", "export-keys = yes");
	expect_error("{\"command\":\"sa-export\",\"format\":\"text\"}", "bad-argument",
		"must be wireshark");
}

static void test_export(void **state)
{
	static const char *const suites[] = {"aes192gcm12", "aes256gcm8", "aes128-sha1",
		"aes192-sha384", "null-sha256", "chacha20poly1305", "aes128gmac"};

	(void)state;
	assert_int_equal(flush("{\"command\":\"sa-flush\",\"reqid\":8}"), 1);
	for (size_t i = 0; i < 6; i++) {
		enum natmux_suite suite;
		char line[600], key[2 * NATMUX_SUITE_KEY_MAX + 1] = "";

		assert_int_equal(natmux_suite_parse(suites[i == 5 ? 6 : i], &suite), 0);
		for (size_t k = 0; k < natmux_suite_key_len(suite); k++)
			sprintf(key + 2 * k, "%02x", (unsigned int)(k + 1));
		snprintf(line, sizeof(line),
			"{\"command\":\"sa-add\",\"key\":\"%s\",\"sa\":{\"direction\":\"in\","
			"\"spi\":%zu,\"suite\":\"%s\",\"remote\":\"%s\"}}",
			key, 300 + i, suites[i == 5 ? 6 : i], i % 2 ? "2001:db8::9" : "");
		json_decref(result_of(ask(line)));
	}
	expect_golden_result("export.json", "{\"command\":\"sa-export\"}");
}

static size_t lines_of(const char *line, uint64_t *shown_total)
{
	json_t *result = result_of(ask(line));
	size_t lines = json_array_size(json_object_get(result, "lines"));

	*shown_total = (uint64_t)json_integer_value(json_object_get(result, "total"));
	json_decref(result);
	return lines;
}

/* One answer is bounded, and asked for in parts. */
static void test_export_in_parts(void **state)
{
	static struct natmux_sa_info info = {.direction = NATMUX_SA_IN, .reqid = 7};
	uint64_t shown;

	(void)state;
	assert_int_equal(lines_of("{\"command\":\"sa-export\",\"reqid\":8}", &shown), 1);
	assert_int_equal(shown, 1);
	assert_int_equal(lines_of("{\"command\":\"sa-export\",\"reqid\":99}", &shown), 0);
	assert_int_equal(shown, 0);
	expect_error("{\"command\":\"sa-export\",\"direction\":\"up\"}", "bad-argument",
		"direction: allowed is");
	fake.sa_plane = many_sas(&info);
	assert_int_equal(lines_of("{\"command\":\"sa-export\"}", &shown), NM_CONTROL_SAS_MAX);
	assert_int_equal(shown, MANY_SAS);
}

/* The plane that has the SAs now says whether keys are shown, not the one where they began. */
static void test_export_of_another_plane(void **state)
{
	static struct natmux_sa_info info = {.direction = NATMUX_SA_IN};
	uint64_t shown;

	(void)state;
	fake.sa_plane = many_sas(&info);
	fake.config.esp = NM_ESP_KERNEL;
	fake.config.kernel_plane.export_keys = true;
	fake.config.user_plane.export_keys = false;
	expect_error("{\"command\":\"sa-export\"}", "failed", "has not kept the keys");
	fake.config.kernel_plane.export_keys = false;
	fake.config.user_plane.export_keys = true;
	assert_true(lines_of("{\"command\":\"sa-export\"}", &shown) > 0);
}

/* No other answer than sa-export has a key in it, in any form. */
static void test_keys_stay_inside(void **state)
{
	static const char *const lines[] = {"{\"command\":\"sa-list\"}", "{\"command\":\"status\"}",
		"{\"command\":\"metrics\"}", "{\"command\":\"policy-list\"}",
		"{\"command\":\"events\"}"};

	(void)state;
	json_decref(result_of(ask(ADD(GOOD, IN))));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		json_t *reply = ask(lines[i]);
		char *text = json_dumps(reply, 0);

		assert_null(strstr(text, "00010203"));
		assert_null(strstr(text, "AAECAw"));
		assert_null(strstr(text, "deadbeef"));
		free(text);
		json_decref(reply);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_export_is_off, setup),
		cmocka_unit_test_setup(test_export, setup_export),
		cmocka_unit_test_setup(test_export_in_parts, setup_export),
		cmocka_unit_test_setup(test_export_of_another_plane, setup_export),
		cmocka_unit_test_setup(test_keys_stay_inside, setup_export),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
