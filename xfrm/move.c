/* SPDX-License-Identifier: Apache-2.0 */
/* Moves a state step by step; what to move where is decided elsewhere. */
#include "xfrm/move.h"

#include <errno.h>
#include <string.h>
#include <sodium.h>
#include <natmux/error.h>
#include "base/secret.h"
#include "xfrm/kernel.h"
#include "xfrm/policy_message.h"
#include "xfrm/suite.h"

enum { NAME = 64, KEYS = 3, KEY_MAX = 128 };

enum step {
	STEP_GET,
	STEP_UPDATE, /* in place */
	STEP_ADD,
	STEP_POLICY,
	STEP_DELETE,
	STEP_UNDO,    /* delete the new one */
	STEP_RESTORE, /* add the old one again */
};

/* In locked memory, for it holds keys. */
struct move {
	struct nm_xfrm_move_config config;
	void (*done)(void *user, const struct nm_xfrm_move_result *result);
	void *user;
	struct nm_secret_pool *pool;
	enum step step;
	uint64_t now_ms;
	bool has_old, has_end;
	bool deletes_first;
	bool is_deleted; /* the old one */
	size_t policy;   /* the next one */
	struct nm_xfrm_state old, new;
	/* What the state's algorithms point to. */
	char names[KEYS][NAME];
	uint8_t keys[KEYS][KEY_MAX];
	struct nm_xfrm_move_result result;
};

static void answered(void *user, const struct nm_xfrm_answer *answer);
static void take_state(void *user, const struct nm_xfrm_state *state);
static void take_event(void *user, const struct nm_xfrm_event *event);

static void end(struct move *move)
{
	void (*done)(void *user, const struct nm_xfrm_move_result *result) = move->done;
	struct nm_xfrm_move_result result = move->result;
	void *user = move->user;

	nm_secret_pool_free(move->pool);
	done(user, &result);
}

static void fail(struct move *move, int error, int os_error, const char *text)
{
	struct nm_xfrm_answer *answer = &move->result.answer;

	*answer = (struct nm_xfrm_answer){.error = error, .os_error = os_error};
	memcpy(answer->text, text, strlen(text) + 1); /* ours, and short */
	end(move);
}

/* `len` is what a builder returned. */
static void request(struct move *move, enum step step, int len, struct nm_xfrm_message *message)
{
	const struct nm_xfrm_request whose = {
		.state = take_state,
		.event = take_event,
		.done = answered,
		.user = move,
	};
	struct nm_xfrm_answer none;
	int err = len;

	move->step = step;
	if (len > 0)
		err = nm_xfrm_session_request(move->config.session, message, &whose, move->now_ms);
	sodium_memzero(message, sizeof(*message));
	if (err >= 0)
		return;
	nm_xfrm_answer_set(&none, XFRM_MSG_NEWSA, err == NATMUX_EFULL ? ENOBUFS : EINVAL);
	answered(move, &none);
}

static bool copy_algorithm(struct move *move, size_t i, struct nm_xfrm_algorithm *algorithm)
{
	if (!algorithm->name)
		return true;
	if (strlen(algorithm->name) >= NAME || algorithm->key_len > KEY_MAX)
		return false;
	memcpy(move->names[i], algorithm->name, strlen(algorithm->name) + 1);
	if (algorithm->key_len > 0)
		memcpy(move->keys[i], algorithm->key, algorithm->key_len);
	algorithm->name = move->names[i];
	algorithm->key = move->keys[i];
	return true;
}

static void take_state(void *user, const struct nm_xfrm_state *state)
{
	struct move *move = user;

	if (move->step != STEP_GET)
		return;
	move->old = *state;
	move->has_old = copy_algorithm(move, 0, &move->old.aead) &&
			copy_algorithm(move, 1, &move->old.cipher) &&
			copy_algorithm(move, 2, &move->old.auth);
}

static bool is_same_id(const struct nm_xfrm_state_id *a, const struct nm_xfrm_state_id *b)
{
	return memcmp(a->destination.ip, b->destination.ip, sizeof(a->destination.ip)) == 0 &&
	       a->spi == b->spi && a->protocol == b->protocol;
}

