/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about SAs and policies, with a real plane behind them. */
#include "control_sas_test.h"

static void test_results_are_golden(void **state)
{
	struct natmux_esp_event event = {.type = NATMUX_ESP_EVENT_SOFT,
		.spi = 0x1001,
		.reqid = 7,
		.direction = NATMUX_SA_OUT,
		.path = {fake_addr("192.0.2.1:4500"), fake_addr("198.51.100.7:1027")}};

	(void)state;
	expect_golden_result("sas.json", "{\"command\":\"sa-list\"}");
	expect_golden_result("policies.json", "{\"command\":\"policy-list\"}");
	expect_golden_result("status-user.json", "{\"command\":\"status\"}");
	nm_control_events_push_esp(&events, 1790000000123, &event, "branch-out");
	event.type = NATMUX_ESP_EVENT_HARD;
	nm_control_events_push_esp(&events, 1790000000124, &event, NULL);
	event.type = NATMUX_ESP_EVENT_MOVED;
	event.direction = NATMUX_SA_IN;
	event.path_before = event.path;
	event.path.remote.port = 61000;
	nm_control_events_push_esp(&events, 1790000000125, &event, "branch-in");
	event = (struct natmux_esp_event){.type = NATMUX_ESP_EVENT_ACQUIRE, .reqid = 9};
	nm_control_events_push_esp(&events, 1790000000126, &event, NULL);
	event = (struct natmux_esp_event){.type = NATMUX_ESP_EVENT_AUDIT,
		.drop = NATMUX_DROP_ESP_ICV,
		.spi = 0x1001,
		.sequence = 4000000000,
		.path = {fake_addr("192.0.2.1:4500"), fake_addr("203.0.113.66:4500")}};
	nm_control_events_push_esp(&events, 1790000000127, &event, "branch-in");
	expect_golden_result("events-esp.json", "{\"command\":\"events\"}");
}

static void test_metrics_are_golden(void **state)
{
	json_t *result = result_of(ask("{\"command\":\"metrics\"}"));
	const char *text = json_string_value(json_object_get(result, "text"));

	(void)state;
	text = strstr(text, "# HELP natmux_sas ");
	assert_non_null(text);
	expect_golden("metrics-sas.prom", text);
	json_decref(result);
}

static void test_without_plane(void **state)
{
	static const char *const lines[] = {"{\"command\":\"sa-list\"}",
		"{\"command\":\"sa-flush\"}", "{\"command\":\"sa-export\"}",
		"{\"command\":\"sa-add\",\"sa\":{}}",
		"{\"command\":\"sa-delete\",\"direction\":\"in\",\"spi\":\"256\"}",
		"{\"command\":\"policy-list\"}", "{\"command\":\"policy-flush\"}",
		"{\"command\":\"policy-add\",\"policy\":{}}",
		"{\"command\":\"policy-delete\",\"policy\":{}}"};
	json_t *result;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		expect_error(lines[i], "failed", "esp = user");
	result = result_of(ask("{\"command\":\"status\"}"));
	assert_true(json_is_null(json_object_get(result, "user_plane")));
	json_decref(result);
}

