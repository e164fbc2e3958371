/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one list of what natmux.conf may say. The reader, the printer, the difference of two
 * configurations and the test of the man page all walk over it.
 */
#ifndef NM_CONFIG_KEYS_H
#define NM_CONFIG_KEYS_H

#include "daemon/config/config.h"

struct nm_config_type;

/* One of the words a key may have; lists of them end with a NULL text. */
struct nm_config_word {
	const char *text;
	int value;
	bool is_for_later; /* known, but not in this version */
};

struct nm_config_key {
	const char *name;
	const struct nm_config_type *type;
	size_t offset;       /* of the field in its section's struct */
	const char *initial; /* the default as the file writes it; NULL: has to be given */
	uint32_t min, max;   /* of a number; `max` is the size of a text's field */
	const char *unit;    /* of a number, or NULL */
	const struct nm_config_word *words;
	bool is_live; /* a reload can change it */

	/* Of a list, whose `offset` is that of an array of `max` elements: */
	size_t item_size;
	size_t len_offset;        /* of a size_t: how many there are */
	size_t item_lines_offset; /* of an array of the elements' lines; 0: none */
};

struct nm_config_section {
	const char *name; /* "" for the keys outside all sections */
	bool is_titled;   /* any number of them, each with a name */
	const struct nm_config_key *keys;
	size_t keys_len;
	size_t offset;       /* of the section's struct in struct nm_config; 0 when titled */
	size_t lines_offset; /* of `lines` in the section's struct */

	/* Titled: the array of structs, and how many are in it, in struct nm_config. */
	size_t items_offset, items_len_offset;
	size_t item_size, items_max;
};

/* In the order in which they are printed; the first is "". */
extern const struct nm_config_section nm_config_sections[];
extern const size_t nm_config_sections_len;

enum { NM_CONFIG_ALLOWED_SIZE = 200, NM_CONFIG_KEY_SIZE = 128 };

/* Both are NULL where there is none of that name. */
const struct nm_config_section *nm_config_section_find(const char *name);
const struct nm_config_key *nm_config_key_find(
	const struct nm_config_section *section, const char *name);

/* Where a key's value and its line are kept; `base` is the section's struct. */
void *nm_config_field(const struct nm_config_key *key, void *base);
uint32_t *nm_config_line(
	const struct nm_config_section *section, const struct nm_config_key *key, void *base);

/* The line in which an untitled section's key stands; 0 for the default. */
uint32_t nm_config_line_of(
	const struct nm_config *config, const char *section_name, const char *key_name);

/* One section with a title. Borrowed from the configuration. */
struct nm_config_item {
	const char *title;
	const void *base; /* its struct */
	uint32_t line;
};

/* The `n`th section of that name; false when there are no more. */
bool nm_config_item_get(const struct nm_config *config, const struct nm_config_section *section,
	size_t n, struct nm_config_item *item);

/* Whether two sections of one kind say the same; of SAs, whether their keys are the same, too. */
bool nm_config_item_is_same(
	const struct nm_config_section *section, const void *before, const void *after);

/* "port", "relay.pool4", "peer \"branch\".remote"; `key` may be NULL or a name nobody knows. */
const char *nm_config_key_path(const struct nm_config_section *section, const char *title,
	const char *key, char path[NM_CONFIG_KEY_SIZE]);

/* The known key or section that looks most like `name` in `section`, as a path. */
const char *nm_config_key_nearest(
	const struct nm_config_section *section, const char *name, char path[NM_CONFIG_KEY_SIZE]);

#endif
