/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results as records: one list of fields makes the row of the table for people and the JSON line
 * for programs. The first JSON line ("record":"run") says machine, build, date and command; each
 * row follows as a line of its own ("record":"result") the moment it is known.
 */
#ifndef NM_REPORT_H
#define NM_REPORT_H

#include <stddef.h>
#include <stdint.h>
#include "bench/options.h"
#include "bench/spread.h"

enum nm_field_kind {
	NM_FIELD_TEXT,   /* field.text */
	NM_FIELD_COUNT,  /* field.count */
	NM_FIELD_REAL,   /* field.real; NAN: unknown */
	NM_FIELD_SPREAD, /* field.spread; n == 0: unknown */
	NM_FIELD_GOAL,   /* field.goal */
};

enum nm_goal_sense { NM_GOAL_NONE, NM_GOAL_AT_MOST, NM_GOAL_AT_LEAST };

struct nm_goal {
	enum nm_goal_sense sense;
	double limit;
	double value; /* what is held against the limit */
};

struct nm_field {
	union {
		const char *text; /* borrowed for the call; NULL: unknown */
		uint64_t count;
		double real;
		struct nm_spread spread;
		struct nm_goal goal;
	};
};

struct nm_column {
	const char *key;   /* name of the JSON member */
	const char *title; /* over the table's column */
	enum nm_field_kind kind;
	int decimals; /* REAL, SPREAD: shown in the table */
};

enum { NM_REPORT_COLUMNS_MAX = 16 };

struct nm_report;

bool nm_goal_is_met(const struct nm_goal *goal);

/*
 * Begins a report on stdout (and in the file of --save). `columns` is borrowed for its life;
 * `argv`, the scenario's name first, goes into the record. NULL, and said on stderr, when the file
 * cannot be opened.
 */
struct nm_report *nm_report_open(const struct nm_run_options *run, int argc, char **argv,
	const struct nm_column *columns, size_t n);

/* One row: a field for each column. */
void nm_report_row(struct nm_report *report, const struct nm_field *fields);

/* A sentence under the table and a JSON line ("record":"note"). */
void nm_report_note(struct nm_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Prints what is left to print and frees the report; NULL is fine. Returns the exit code: 1 when
 * the run was interrupted or the output could not be written.
 */
int nm_report_close(struct nm_report *report);

#endif
