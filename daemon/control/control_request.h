/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of the control protocol in, its answer out: docs/control-protocol.md. Knows commands,
 * not sockets; a command that begins a stream says so and leaves the streaming to its caller.
 */
#ifndef NM_CONTROL_REQUEST_H
#define NM_CONTROL_REQUEST_H

#include <jansson.h>
#include "daemon/control/control_capture.h"
#include "daemon/control/control_events.h"

struct nm_server;

enum {
	NM_CONTROL_DEPTH_MAX = 8, /* objects and arrays within each other in a request */
	NM_CONTROL_MESSAGE = 512,
	NM_CONTROL_FLOWS_MAX = 4096,  /* flows in one answer */
	NM_CONTROL_SAS_MAX = 4096,    /* SAs, or policies, in one answer */
	NM_CONTROL_SA_METRICS = 1024, /* SAs in the metrics */
};

enum nm_control_stream {
	NM_CONTROL_STREAM_NONE,
	NM_CONTROL_STREAM_EVENTS,
	NM_CONTROL_STREAM_CAPTURE,
};

/* One request on its way. The caller sets the first group, the command the others. */
struct nm_control_call {
	struct nm_server *server;
	const struct nm_control_events *events;
	bool is_capture_taken; /* another client's capture runs */

	const json_t *request; /* borrowed for the call */
	json_t *result;        /* what the answer carries; ours until it is taken over */

	enum nm_control_stream stream;   /* what follows the answer */
	uint64_t next_event;             /* STREAM_EVENTS: the first one to send */
	struct nm_capture_filter filter; /* STREAM_CAPTURE */

	const char *code; /* of the error; NULL: none so far */
	char message[NM_CONTROL_MESSAGE];
};

enum { NM_CONTROL_KEYS = 6 };

/* One row of the table of commands. */
struct nm_control_command {
	const char *name;
	const char *keys[NM_CONTROL_KEYS];        /* what a request may hold besides "command" */
	int (*run)(struct nm_control_call *call); /* fills `result`, or nm_control_fail */
	const char *help;
};

/* Ends with a row without a name. */
extern const struct nm_control_command nm_control_commands[];

/*
 * Answers the request in `line`: {"ok":true,"result":…} or {"ok":false,"error":{…}}. A new
 * reference; NULL without memory. With a stream in `call`, the caller begins it after the answer.
 */
json_t *nm_control_answer(struct nm_control_call *call, const char *line, size_t len);

/* An error answer without a request; a new reference or NULL. */
json_t *nm_control_error(const char *code, const char *message);

/* The object as one line with its newline, to be freed with free(); NULL without memory. */
char *nm_control_text(const json_t *json, size_t *len);

/* What commands use. Each returns NATMUX_EINVAL after a word to the client. */
int nm_control_fail(struct nm_control_call *call, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Reads an argument into `value`, which keeps its default when the request has none. */
int nm_control_get_bool(struct nm_control_call *call, const char *key, bool *value);
int nm_control_get_number(
	struct nm_control_call *call, const char *key, uint64_t min, uint64_t max, uint64_t *value);
int nm_control_get_text(struct nm_control_call *call, const char *key, const char **value);

#endif
