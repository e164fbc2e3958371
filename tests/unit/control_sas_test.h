/* SPDX-License-Identifier: Apache-2.0 */
/* A server with a plane behind it, and requests about its SAs. */
#ifndef CONTROL_SAS_TEST_H
#define CONTROL_SAS_TEST_H

#include "test.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>
#include "daemon/control/control_request.h"
#include "tests/fakes/fake_sa_plane.h"
#include "tests/fakes/fake_server.h"
#include "golden.h"

static struct fake_server fake;
static struct nm_control_events events;

static inline json_t *ask(const char *line)
{
	struct nm_control_call call = {.server = fake_server_of(&fake), .events = &events};
	json_t *reply = nm_control_answer(&call, line, strlen(line));

	assert_non_null(reply);
	return reply;
}

static inline json_t *result_of(json_t *reply)
{
	json_t *result = json_incref(json_object_get(reply, "result"));

	if (!json_is_true(json_object_get(reply, "ok")))
		fail_msg("%s", json_string_value(json_object_get(
				       json_object_get(reply, "error"), "message")));
	assert_non_null(result);
	json_decref(reply);
	return result;
}

static inline void expect_error(const char *line, const char *code, const char *part)
{
	json_t *reply = ask(line);
	const char *got_code, *message;

	if (json_unpack(reply, "{s:{s:s,s:s}}", "error", "code", &got_code, "message", &message) <
		0)
		fail_msg("accepted: %s", line);
	assert_string_equal(got_code, code);
	if (!strstr(message, part))
		fail_msg("\"%s\" lacks \"%s\"", message, part);
	/* Whatever the mistake is: the key that came with it is not repeated. */
	assert_null(strstr(message, "00010203"));
	assert_null(strstr(message, "AAECAw"));
	json_decref(reply);
}

static inline int setup(void **state)
{
	(void)state;
	fake_server_init(&fake, NULL);
	fake_server_add_plane(&fake);
	memset(&events, 0, sizeof(events));
	return 0;
}

static inline int setup_without(void **state)
{
	(void)state;
	fake_server_init(&fake, NULL);
	return 0;
}

static inline int setup_export(void **state)
{
	(void)state;
	fake_server_init(&fake, NULL);
	fake.config.user_plane.export_keys = true;
	fake_server_add_plane(&fake);
	return 0;
}

#define KEY20 "\"000102030405060708090a0b0c0d0e0f10111213\""

static inline json_int_t total(const char *line)
{
	json_t *result = result_of(ask(line));
	json_int_t n = json_integer_value(json_object_get(result, "total"));

	json_decref(result);
	return n;
}

static inline json_int_t sas(void)
{
	return total("{\"command\":\"sa-list\"}");
}

#define ADD(key, more) "{\"command\":\"sa-add\"," key "\"sa\":{" more "}}"
#define IN             "\"direction\":\"in\",\"spi\":\"0x1001\",\"suite\":\"aes128gcm16\""
#define OUT                                                                                        \
	"\"direction\":\"out\",\"spi\":\"0x1001\",\"suite\":\"aes128gcm16\",\"reqid\":7,"          \
	"\"remote\":\"198.51.100.7\""
#define GOOD "\"key\":" KEY20 ","

static inline void expect_golden_result(const char *name, const char *line)
{
	json_t *result = result_of(ask(line));
	char *text;

	if (json_object_get(result, "pid"))
		json_object_set_new(result, "pid", json_integer(4242));
	text = json_dumps(result, JSON_INDENT(1));
	expect_golden(name, text);
	free(text);
	json_decref(result);
}

static inline json_int_t flush(const char *line)
{
	json_t *result = result_of(ask(line));
	json_int_t n = json_integer_value(json_object_get(result, "deleted"));

	json_decref(result);
	return n;
}

#endif
