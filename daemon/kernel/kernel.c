/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's plane as a whole: its tables, its policies, its keepalives. SAs are kernel_sas.c's. */
#include "daemon/kernel/kernel.h"

#include <stdlib.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/kernel/kernel_sas.h"

enum { GATES_OF_AN_SA = 4 /* on average, of the most that there may be */ };

int nm_kernel_new(const struct nm_kernel_config *config, struct nm_kernel **result)
{
	struct nm_kernel *kernel = calloc(1, sizeof(*kernel));
	int err;

	if (!kernel)
		return NATMUX_ENOMEM;
	kernel->config = *config;
	err = nm_kernel_sad_init(&kernel->sad, config->sas_max);
	if (err == 0)
		err = nm_kernel_spd_init(&kernel->spd, config->ask, config->policies_max,
			config->sas_max * GATES_OF_AN_SA);
	if (err < 0) {
		nm_kernel_free(kernel);
		return err;
	}
	*result = kernel;
	return 0;
}

void nm_kernel_free(struct nm_kernel *kernel)
{
	if (!kernel)
		return;
	nm_kernel_sad_done(&kernel->sad);
	nm_kernel_spd_done(&kernel->spd);
	free(kernel);
}

void nm_kernel_clear(struct nm_kernel *kernel)
{
	/* Policies last: as long as they stand nothing leaves that ought to be sealed. */
	for (uint32_t i = 0; i < kernel->sad.len; i++) {
		struct nm_xfrm_message message;
		struct nm_xfrm_answer answer;

		if (!kernel->sad.sas[i]->is_dead)
			nm_kernel_ask(kernel->config.ask,
				nm_xfrm_state_delete(&kernel->sad.sas[i]->id, &message), &message,
				NULL, &answer);
		kernel->sad.sas[i]->is_dead = true;
	}
	nm_kernel_spd_clear(&kernel->spd);
}

static const struct nm_kernel_sa *newest_for(
	const struct nm_kernel *kernel, const struct nm_policy_order *order)
{
	if (order->policy.action != NATMUX_POLICY_PROTECT)
		return NULL;
	return nm_kernel_sad_newest(&kernel->sad, order->policy.reqid);
}

static int policy_add(
	void *self, const struct nm_policy_order *order, char why[static NM_SA_PLANE_WHY])
{
	struct nm_kernel *kernel = self;

	return nm_kernel_spd_add(&kernel->spd, order, newest_for(kernel, order), why);
}

static int policy_replace(void *self, const struct nm_policy_order *before,
	const struct nm_policy_order *order, char why[static NM_SA_PLANE_WHY])
{
	struct nm_kernel *kernel = self;

	return nm_kernel_spd_replace(&kernel->spd, before, order, newest_for(kernel, order), why);
}

static void policy_leaves(void *self, const struct nm_policy_order *order)
{
	struct nm_kernel *kernel = self;

	nm_kernel_spd_leave(&kernel->spd, order);
}

static int policy_delete(
	void *self, const struct nm_policy_order *order, char why[static NM_SA_PLANE_WHY])
{
	struct nm_kernel *kernel = self;

	return nm_kernel_spd_delete(&kernel->spd, order, why);
}

static void hold_gates(void *self, bool holds)
{
	struct nm_kernel *kernel = self;

	nm_kernel_spd_hold_gates(&kernel->spd, holds);
}

static void policies(void *self, nm_policy_each *each, void *user)
{
	const struct nm_kernel *kernel = self;

	nm_kernel_spd_each(&kernel->spd, each, user);
}

/* Those that the kernel sends keep the interval they were added with. */
static void set_keepalive(void *self, uint32_t keepalive_ms)
{
	struct nm_kernel *kernel = self;

	kernel->config.keepalive_ms = keepalive_ms;
}

struct nm_sa_plane nm_kernel_sa_plane(struct nm_kernel *kernel)
{
	static const struct nm_sa_plane_ops ops = {
		.name = "kernel",
		.sa_check = nm_kernel_sa_check,
		.sa_add = nm_kernel_sa_add,
		.sa_delete = nm_kernel_sa_delete,
		.sa_take = nm_kernel_sa_take,
		.sas = nm_kernel_sas,
		.hold_gates = hold_gates,
		.policy_add = policy_add,
		.policy_replace = policy_replace,
		.policy_delete = policy_delete,
		.policy_leaves = policy_leaves,
		.policies = policies,
		.set_keepalive = set_keepalive,
	};

	return (struct nm_sa_plane){&ops, kernel};
}

/* RFC 3948 4: one octet, to where the SA's packets go. */
static void send_keepalive(struct nm_kernel *kernel, const struct nm_kernel_sa *sa)
{
	static const uint8_t octet = 0xff;
	const struct natmux_train train = {
		.data = &octet, .len = 1, .segment = 1, .flow = NATMUX_FLOW_NONE, .path = sa->path};

	kernel->config.send(kernel->config.user, &train, 1);
}

static void look_for_silence(void *user, const struct nm_xfrm_state *state)
{
	struct nm_kernel *kernel = user;
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(state);
	struct nm_kernel_sa *sa = nm_kernel_sad_find_id(&kernel->sad, &id);
	bool is_silent;

	if (!sa || sa->is_dead || sa->sends_keepalive ||
		sa->order.config.direction != NATMUX_SA_OUT)
		return;
	is_silent = state->usage.packets == sa->packets_before;
	sa->packets_before = state->usage.packets;
	if (is_silent)
		send_keepalive(kernel, sa);
}

void nm_kernel_keep_alive(struct nm_kernel *kernel)
{
	const struct nm_kernel_listener listener = {.state = look_for_silence, .user = kernel};
	struct nm_xfrm_message message;
	struct nm_xfrm_answer answer;

	if (kernel->config.keepalive_ms == 0 || kernel->sad.len == 0)
		return;
	nm_kernel_ask(kernel->config.ask, nm_xfrm_state_dump(NM_XFRM_PROTO_ESP, &message), &message,
		&listener, &answer);
}
