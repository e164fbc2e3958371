/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads natmux.conf with libconfuse. Each value is judged when libconfuse has it in hand, for only
 * then is its line known; libconfuse itself keeps none. The bytes were judged before
 * (config_text.c), how values fit together is judged after (config_check.c).
 */
#include <assert.h>
#include <confuse.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_check.h"
#include "daemon/config/config_items.h"
#include "daemon/config/config_new.h"
#include "daemon/config/config_secret.h"
#include "daemon/config/config_text.h"
#include "daemon/config/config_value.h"

enum { KEYS_MAX = 32 /* in one section */, SECTIONS_MAX = 16 };

struct reader {
	struct nm_config *config;
	struct nm_config_report report;
	struct nm_config_world world;
	struct nm_config_text text;
	size_t sections_done;
	union nm_config_item_value item; /* the titled section that is being read */
	bool is_out_of_memory;
	cfg_opt_t keys[SECTIONS_MAX][KEYS_MAX];
};

/*
 * libconfuse hands nothing of ours to its callbacks, and its scanner is one in the process anyway:
 * set while cfg_parse_buf() runs.
 */
static struct reader *reading;

/* What libconfuse calls "root" has no name for us. */
static const struct nm_config_section *section_of(const cfg_t *cfg)
{
	return nm_config_section_find(strcmp(cfg->name, "root") == 0 ? "" : cfg->name);
}

static void *base_of(const struct nm_config_section *section)
{
	if (section->is_titled)
		return &reading->item;
	return (char *)reading->config + section->offset;
}

static int refuse_unknown(const cfg_t *cfg, const char *name)
{
	const struct nm_config_section *section = section_of(cfg);
	char path[NM_CONFIG_KEY_SIZE], nearest[NM_CONFIG_KEY_SIZE];

	return nm_config_refuse(&reading->report, (uint32_t)cfg->line,
		nm_config_key_path(section, cfg->title, name, path),
		"found an unknown key, allowed is one of natmux.conf(5): the nearest is %s",
		nm_config_key_nearest(section, name, nearest));
}

/* Where a value goes that stands in `line`; NULL, with a message, for one too many. */
static void *field_for(const struct nm_config_key *key, void *base, uint32_t line, const char *path)
{
	char *items = nm_config_field(key, base);
	size_t n;

	if (!key->type->is_list)
		return items;
	memcpy(&n, (char *)base + key->len_offset, sizeof(n));
	if (n == key->max) {
		nm_config_refuse(&reading->report, line, path,
			"found more than %" PRIu32 " %s, allowed is at most %" PRIu32, key->max,
			key->unit, key->max);
		return NULL;
	}
	if (key->item_lines_offset > 0)
		memcpy((char *)base + key->item_lines_offset + n * sizeof(line), &line,
			sizeof(line));
	items += n * key->item_size;
	n++;
	memcpy((char *)base + key->len_offset, &n, sizeof(n));
	return items;
}

static int refuse_value(
	const struct nm_config_key *key, uint32_t line, const char *path, const char *text)
{
	char quoted[NM_CONFIG_QUOTE_SIZE], allowed[NM_CONFIG_ALLOWED_SIZE];

	return nm_config_refuse(&reading->report, line, path, "found %s, %sallowed is %s",
		key->type->is_discreet ? "something else" : nm_config_quote(text, quoted),
		nm_config_is_for_later(key, text) ? "not in this version: " : "",
		nm_config_allowed(key, allowed));
}

static int check_user(
	const struct nm_config_key *key, uint32_t line, const char *path, const char *text)
{
	char quoted[NM_CONFIG_QUOTE_SIZE];

	if (key->type != &nm_config_type_user || !*text || !reading->world.user_exists)
		return 0;
	if (reading->world.user_exists(text))
		return 0;
	return nm_config_refuse(&reading->report, line, path,
		"found %s, allowed is \"\" or a user of this machine",
		nm_config_quote(text, quoted));
}

/* libconfuse would let a later assignment win without a word. */
static int check_once(uint32_t *line_before, uint32_t line, const char *path)
{
	if (*line_before > 0)
		return nm_config_refuse(&reading->report, line, path,
			"found again, allowed is once (first in line %u)", *line_before);
	*line_before = line;
	return 0;
}

/* libconfuse has read one value. Elements of a list come one by one. */
static int read_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	const struct nm_config_section *section = section_of(cfg);
	const struct nm_config_key *key = nm_config_key_find(section, opt->name);
	uint32_t line = (uint32_t)cfg->line;
	char path[NM_CONFIG_KEY_SIZE];
	void *base, *field;

	if (!key) /* not of this section: libconfuse's "relay|tun", which config_text.c refuses */
		return refuse_unknown(cfg, opt->name);
	base = base_of(section);
	nm_config_key_path(section, cfg->title, key->name, path);
	/* libconfuse counts the value before it calls. */
	if (opt->nvalues == 1) {
		if (check_once(nm_config_line(section, key, base), line, path) < 0)
			return -1;
		if (key->type->is_list)
			memset((char *)base + key->len_offset, 0, sizeof(size_t));
	}
	field = field_for(key, base, line, path);
	if (!field)
		return -1;
	if (key->type->parse(key, text, field) < 0)
		return refuse_value(key, line, path, text);
	*(const char **)result = text; /* libconfuse keeps a copy, which nobody reads */
	return check_user(key, line, path, text);
}

