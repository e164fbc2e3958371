/* SPDX-License-Identifier: Apache-2.0 */
/* Writes messages about states. What they should say is decided elsewhere. */
#include <string.h>
#include <natmux/error.h>
#include "xfrm/state_body.h"

static uint32_t be32(uint32_t value)
{
	uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
		(uint8_t)value};
	uint32_t be;

	memcpy(&be, bytes, sizeof(be));
	return be;
}

static uint16_t be16(uint16_t value)
{
	uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
	uint16_t be;

	memcpy(&be, bytes, sizeof(be));
	return be;
}

/* struct xfrm_algo: a cipher. */
static void put_cipher(struct nm_xfrm_builder *builder, const struct nm_xfrm_algorithm *algorithm)
{
	struct xfrm_algo *out = nm_xfrm_put_room(
		builder, XFRMA_ALG_CRYPT, sizeof(*out) + (size_t)algorithm->key_len);

	if (!out)
		return;
	strncpy(out->alg_name, algorithm->name, sizeof(out->alg_name) - 1);
	out->alg_key_len = algorithm->key_len * 8;
	if (algorithm->key_len > 0)
		memcpy((uint8_t *)out + sizeof(*out), algorithm->key, algorithm->key_len);
}

/* struct xfrm_algo_auth and struct xfrm_algo_aead have one layout. */
static void put_checked(
	struct nm_xfrm_builder *builder, uint16_t type, const struct nm_xfrm_algorithm *algorithm)
{
	struct xfrm_algo_aead *out =
		nm_xfrm_put_room(builder, type, sizeof(*out) + (size_t)algorithm->key_len);

	_Static_assert(
		sizeof(struct xfrm_algo_auth) == sizeof(struct xfrm_algo_aead), "one layout");
	if (!out)
		return;
	strncpy(out->alg_name, algorithm->name, sizeof(out->alg_name) - 1);
	out->alg_key_len = algorithm->key_len * 8;
	out->alg_icv_len = algorithm->icv_bits;
	memcpy((uint8_t *)out + sizeof(*out), algorithm->key, algorithm->key_len);
}

static void put_algorithms(struct nm_xfrm_builder *builder, const struct nm_xfrm_state *state)
{
	if (state->aead.name)
		put_checked(builder, XFRMA_ALG_AEAD, &state->aead);
	if (state->auth.name)
		put_checked(builder, XFRMA_ALG_AUTH_TRUNC, &state->auth);
	if (state->cipher.name)
		put_cipher(builder, &state->cipher);
}

static bool is_empty(const struct nm_xfrm_replay *replay)
{
	for (uint32_t i = 0; i < replay->words; i++)
		if (replay->bitmap[i] != 0)
			return false;
	return true;
}

/* `bits` false: without the ring, which is then empty. */
static void put_ring(
	struct nm_xfrm_builder *builder, const struct nm_xfrm_replay *replay, bool bits)
{
	size_t bitmap_len = bits ? 4 * (size_t)replay->words : 0;
	struct xfrm_replay_state_esn *out =
		nm_xfrm_put_room(builder, XFRMA_REPLAY_ESN_VAL, sizeof(*out) + bitmap_len);

	if (!out)
		return;
	out->bmp_len = replay->words;
	out->oseq = (uint32_t)replay->out;
	out->oseq_hi = (uint32_t)(replay->out >> 32);
	out->seq = (uint32_t)replay->in;
	out->seq_hi = (uint32_t)(replay->in >> 32);
	out->replay_window = replay->window;
	memcpy((uint8_t *)out + sizeof(*out), replay->bitmap, bitmap_len);
}

static void put_old(struct nm_xfrm_builder *builder, const struct nm_xfrm_replay *replay)
{
	const struct xfrm_replay_state old = {
		.oseq = (uint32_t)replay->out,
		.seq = (uint32_t)replay->in,
		.bitmap = replay->bitmap[0],
	};

	nm_xfrm_put(builder, XFRMA_REPLAY_VAL, &old, sizeof(old));
}

/*
 * A state that knows it is outbound must have no ring at all (Linux 6.10: "Replay bitmap should be
 * 0"). Numbers that have not begun need no attribute.
 */
