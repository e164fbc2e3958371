/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of natmux/esp.h for a plane that is on the loop, and has to look at its clock then. */
#include "daemon/user/user_sa_plane.h"

#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/user/user_plane.h"

static bool is_plain(const struct nm_sa_kernel *kernel)
{
	return kernel->mark.mask == 0 && kernel->output_mark.mask == 0 && kernel->if_id == 0 &&
	       !*kernel->offload;
}

static int explain(int err, char why[static NM_SA_PLANE_WHY])
{
	if (err == NATMUX_EUNSUPPORTED)
		snprintf(why, NM_SA_PLANE_WHY, "no engine of this machine has that suite");
	return err;
}

static int refuse_kernel(char why[static NM_SA_PLANE_WHY])
{
	snprintf(why, NM_SA_PLANE_WHY,
		"marks, if-id and offload are the kernel's: the user plane has none");
	return NATMUX_EINVAL;
}

static int sa_check(void *self, const struct nm_sa_order *order, char why[static NM_SA_PLANE_WHY])
{
	if (!is_plain(&order->kernel))
		return refuse_kernel(why);
	return explain(natmux_esp_sa_check(nm_user_plane_esp(self), &order->config), why);
}

static int sa_add(void *self, const struct nm_sa_order *order, char why[static NM_SA_PLANE_WHY])
{
	int err;

	if (!is_plain(&order->kernel))
		return refuse_kernel(why);
	err = natmux_esp_sa_add(
		nm_user_plane_esp(self), nm_user_plane_now_ms(self), &order->config);
	nm_user_plane_changed(self);
	return explain(err, why);
}

static int sa_delete(void *self, enum natmux_sa_direction direction, uint32_t spi,
	const struct natmux_addr *remote)
{
	return natmux_esp_sa_delete(nm_user_plane_esp(self), direction, spi, remote);
}

struct walk {
	nm_sa_each *each_sa;
	nm_policy_each *each_policy;
	void *user;
};

static void show_sa(void *user, const struct natmux_sa_info *info)
{
	static const struct nm_sa_kernel none;
	const struct nm_sa_seen seen = {"user", info, &none};
	const struct walk *walk = user;

	walk->each_sa(walk->user, &seen);
}

static void sas(void *self, nm_sa_each *each, void *user)
{
	struct walk walk = {.each_sa = each, .user = user};

	natmux_esp_sas(nm_user_plane_esp(self), show_sa, &walk);
}

static int policy_add(
	void *self, const struct nm_policy_order *order, char why[static NM_SA_PLANE_WHY])
{
	if (order->mark.mask > 0 || order->if_id > 0)
		return refuse_kernel(why);
	return natmux_esp_policy_add(nm_user_plane_esp(self), &order->policy);
}

static int policy_delete(
	void *self, const struct nm_policy_order *order, char why[static NM_SA_PLANE_WHY])
{
	(void)why;
	return natmux_esp_policy_delete(nm_user_plane_esp(self), &order->policy);
}

static void show_policy(void *user, const struct natmux_policy *policy)
{
	const struct nm_policy_order order = {.policy = *policy};
	const struct walk *walk = user;

	walk->each_policy(walk->user, &order);
}

static void policies(void *self, nm_policy_each *each, void *user)
{
	struct walk walk = {.each_policy = each, .user = user};

	natmux_esp_policies(nm_user_plane_esp(self), show_policy, &walk);
}

static void set_keepalive(void *self, uint32_t keepalive_ms)
{
	natmux_esp_set_keepalive(nm_user_plane_esp(self), nm_user_plane_now_ms(self), keepalive_ms);
	nm_user_plane_changed(self);
}

static const struct nm_sa_plane_ops ops = {
	.name = "user",
	.sa_check = sa_check,
	.sa_add = sa_add,
	.sa_delete = sa_delete,
	.sas = sas,
	.policy_add = policy_add,
	.policy_delete = policy_delete,
	.policies = policies,
	.set_keepalive = set_keepalive,
};

struct nm_sa_plane nm_user_sa_plane(struct nm_user_plane *plane)
{
	return plane ? (struct nm_sa_plane){&ops, plane} : (struct nm_sa_plane){0};
}
