/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has to be true of a text before libconfuse may read it. libconfuse 3.3 takes without a word
 * a file that ends inside a section or comment, drops bytes it does not know (4500* is 4500), puts
 * the environment in for ${NAME}, cuts strings at \0, and counts lines wrong after a comment.
 */
#ifndef NM_CONFIG_TEXT_H
#define NM_CONFIG_TEXT_H

#include "daemon/config/config_message.h"

enum { NM_CONFIG_SECTIONS_MAX = 2048 };

struct nm_config_text {
	char *text; /* comments are blanks now, so that lines keep their numbers */
	uint32_t section_lines[NM_CONFIG_SECTIONS_MAX]; /* where each section begins, in order */
	size_t sections_len;
};

/*
 * Judges `text->text`, which ends with a NUL at `len`, and blanks its comments. NATMUX_EINVAL with
 * a message.
 */
int nm_config_text_clean(struct nm_config_text *text, size_t len, struct nm_config_report *report);

enum { NM_CONFIG_WORD_SIZE = 48 };

/* The first word of a line, for messages about it; "" where the line begins with none. */
const char *nm_config_text_word(const char *text, uint32_t line, char word[NM_CONFIG_WORD_SIZE]);

#endif