static void put_replay(struct nm_xfrm_builder *builder, const struct nm_xfrm_state *state)
{
	const struct nm_xfrm_replay *replay = &state->replay;

	if (replay->is_ring && state->direction == NM_XFRM_SA_DIR_OUT)
		put_ring(builder, &(struct nm_xfrm_replay){.out = replay->out}, false);
	else if (replay->is_ring)
		put_ring(builder, replay, !is_empty(replay));
	else if (replay->out != 0 || replay->in != 0)
		put_old(builder, replay);
}

static void put_encap(struct nm_xfrm_builder *builder, const struct nm_xfrm_state *state)
{
	const struct xfrm_encap_tmpl encap = {
		.encap_type = state->encap,
		.encap_sport = be16(state->source.port),
		.encap_dport = be16(state->destination.port),
	};

	if (state->encap != 0)
		nm_xfrm_put(builder, XFRMA_ENCAP, &encap, sizeof(encap));
}

static void put_nonzero(struct nm_xfrm_builder *builder, uint16_t type, uint32_t value)
{
	if (value != 0)
		nm_xfrm_put_u32(builder, type, value);
}

static void put_offload(struct nm_xfrm_builder *builder, const struct nm_xfrm_state *state)
{
	const struct xfrm_user_offload offload = {
		.ifindex = (int)state->offload_ifindex,
		.flags = state->offload_flags,
	};

	if (state->offload_ifindex != 0)
		nm_xfrm_put(builder, XFRMA_OFFLOAD_DEV, &offload, sizeof(offload));
}

static void put_usage(struct nm_xfrm_builder *builder, const struct nm_xfrm_usage *usage)
{
	const struct xfrm_lifetime_cur out = {
		.bytes = usage->bytes,
		.packets = usage->packets,
		.add_time = usage->added_at,
		.use_time = usage->used_at,
	};

	nm_xfrm_put(builder, XFRMA_LTIME_VAL, &out, sizeof(out));
}

static void put_attributes(struct nm_xfrm_builder *builder, const struct nm_xfrm_state *state)
{
	put_algorithms(builder, state);
	put_encap(builder, state);
	put_replay(builder, state);
	if (state->keeps_usage)
		put_usage(builder, &state->usage);
	nm_xfrm_mark_put(builder, &state->mark);
	put_nonzero(builder, XFRMA_SA_EXTRA_FLAGS, state->extra_flags);
	if (state->output_mark.mask != 0) {
		nm_xfrm_put_u32(builder, XFRMA_SET_MARK, state->output_mark.value);
		nm_xfrm_put_u32(builder, XFRMA_SET_MARK_MASK, state->output_mark.mask);
	}
	put_nonzero(builder, XFRMA_IF_ID, state->if_id);
	put_nonzero(builder, XFRMA_TFCPAD, state->tfc_pad);
	put_nonzero(builder, XFRMA_MTIMER_THRESH, state->mapping_s);
	put_offload(builder, state);
	if (state->direction != 0)
		nm_xfrm_put(builder, NM_XFRMA_SA_DIR, &state->direction, 1);
	put_nonzero(builder, NM_XFRMA_NAT_KEEPALIVE, state->keepalive_s);
	if (state->has_cpu)
		nm_xfrm_put_u32(builder, NM_XFRMA_SA_PCPU, state->cpu);
}

static void put_info(const struct nm_xfrm_state *state, struct xfrm_usersa_info *out)
{
	nm_xfrm_selector_put(&state->selector, &out->sel);
	nm_xfrm_addr_put(&state->destination, &out->id.daddr);
	nm_xfrm_addr_put(&state->source, &out->saddr);
	nm_xfrm_limits_put(&state->limits, &out->lft);
	out->id.spi = be32(state->spi);
	out->id.proto = state->protocol;
	out->seq = state->sequence;
	out->reqid = state->reqid;
	out->family = nm_xfrm_family(&state->destination);
	out->mode = state->mode;
	out->flags = state->flags;
	/* With a ring the window stands there, and here a 0. */
	out->replay_window = state->replay.is_ring ? 0 : (uint8_t)state->replay.window;
}

static int build_state(
	const struct nm_xfrm_state *state, uint16_t type, struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder;

	if (state->destination.family == NATMUX_FAMILY_NONE ||
		state->replay.words > NM_XFRM_BITMAP_WORDS)
		return NATMUX_EINVAL;
	builder = nm_xfrm_build(message, type, NLM_F_ACK);
	put_info(state, nm_xfrm_put_fixed(&builder, sizeof(struct xfrm_usersa_info)));
	put_attributes(&builder, state);
	return nm_xfrm_build_end(&builder);
}

