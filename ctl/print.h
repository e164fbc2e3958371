/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables and values for people. Texts may come from a daemon or from the network: control
 * characters never reach the terminal.
 */
#ifndef NM_CTL_PRINT_H
#define NM_CTL_PRINT_H

#include <stdint.h>
#include "ctl/ctl.h"

enum { NM_TABLE_COLUMNS = 12 };

/* A table that is printed when it is whole, each column as wide as its widest cell. */
struct nm_table {
	const char *const *heads; /* ">NAME" is right-aligned; ends with NULL */
	size_t columns;
	char **cells; /* row by row */
	size_t n, room;
	bool failed;
};

/* `heads` is borrowed and has at most NM_TABLE_COLUMNS entries. */
void nm_table_init(struct nm_table *table, const char *const *heads);

/* Appends one cell; rows fill from the left. */
void nm_table_add(struct nm_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints the table (nothing when it has no rows) and frees it. */
void nm_table_done(struct nm_table *table, struct nm_ctl *ctl);

/* Members of an object. Missing or of another type: "-", 0, false. */
const char *nm_get_text(const json_t *json, const char *key);
uint64_t nm_get_count(const json_t *json, const char *key);
bool nm_get_bool(const json_t *json, const char *key);
bool nm_is_null(const json_t *json, const char *key);

/* Long enough for every text below. */
enum { NM_PRINT_TEXT = 32 };

/* "0 B", "1.5 KiB", "8.0 MiB" */
const char *nm_print_bytes(uint64_t bytes, char text[NM_PRINT_TEXT]);

/* "12 ms", "1.5 s", "15 min", "3 h", "12 d" */
const char *nm_print_duration(uint64_t ms, char text[NM_PRINT_TEXT]);

/* "0", "950", "12.3k", "1.2M", "3.4G": per second or of anything. */
const char *nm_print_scaled(double value, char text[NM_PRINT_TEXT]);

/* Prints a text with control characters made visible as '?'. */
void nm_print_text(struct nm_ctl *ctl, const char *text);

/* Formatted as by printf, made harmless as by nm_print_text. */
void nm_print(struct nm_ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum nm_colour { NM_COLOUR_PLAIN, NM_COLOUR_HEAD, NM_COLOUR_GOOD, NM_COLOUR_WARN, NM_COLOUR_BAD };

/* The escape sequence, or "" where colours are not wanted. */
const char *nm_colour(const struct nm_ctl *ctl, enum nm_colour colour);

#endif
