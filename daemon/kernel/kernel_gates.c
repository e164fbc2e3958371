/* SPDX-License-Identifier: Apache-2.0 */
/* What inbound SAs may bring in, as pairs of policies: opened with the first SA, closed with the last. */
#include "daemon/kernel/kernel_gates.h"

#include <stdio.h>
#include <natmux/error.h>

#include "xfrm/kernel.h"

enum {
	GATE_PRIORITY = 4096, /* less for each bit of the prefixes: the narrowest is asked first */
	WIDE_PRIORITY = 1 << 30, /* after all others, natmuxd's or not */
};

static struct nm_xfrm_mark mark_of(const struct nm_sa_mark *mark)
{
	return (struct nm_xfrm_mark){mark->value, mark->mask};
}

/* Of a gate, one of its two directions. */
static void make_gate(const struct nm_kernel_policy *gate, enum nm_xfrm_direction direction,
	struct nm_xfrm_policy *kernel)
{
	uint32_t bits = (uint32_t)gate->selector.source.bits + gate->selector.destination.bits;
	struct nm_xfrm_template *template = &kernel->templates[0];

	*kernel = (struct nm_xfrm_policy){.direction = direction,
		.priority = gate->is_wide ? (uint32_t)WIDE_PRIORITY : GATE_PRIORITY - bits,
		.selector = gate->selector,
		.mark = gate->mark,
		.if_id = gate->if_id,
		.templates_len = 1};
	template->source.family = template->destination.family = gate->outer;
	template->protocol = NM_XFRM_PROTO_ESP;
	template->mode = gate->mode == NATMUX_SA_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	template->reqid = gate->is_wide ? 0 : gate->reqid;
	template->is_optional = gate->is_wide;
}

/* Transport mode ends here: nothing of it is forwarded. */
bool nm_kernel_gate_is_forwarded(const struct nm_kernel_policy *gate)
{
	return gate->mode == NATMUX_SA_TUNNEL;
}

static int raise_gate(struct nm_kernel_spd *spd, const struct nm_kernel_policy *gate,
	char why[static NM_SA_PLANE_WHY])
{
	char ignored[NM_SA_PLANE_WHY];
	struct nm_xfrm_policy kernel;
	int err;

	make_gate(gate, NM_XFRM_IN, &kernel);
	err = nm_kernel_spd_write(spd, &kernel, why);
	if (err < 0 || !nm_kernel_gate_is_forwarded(gate))
		return err;
	make_gate(gate, NM_XFRM_FWD, &kernel);
	err = nm_kernel_spd_write(spd, &kernel, why);
	if (err < 0)
		nm_kernel_spd_erase(spd, gate, NM_XFRM_IN, ignored);
	return err;
}

void nm_kernel_gate_lower(struct nm_kernel_spd *spd, struct nm_kernel_policy *gate)
{
	char ignored[NM_SA_PLANE_WHY];

	nm_kernel_spd_erase(spd, gate, NM_XFRM_IN, ignored);
	if (nm_kernel_gate_is_forwarded(gate))
		nm_kernel_spd_erase(spd, gate, NM_XFRM_FWD, ignored);
	nm_kernel_spd_drop(spd, gate);
}

/* Whether there is no gate for that selector, or one that is the same: NATMUX_EEXISTS. */
static int check_gate(const struct nm_kernel_policy *there, const struct nm_kernel_policy *gate,
	char why[static NM_SA_PLANE_WHY])
{
	if (!there || (there->reqid == gate->reqid && there->mode == gate->mode &&
			      there->outer == gate->outer))
		return 0;
	snprintf(why, NM_SA_PLANE_WHY,
		"an inbound SA with reqid %u has that selector, and the kernel has one policy of a "
		"selector",
		(unsigned int)there->reqid);
	return NATMUX_EEXISTS;
}

/* Those that are held for nobody. The last one of the table takes the place of one that is dropped. */
static void lower_unused(struct nm_kernel_spd *spd)
{
	for (uint32_t i = spd->len; i-- > 0;)
		if (spd->policies[i]->direction == NM_XFRM_IN && spd->policies[i]->refs == 0)
			nm_kernel_gate_lower(spd, spd->policies[i]);
}

void nm_kernel_spd_hold_gates(struct nm_kernel_spd *spd, bool holds)
{
	spd->holds_gates = holds;
	if (!holds)
		lower_unused(spd);
}