int nm_xfrm_state_add(const struct nm_xfrm_state *state, struct nm_xfrm_message *message)
{
	return build_state(state, XFRM_MSG_NEWSA, message);
}

int nm_xfrm_state_update(const struct nm_xfrm_state *state, struct nm_xfrm_message *message)
{
	return build_state(state, XFRM_MSG_UPDSA, message);
}

static void put_id(const struct nm_xfrm_state_id *id, struct xfrm_usersa_id *out)
{
	nm_xfrm_addr_put(&id->destination, &out->daddr);
	out->spi = be32(id->spi);
	out->family = nm_xfrm_family(&id->destination);
	out->proto = id->protocol;
}

static int build_id(
	const struct nm_xfrm_state_id *id, uint16_t type, struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder = nm_xfrm_build(message, type, NLM_F_ACK);

	put_id(id, nm_xfrm_put_fixed(&builder, sizeof(struct xfrm_usersa_id)));
	nm_xfrm_mark_put(&builder, &id->mark);
	return nm_xfrm_build_end(&builder);
}

int nm_xfrm_state_delete(const struct nm_xfrm_state_id *id, struct nm_xfrm_message *message)
{
	return build_id(id, XFRM_MSG_DELSA, message);
}

int nm_xfrm_state_get(const struct nm_xfrm_state_id *id, struct nm_xfrm_message *message)
{
	return build_id(id, XFRM_MSG_GETSA, message);
}

int nm_xfrm_state_dump(uint8_t protocol, struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder = nm_xfrm_build(message, XFRM_MSG_GETSA, NLM_F_DUMP);

	nm_xfrm_put(&builder, XFRMA_PROTO, &protocol, 1);
	return nm_xfrm_build_end(&builder);
}

int nm_xfrm_state_flush(uint8_t protocol, struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder = nm_xfrm_build(message, XFRM_MSG_FLUSHSA, NLM_F_ACK);
	struct xfrm_usersa_flush *flush = nm_xfrm_put_fixed(&builder, sizeof(*flush));

	flush->proto = protocol;
	return nm_xfrm_build_end(&builder);
}

int nm_xfrm_state_alloc_spi(const struct nm_xfrm_state *state, uint32_t min, uint32_t max,
	struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder = nm_xfrm_build(message, XFRM_MSG_ALLOCSPI, NLM_F_ACK);
	struct xfrm_userspi_info *out = nm_xfrm_put_fixed(&builder, sizeof(*out));

	if (state->destination.family == NATMUX_FAMILY_NONE || min > max)
		return NATMUX_EINVAL;
	put_info(state, &out->info);
	memset(&out->info.lft, 0, sizeof(out->info.lft)); /* the state to come has them */
	out->info.id.spi = 0;
	out->min = min;
	out->max = max;
	nm_xfrm_mark_put(&builder, &state->mark);
	put_nonzero(&builder, XFRMA_IF_ID, state->if_id);
	return nm_xfrm_build_end(&builder);
}

static struct nm_xfrm_builder build_numbers(const struct nm_xfrm_state_id *id, uint16_t type,
	uint16_t flags, uint32_t ae_flags, struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder = nm_xfrm_build(message, type, NLM_F_ACK | flags);
	struct xfrm_aevent_id *out = nm_xfrm_put_fixed(&builder, sizeof(*out));

	put_id(id, &out->sa_id);
	out->flags = ae_flags;
	nm_xfrm_mark_put(&builder, &id->mark);
	return builder;
}

int nm_xfrm_replay_query(const struct nm_xfrm_state_id *id, struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder =
		build_numbers(id, XFRM_MSG_GETAE, 0, XFRM_AE_RVAL | XFRM_AE_LVAL, message);

	return nm_xfrm_build_end(&builder);
}

/* The kernel takes it only with NLM_F_REPLACE, and a ring only in the size that its own has. */
int nm_xfrm_replay_set(const struct nm_xfrm_state_id *id, const struct nm_xfrm_replay *replay,
	struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder =
		build_numbers(id, XFRM_MSG_NEWAE, NLM_F_REPLACE, XFRM_AE_RVAL, message);

	if (replay->words > NM_XFRM_BITMAP_WORDS)
		return NATMUX_EINVAL;
	if (replay->is_ring)
		put_ring(&builder, replay, true);
	else
		put_old(&builder, replay);
	return nm_xfrm_build_end(&builder);
}
