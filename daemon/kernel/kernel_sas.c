/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adds, replaces, deletes and lists states. A state that gives way is asked for its last numbers, so
 * that the same key goes on counting, and comes back when its successor is refused.
 */
#include "daemon/kernel/kernel_sas.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config_addr.h"
#include "xfrm/suite.h"

/* A state of the kernel, with its key: wiped by who has it. */
struct kept {
	bool is_there;
	bool is_known; /* natmux has its suite, and the kernel has shown the key */
	enum natmux_suite suite;
	uint8_t key[NATMUX_SUITE_KEY_MAX];
	size_t key_len;
	struct nm_xfrm_state state; /* borrows `key` */
};

/* The message it borrows from is gone soon. */
static void keep(void *user, const struct nm_xfrm_state *state)
{
	struct kept *kept = user;

	kept->is_there = true;
	kept->state = *state;
	kept->state.keeps_usage = true;
	kept->state.aead = kept->state.cipher = kept->state.auth = (struct nm_xfrm_algorithm){0};
	if (nm_xfrm_suite_find(state, &kept->suite) < 0 || nm_xfrm_key_is_hidden(state))
		return;
	kept->key_len = nm_xfrm_key_join(state, kept->key);
	kept->is_known =
		nm_xfrm_suite_set(&kept->state, kept->suite, kept->key, kept->key_len) == 0;
}

static int get_state(struct nm_kernel *kernel, const struct nm_xfrm_state_id *id, struct kept *kept)
{
	const struct nm_kernel_listener listener = {.state = keep, .user = kept};
	struct nm_xfrm_message message;
	struct nm_xfrm_answer answer;

	*kept = (struct kept){0};
	return nm_kernel_ask(
		kernel->config.ask, nm_xfrm_state_get(id, &message), &message, &listener, &answer);
}

/* The numbers a state ends with: packets may have gone since it was asked for. */
static void keep_last(void *user, const struct nm_xfrm_event *event)
{
	struct kept *kept = user;

	if (event->type != NM_XFRM_EVENT_STATE_DELETED || !event->has_state)
		return;
	kept->is_there = true; /* was, asked or not */
	kept->state.replay = event->state.replay;
	kept->state.usage = event->state.usage;
}

static int delete_state(struct nm_kernel *kernel, const struct nm_xfrm_state_id *id,
	struct kept *kept, struct nm_xfrm_answer *answer)
{
	const struct nm_kernel_listener listener = {.event = keep_last, .user = kept};
	struct nm_xfrm_message message;

	return nm_kernel_ask(kernel->config.ask, nm_xfrm_state_delete(id, &message), &message,
		kept ? &listener : NULL, answer);
}

static int write_state(
	struct nm_kernel *kernel, struct nm_xfrm_state *state, struct nm_xfrm_answer *answer)
{
	struct nm_xfrm_message message;
	int err = nm_kernel_ask(
		kernel->config.ask, nm_xfrm_state_add(state, &message), &message, NULL, answer);

	if (err != NATMUX_EINVAL || state->direction == 0)
		return err;
	/* It may be what is new that the kernel does not want: then keepalives are ours. */
	state->keepalive_s = 0;
	state->direction = 0;
	return nm_kernel_ask(
		kernel->config.ask, nm_xfrm_state_add(state, &message), &message, NULL, answer);
}

static int explain(const struct nm_xfrm_answer *answer, char why[static NM_SA_PLANE_WHY])
{
	if (answer->error < 0)
		snprintf(why, NM_SA_PLANE_WHY, "%s", answer->text);
	return answer->error;
}

/* To nowhere, under an SPI that means nothing, for a moment: whether the kernel has all it needs. */
static int try_state(struct nm_kernel *kernel, const struct nm_xfrm_state *wanted,
	char why[static NM_SA_PLANE_WHY])
{
	struct nm_xfrm_state state = *wanted;
	const struct natmux_random *random = &kernel->config.random;
	struct nm_xfrm_answer answer, ignored;
	struct nm_xfrm_state_id id;

	memset(state.source.ip, 0, sizeof(state.source.ip));
	memset(state.destination.ip, 0, sizeof(state.destination.ip));
	state.source.family = state.destination.family;
	state.destination.ip[state.destination.family == NATMUX_FAMILY_IPV4 ? 3 : 15] = 1;
	state.destination.ip[0] = state.destination.family == NATMUX_FAMILY_IPV4 ? 127 : 0;
	state.selector = (struct nm_xfrm_selector){0};
	state.offload_ifindex = 0;
	random->fill(random->user, &state.spi, sizeof(state.spi));
	state.spi |= 256;
	if (write_state(kernel, &state, &answer) < 0)
		return explain(&answer, why);
	id = nm_xfrm_state_id_of(&state);
	delete_state(kernel, &id, NULL, &ignored);
	return 0;
}

