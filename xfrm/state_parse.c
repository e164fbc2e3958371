/* SPDX-License-Identifier: Apache-2.0 */
/* Reads messages about states; every length is checked before it is trusted. */
#include <string.h>
#include <libmnl/libmnl.h>
#include <natmux/error.h>
#include "base/bytes.h"
#include "xfrm/state_body.h"

static uint32_t be32(const void *value)
{
	uint8_t bytes[4];

	memcpy(bytes, value, sizeof(bytes));
	return nm_get32(bytes);
}

static uint16_t be16(const void *value)
{
	uint8_t bytes[2];

	memcpy(bytes, value, sizeof(bytes));
	return nm_get16(bytes);
}

int nm_xfrm_state_id_get(const struct xfrm_usersa_id *in, struct nm_xfrm_state_id *id)
{
	struct nm_xfrm_state_id got = {.spi = be32(&in->spi), .protocol = in->proto};
	int err = nm_xfrm_addr_get(&in->daddr, in->family, &got.destination);

	if (err < 0)
		return err;
	*id = got;
	return 0;
}

int nm_xfrm_state_info_get(const struct xfrm_usersa_info *in, struct nm_xfrm_state *state)
{
	int err = nm_xfrm_addr_get(&in->id.daddr, in->family, &state->destination);

	if (err == 0)
		err = nm_xfrm_addr_get(&in->saddr, in->family, &state->source);
	if (err == 0)
		err = nm_xfrm_selector_get(&in->sel, &state->selector);
	if (err < 0)
		return err;
	nm_xfrm_limits_get(&in->lft, &state->limits);
	nm_xfrm_usage_get(&in->curlft, &state->usage);
	state->stats = (struct nm_xfrm_state_stats){
		.late = in->stats.replay_window,
		.duplicate = in->stats.replay,
		.bad_icv = in->stats.integrity_failed,
	};
	state->spi = be32(&in->id.spi);
	state->protocol = in->id.proto;
	state->sequence = in->seq;
	state->reqid = in->reqid;
	state->mode = in->mode;
	state->flags = in->flags;
	state->replay.window = in->replay_window;
	return 0;
}

/*
 * struct xfrm_algo, or (with an ICV) struct xfrm_algo_auth or _aead, of which the first two fields
 * are the same. The key is of as many octets as its bits fill.
 */
static int get_algorithm(const struct nm_xfrm_attributes *attributes, uint16_t type, bool has_icv,
	struct nm_xfrm_algorithm *algorithm)
{
	const struct nlattr *attr = attributes->of[type];
	size_t head = has_icv ? sizeof(struct xfrm_algo_aead) : sizeof(struct xfrm_algo);
	struct nm_xfrm_algorithm got = {0};
	struct xfrm_algo_aead fixed = {0};
	uint32_t key_len;

	if (!attr)
		return 0;
	if (mnl_attr_get_payload_len(attr) < head)
		return NATMUX_ETRUNCATED;
	memcpy(&fixed, mnl_attr_get_payload(attr), head);
	key_len = fixed.alg_key_len / 8 + (fixed.alg_key_len % 8 != 0);
	if (!memchr(fixed.alg_name, 0, sizeof(fixed.alg_name)))
		return NATMUX_EMALFORMED;
	if (key_len > mnl_attr_get_payload_len(attr) - head)
		return NATMUX_ETRUNCATED;
	got.name = mnl_attr_get_payload(attr);
	got.key = (const uint8_t *)mnl_attr_get_payload(attr) + head;
	got.key_len = key_len;
	got.icv_bits = has_icv ? fixed.alg_icv_len : 0;
	*algorithm = got;
	return 0;
}

/* The kernel tells an integrity check twice: as it was once, and with the length of its ICV. */
static int get_algorithms(const struct nm_xfrm_attributes *attributes, struct nm_xfrm_state *state)
{
	int err = get_algorithm(attributes, XFRMA_ALG_AEAD, true, &state->aead);

	if (err == 0)
		err = get_algorithm(attributes, XFRMA_ALG_CRYPT, false, &state->cipher);
	if (err == 0)
		err = get_algorithm(attributes, XFRMA_ALG_AUTH, false, &state->auth);
	if (err == 0)
		err = get_algorithm(attributes, XFRMA_ALG_AUTH_TRUNC, true, &state->auth);
	return err;
}

static int get_ring(const struct nlattr *attr, struct nm_xfrm_replay *replay)
{
	struct nm_xfrm_replay got = {.is_ring = true};
	size_t len = mnl_attr_get_payload_len(attr);
	struct xfrm_replay_state_esn fixed;

	if (len < sizeof(fixed))
		return NATMUX_ETRUNCATED;
	memcpy(&fixed, mnl_attr_get_payload(attr), sizeof(fixed));
	if (fixed.bmp_len > NM_XFRM_BITMAP_WORDS || fixed.replay_window > fixed.bmp_len * 32)
		return NATMUX_EMALFORMED;
	got.words = fixed.bmp_len;
	got.window = fixed.replay_window;
	got.out = (uint64_t)fixed.oseq_hi << 32 | fixed.oseq;
	got.in = (uint64_t)fixed.seq_hi << 32 | fixed.seq;
	/* None at all is what `ip` sends: an empty one. */
	if (len > sizeof(fixed)) {
		if (len - sizeof(fixed) < 4 * (size_t)got.words)
			return NATMUX_ETRUNCATED;
		memcpy(got.bitmap, (const uint8_t *)mnl_attr_get_payload(attr) + sizeof(fixed),
			4 * (size_t)got.words);
	}
	*replay = got;
	return 0;
}

