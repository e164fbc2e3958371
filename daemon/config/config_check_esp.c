/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How SAs, policies and their plane fit together and with the rest. What the library refuses by
 * itself is told here first, with the line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_addr.h"
#include "daemon/config/config_check.h"
#include "daemon/config/config_selector.h"
#include "daemon/config/config_value.h"

enum { MTU_MIN4 = 68 /* RFC 791 */, MTU_MIN6 = 1280 /* RFC 8200 5 */ };

static uint32_t plane_line(const struct nm_config *config, const char *key)
{
	return nm_config_line_of(config, "user-plane", key);
}

/* Nobody would get what the daemon cannot have, and nobody would look at SAs that stand there. */
static int check_modes(const struct nm_config *config, struct nm_config_report *report)
{
	char path[NM_CONFIG_KEY_SIZE];

	if (config->esp != NM_ESP_DAEMON)
		return 0;
	if (config->attach == NM_ATTACH_OWN && config->handoff == NM_HANDOFF_NONE)
		return nm_config_refuse(report, nm_config_line_of(config, "", "handoff"), "handoff",
			"found none, allowed with esp = daemon is relay, inject or unix");
	if (config->sas_len > 0)
		return nm_config_refuse(report, config->sas[0].line,
			nm_config_key_path(
				nm_config_section_find("sa"), config->sas[0].name, NULL, path),
			"found an SA, allowed are SAs with esp = user or kernel");
	if (config->policies_len > 0)
		return nm_config_refuse(report, config->policies[0].line,
			nm_config_key_path(nm_config_section_find("policy"),
				config->policies[0].name, NULL, path),
			"found a policy, allowed are policies with esp = user or kernel");
	return 0;
}

/* What a move needs, of the other plane as well. */
static int check_both(const struct nm_config *config, struct nm_config_report *report)
{
	uint32_t line = nm_config_line_of(config, "", "both-planes");
	const char *problem = NULL;

	if (!config->both_planes)
		return 0;
	if (config->esp == NM_ESP_DAEMON)
		problem = "esp = daemon";
	/* A socket that has had both options goes on giving its ESP to XFRM in GRO. */
	else if (config->kernel_plane.gro)
		problem = "kernel-plane.gro = yes";
	else if (config->user_plane.workers > 1)
		problem = "more than one of user-plane.workers";
	else if (strcmp(config->user_plane.tun, config->kernel_plane.tun) == 0)
		problem = "one device for user-plane.tun and kernel-plane.tun";
	if (!problem)
		return 0;
	return nm_config_refuse(
		report, line, "both-planes", "found yes, allowed with %s is no", problem);
}

static int check_tun_of(
	const struct nm_config *config, bool is_kernel, struct nm_config_report *report)
{
	const char *tun = is_kernel ? config->kernel_plane.tun : config->user_plane.tun;
	const char *handoff = nm_config_tun(config), *whose = NULL;
	char quoted[NM_CONFIG_QUOTE_SIZE];

	if (strcmp(tun, config->device) == 0)
		whose = "that of the port";
	if (handoff && strcmp(tun, handoff) == 0)
		whose = "the TUN device of the handoff";
	if (!whose)
		return 0;
	return nm_config_refuse(report,
		nm_config_line_of(config, is_kernel ? "kernel-plane" : "user-plane", "tun"),
		is_kernel ? "kernel-plane.tun" : "user-plane.tun",
		"found %s, which is %s, allowed is another device", nm_config_quote(tun, quoted),
		whose);
}

static int check_tun(const struct nm_config *config, struct nm_config_report *report)
{
	int err = 0;

	if (nm_config_has_plane(config, NM_ESP_KERNEL))
		err = check_tun_of(config, true, report);
	if (err == 0 && nm_config_has_plane(config, NM_ESP_USER))
		err = check_tun_of(config, false, report);
	return err;
}

static int check_mtu(const struct nm_config *config, struct nm_config_report *report)
{
	const struct nm_config_user_plane *plane = &config->user_plane;
	bool has_v6 = plane->address6.addr.family != NATMUX_FAMILY_NONE;
	uint32_t least = has_v6 ? MTU_MIN6 : MTU_MIN4;

	if (plane->mtu == 0 || plane->mtu >= least)
		return 0;
	return nm_config_refuse(report, plane_line(config, "mtu"), "user-plane.mtu",
		"found %" PRIu32 ", allowed is 0 or at least %" PRIu32 "%s", plane->mtu, least,
		has_v6 ? ", for there is an address6" : "");
}