int nm_kernel_sa_check(
	void *self, const struct nm_sa_order *order, char why[static NM_SA_PLANE_WHY])
{
	struct nm_kernel *kernel = self;
	struct nm_kernel_sa coming = {.order = *order};
	struct nm_xfrm_state state;
	int err = nm_kernel_find_path(kernel, order, &coming.path, why);

	nm_xfrm_state_init(&state);
	if (err == 0)
		err = nm_kernel_make_state(kernel, order, &coming.path, &state, why);
	if (err == 0)
		err = nm_kernel_spd_check(&kernel->spd, &coming, why);
	return err < 0 ? err : try_state(kernel, &state, why);
}

static bool has_key(const struct kept *kept, const struct natmux_sa_config *config)
{
	return kept->is_known && kept->suite == config->suite && kept->key_len == config->key_len &&
	       sodium_memcmp(kept->key, config->key, config->key_len) == 0;
}

/* The same key goes on counting: no number is used or believed twice. */
static void carry(
	const struct kept *kept, const struct natmux_sa_config *config, struct nm_xfrm_state *state)
{
	/* Where ESN goes, numbers of 64 bits are all behind the last one. */
	uint64_t last = config->has_esn ? UINT64_MAX : UINT32_MAX;
	const struct nm_xfrm_replay *before = &kept->state.replay;
	struct nm_xfrm_replay *replay = &state->replay;
	struct natmux_replay_state seen;

	/* Limits are limits of the key. */
	state->usage = kept->state.usage;
	state->keeps_usage = true;
	if (config->direction == NATMUX_SA_OUT) {
		if (replay->out < before->out)
			replay->out = before->out < last ? before->out : last;
	} else if (before->in > last) {
		nm_xfrm_replay_close(replay, last);
	} else {
		nm_xfrm_replay_save(before, &seen);
		nm_xfrm_replay_join(replay, &seen);
	}
}

static int replace(struct nm_kernel *kernel, const struct nm_sa_order *order, struct kept *old,
	struct nm_xfrm_state *state, char why[static NM_SA_PLANE_WHY])
{
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(&old->state);
	struct nm_xfrm_answer answer, ignored;

	if (delete_state(kernel, &id, old, &answer) < 0 && answer.error != NATMUX_ENOTFOUND)
		return explain(&answer, why);
	if (has_key(old, &order->config))
		carry(old, &order->config, state);
	if (write_state(kernel, state, &answer) == 0)
		return 0;
	explain(&answer, why);
	if (!old->is_known || write_state(kernel, &old->state, &ignored) < 0)
		nm_log(&kernel->config.log, NATMUX_LOG_ERROR,
			"SA 0x%08" PRIx32 ": its successor was refused, and it could not be put "
			"back",
			old->state.spi);
	return answer.error;
}

static void tell_taken_over(
	struct nm_kernel *kernel, const struct nm_sa_order *order, const struct kept *old)
{
	bool is_same = has_key(old, &order->config);

	kernel->taken_over++;
	nm_log(&kernel->config.log, is_same ? NATMUX_LOG_INFO : NATMUX_LOG_WARNING,
		"SA 0x%08" PRIx32 " was in the kernel already%s", order->config.spi,
		is_same ? ": it goes on counting" : ", with another key: it is replaced");
}

/* An SA that is there, under its old id or the new one, gives way. */
static int put_state(struct nm_kernel *kernel, const struct nm_sa_order *order,
	const struct nm_kernel_sa *before, struct nm_xfrm_state *state,
	char why[static NM_SA_PLANE_WHY])
{
	const struct nm_xfrm_state_id id =
		before && !before->is_dead ? before->id : nm_xfrm_state_id_of(state);
	struct nm_xfrm_answer answer;
	struct kept old;
	int err;

	get_state(kernel, &id, &old);
	if (old.is_there) {
		if (!before)
			tell_taken_over(kernel, order, &old);
		err = replace(kernel, order, &old, state, why);
	} else {
		err = write_state(kernel, state, &answer);
		explain(&answer, why);
	}
	sodium_memzero(&old, sizeof(old));
	return err;
}

