/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What STUN on the shared port means: an answer to our own question, a question for the ICE agent,
 * or one for the Binding responder. Messages themselves are stun/'s work.
 */
#include <natmux/error.h>

#include "base/export.h"
#include "dispatcher/mux.h"
#include "stun/client.h"
#include "stun/msg.h"
#include "stun/server.h"

bool nm_stun_port_claims(const struct natmux_mux *mux, const struct natmux_path *path,
	const uint8_t *data, size_t len)
{
	if (mux->config.responder == NATMUX_RESPONDER_OPEN && nm_stun_is_bare_binding(data, len))
		return true;
	return nm_stun_client_expects(mux->stun, path, data, len);
}

/* Answers a Binding request that nobody vouches for, within the rate of its source. */
static void respond(struct natmux_mux *mux, uint64_t now_ms, const struct natmux_train *message)
{
	enum natmux_drop drop = NATMUX_DROP_STUN_OFF;
	uint8_t *reply;
	size_t len;

	if (mux->config.responder == NATMUX_RESPONDER_OFF) {
		natmux_mux_drop(mux, drop, 1);
		return;
	}
	if (!nm_mux_admit(mux, now_ms, NATMUX_CLASS_STUN, &message->path.remote))
		return;
	reply = nm_txq_reserve(&mux->txq);
	if (!reply) {
		natmux_mux_drop(mux, NATMUX_DROP_TXQ_FULL, 1);
		return;
	}
	len = nm_stun_respond(mux->config.responder, message->data, message->len,
		&message->path.remote, reply, NM_TXQ_BYTES, &drop);
	if (len == 0) {
		natmux_mux_drop(mux, drop, 1);
		return;
	}
	nm_txq_commit(&mux->txq, len, &message->path);
	nm_mux_count(&mux->stats.tx[NATMUX_CLASS_STUN], 1, len);
}

void nm_stun_port_input(struct natmux_mux *mux, uint64_t now_ms, const struct natmux_train *message)
{
	struct nm_runs *ice = &mux->runs[NATMUX_CLASS_STUN];
	struct natmux_event event = {.type = NATMUX_EVENT_COUNT};
	enum natmux_drop drop = NATMUX_DROP_STUN_UNASKED;

	switch (nm_stun_class(message->data)) {
	case NM_STUN_SUCCESS:
	case NM_STUN_ERROR:
		if (nm_stun_client_input(mux->stun, now_ms, &message->path, message->data,
			    message->len, &event, &drop)) {
			if (event.type != NATMUX_EVENT_COUNT)
				nm_mux_event(mux, &event);
			return;
		}
		break;
	case NM_STUN_REQUEST:
		if (!ice->ops || !nm_stun_has_credentials(message->data, message->len)) {
			respond(mux, now_ms, message);
			return;
		}
		break;
	case NM_STUN_INDICATION: drop = NATMUX_DROP_STUN_INDICATION; break;
	}
	if (!ice->ops) {
		natmux_mux_drop(mux, drop, 1);
		return;
	}
	ice->trains[ice->count++] = *message;
	if (ice->count == NM_RUNS_MAX)
		nm_dispatch_flush(mux, now_ms);
}

static void on_client_event(void *user, const struct natmux_event *event)
{
	nm_mux_event(user, event);
}

void nm_stun_port_timeout(struct natmux_mux *mux, uint64_t now_ms)
{
	nm_stun_client_timeout(mux->stun, now_ms, on_client_event, mux);
	for (;;) {
		struct natmux_path path;
		uint8_t *request = nm_txq_reserve(&mux->txq);
		size_t len;

		/* Full: the request stays due, the caller drains and comes again. */
		if (!request)
			return;
		len = nm_stun_client_output(mux->stun, now_ms, &path, request, NM_TXQ_BYTES);
		if (len == 0)
			return;
		nm_txq_commit(&mux->txq, len, &path);
		nm_mux_count(&mux->stats.tx[NATMUX_CLASS_STUN], 1, len);
	}
}

NM_EXPORT int natmux_mux_server_add(
	struct natmux_mux *mux, uint64_t now_ms, const char *name, const struct natmux_addr *addr)
{
	return nm_stun_client_server_add(mux->stun, now_ms, name, addr);
}

NM_EXPORT int natmux_mux_server_remove(struct natmux_mux *mux, const char *name)
{
	return nm_stun_client_server_remove(mux->stun, name);
}

NM_EXPORT int natmux_mux_set_locals(
	struct natmux_mux *mux, uint64_t now_ms, const struct natmux_addr *locals, size_t n)
{
	return nm_stun_client_set_locals(mux->stun, now_ms, locals, n);
}

NM_EXPORT void natmux_mux_servers(const struct natmux_mux *mux,
	void (*each)(void *user, const struct natmux_server_info *info), void *user)
{
	nm_stun_client_each(mux->stun, each, user);
}
