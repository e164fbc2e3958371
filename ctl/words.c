/* SPDX-License-Identifier: Apache-2.0 */
/* Words into members of requests. */
#include "ctl/words.h"

#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *const selector_words[] = {"src", "dst", "proto", "sport", "dport"};

/* What ip-xfrm(8) takes keys behind: everybody on the machine sees a command line. */
static const char *const key_words[] = {"key", "enc", "auth", "auth-trunc", "aead"};

static bool is_one_of(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static enum nm_ctl_exit no_value(const char *command, const char *word)
{
	return nm_ctl_usage(command, "\"%s\" lacks its value", word);
}

/* "replay-window" is the member replay_window. */
static void set_text(json_t *object, const char *word, const char *value)
{
	char member[64];

	strncpy(member, word, sizeof(member) - 1);
	member[sizeof(member) - 1] = '\0';
	for (char *c = member; *c; c++)
		*c = *c == '-' ? '_' : *c;
	json_object_set_new(object, member, json_string(value));
}

/* Takes the pairs of a selector; NULL: a word without value, or none that belongs there. */
static char *take_selector(char ***argv)
{
	size_t size = 1;
	char *text;

	for (char **word = *argv; *word; word++)
		size += strlen(*word) + 1;
	text = calloc(1, size);
	if (!text)
		return NULL;
	while (**argv && is_one_of(**argv, selector_words, ARRAY_SIZE(selector_words))) {
		if (!(*argv)[1]) {
			free(text);
			return NULL;
		}
		if (*text)
			strcat(text, " ");
		strcat(strcat(strcat(text, (*argv)[0]), " "), (*argv)[1]);
		*argv += 2;
	}
	if (*text)
		return text;
	free(text);
	return NULL;
}

/* limit byte-soft N */
static enum nm_ctl_exit take_limit(const char *command, char ***argv, json_t *sa)
{
	static const char *const limits[][2] = {
		{"byte-soft", "soft-bytes"},
		{"byte-hard", "hard-bytes"},
		{"packet-soft", "soft-packets"},
		{"packet-hard", "hard-packets"},
		{"time-soft", "soft-seconds"},
		{"time-hard", "hard-seconds"},
	};
	const char *kind = (*argv)[0];

	if (!kind || !(*argv)[1])
		return no_value(command, "limit");
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (strcmp(limits[i][0], kind) == 0) {
			set_text(sa, limits[i][1], (*argv)[1]);
			*argv += 2;
			return NM_CTL_OK;
		}
	return nm_ctl_usage(command,
		"there is no limit \"%s\", but byte, packet and time with -soft or -hard", kind);
}

static enum nm_ctl_exit take_sel(const char *command, char ***argv, json_t *sa)
{
	json_t *selectors = json_object_get(sa, "selectors");
	char *text = take_selector(argv);

	if (!text)
		return nm_ctl_usage(
			command, "sel wants the words of a selector, such as \"src 10.2.0.0/16\"");
	if (!selectors) {
		selectors = json_array();
		json_object_set_new(sa, "selectors", selectors);
	}
	json_array_append_new(selectors, json_string(text));
	free(text);
	return NM_CTL_OK;
}

static enum nm_ctl_exit refuse_key(const char *command, const char *word)
{
	return nm_ctl_usage(command,
		"\"%s\" is not taken: others could read the key in the command line; give "
		"\"key-file "
		"FILE\", or \"key-file -\" for standard input",
		word);
}

/* One word of an SA and what belongs to it. */
static enum nm_ctl_exit take_sa_word(
	const char *command, char ***argv, json_t *sa, const char **key_file)
{
	const char *word = *(*argv)++, *value = **argv;

	if (is_one_of(word, key_words, ARRAY_SIZE(key_words)))
		return refuse_key(command, word);
	if (strcmp(word, "sel") == 0)
		return take_sel(command, argv, sa);
	if (strcmp(word, "limit") == 0)
		return take_limit(command, argv, sa);
	if (!value)
		return no_value(command, word);
	(*argv)++;
	if (strcmp(word, "key-file") == 0)
		*key_file = value;
	else
		set_text(sa, strcmp(word, "dir") == 0 ? "direction" : word, value);
	return NM_CTL_OK;
}

enum nm_ctl_exit nm_words_sa(const char *command, char **argv, json_t *sa, const char **key_file)
{
	enum nm_ctl_exit code = NM_CTL_OK;

	*key_file = NULL;
	while (code == NM_CTL_OK && *argv)
		code = take_sa_word(command, &argv, sa, key_file);
	return code;
}

enum nm_ctl_exit nm_words_policy(const char *command, char **argv, json_t *policy)
{
	while (*argv) {
		if (is_one_of(*argv, selector_words, ARRAY_SIZE(selector_words))) {
			char *text = take_selector(&argv);

			if (!text)
				return nm_ctl_usage(
					command, "a word of the selector lacks its value");
			if (json_object_get(policy, "selector")) {
				free(text);
				return nm_ctl_usage(command, "the selector's words stand together");
			}
			json_object_set_new(policy, "selector", json_string(text));
			free(text);
			continue;
		}
		if (!argv[1])
			return no_value(command, argv[0]);
		set_text(policy, argv[0], argv[1]);
		argv += 2;
	}
	return NM_CTL_OK;
}

enum nm_ctl_exit nm_words_filter(const char *command, char **argv, json_t *request)
{
	for (; *argv; argv += 2) {
		int64_t reqid;

		if (!argv[1])
			return no_value(command, argv[0]);
		if (strcmp(argv[0], "reqid") == 0) {
			if (!nm_ctl_number(command, "reqid", argv[1], 0, 4294967295, &reqid))
				return NM_CTL_USAGE;
			json_object_set_new(request, "reqid", json_integer(reqid));
		} else if (strcmp(argv[0], "dir") == 0 || strcmp(argv[0], "direction") == 0) {
			json_object_set_new(request, "direction", json_string(argv[1]));
		} else if (strcmp(argv[0], "spi") == 0 || strcmp(argv[0], "remote") == 0) {
			json_object_set_new(request, argv[0], json_string(argv[1]));
		} else {
			return nm_ctl_usage(command,
				"SAs are picked by dir, spi, reqid and remote, not by \"%s\"",
				argv[0]);
		}
	}
	return NM_CTL_OK;
}
