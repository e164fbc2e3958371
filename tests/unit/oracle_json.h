/* SPDX-License-Identifier: Apache-2.0 */
/* Oracles that are JSON: bytes in them are hexadecimal text. */
#ifndef ORACLE_JSON_H
#define ORACLE_JSON_H

#include <jansson.h>
#include "hex.h"
#include "oracle.h"

static inline json_t *oracle_json(const char *path)
{
	json_error_t error;
	json_t *root = json_load_file(path, 0, &error);

	if (!root)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return root;
}

static inline const char *json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		fail_msg("no text \"%s\"", key);
	return text;
}

/* The bytes of a member, at most `room`; returns how many. */
static inline size_t json_bytes(const json_t *object, const char *key, uint8_t *bytes, size_t room)
{
	const char *text = json_text(object, key);

	assert_true(strlen(text) <= 2 * room);
	return unhex(text, bytes);
}

static inline size_t json_size(const json_t *object, const char *key)
{
	return (size_t)json_integer_value(json_object_get(object, key));
}

#endif
