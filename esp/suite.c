/* SPDX-License-Identifier: Apache-2.0 */
/* The suites by number and by name. */
#include <natmux/suite.h>

#include <string.h>
#include <natmux/error.h>

#include "base/export.h"

static const struct natmux_suite_info suites[] = {
#define X(name, word, key, salt, auth, iv, icv, align) {word, key, salt, auth, iv, icv, align},
	NATMUX_SUITE_MAP(X)
#undef X
};

NM_EXPORT const struct natmux_suite_info *natmux_suite_get(enum natmux_suite suite)
{
	return (unsigned int)suite < NATMUX_SUITE_COUNT ? &suites[suite] : NULL;
}

NM_EXPORT size_t natmux_suite_key_len(enum natmux_suite suite)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);

	return info ? (size_t)info->key_len + info->salt_len + info->auth_len : 0;
}

NM_EXPORT int natmux_suite_parse(const char *word, enum natmux_suite *suite)
{
	for (unsigned int i = 0; i < NATMUX_SUITE_COUNT; i++) {
		if (strcmp(suites[i].name, word) == 0) {
			*suite = (enum natmux_suite)i;
			return 0;
		}
	}
	return NATMUX_ENOTFOUND;
}