/* What is not there has its default; keys without one have to be there. */
static int complete_item(const struct nm_config_section *section, const char *title, uint32_t line)
{
	for (size_t i = 0; i < section->keys_len; i++) {
		const struct nm_config_key *key = &section->keys[i];
		char path[NM_CONFIG_KEY_SIZE], allowed[NM_CONFIG_ALLOWED_SIZE];

		if (*nm_config_line(section, key, &reading->item) > 0)
			continue;
		if (key->initial) {
			nm_config_set_default(key, &reading->item);
			continue;
		}
		return nm_config_refuse(&reading->report, line,
			nm_config_key_path(section, title, key->name, path),
			"found nothing, allowed is %s", nm_config_allowed(key, allowed));
	}
	return 0;
}

static int add_item(const struct nm_config_section *section, const char *title, uint32_t line)
{
	char quoted[NM_CONFIG_QUOTE_SIZE];
	int err;

	if (!nm_config_name_is_good(title))
		return nm_config_refuse(&reading->report, line, section->name,
			"found the name %s, allowed is 1 to 31 letters, digits, '.', '_' or '-'",
			nm_config_quote(title, quoted));
	err = complete_item(section, title, line);
	if (err < 0)
		return err;
	err = nm_config_item_add(
		reading->config, section, title, line, &reading->item, &reading->report);
	reading->is_out_of_memory |= err == NATMUX_ENOMEM;
	memset(&reading->item, 0, sizeof(reading->item));
	return err;
}

/* libconfuse has read one section to its end. */
static int end_section(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct nm_config_section *section = nm_config_section_find(opt->name);
	uint32_t line = (uint32_t)cfg->line;

	if (reading->sections_done < reading->text.sections_len)
		line = reading->text.section_lines[reading->sections_done++];
	if (!section->is_titled)
		return 0;
	return add_item(section, cfg_title(cfg_opt_getnsec(opt, opt->nvalues - 1)), line);
}

/* What a message of libconfuse's has between its quotes. Cuts the message there. */
static const char *quoted_in(char *message)
{
	char *start = strchr(message, '\''), *end = strrchr(message, '\'');

	if (!start)
		return "";
	if (end > start)
		*end = '\0'; /* else vsnprintf cut it off */
	return start + 1;
}

/* libconfuse's own complaints, by their beginning, and ours: what is found and what is allowed. */
static const struct complaint {
	const char *begins;
	bool is_about_key; /* what it quotes is the key, not what was found */
	const char *found, *allowed;
} complaints[] = {
	{"missing equal sign", true, "no \"=\"", "KEY = VALUE"},
	{"missing opening brace", true, "no \"{\"", "SECTION { ... }"},
	{"missing title", true, "no name", "SECTION \"NAME\" { ... }"},
	{"found duplicate title", false, " again", "each name once"},
	{"unexpected token", false, "", "KEY = VALUE, KEY = { VALUE, ... } or SECTION { ... }"},
	{"premature end of file", false, " at the end of the file", "KEY = VALUE"},
};

static const struct complaint *find_complaint(const char *message)
{
	for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++)
		if (strncmp(message, complaints[i].begins, strlen(complaints[i].begins)) == 0)
			return &complaints[i];
	return NULL;
}

/* At the end of the file the last word is what it is about, some blank lines above. */
static uint32_t find_word(uint32_t line, bool is_end, char word[NM_CONFIG_WORD_SIZE])
{
	uint32_t lines = is_end ? 8 : 1;

	for (uint32_t up = 0; up < lines && up < line; up++)
		if (*nm_config_text_word(reading->text.text, line - up, word))
			return line - up;
	return line;
}

/* cfg_errfunc_t. natmuxd sets no locale, so that libconfuse does not translate. */
static void complain(cfg_t *cfg, const char *format, va_list args)
{
	char message[256], quoted[NM_CONFIG_QUOTE_SIZE], path[NM_CONFIG_KEY_SIZE];
	char word[NM_CONFIG_WORD_SIZE] = "";
	const struct nm_config_section *section = section_of(cfg);
	const struct complaint *complaint;
	uint32_t line = (uint32_t)cfg->line;
	const char *quote;

	vsnprintf(message, sizeof(message), format, args);
	complaint = find_complaint(message);
	quote = quoted_in(message);
	if (strncmp(message, "no such option", 14) == 0) {
		refuse_unknown(cfg, quote);
		return;
	}
	line = find_word(line, !*quote, word);
	if (complaint && complaint->is_about_key)
		nm_config_refuse(&reading->report, line,
			nm_config_key_path(section, cfg->title, quote, path),
			"found %s, allowed is %s", complaint->found, complaint->allowed);
	else
		nm_config_refuse(&reading->report, line,
			nm_config_key_path(section, cfg->title, *word ? word : NULL, path),
			"found %s%s, allowed is %s", nm_config_quote(quote, quoted),
			complaint ? complaint->found : "",
			complaint ? complaint->allowed : "a configuration");
}