static void test_add(void **state)
{
	static const char *const lines[] = {"{\"command\":\"sa-add\",\"key\":" KEY20
					    ",\"sa\":{\"direction\":\"in\",\"spi\":256,"
					    "\"suite\":\"aes128gcm16\"}}",
		"{\"command\":\"sa-add\",\"key\":\"AAECAwQFBgcICQoLDA0ODxAREhM=\","
		"\"sa\":{\"direction\":\"in\",\"spi\":\"0x101\",\"suite\":\"aes128gcm16\","
		"\"esn\":true,\"replay_window\":64,\"roam\":\"port-only\",\"remote\":\"192.0.2.9\","
		"\"selectors\":[\"src 10.0.0.0/8\",\"dst 10.0.0.0/8 proto udp dport 5\"]}}",
		"{\"command\":\"sa-add\",\"key\":\"0x"
		"000102030405060708090a0b0c0d0e0f10111213\","
		"\"sa\":{\"direction\":\"out\",\"spi\":256,\"suite\":\"aes128gcm16\","
		"\"remote\":\"192.0.2.9:61000\",\"reqid\":\"9\",\"dscp\":\"copy\",\"tfc_pad\":1400,"
		"\"soft_bytes\":1000,\"hard_bytes\":2000,\"ecn\":\"no\"}}"};
	json_t *result;
	const json_t *sa;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		json_decref(result_of(ask(lines[i])));
		assert_int_equal(sas(), 4 + i);
		assert_int_equal(fake.plane_changes, 1 + i);
	}
	/* The same again takes the place of the first. */
	json_decref(result_of(ask(lines[0])));
	assert_int_equal(sas(), 6);

	result = result_of(ask("{\"command\":\"sa-list\",\"spi\":\"0x101\"}"));
	assert_int_equal(json_integer_value(json_object_get(result, "total")), 1);
	sa = json_array_get(json_object_get(result, "sas"), 0);
	assert_true(json_is_null(json_object_get(sa, "name")));
	assert_true(json_is_true(json_object_get(sa, "esn")));
	assert_string_equal(json_string_value(json_object_get(sa, "remote")), "192.0.2.9:4500");
	assert_string_equal(json_string_value(json_array_get(json_object_get(sa, "selectors"), 1)),
		"src 0.0.0.0/0 dst 10.0.0.0/8 proto udp dport 5");
	json_decref(result);
	assert_int_equal(total("{\"command\":\"sa-list\",\"direction\":\"out\"}"), 3);
	assert_int_equal(total("{\"command\":\"sa-list\",\"reqid\":9}"), 1);
	assert_int_equal(total("{\"command\":\"sa-list\",\"remote\":\"192.0.2.9\"}"), 2);
	assert_int_equal(total("{\"command\":\"sa-list\",\"limit\":1}"), 6);
}