/* The old form does not say its window; that stands in the fixed part, if anywhere. */
int nm_xfrm_replay_get(const struct nm_xfrm_attributes *attributes, struct nm_xfrm_replay *replay)
{
	struct xfrm_replay_state old = {0};
	int err;

	if (attributes->of[XFRMA_REPLAY_ESN_VAL])
		return get_ring(attributes->of[XFRMA_REPLAY_ESN_VAL], replay);
	err = nm_xfrm_attribute_get(attributes, XFRMA_REPLAY_VAL, &old, sizeof(old));
	if (err < 0)
		return err;
	/* The kernel uses no more of its byte. */
	replay->window = replay->window < 32 ? replay->window : 32;
	replay->out = old.oseq;
	replay->in = old.seq;
	replay->bitmap[0] = old.bitmap;
	return 0;
}

static int get_encap(const struct nm_xfrm_attributes *attributes, struct nm_xfrm_state *state)
{
	struct xfrm_encap_tmpl encap = {0};
	int err = nm_xfrm_attribute_get(attributes, XFRMA_ENCAP, &encap, sizeof(encap));

	if (err < 0 || !attributes->of[XFRMA_ENCAP])
		return err;
	if (encap.encap_type > UINT8_MAX)
		return NATMUX_EMALFORMED;
	state->encap = (uint8_t)encap.encap_type;
	state->source.port = be16(&encap.encap_sport);
	state->destination.port = be16(&encap.encap_dport);
	return 0;
}

static int get_output_mark(const struct nm_xfrm_attributes *attributes, struct nm_xfrm_mark *mark)
{
	struct nm_xfrm_mark got = {0};
	int err = nm_xfrm_attribute_get(attributes, XFRMA_SET_MARK, &got.value, 4);

	/* Before Linux 4.19 there was no mask: all of it is set. */
	if (attributes->of[XFRMA_SET_MARK])
		got.mask = UINT32_MAX;
	if (err == 0)
		err = nm_xfrm_attribute_get(attributes, XFRMA_SET_MARK_MASK, &got.mask, 4);
	if (err == 0)
		*mark = got;
	return err;
}

static int get_offload(const struct nm_xfrm_attributes *attributes, struct nm_xfrm_state *state)
{
	struct xfrm_user_offload offload = {0};
	int err = nm_xfrm_attribute_get(attributes, XFRMA_OFFLOAD_DEV, &offload, sizeof(offload));

	if (err < 0)
		return err;
	state->offload_ifindex = (uint32_t)offload.ifindex;
	state->offload_flags = offload.flags;
	return 0;
}

/* Attributes that are one number. */
static int get_numbers(const struct nm_xfrm_attributes *attributes, struct nm_xfrm_state *state)
{
	const struct {
		uint16_t type;
		uint16_t len;
		void *value;
	} numbers[] = {
		{XFRMA_SA_EXTRA_FLAGS, 4, &state->extra_flags},
		{XFRMA_IF_ID, 4, &state->if_id},
		{XFRMA_TFCPAD, 4, &state->tfc_pad},
		{XFRMA_MTIMER_THRESH, 4, &state->mapping_s},
		{XFRMA_LASTUSED, 8, &state->last_used_at},
		{NM_XFRMA_SA_DIR, 1, &state->direction},
		{NM_XFRMA_NAT_KEEPALIVE, 4, &state->keepalive_s},
		{NM_XFRMA_SA_PCPU, 4, &state->cpu},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int err = nm_xfrm_attribute_get(
			attributes, numbers[i].type, numbers[i].value, numbers[i].len);

		if (err < 0)
			return err;
	}
	state->has_cpu = attributes->of[NM_XFRMA_SA_PCPU] != NULL;
	return 0;
}

int nm_xfrm_state_extra_get(
	const struct nm_xfrm_attributes *attributes, struct nm_xfrm_state *state)
{
	int err = get_algorithms(attributes, state);

	if (err == 0)
		err = get_encap(attributes, state);
	if (err == 0)
		err = nm_xfrm_replay_get(attributes, &state->replay);
	if (err == 0)
		err = nm_xfrm_mark_get(attributes, &state->mark);
	if (err == 0)
		err = get_output_mark(attributes, &state->output_mark);
	if (err == 0)
		err = get_offload(attributes, state);
	if (err == 0)
		err = get_numbers(attributes, state);
	return err;
}

int nm_xfrm_state_decode(const struct nlmsghdr *message, struct nm_xfrm_state *state)
{
	struct nm_xfrm_state got = {0};
	struct nm_xfrm_attributes attributes;
	struct xfrm_usersa_info info;
	int err = nm_xfrm_fixed_get(message, &info, sizeof(info));

	if (err == 0)
		err = nm_xfrm_attributes_find(message, sizeof(info), &attributes);
	if (err == 0)
		err = nm_xfrm_state_info_get(&info, &got);
	if (err == 0)
		err = nm_xfrm_state_extra_get(&attributes, &got);
	if (err == 0)
		*state = got;
	return err;
}