static bool is_full(struct nm_kernel_spd *spd)
{
	if (spd->len - spd->outs >= spd->gates_max)
		lower_unused(spd);
	return spd->len - spd->outs >= spd->gates_max;
}

static int open_gate(struct nm_kernel_spd *spd, const struct nm_kernel_policy *gate,
	char why[static NM_SA_PLANE_WHY])
{
	struct nm_kernel_policy *there = nm_kernel_spd_find_like(spd, gate);
	int err = check_gate(there, gate, why);

	if (err < 0 && there->refs == 0) {
		nm_kernel_gate_lower(spd, there);
		there = NULL;
		err = 0;
	}
	if (err < 0)
		return err;
	if (there) {
		there->refs++;
		return 0;
	}
	if (is_full(spd))
		return NATMUX_EFULL;
	err = nm_kernel_spd_put(spd, gate);
	if (err < 0)
		return err;
	err = raise_gate(spd, gate, why);
	if (err < 0)
		nm_kernel_spd_drop(spd, nm_kernel_spd_find_like(spd, gate));
	return err;
}

static void close_gate(struct nm_kernel_spd *spd, const struct nm_kernel_policy *like)
{
	struct nm_kernel_policy *gate = nm_kernel_spd_find_like(spd, like);

	if (gate && --gate->refs == 0 && !spd->holds_gates)
		nm_kernel_gate_lower(spd, gate);
}

/* How many gates an SA has: one for each selector, or one for each family. */
static size_t gates_of(const struct nm_kernel_sa *sa)
{
	const struct natmux_sa_config *config = &sa->order.config;

	if (config->direction == NATMUX_SA_OUT)
		return 0;
	if (config->selectors_len > 0)
		return config->selectors_len;
	/* The kernel lets in what transport mode protects without being told to. */
	return config->mode == NATMUX_SA_TUNNEL ? 2 : 0;
}

/* The `i`th of them. */
static int make_like(const struct nm_kernel_sa *sa, size_t i, struct nm_kernel_policy *gate)
{
	const struct natmux_sa_config *config = &sa->order.config;
	uint8_t family = i == 0 ? NATMUX_FAMILY_IPV4 : NATMUX_FAMILY_IPV6;

	*gate = (struct nm_kernel_policy){.direction = NM_XFRM_IN,
		.mark = mark_of(&sa->order.kernel.mark),
		.if_id = sa->order.kernel.if_id,
		.reqid = config->reqid,
		.refs = 1,
		.mode = config->mode,
		.outer = sa->path.local.family,
		.is_wide = config->selectors_len == 0};
	if (!gate->is_wide)
		return nm_xfrm_selector_from(&config->selectors[i], &gate->selector);
	/* Its template fits any state, whatever the family on the wire. */
	gate->reqid = 0;
	gate->outer = NATMUX_FAMILY_IPV4;
	gate->selector.source.base.family = gate->selector.destination.base.family = family;
	return 0;
}

static void close_some(struct nm_kernel_spd *spd, const struct nm_kernel_sa *sa, size_t n)
{
	struct nm_kernel_policy like;

	for (size_t i = 0; i < n; i++)
		if (make_like(sa, i, &like) == 0)
			close_gate(spd, &like);
}

int nm_kernel_spd_open(
	struct nm_kernel_spd *spd, const struct nm_kernel_sa *sa, char why[static NM_SA_PLANE_WHY])
{
	size_t n = gates_of(sa);

	for (size_t i = 0; i < n; i++) {
		struct nm_kernel_policy gate;
		int err = make_like(sa, i, &gate);

		if (err == 0)
			err = open_gate(spd, &gate, why);
		if (err < 0) {
			close_some(spd, sa, i);
			return err;
		}
	}
	return 0;
}

void nm_kernel_spd_close(struct nm_kernel_spd *spd, const struct nm_kernel_sa *sa)
{
	close_some(spd, sa, gates_of(sa));
}

int nm_kernel_spd_check(
	struct nm_kernel_spd *spd, const struct nm_kernel_sa *sa, char why[static NM_SA_PLANE_WHY])
{
	size_t n = gates_of(sa);

	for (size_t i = 0; i < n; i++) {
		struct nm_kernel_policy gate;
		int err = make_like(sa, i, &gate);

		if (err == 0)
			err = check_gate(nm_kernel_spd_find_like(spd, &gate), &gate, why);
		if (err < 0)
			return err;
	}
	return 0;
}