/* The numbers that the old one ended with. */
static void take_event(void *user, const struct nm_xfrm_event *event)
{
	struct move *move = user;

	if (move->step != STEP_DELETE || event->type != NM_XFRM_EVENT_STATE_DELETED ||
		!event->has_state || !is_same_id(&event->id, &move->config.id))
		return;
	move->has_end = true;
	move->old.replay = event->state.replay;
	move->old.usage = event->state.usage;
}

static bool is_same_ip(const struct natmux_addr *a, const struct natmux_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static bool is_out(const struct move *move)
{
	return move->config.direction == NATMUX_SA_OUT;
}

/* The new state but for its numbers, which are not known before the old one is gone. */
static void plan(struct move *move)
{
	const struct natmux_path *path = &move->config.path;

	move->new = move->old;
	move->new.sequence = 0; /* of an ACQUIRE that was answered long ago */
	move->new.source = is_out(move) ? path->local : path->remote;
	move->new.destination = is_out(move) ? path->remote : path->local;
	if (path->local.port == 0)
		move->new.encap = 0;
	else if (move->new.encap == 0)
		move->new.encap = NM_XFRM_ENCAP_UDP;
	move->deletes_first =
		!is_out(move) || is_same_ip(&move->new.destination, &move->old.destination);
}

static bool has_esn(const struct nm_xfrm_state *state)
{
	return state->flags & XFRM_STATE_ESN;
}

/* Gives the new one the numbers of the old. NATMUX_EFULL. */
static int carry_numbers(struct move *move)
{
	uint64_t margin = move->config.margin > 0 ? move->config.margin : NM_XFRM_MOVE_MARGIN;
	struct nm_xfrm_replay replay = move->old.replay;

	/* Numbers that are known for certain need no margin. */
	if (is_out(move) && !move->has_end) {
		int err = nm_xfrm_replay_jump(&replay, has_esn(&move->old), margin);

		if (err < 0)
			return err;
	}
	move->new.replay = replay;
	move->new.usage = move->old.usage;
	move->new.keeps_usage = true;
	return 0;
}

static void send_update(struct move *move)
{
	struct nm_xfrm_message message;

	move->result.is_in_place = true;
	request(move, STEP_UPDATE, nm_xfrm_state_update(&move->new, &message), &message);
}

static void send_add(struct move *move)
{
	struct nm_xfrm_message message;

	request(move, STEP_ADD, nm_xfrm_state_add(&move->new, &message), &message);
}

static void send_delete(struct move *move)
{
	struct nm_xfrm_message message;

	request(move, STEP_DELETE, nm_xfrm_state_delete(&move->config.id, &message), &message);
}

/* It begins where the one that is gone ended; one that was to send jumps, if that is not certain. */
static void send_restore(struct move *move)
{
	struct nm_xfrm_message message;

	move->old.keeps_usage = true;
	if (is_out(move) && !move->has_end)
		(void)nm_xfrm_replay_jump(
			&move->old.replay, has_esn(&move->old), NM_XFRM_MOVE_MARGIN);
	request(move, STEP_RESTORE, nm_xfrm_state_add(&move->old, &message), &message);
}

static void send_undo(struct move *move)
{
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(&move->new);
	struct nm_xfrm_message message;

	request(move, STEP_UNDO, nm_xfrm_state_delete(&id, &message), &message);
}

static void send_policy(struct move *move)
{
	struct nm_xfrm_message message;

	request(move, STEP_POLICY,
		nm_xfrm_policy_update(&move->config.policies[move->policy], &message), &message);
}

static void succeed(struct move *move)
{
	move->result.id = nm_xfrm_state_id_of(&move->new);
	move->result.sequence = is_out(move) ? move->new.replay.out : move->new.replay.in;
	/* The numbers of the old one that came after it was asked lie below the new one's. */
	move->result.is_exact =
		move->result.is_in_place ||
		(move->has_end && (!is_out(move) || move->old.replay.out <= move->new.replay.out));
	end(move);
}

/* After the new one is there: the policies, then the old one, if that is still there. */
static void go_on(struct move *move)
{
	if (move->policy < move->config.policies_len)
		send_policy(move);
	else if (!move->is_deleted && !move->result.is_in_place)
		send_delete(move);
	else
		succeed(move);
}

static bool has_only_new_ports(const struct move *move)
{
	return is_same_ip(&move->new.source, &move->old.source) &&
	       is_same_ip(&move->new.destination, &move->old.destination) &&
	       move->new.encap == move->old.encap;
}

/* The key, when the kernel does not tell it. */
static bool fill_key(struct move *move)
{
	enum natmux_suite suite;

	if (!nm_xfrm_key_is_hidden(&move->old))
		return true;
	return move->config.key && nm_xfrm_suite_find(&move->old, &suite) == 0 &&
	       nm_xfrm_suite_set(&move->old, suite, move->config.key, move->config.key_len) == 0;
}

static void got(struct move *move)
{
	if (!move->has_old) {
		fail(move, NATMUX_EUNSUPPORTED, 0, "a state with names or keys of unknown length");
		return;
	}
	if (!fill_key(move)) {
		fail(move, NATMUX_EUNSUPPORTED, 0,
			"the kernel keeps the state's key to itself (lockdown)");
		return;
	}
	plan(move);
	if (has_only_new_ports(move)) {
		send_update(move);
		return;
	}
	if (carry_numbers(move) < 0)
		fail(move, NATMUX_EFULL, 0, "too few sequence numbers are left");
	else if (move->deletes_first)
		send_delete(move);
	else
		send_add(move);
}

static void deleted(struct move *move)
{
	move->is_deleted = true;
	if (!move->deletes_first) {
		succeed(move);
		return;
	}
	/* Checked before with hardly fewer numbers used. */
	if (carry_numbers(move) < 0)
		send_restore(move);
	else
		send_add(move);
}

/* What is there to be taken back, if anything. */
static void refused(struct move *move)
{
	switch (move->step) {
	case STEP_ADD:
		if (move->is_deleted)
			send_restore(move);
		else
			end(move);
		return;
	case STEP_POLICY:
		if (move->result.is_in_place)
			end(move);
		else
			send_undo(move);
		return;
	case STEP_DELETE:
		if (move->deletes_first)
			end(move);
		else
			send_undo(move);
		return;
	case STEP_UNDO:
	case STEP_RESTORE: move->result.is_lost = move->is_deleted; break;
	case STEP_GET:
	case STEP_UPDATE: break;
	}
	end(move);
}

static void answered(void *user, const struct nm_xfrm_answer *answer)
{
	struct move *move = user;

	move->now_ms = nm_xfrm_session_now_ms(move->config.session);
	if (answer->error != 0) {
		/* What failed first is what is told. */
		if (move->result.answer.error == 0)
			move->result.answer = *answer;
		refused(move);
		return;
	}
	switch (move->step) {
	case STEP_GET: got(move); break;
	case STEP_UPDATE:
	case STEP_ADD: go_on(move); break;
	case STEP_POLICY:
		move->policy++;
		go_on(move);
		break;
	case STEP_DELETE: deleted(move); break;
	case STEP_UNDO:
		if (move->is_deleted)
			send_restore(move);
		else
			end(move);
		break;
	case STEP_RESTORE: end(move); break;
	}
}

int nm_xfrm_move_start(const struct nm_xfrm_move_config *config,
	void (*done)(void *user, const struct nm_xfrm_move_result *result), void *user,
	uint64_t now_ms)
{
	const struct natmux_path *path = &config->path;
	struct nm_xfrm_message message;
	struct nm_secret_pool *pool;
	struct move *move;

	if (path->local.family == NATMUX_FAMILY_NONE || path->local.family != path->remote.family ||
		(path->local.port == 0) != (path->remote.port == 0))
		return NATMUX_EINVAL;
	pool = nm_secret_pool_new(sizeof(*move));
	if (!pool)
		return NATMUX_ENOMEM;
	move = nm_secret_take(pool);
	if (!move) {
		nm_secret_pool_free(pool);
		return NATMUX_ENOMEM;
	}
	move->config = *config;
	move->done = done;
	move->user = user;
	move->pool = pool;
	move->now_ms = now_ms;
	move->result.id = config->id;
	request(move, STEP_GET, nm_xfrm_state_get(&config->id, &message), &message);
	return 0;
}