static int check_count(const struct nm_config *config, const char *key, uint32_t most, size_t count,
	struct nm_config_report *report)
{
	const char *section = config->esp == NM_ESP_KERNEL ? "kernel-plane" : "user-plane";
	char path[NM_CONFIG_KEY_SIZE];

	if (count <= most)
		return 0;
	nm_config_key_path(nm_config_section_find(section), NULL, key, path);
	return nm_config_refuse(report, nm_config_line_of(config, section, key), path,
		"found %" PRIu32 ", allowed is at least the %zu of this file", most, count);
}

static int check_workers(const struct nm_config *config, struct nm_config_report *report)
{
	if (config->esp == NM_ESP_USER || config->user_plane.workers == 1)
		return 0;
	return nm_config_refuse(report, plane_line(config, "workers"), "user-plane.workers",
		"found %" PRIu32 ", allowed without esp = user is 1", config->user_plane.workers);
}

static int check_counts(const struct nm_config *config, struct nm_config_report *report)
{
	bool is_kernel = config->esp == NM_ESP_KERNEL;
	uint32_t sas = is_kernel ? config->kernel_plane.sas : config->user_plane.sas;
	uint32_t policies = is_kernel ? config->kernel_plane.policies : config->user_plane.policies;
	int err = check_count(config, "sas", sas, config->sas_len, report);

	if (err < 0)
		return err;
	return check_count(config, "policies", policies, config->policies_len, report);
}

/* What --print writes is the default where nothing was given: that may stand anywhere. */
static bool is_default(const struct nm_config_sa *sa, const char *key_name)
{
	const struct nm_config_section *section = nm_config_section_find("sa");
	const struct nm_config_key *key = nm_config_key_find(section, key_name);
	char value[NM_CONFIG_VALUE_SIZE];

	return strcmp(nm_config_value_format(key, sa, value), key->initial) == 0;
}

static int check_sa_path(const struct nm_config *config, const struct nm_config_sa *sa,
	struct nm_config_report *report)
{
	const struct natmux_addr *local = &sa->local, *remote = &sa->remote;
	char allowed[NM_CONFIG_ALLOWED_SIZE];

	if (remote->family == NATMUX_FAMILY_NONE && sa->direction == NATMUX_SA_OUT)
		return nm_config_refuse_sa(
			sa, "remote", "the peer's address with direction = out", report);
	if (remote->family != NATMUX_FAMILY_NONE && !nm_config_listens_on(config, remote->family)) {
		snprintf(allowed, sizeof(allowed),
			"an address of a family in listen, which has no %s",
			nm_config_family_name(remote->family));
		return nm_config_refuse_sa(sa, "remote", allowed, report);
	}
	if (local->family != NATMUX_FAMILY_NONE && remote->family != NATMUX_FAMILY_NONE &&
		local->family != remote->family)
		return nm_config_refuse_sa(
			sa, "local", "an address of the family of remote", report);
	if (local->family != NATMUX_FAMILY_NONE && !nm_config_listens_on(config, local->family))
		return nm_config_refuse_sa(
			sa, "local", "\"\" or an address that is listened on", report);
	return 0;
}

/* Lists are for what comes in: what goes out has been looked at by policies. */
static int check_sa_direction(const struct nm_config_sa *sa, struct nm_config_report *report)
{
	static const char *const of_in[] = {"replay-window", "roam", "selectors", "resync", NULL};
	static const char *const of_out[] = {"df", "dscp", "tfc-pad", "too-big", "dummy", NULL};
	bool is_out = sa->direction == NATMUX_SA_OUT;
	const char *const *wrong = is_out ? of_in : of_out;

	for (; *wrong; wrong++)
		if (!is_default(sa, *wrong))
			return nm_config_refuse_sa(sa, *wrong,
				is_out ? "one with direction = in only"
				       : "one with direction = out only",
				report);
	if (is_out && sa->reqid == 0)
		return nm_config_refuse_sa(sa, "reqid",
			"a number from 1 with direction = out: policies find the SA by it", report);
	return 0;
}