/* Nothing of a bad request is done, and an SA that it would have replaced is untouched. */
static void test_bad_adds(void **state)
{
	static const struct {
		const char *line, *part;
	} cases[] = {
		{"{\"command\":\"sa-add\"}", "\"sa\" must be an object"},
		{"{\"command\":\"sa-add\",\"sa\":[]}", "\"sa\" must be an object"},
		{ADD(GOOD, ""), "direction: found nothing, allowed is in or out"},
		{ADD("", IN), "\"key\" is missing, allowed are the 20 octets of aes128gcm16"},
		{ADD("\"key\":7,", IN), "\"key\" must be a text"},
		{ADD("\"key\":\"\",", IN), "\"key\" is none of that suite"},
		{ADD("\"key\":\"000102030405060708090a0b0c0d0e0f101112\",", IN),
			"\"key\" is none of that suite"},
		{ADD("\"key\":\"000102030405060708090a0b0c0d0e0f1011121314\",", IN),
			"\"key\" is none of that suite"},
		{ADD("\"key\":\"AAECAwQFBgcICQoLDA0ODxAREg==\",", IN),
			"\"key\" is none of that suite"},
		{ADD("\"key\":\"00010203 in words, not hex\",", IN), "nothing was changed"},
		{ADD(GOOD, IN ",\"key_file\":\"/etc/shadow\""), "does not know \"key_file\""},
		{ADD(GOOD, IN ",\"key-file\":\"/etc/shadow\""), "does not know \"key-file\""},
		{ADD(GOOD, IN ",\"key\":" KEY20), "does not know \"key\""},
		{ADD(GOOD, IN ",\"replay-window\":64"), "does not know \"replay-window\""},
		{ADD(GOOD, IN ",\"replay_window\":8193"), "replay-window: found \"8193\", allowed "
							  "is a number of packets from 0 to 8192"},
		{ADD(GOOD, IN ",\"replay_window\":1.5"), "replay-window: must be"},
		{ADD(GOOD, IN ",\"replay_window\":null"), "replay-window: must be"},
		{ADD(GOOD, IN ",\"replay_window\":{}"), "replay-window: must be"},
		{ADD(GOOD, IN ",\"selectors\":\"src ::/0\""), "must be a list"},
		{ADD(GOOD, IN ",\"selectors\":[\"src ::/0\",\"any\"]"), "selectors: found \"any\""},
		{ADD(GOOD, IN ",\"selectors\":[[]]"), "selectors: must be"},
		{ADD(GOOD, IN ",\"selectors\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]"),
			"found 17 selectors, allowed is at most 16"},
		{ADD(GOOD, IN ",\"esn\":\"maybe\""), "esn: found \"maybe\", allowed is yes or no"},
		{ADD(GOOD, IN ",\"mode\":\"beet\""), "mode: found \"beet\""},
		{ADD(GOOD, IN ",\"tfc_pad\":5"), "sa-add: sa.tfc-pad: found 5"},
		{ADD(GOOD, OUT ",\"soft_bytes\":2,\"hard_bytes\":1"), "less than hard-bytes"},
		{ADD(GOOD,
			 "\"direction\":\"out\",\"spi\":256,\"suite\":\"aes128gcm16\",\"reqid\":1"),
			"sa-add: sa.remote: found \"\""},
		{ADD(GOOD, "\"direction\":\"in\",\"spi\":255,\"suite\":\"aes128gcm16\""),
			"spi: found \"255\""},
		{ADD(GOOD, "\"direction\":\"in\",\"spi\":-1,\"suite\":\"aes128gcm16\""),
			"spi: found \"-1\""},
		{ADD(GOOD, "\"direction\":\"in\",\"spi\":256,\"suite\":\"null\""),
			"suite: found \"null\""},
		{"{\"command\":\"sa-add\",\"sa\":{" IN "},\"Key\":" KEY20 "}",
			"does not know \"Key\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_error(cases[i].line, "bad-argument", cases[i].part);
	assert_int_equal(sas(), 3);
	assert_int_equal(fake.plane_changes, 0);
	expect_golden_result("sas.json", "{\"command\":\"sa-list\"}");
}

static void test_full(void **state)
{
	char line[300];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(line, sizeof(line),
			ADD(GOOD, "\"direction\":\"in\",\"spi\":%d,\"suite\":\"aes128gcm16\""),
			300 + i);
		json_decref(result_of(ask(line)));
	}
	expect_error(ADD(GOOD, "\"direction\":\"in\",\"spi\":400,\"suite\":\"aes128gcm16\""),
		"failed", "full: nothing was changed");
	/* One that is there may be replaced all the same. */
	json_decref(result_of(ask(ADD(GOOD, IN))));
	assert_int_equal(sas(), 8);
}

static void test_delete(void **state)
{
	(void)state;
	expect_error("{\"command\":\"sa-delete\"}", "bad-argument", "named by");
	expect_error(
		"{\"command\":\"sa-delete\",\"direction\":\"in\"}", "bad-argument", "named by");
	expect_error("{\"command\":\"sa-delete\",\"spi\":\"256\"}", "bad-argument", "named by");
	expect_error("{\"command\":\"sa-delete\",\"direction\":\"out\",\"spi\":\"0x1001\"}",
		"bad-argument", "its \"remote\" as well");
	expect_error("{\"command\":\"sa-delete\",\"direction\":\"in\",\"spi\":\"0x1001\","
		     "\"remote\":\"192.0.2.1\"}",
		"bad-argument", "named by");
	expect_error("{\"command\":\"sa-delete\",\"direction\":\"up\",\"spi\":\"0x1001\"}",
		"bad-argument", "direction: allowed is in or out");
	expect_error("{\"command\":\"sa-delete\",\"direction\":\"in\",\"spi\":\"0x9999\"}",
		"failed", "no such SA");
	expect_error("{\"command\":\"sa-delete\",\"direction\":\"out\",\"spi\":\"0x1001\","
		     "\"remote\":\"198.51.100.8\"}",
		"failed", "no such SA");
	assert_int_equal(sas(), 3);
	json_decref(result_of(
		ask("{\"command\":\"sa-delete\",\"direction\":\"in\",\"spi\":\"0x1001\"}")));
	/* Whatever port the peer has. */
	json_decref(result_of(ask("{\"command\":\"sa-delete\",\"direction\":\"out\","
				  "\"spi\":\"4097\",\"remote\":\"198.51.100.7:9\"}")));
	assert_int_equal(sas(), 1);
}

static void test_flush(void **state)
{
	(void)state;
	expect_error("{\"command\":\"sa-flush\",\"reqid\":-1}", "bad-argument", "reqid");
	assert_int_equal(flush("{\"command\":\"sa-flush\",\"reqid\":99}"), 0);
	assert_int_equal(flush("{\"command\":\"sa-flush\",\"reqid\":8}"), 1);
	assert_int_equal(flush("{\"command\":\"sa-flush\",\"direction\":\"in\"}"), 1);
	assert_int_equal(flush("{\"command\":\"sa-flush\"}"), 1);
	assert_int_equal(flush("{\"command\":\"sa-flush\"}"), 0);
	assert_int_equal(sas(), 0);
	assert_int_equal(flush("{\"command\":\"policy-flush\"}"), 2);
	assert_int_equal(total("{\"command\":\"policy-list\"}"), 0);
}

static void test_policies(void **state)
{
	static const char add[] = "{\"command\":\"policy-add\",\"policy\":{\"priority\":5,"
				  "\"reqid\":9,\"selector\":\"dst 10.9.0.0/16\"}}";
	json_t *result;

	(void)state;
	result = result_of(ask(add));
	assert_true(json_is_false(json_object_get(result, "replaced")));
	json_decref(result);
	result = result_of(ask("{\"command\":\"policy-add\",\"policy\":{\"priority\":5,"
			       "\"action\":\"bypass\",\"selector\":\"src 0.0.0.0/0 dst "
			       "10.9.0.0/16\"}}"));
	assert_true(json_is_true(json_object_get(result, "replaced")));
	json_decref(result);
	result = result_of(ask("{\"command\":\"policy-list\",\"limit\":1}"));
	assert_int_equal(json_integer_value(json_object_get(result, "total")), 3);
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(result, "policies"), 0), "action")),
		"bypass");
	json_decref(result);
	expect_error("{\"command\":\"policy-add\",\"policy\":{\"selector\":\"dst 10.9.0.0/16\"}}",
		"bad-argument", "policy-add: policy.reqid: found 0");
	expect_error("{\"command\":\"policy-add\",\"policy\":{\"reqid\":1}}", "bad-argument",
		"selector: found nothing");
	expect_error("{\"command\":\"policy-add\",\"policy\":{\"selector\":\"any\"}}",
		"bad-argument", "selector: found \"any\"");
	expect_error("{\"command\":\"policy-add\",\"policy\":{\"selector\":[\"src ::/0\"]}}",
		"bad-argument", "selector: must be");
	expect_error("{\"command\":\"policy-delete\",\"policy\":{\"priority\":6,"
		     "\"selector\":\"dst 10.9.0.0/16\"}}",
		"failed", "no policy");
	json_decref(result_of(ask("{\"command\":\"policy-delete\",\"policy\":{\"priority\":5,"
				  "\"selector\":\"dst 10.9.0.0/16\"}}")));
	assert_int_equal(total("{\"command\":\"policy-list\"}"), 2);
}