static cfg_opt_t make_key(const struct nm_config_key *key)
{
	cfg_flag_t flags = CFGF_NODEFAULT;

	if (key->type->is_list)
		flags |= CFGF_LIST;
	return (cfg_opt_t){
		.name = key->name, .type = CFGT_STR, .flags = flags, .parsecb = read_value};
}

static cfg_opt_t make_section(const struct nm_config_section *section, cfg_opt_t *keys)
{
	cfg_flag_t flags = CFGF_NONE;

	if (section->is_titled)
		flags = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
	return (cfg_opt_t){.name = section->name,
		.type = CFGT_SEC,
		.flags = flags,
		.subopts = keys,
		.validcb = end_section};
}

/*
 * Our table as libconfuse wants it; zeros end each list. There is no CFG_FUNC among them: include()
 * is an unknown key.
 */
static cfg_opt_t *make_keys(struct reader *reader)
{
	cfg_opt_t *root = reader->keys[0];
	size_t root_len = nm_config_sections[0].keys_len;

	assert(nm_config_sections_len <= SECTIONS_MAX);
	assert(root_len + nm_config_sections_len <= KEYS_MAX);
	for (size_t i = 0; i < nm_config_sections_len; i++) {
		const struct nm_config_section *section = &nm_config_sections[i];

		for (size_t k = 0; k < section->keys_len; k++)
			reader->keys[i][k] = make_key(&section->keys[k]);
		if (i > 0)
			root[root_len++] = make_section(section, reader->keys[i]);
	}
	return root;
}

static int run_confuse(struct reader *reader)
{
	cfg_t *cfg = cfg_init(make_keys(reader), CFGF_NONE);
	int err;

	if (!cfg)
		return NATMUX_ENOMEM;
	cfg_set_error_function(cfg, complain);
	reading = reader;
	err = cfg_parse_buf(cfg, reader->text.text);
	reading = NULL;
	if (reader->is_out_of_memory) {
		err = NATMUX_ENOMEM;
	} else if (err != CFG_SUCCESS) {
		/* It refuses an empty key and says nothing. */
		err = nm_config_refuse(&reader->report, (uint32_t)cfg->line, NULL,
			"found \"\", allowed is KEY = VALUE or SECTION { ... }");
	}
	cfg_free(cfg);
	return err;
}

static void finish_listen(struct nm_config *config)
{
	for (size_t i = 0; i < config->listen_len; i++)
		config->listen[i].port = config->port;
}

/* A daemon that keeps its port needs no handoff, but back what natmux gets by mistake. */
static void finish_handoff(struct nm_config *config)
{
	if (config->attach == NM_ATTACH_JOIN && nm_config_line_of(config, "", "handoff") == 0)
		config->handoff = NM_HANDOFF_INJECT;
}

static int read_text(struct reader *reader, size_t len)
{
	int err = nm_config_text_clean(&reader->text, len, &reader->report);

	if (err == 0)
		err = run_confuse(reader);
	if (err < 0)
		return err;
	finish_listen(reader->config);
	finish_handoff(reader->config);
	err = nm_config_check(reader->config, &reader->report);
	/* Last of all: a mistake elsewhere is told before a file is looked at. */
	if (err == 0 && reader->world.read_key)
		err = nm_config_read_keys(reader->config, reader->world.read_key, &reader->report);
	return err;
}

static int parse(const char *text, size_t len, struct reader *reader)
{
	const char *name = reader->report.name;
	int err = NATMUX_ENOMEM;

	if (len > NM_CONFIG_FILE_MAX)
		return nm_config_refuse(&reader->report, 0, NULL,
			"found %zu bytes, allowed is at most %d", len, NM_CONFIG_FILE_MAX);
	reader->config = nm_config_new(name);
	reader->text.text = malloc(len + 1);
	if (reader->config && reader->text.text) {
		if (len > 0)
			memcpy(reader->text.text, text, len);
		reader->text.text[len] = '\0';
		err = read_text(reader, len);
	}
	free(reader->text.text);
	if (err == 0)
		return 0;
	nm_config_free(reader->config);
	return err;
}

int nm_config_parse(const char *name, const char *text, size_t len,
	const struct nm_config_world *world, struct nm_config **config, char *message, size_t size)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int err = NATMUX_ENOMEM;

	if (size > 0)
		message[0] = '\0';
	if (reader) {
		reader->report =
			(struct nm_config_report){.name = name, .text = message, .size = size};
		if (world)
			reader->world = *world;
		err = parse(text, len, reader);
	}
	if (err == 0)
		*config = reader->config;
	else if (err == NATMUX_ENOMEM)
		snprintf(message, size, "%s: %s", name, natmux_strerror(err));
	free(reader);
	return err;
}