static void refresh(struct nm_kernel *kernel, uint32_t reqid)
{
	char why[NM_SA_PLANE_WHY] = "";
	int err = nm_kernel_spd_refresh(
		&kernel->spd, reqid, nm_kernel_sad_newest(&kernel->sad, reqid), why);

	if (err < 0)
		nm_log(&kernel->config.log, NATMUX_LOG_ERROR, "policies of reqid %" PRIu32 ": %s",
			reqid, *why ? why : natmux_strerror(err));
}

/* No SA of the kernel any more: its policies look for another, its gates close. */
void nm_kernel_bury(struct nm_kernel *kernel, struct nm_kernel_sa *sa)
{
	if (sa->is_dead)
		return;
	sa->is_dead = true;
	if (sa->order.config.direction == NATMUX_SA_OUT)
		refresh(kernel, sa->order.config.reqid);
	else
		nm_kernel_spd_close(&kernel->spd, sa);
}

static void forget(struct nm_kernel *kernel, struct nm_kernel_sa *sa)
{
	nm_kernel_bury(kernel, sa);
	nm_kernel_sad_remove(&kernel->sad, sa);
}

/* The table of what is there follows what the kernel has taken. */
static int note(struct nm_kernel *kernel, const struct nm_sa_order *order,
	const struct natmux_path *path, const struct nm_xfrm_state *state,
	struct nm_kernel_sa *before)
{
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(state);
	struct nm_kernel_sa *sa;
	int err;

	if (before) {
		/* Its gates close after the new ones have opened. */
		if (!before->is_dead && order->config.direction == NATMUX_SA_IN)
			nm_kernel_spd_close(&kernel->spd, before);
		nm_kernel_sad_remove(&kernel->sad, before);
	}
	err = nm_kernel_sad_add(&kernel->sad, order, path, &id, &sa);
	if (err < 0)
		return err;
	sa->added_ms = kernel->config.now_ms(kernel->config.user);
	sa->sends_keepalive = state->keepalive_s > 0;
	if (order->config.direction == NATMUX_SA_OUT)
		refresh(kernel, order->config.reqid);
	return 0;
}

/*
 * An order that says the same place again means where its peer is by now: of the SA that it replaces
 * or, outbound, of the one before it, as in the user plane.
 */
static void stay(const struct nm_kernel *kernel, const struct nm_kernel_sa *before,
	const struct nm_sa_order *order, struct natmux_path *path)
{
	const struct natmux_sa_config *config = &order->config;

	if (!before && config->direction == NATMUX_SA_OUT && config->reqid > 0)
		before = nm_kernel_sad_newest(&kernel->sad, config->reqid);
	if (before && !before->is_dead &&
		natmux_addr_equal(&before->order.config.path.remote, &config->path.remote) &&
		nm_config_addr_same_ip(&before->order.config.path.local, &config->path.local))
		*path = before->path;
}

/* Whether the kernel would find another of our SAs by the same numbers: one that has moved there. */
static int check_id(struct nm_kernel *kernel, const struct nm_kernel_sa *before,
	const struct nm_xfrm_state *state, char why[static NM_SA_PLANE_WHY])
{
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(state);
	struct nm_kernel_sa *other = nm_kernel_sad_find_id(&kernel->sad, &id);

	if (!other || other == before)
		return 0;
	if (!other->is_dead) {
		snprintf(why, NM_SA_PLANE_WHY,
			"another SA with this SPI has followed its peer to that address");
		return NATMUX_EEXISTS;
	}
	forget(kernel, other);
	return 0;
}

int nm_kernel_sa_add(void *self, const struct nm_sa_order *order, char why[static NM_SA_PLANE_WHY])
{
	struct nm_kernel *kernel = self;
	struct nm_kernel_sa *before = nm_kernel_sad_find(&kernel->sad, order->config.direction,
		order->config.spi, &order->config.path.remote);
	struct nm_kernel_sa coming = {.order = *order};
	struct nm_xfrm_state state;
	int err = nm_kernel_find_path(kernel, order, &coming.path, why);

	if (err < 0)
		return err;
	if (!before && kernel->sad.len == kernel->sad.max)
		return NATMUX_EFULL;
	stay(kernel, before, order, &coming.path);
	err = nm_kernel_make_state(kernel, order, &coming.path, &state, why);
	if (err == 0)
		err = check_id(kernel, before, &state, why);
	if (err == 0)
		err = nm_kernel_spd_open(&kernel->spd, &coming, why);
	if (err < 0)
		return err;
	err = put_state(kernel, order, before, &state, why);
	if (err < 0) {
		nm_kernel_spd_close(&kernel->spd, &coming);
		return err;
	}
	return note(kernel, order, &coming.path, &state, before);
}

