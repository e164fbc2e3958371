/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel's ESP cannot do, told with the line before it is asked; and what only the kernel
 * can. Algorithms it lacks are not here: that is known when it has been asked.
 */
#include <natmux/error.h>

#include "daemon/config/config_check.h"
#include "daemon/config/config_keys.h"
#include "daemon/port/esp_gro.h"

enum { REPLAY_WINDOW_MAX = 4096 /* XFRMA_REPLAY_ESN_MAX */ };

static bool has_mark(const struct nm_sa_mark *mark)
{
	return mark->mask > 0;
}

static int check_user_sa(const struct nm_config_sa *sa, struct nm_config_report *report)
{
	static const char allowed[] = "none without esp = kernel";

	if (has_mark(&sa->kernel.mark))
		return nm_config_refuse_sa(sa, "mark", allowed, report);
	if (has_mark(&sa->kernel.output_mark))
		return nm_config_refuse_sa(sa, "output-mark", allowed, report);
	if (sa->kernel.if_id > 0)
		return nm_config_refuse_sa(sa, "if-id", allowed, report);
	if (*sa->kernel.offload)
		return nm_config_refuse_sa(sa, "offload", allowed, report);
	return 0;
}

/* The kernel finds an inbound SA by the address its packets are sent to, and by the SPI. */
static int check_addresses(const struct nm_config_sa *sa, struct nm_config_report *report)
{
	if (sa->local.family == NATMUX_FAMILY_NONE && sa->remote.family == NATMUX_FAMILY_NONE)
		return nm_config_refuse_sa(sa, "local",
			"an address of this machine with esp = kernel and no remote: the kernel "
			"finds an SA by it",
			report);
	if (sa->mode == NATMUX_SA_TRANSPORT && sa->remote.family == NATMUX_FAMILY_NONE)
		return nm_config_refuse_sa(
			sa, "remote", "an address with mode = transport and esp = kernel", report);
	return 0;
}

/* A range is a value and a mask there: 0 to 65535, one port, or 2^n of them from a multiple on. */
static bool is_masked(const struct natmux_ports *ports)
{
	uint32_t size = (uint32_t)ports->max - ports->min + 1;

	return (size & (size - 1)) == 0 && ports->min % size == 0;
}

static bool can_select(const struct natmux_selector *selector)
{
	return is_masked(&selector->source_ports) && is_masked(&selector->destination_ports);
}

static const char ports_allowed[] =
	"one whose ports the kernel can tell by a mask: any, one, or a power of two of them from a "
	"multiple of it on";

/* A word in the file rather than a peer whose checks of one length never arrive. */
static int check_spi(const struct nm_config *config, const struct nm_config_sa *sa,
	struct nm_config_report *report)
{
	if (!config->kernel_plane.gro || sa->direction != NATMUX_SA_IN ||
		!nm_esp_gro_takes_stun(sa->spi))
		return 0;
	return nm_config_refuse_sa(sa, "spi",
		"one with kernel-plane.gro = yes that is not how a STUN message begins", report);
}

static int check_kernel_sa(const struct nm_config *config, const struct nm_config_sa *sa,
	struct nm_config_report *report)
{
	int err = check_addresses(sa, report);

	if (err == 0)
		err = check_spi(config, sa, report);
	if (err < 0)
		return err;
	if (sa->replay_window > REPLAY_WINDOW_MAX)
		return nm_config_refuse_sa(
			sa, "replay-window", "at most 4096 with esp = kernel", report);
	if (sa->df == NATMUX_DF_SET)
		return nm_config_refuse_sa(sa, "df", "copy or clear with esp = kernel", report);
	if (sa->dscp > 0)
		return nm_config_refuse_sa(sa, "dscp", "copy or 0 with esp = kernel", report);
	if (sa->too_big != NATMUX_TOO_BIG_TELL)
		return nm_config_refuse_sa(sa, "too-big", "tell with esp = kernel", report);
	if (sa->dummy_s > 0)
		return nm_config_refuse_sa(sa, "dummy", "0 with esp = kernel", report);
	if (sa->selectors_len > 0 && sa->reqid == 0)
		return nm_config_refuse_sa(sa, "reqid",
			"1 to 4294967295 with selectors and esp = kernel: the kernel tells by it "
			"whose packets they let in",
			report);
	for (size_t i = 0; i < sa->selectors_len; i++)
		if (!can_select(&sa->selectors[i]))
			return nm_config_refuse_sa(sa, "selectors", ports_allowed, report);
	return 0;
}

int nm_config_check_kernel_sa(const struct nm_config *config, const struct nm_config_sa *sa,
	struct nm_config_report *report)
{
	int err = nm_config_has_plane(config, NM_ESP_KERNEL) ? check_kernel_sa(config, sa, report)
							     : 0;

	if (err == 0 && nm_config_has_plane(config, NM_ESP_USER))
		err = check_user_sa(sa, report);
	return err;
}

int nm_config_check_kernel_policy(const struct nm_config *config,
	const struct nm_config_policy *policy, struct nm_config_report *report)
{
	static const char allowed[] = "none without esp = kernel";

	if (nm_config_has_plane(config, NM_ESP_KERNEL) && !can_select(&policy->selector))
		return nm_config_refuse_policy(policy, "selector", ports_allowed, report);
	if (!nm_config_has_plane(config, NM_ESP_USER))
		return 0;
	if (has_mark(&policy->mark))
		return nm_config_refuse_policy(policy, "mark", allowed, report);
	if (policy->if_id > 0)
		return nm_config_refuse_policy(policy, "if-id", allowed, report);
	return 0;
}
