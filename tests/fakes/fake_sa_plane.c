/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/fake_sa_plane.h"

#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_selector.h"

static int fails(struct fake_sa_plane *fake, char why[static NM_SA_PLANE_WHY])
{
	if (++fake->calls != fake->fail_at)
		return 0;
	if (fake->fail_why)
		snprintf(why, NM_SA_PLANE_WHY, "%s", fake->fail_why);
	return fake->fail_with;
}

static bool is_same_ip(const struct natmux_addr *a, const struct natmux_addr *b)
{
	struct natmux_addr x = *a, y = *b;

	x.port = y.port = 0;
	return natmux_addr_equal(&x, &y);
}

static struct nm_sa_order *find(struct fake_sa_plane *fake, enum natmux_sa_direction direction,
	uint32_t spi, const struct natmux_addr *remote)
{
	for (size_t i = 0; i < fake->sas_len; i++) {
		const struct natmux_sa_config *config = &fake->sas[i].config;

		if (config->direction == direction && config->spi == spi &&
			(direction == NATMUX_SA_IN || is_same_ip(&config->path.remote, remote)))
			return &fake->sas[i];
	}
	return NULL;
}

static int sa_check(void *self, const struct nm_sa_order *order, char why[static NM_SA_PLANE_WHY])
{
	(void)order;
	return fails(self, why);
}

static int sa_add(void *self, const struct nm_sa_order *order, char why[static NM_SA_PLANE_WHY])
{
	struct fake_sa_plane *fake = self;
	struct nm_sa_order *place =
		find(fake, order->config.direction, order->config.spi, &order->config.path.remote);
	int err = fails(fake, why);

	if (err == 0 && !place && fake->sas_len == FAKE_SA_PLANE_MAX)
		err = NATMUX_EFULL;
	if (err < 0)
		return err;
	if (!place)
		place = &fake->sas[fake->sas_len++];
	*place = *order;
	if (order->config.key)
		memcpy(fake->keys[place - fake->sas], order->config.key, order->config.key_len);
	place->config.replay = NULL; /* borrowed for the call */
	place->config.selectors = fake->selectors[place - fake->sas];
	for (size_t i = 0; i < order->config.selectors_len; i++)
		fake->selectors[place - fake->sas][i] = order->config.selectors[i];
	return 0;
}

static int sa_delete(void *self, enum natmux_sa_direction direction, uint32_t spi,
	const struct natmux_addr *remote)
{
	struct fake_sa_plane *fake = self;
	struct nm_sa_order *place = find(fake, direction, spi, remote);

	if (!place)
		return NATMUX_ENOTFOUND;
	*place = fake->sas[--fake->sas_len];
	return 0;
}

static int sa_take(void *self, enum natmux_sa_direction direction, uint32_t spi,
	const struct natmux_addr *remote, struct natmux_replay_state *last)
{
	const struct fake_sa_plane *fake = self;
	int err = fake->keeps_sas ? NATMUX_ESYSTEM : sa_delete(self, direction, spi, remote);

	if (err == 0)
		*last = *fake->last;
	return err;
}

static void sas(void *self, nm_sa_each *each, void *user)
{
	const struct fake_sa_plane *fake = self;

	for (size_t i = 0; i < fake->sas_len; i++) {
		const struct natmux_sa_config *config = &fake->sas[i].config;
		const struct natmux_sa_info info = {.direction = config->direction,
			.spi = config->spi,
			.reqid = config->reqid,
			.suite = config->suite,
			.engine = "fake",
			.soft = config->soft,
			.hard = config->hard,
			.dscp = config->dscp,
			.mode = config->mode,
			.has_esn = config->has_esn,
			.replay_window = config->replay_window,
			.sequence = config->sequence,
			.roam = config->roam,
			.tfc_pad = config->tfc_pad,
			.selectors = config->selectors,
			.selectors_len = config->selectors_len,
			.key = fake->hides_keys ? NULL : fake->keys[i],
			.key_len = fake->hides_keys ? 0 : config->key_len,
			.counters = fake->counters,
			.path = config->path,
			.added_remote = config->path.remote};
		const struct nm_sa_seen seen = {"fake", &info, &fake->sas[i].kernel};

		each(user, &seen);
	}
}

static bool is_same_selector(const struct natmux_selector *a, const struct natmux_selector *b)
{
	char x[NM_SELECTOR_TEXT], y[NM_SELECTOR_TEXT];

	return strcmp(nm_selector_format(a, x), nm_selector_format(b, y)) == 0;
}

static struct nm_policy_order *find_policy(
	struct fake_sa_plane *fake, const struct nm_policy_order *order)
{
	for (size_t i = 0; i < fake->policies_len; i++)
		if (fake->policies[i].policy.priority == order->policy.priority &&
			is_same_selector(
				&fake->policies[i].policy.selector, &order->policy.selector))
			return &fake->policies[i];
	return NULL;
}

static int policy_add(
	void *self, const struct nm_policy_order *order, char why[static NM_SA_PLANE_WHY])
{
	struct fake_sa_plane *fake = self;
	int err = fails(fake, why);

	if (err == 0 && find_policy(fake, order))
		err = NATMUX_EEXISTS;
	if (err == 0 && fake->policies_len == FAKE_SA_PLANE_MAX)
		err = NATMUX_EFULL;
	if (err == 0)
		fake->policies[fake->policies_len++] = *order;
	return err;
}

static int policy_delete(
	void *self, const struct nm_policy_order *order, char why[static NM_SA_PLANE_WHY])
{
	struct fake_sa_plane *fake = self;
	struct nm_policy_order *place = find_policy(fake, order);

	(void)why;
	if (!place)
		return NATMUX_ENOTFOUND;
	*place = fake->policies[--fake->policies_len];
	fake->policies_deleted++;
	return 0;
}

static int policy_replace(void *self, const struct nm_policy_order *before,
	const struct nm_policy_order *order, char why[static NM_SA_PLANE_WHY])
{
	struct fake_sa_plane *fake = self;
	struct nm_policy_order *place = find_policy(fake, before);
	int err = fails(fake, why);

	if (err == 0 && !place)
		err = NATMUX_ENOTFOUND;
	if (err == 0)
		*place = *order;
	return err;
}

static void policies(void *self, nm_policy_each *each, void *user)
{
	const struct fake_sa_plane *fake = self;

	for (size_t i = 0; i < fake->policies_len; i++)
		each(user, &fake->policies[i]);
}

static void set_keepalive(void *self, uint32_t keepalive_ms)
{
	struct fake_sa_plane *fake = self;

	fake->keepalive_ms = keepalive_ms;
}

struct nm_sa_plane fake_sa_plane(struct fake_sa_plane *fake)
{
	static const struct nm_sa_plane_ops ops = {
		.name = "fake",
		.sa_check = sa_check,
		.sa_add = sa_add,
		.sa_delete = sa_delete,
		.sas = sas,
		.policy_add = policy_add,
		.policy_delete = policy_delete,
		.policies = policies,
		.set_keepalive = set_keepalive,
	};

	static struct nm_sa_plane_ops with_more[2][2];
	struct nm_sa_plane_ops *these = &with_more[fake->can_replace][fake->last != NULL];

	*these = ops;
	if (fake->can_replace)
		these->policy_replace = policy_replace;
	if (fake->last)
		these->sa_take = sa_take;
	return (struct nm_sa_plane){these, fake};
}