/* `kept` may be NULL. What the kernel keeps stays listed: it goes on sealing and opening. */
static int take_out(struct nm_kernel *kernel, struct nm_kernel_sa *sa, struct kept *kept)
{
	struct nm_xfrm_answer answer;

	if (!sa->is_dead && delete_state(kernel, &sa->id, kept, &answer) < 0 &&
		answer.error != NATMUX_ENOTFOUND) {
		nm_log(&kernel->config.log, NATMUX_LOG_ERROR,
			"SA 0x%08" PRIx32 " cannot be deleted: %s", sa->order.config.spi,
			answer.text);
		return answer.error;
	}
	forget(kernel, sa);
	return 0;
}

int nm_kernel_sa_delete(void *self, enum natmux_sa_direction direction, uint32_t spi,
	const struct natmux_addr *remote)
{
	struct nm_kernel *kernel = self;
	struct nm_kernel_sa *sa = nm_kernel_sad_find(&kernel->sad, direction, spi, remote);

	return sa ? take_out(kernel, sa, NULL) : NATMUX_ENOTFOUND;
}

/* Asked before, for what it tells as it goes may be lost. */
int nm_kernel_sa_take(void *self, enum natmux_sa_direction direction, uint32_t spi,
	const struct natmux_addr *remote, struct natmux_replay_state *last)
{
	struct nm_kernel *kernel = self;
	struct nm_kernel_sa *sa = nm_kernel_sad_find(&kernel->sad, direction, spi, remote);
	struct kept kept;
	int err;

	if (!sa)
		return NATMUX_ENOTFOUND;
	get_state(kernel, &sa->id, &kept);
	err = take_out(kernel, sa, &kept);
	if (err == 0 && kept.is_there && direction == NATMUX_SA_IN)
		nm_xfrm_replay_save(&kept.state.replay, last);
	else if (err == 0 && kept.is_there)
		*last = (struct natmux_replay_state){.top = kept.state.replay.out};
	sodium_memzero(&kept, sizeof(kept));
	return err;
}

struct walk {
	struct nm_kernel *kernel;
	nm_sa_each *each;
	void *user;
};

static void show_state(void *user, const struct nm_xfrm_state *state)
{
	const struct walk *walk = user;
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(state);
	struct nm_kernel_sa *sa = nm_kernel_sad_find_id(&walk->kernel->sad, &id);
	struct natmux_replay_state replay;
	uint8_t key[NATMUX_SUITE_KEY_MAX];
	size_t len = 0;

	if (!sa || sa->is_dead)
		return;
	nm_xfrm_replay_save(&state->replay, &replay);
	sa->is_listed = true;
	nm_kernel_look(walk->kernel, sa, state);
	if (walk->kernel->config.exports_keys && !nm_xfrm_key_is_hidden(state))
		len = nm_xfrm_key_join(state, key);
	nm_kernel_show(sa, len > 0 ? key : NULL, len, &replay, walk->each, walk->user);
	sodium_memzero(key, sizeof(key));
}

/* One dump for all; what it does not have is shown as it was last seen. */
void nm_kernel_sas(void *self, nm_sa_each *each, void *user)
{
	struct nm_kernel *kernel = self;
	struct walk walk = {kernel, each, user};
	const struct nm_kernel_listener listener = {.state = show_state, .user = &walk};
	struct nm_xfrm_message message;
	struct nm_xfrm_answer answer;

	for (uint32_t i = 0; i < kernel->sad.len; i++)
		kernel->sad.sas[i]->is_listed = false;
	nm_kernel_ask(kernel->config.ask, nm_xfrm_state_dump(NM_XFRM_PROTO_ESP, &message), &message,
		&listener, &answer);
	for (uint32_t i = 0; i < kernel->sad.len; i++)
		if (!kernel->sad.sas[i]->is_listed)
			nm_kernel_show(kernel->sad.sas[i], NULL, 0, NULL, each, user);
}