/* With esp = kernel: what only the kernel has, why it refuses, and what it has dropped. */
static void test_kernel_plane(void **state)
{
	struct nm_xfrm_features features = {.has = {true, true, true, true}};
	struct nm_kernel_plane_status status = {.features = &features,
		.sas = 1,
		.sas_max = 1024,
		.policies = 1,
		.policies_max = 1024,
		.events = 12,
		.losses = 1,
		.has_stat = true};
	struct fake_sa_plane plane = {.sas_len = 0};
	json_t *result;

	(void)state;
	status.stat.value[NM_XFRM_COUNTER_InNoStates] = 5;
	status.stat.value[NM_XFRM_COUNTER_OutNoStates] = 2;
	status.stat.has = (UINT64_C(1) << NM_XFRM_COUNTER_AcquireError) - 1;
	fake.kernel_status = &status;
	fake.steering = (struct nm_server_steering){.is_steered = true,
		.tun = "natmux2",
		.esp_gro_why = "switched off by kernel-plane.gro"};
	fake.sa_plane = fake_sa_plane(&plane);
	fake.config.esp = NM_ESP_KERNEL;
	fake.config.listen[0] = fake_addr("0.0.0.0:4500");
	fake.config.listen_len = 1;
	expect_error(ADD(GOOD, IN), "bad-argument", "sa.local: found \"\", allowed is an address");
	expect_error(ADD(GOOD, IN ",\"local\":\"192.0.2.1\",\"df\":\"set\""), "bad-argument",
		"one with direction = out only");
	expect_error(ADD(GOOD, IN ",\"remote\":\"192.0.2.9\",\"replay_window\":4097"),
		"bad-argument", "at most 4096 with esp = kernel");
	fake.config.kernel_plane.gro = true;
	expect_error(ADD(GOOD, "\"direction\":\"in\",\"spi\":\"0x10008\",\"suite\":\"aes128gcm16\","
			       "\"remote\":\"192.0.2.9\""),
		"bad-argument",
		"sa.spi: found 0x00010008, allowed is one with kernel-plane.gro = yes that is not "
		"how a STUN message begins");
	json_decref(result_of(ask(ADD(GOOD, IN
		",\"remote\":\"192.0.2.9\",\"mark\":\"0x2a/0xff\",\"output_mark\":42,\"if_id\":7,"
		"\"offload\":\"eth0\""))));
	assert_int_equal(plane.sas_len, 1);
	assert_int_equal(plane.sas[0].kernel.mark.value, 0x2a);
	json_decref(result_of(ask("{\"command\":\"policy-add\",\"policy\":{\"reqid\":7,"
				  "\"selector\":\"dst 10.2.0.0/16\",\"mark\":1,\"if_id\":7}}")));
	plane.fail_at = plane.calls + 1;
	plane.fail_with = NATMUX_EUNSUPPORTED;
	plane.fail_why = "this kernel has no ESP (CONFIG_INET_ESP); use esp = user";
	expect_error(ADD(GOOD, IN ",\"remote\":\"192.0.2.9\""), "failed",
		"this kernel has no ESP (CONFIG_INET_ESP); use esp = user: nothing was changed");
	expect_golden_result("sas-kernel.json", "{\"command\":\"sa-list\"}");
	expect_golden_result("policies-kernel.json", "{\"command\":\"policy-list\"}");
	expect_golden_result("status-kernel.json", "{\"command\":\"status\"}");
	result = result_of(ask("{\"command\":\"metrics\"}"));
	assert_non_null(strstr(json_string_value(json_object_get(result, "text")),
		"\nnatmux_xfrm_dropped_packets_total{counter=\"XfrmInNoStates\"} 5\n"));
	assert_null(strstr(json_string_value(json_object_get(result, "text")), "XfrmAcquireError"));
	json_decref(result);
	expect_error("{\"command\":\"sa-export\"}", "failed", "has not kept the keys");
	assert_int_equal(sas(), 1);
	expect_error("{\"command\":\"sa-move\"}", "bad-argument", "must be user or kernel");
	expect_error("{\"command\":\"sa-move\",\"plane\":\"daemon\"}", "bad-argument",
		"must be user or kernel");
	expect_error("{\"command\":\"sa-move\",\"plane\":\"user\"}", "failed",
		"there is one plane: nothing was changed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_results_are_golden, setup),
		cmocka_unit_test_setup(test_metrics_are_golden, setup),
		cmocka_unit_test_setup(test_without_plane, setup_without),
		cmocka_unit_test_setup(test_add, setup),
		cmocka_unit_test_setup(test_bad_adds, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_kernel_plane, setup_without),
		cmocka_unit_test_setup(test_delete, setup),
		cmocka_unit_test_setup(test_flush, setup),
		cmocka_unit_test_setup(test_policies, setup),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