static bool is_below(uint64_t soft, uint64_t hard)
{
	return soft == 0 || hard == 0 || soft < hard;
}

static int check_sa_limits(const struct nm_config_sa *sa, struct nm_config_report *report)
{
	if (!is_below(sa->soft.bytes, sa->hard.bytes))
		return nm_config_refuse_sa(sa, "soft-bytes", "less than hard-bytes", report);
	if (!is_below(sa->soft.packets, sa->hard.packets))
		return nm_config_refuse_sa(sa, "soft-packets", "less than hard-packets", report);
	if (!is_below(sa->soft.seconds, sa->hard.seconds))
		return nm_config_refuse_sa(sa, "soft-seconds", "less than hard-seconds", report);
	/* RFC 4303 2.7: only where the length of what is padded can be read from it. */
	if (sa->mode == NATMUX_SA_TRANSPORT && sa->tfc_pad > 0)
		return nm_config_refuse_sa(sa, "tfc-pad", "0 with mode = transport", report);
	return 0;
}

int nm_config_check_sa(const struct nm_config *config, const struct nm_config_sa *sa,
	struct nm_config_report *report)
{
	int err = check_sa_path(config, sa, report);

	if (err == 0)
		err = check_sa_direction(sa, report);
	if (err == 0)
		err = check_sa_limits(sa, report);
	return err < 0 ? err : nm_config_check_kernel_sa(config, sa, report);
}

static int check_sas(const struct nm_config *config, struct nm_config_report *report)
{
	char allowed[NM_CONFIG_ALLOWED_SIZE];

	for (size_t j = 0; j < config->sas_len; j++) {
		const struct nm_config_sa *sa = &config->sas[j];

		if (nm_config_check_sa(config, sa, report) < 0)
			return NATMUX_EINVAL;
		for (size_t i = 0; i < j; i++) {
			if (!nm_config_sa_is_same(&config->sas[i], sa))
				continue;
			snprintf(allowed, sizeof(allowed), "one that sa \"%s\" does not have",
				config->sas[i].name);
			return nm_config_refuse_sa(sa, "spi", allowed, report);
		}
	}
	return 0;
}

int nm_config_check_policy(const struct nm_config *config, const struct nm_config_policy *policy,
	struct nm_config_report *report)
{
	if (policy->action == NATMUX_POLICY_PROTECT && policy->reqid == 0)
		return nm_config_refuse_policy(policy, "reqid",
			"a number from 1 with action = protect: that of its SAs", report);
	if (policy->action != NATMUX_POLICY_PROTECT && policy->reqid > 0)
		return nm_config_refuse_policy(
			policy, "reqid", "0 without action = protect", report);
	return nm_config_check_kernel_policy(config, policy, report);
}

static int check_policies(const struct nm_config *config, struct nm_config_report *report)
{
	char allowed[NM_CONFIG_ALLOWED_SIZE];

	for (size_t j = 0; j < config->policies_len; j++) {
		const struct nm_config_policy *policy = &config->policies[j], *first;
		struct natmux_policy filled;

		if (nm_config_check_policy(config, policy, report) < 0)
			return NATMUX_EINVAL;
		nm_config_policy_fill(policy, &filled);
		first = nm_config_policy_find(config, &filled);
		if (first == policy)
			continue;
		snprintf(allowed, sizeof(allowed),
			"one that policy \"%s\" does not have with the same priority", first->name);
		return nm_config_refuse_policy(policy, "selector", allowed, report);
	}
	return 0;
}

int nm_config_check_esp(const struct nm_config *config, struct nm_config_report *report)
{
	static int (*const checks[])(const struct nm_config *, struct nm_config_report *) = {
		check_tun, check_mtu, check_counts, check_sas, check_policies};
	int err = check_modes(config, report);

	if (err == 0)
		err = check_both(config, report);

	if (err == 0)
		err = check_workers(config, report);
	if (config->esp == NM_ESP_DAEMON)
		return err;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && err == 0; i++)
		err = checks[i](config, report);
	return err;
}
