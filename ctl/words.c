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

/*
 * Uses up `value`. A word that were lost here would leave its default, or more SAs than were meant:
 * one that is no text, and one that comes twice, is complained about.
 */
static enum nm_ctl_exit set_value(
	const char *command, json_t *object, const char *word, const char *member, json_t *value)
{
	if (json_object_get(object, member)) {
		json_decref(value);
		return nm_ctl_usage(command, "\"%s\" is given twice", word);
	}
	if (json_object_set_new(object, member, value) < 0)
		return nm_ctl_usage(command, "\"%s\" or what it is given is not UTF-8", word);
	return NM_CTL_OK;
}

/* "replay-window" is the member replay_window. */
static enum nm_ctl_exit set_text(
	const char *command, json_t *object, const char *word, const char *value)
{
	char member[64];

	strncpy(member, word, sizeof(member) - 1);
	member[sizeof(member) - 1] = '\0';
	for (char *c = member; *c; c++)
		*c = *c == '-' ? '_' : *c;
	return set_value(command, object, word, member, json_string(value));
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
			*argv += 2;
			return set_text(command, sa, limits[i][1], (*argv)[-1]);
		}
	return nm_ctl_usage(command,
		"there is no limit \"%s\", but byte, packet and time with -soft or -hard", kind);
}

static enum nm_ctl_exit take_sel(const char *command, char ***argv, json_t *sa)
{
	json_t *selectors = json_object_get(sa, "selectors");
	char *text = take_selector(argv);
	int err;

	if (!text)
		return nm_ctl_usage(
			command, "sel wants the words of a selector, such as \"src 10.2.0.0/16\"");
	if (!selectors) {
		selectors = json_array();
		json_object_set_new(sa, "selectors", selectors);
	}
	err = json_array_append_new(selectors, json_string(text));
	free(text);
	return err < 0 ? nm_ctl_usage(command, "what sel is given is not UTF-8") : NM_CTL_OK;
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
	if (strcmp(word, "key-file") != 0)
		return set_text(command, sa, strcmp(word, "dir") == 0 ? "direction" : word, value);
	if (*key_file)
		return nm_ctl_usage(command, "\"key-file\" is given twice");
	*key_file = value;
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

/* The selector of a policy, whose words stand together. */
static enum nm_ctl_exit take_policy_selector(const char *command, char ***argv, json_t *policy)
{
	char *text = take_selector(argv);
	enum nm_ctl_exit code;

	if (!text)
		return nm_ctl_usage(command, "a word of the selector lacks its value");
	if (json_object_get(policy, "selector"))
		code = nm_ctl_usage(command, "the selector's words stand together");
	else
		code = set_text(command, policy, "selector", text);
	free(text);
	return code;
}

static enum nm_ctl_exit take_policy_word(const char *command, char ***argv, json_t *policy)
{
	const char *word = **argv, *value = (*argv)[1];

	if (is_one_of(word, selector_words, ARRAY_SIZE(selector_words)))
		return take_policy_selector(command, argv, policy);
	if (!value)
		return no_value(command, word);
	*argv += 2;
	return set_text(command, policy, word, value);
}

enum nm_ctl_exit nm_words_policy(const char *command, char **argv, json_t *policy)
{
	enum nm_ctl_exit code = NM_CTL_OK;

	while (code == NM_CTL_OK && *argv)
		code = take_policy_word(command, &argv, policy);
	return code;
}

static enum nm_ctl_exit take_filter_word(
	const char *command, const char *word, const char *value, json_t *request)
{
	int64_t reqid;

	if (!value)
		return no_value(command, word);
	if (strcmp(word, "dir") == 0 || strcmp(word, "direction") == 0)
		return set_text(command, request, "direction", value);
	if (strcmp(word, "spi") == 0 || strcmp(word, "remote") == 0)
		return set_text(command, request, word, value);
	if (strcmp(word, "reqid") != 0)
		return nm_ctl_usage(command,
			"SAs are picked by dir, spi, reqid and remote, not by \"%s\"", word);
	if (!nm_ctl_number(command, word, value, 0, 4294967295, &reqid))
		return NM_CTL_USAGE;
	return set_value(command, request, word, word, json_integer(reqid));
}

enum nm_ctl_exit nm_words_filter(const char *command, char **argv, json_t *request)
{
	enum nm_ctl_exit code = NM_CTL_OK;

	for (; code == NM_CTL_OK && *argv; argv += 2)
		code = take_filter_word(command, argv[0], argv[1], request);
	return code;
}
