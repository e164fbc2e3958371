/* SPDX-License-Identifier: Apache-2.0 */
/* A control client's bytes: cut into lines and answered by a made-up daemon. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/control/control_line.h"
#include "daemon/control/control_request.h"
#include "tests/fakes/fake_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_server fake;
static struct nm_control_events events;

static void init(void)
{
	struct natmux_event event = {.type = NATMUX_EVENT_SERVER_LOST, .name = "a"};

	if (fake.capabilities)
		return;
	fake_server_init(&fake, NULL);
	fake.config.user_plane.export_keys = true;
	fake_server_add_plane(&fake);
	nm_control_events_push(&events, 1, &event);
}

/* Every line has an answer that is whole, and a stream begins only after a good one. */
static void answer(const char *line, size_t len)
{
	struct nm_control_call call = {.server = fake_server_of(&fake), .events = &events};
	json_t *reply = nm_control_answer(&call, line, len);
	bool ok = json_is_true(json_object_get(reply, "ok"));
	char *text = nm_control_text(reply, &len);

	if (!text || text[len - 1] != '\n' || memchr(text, '\n', len) != text + len - 1)
		abort();
	if (ok != !!json_object_get(reply, "result") || ok == !!json_object_get(reply, "error"))
		abort();
	if (call.result || (call.stream != NM_CONTROL_STREAM_NONE && !ok))
		abort();
	free(text);
	json_decref(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nm_control_line line = {.buf = malloc(NM_CONTROL_LINE_MAX + 1)};
	enum nm_control_line_verdict verdict = NM_CONTROL_LINE_NONE;
	char *text;
	size_t len;

	init();
	while (size > 0 && verdict != NM_CONTROL_LINE_TOO_LONG) {
		char *room;
		size_t n = nm_control_line_room(&line, &room);

		/* Portions end within lines, as a socket's do. */
		n = n < 61 ? n : 61;
		n = n < size ? n : size;
		memcpy(room, data, n);
		nm_control_line_commit(&line, n);
		data += n;
		size -= n;
		while ((verdict = nm_control_line_next(&line, &text, &len)) ==
			NM_CONTROL_LINE_READY)
			answer(text, len);
	}
	free(line.buf);
	return 0;
}
