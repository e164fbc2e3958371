/* SPDX-License-Identifier: Apache-2.0 */
/* What SAs, policies and their plane mean to the library. */
#include <string.h>

#include "daemon/config/config_addr.h"
#include "daemon/config/config_keys.h"
#include "daemon/config/config_selector.h"

enum {
	ESP_HEADER = 8,  /* SPI, sequence number: RFC 4303 2 */
	ESP_TRAILER = 2, /* pad length, next header */
	OUTER4 = 20 + 8, /* IP and UDP */
	OUTER6 = 40 + 8,
	MTU_MIN6 = 1280,
};

void nm_config_sa_fill(
	const struct nm_config_sa *sa, uint16_t port, struct natmux_sa_config *filled)
{
	natmux_sa_config_init(filled);
	filled->direction = sa->direction;
	filled->mode = sa->mode;
	filled->spi = sa->spi;
	filled->suite = sa->suite;
	filled->key = sa->key;
	filled->key_len = sa->key_len;
	filled->has_esn = sa->esn;
	filled->replay_window = sa->replay_window;
	filled->path.local = sa->local;
	filled->path.remote = sa->remote;
	/* Without an address of our own the kernel chooses one of the peer's family. */
	if (sa->local.family == NATMUX_FAMILY_NONE)
		filled->path.local.family = sa->remote.family;
	else
		filled->path.local.port = port;
	filled->roam = sa->roam;
	filled->reqid = sa->reqid;
	filled->soft = sa->soft;
	filled->hard = sa->hard;
	filled->df = sa->df;
	filled->dscp = sa->dscp;
	filled->no_ecn = !sa->ecn;
	filled->tfc_pad = (uint16_t)sa->tfc_pad;
	filled->too_big = sa->too_big;
	filled->dummy_seconds = (uint16_t)sa->dummy_s;
	filled->no_resync = !sa->resync;
	filled->selectors = sa->selectors;
	filled->selectors_len = sa->selectors_len;
}

void nm_config_policy_fill(const struct nm_config_policy *policy, struct natmux_policy *filled)
{
	*filled = (struct natmux_policy){
		.priority = policy->priority,
		.action = policy->action,
		.reqid = policy->reqid,
		.selector = policy->selector,
	};
}

void nm_config_sa_order(const struct nm_config_sa *sa, uint16_t port, struct nm_sa_order *order)
{
	nm_config_sa_fill(sa, port, &order->config);
	order->kernel = sa->kernel;
}

void nm_config_policy_order(const struct nm_config_policy *policy, struct nm_policy_order *order)
{
	nm_config_policy_fill(policy, &order->policy);
	order->mark = policy->mark;
	order->if_id = policy->if_id;
}

bool nm_config_has_plane(const struct nm_config *config, enum nm_esp esp)
{
	return config->esp == esp || (config->both_planes && config->esp != NM_ESP_DAEMON);
}

const char *nm_config_plane_sas_key(const struct nm_config *config)
{
	return config->esp == NM_ESP_KERNEL ? "kernel-plane.sas" : "user-plane.sas";
}

static bool is_identity(const struct nm_config_sa *sa, enum natmux_sa_direction direction,
	uint32_t spi, const struct natmux_addr *remote)
{
	if (sa->direction != direction || sa->spi != spi)
		return false;
	return direction == NATMUX_SA_IN || nm_config_addr_same_ip(&sa->remote, remote);
}

bool nm_config_sa_is_same(const struct nm_config_sa *a, const struct nm_config_sa *b)
{
	return is_identity(a, b->direction, b->spi, &b->remote);
}

const struct nm_config_sa *nm_config_sa_find(const struct nm_config *config,
	enum natmux_sa_direction direction, uint32_t spi, const struct natmux_addr *remote)
{
	for (size_t i = 0; i < config->sas_len; i++)
		if (is_identity(&config->sas[i], direction, spi, remote))
			return &config->sas[i];
	return NULL;
}

const struct nm_config_policy *nm_config_policy_find(
	const struct nm_config *config, const struct natmux_policy *policy)
{
	for (size_t i = 0; i < config->policies_len; i++)
		if (config->policies[i].priority == policy->priority &&
			nm_selector_is_same(&config->policies[i].selector, &policy->selector))
			return &config->policies[i];
	return NULL;
}

/* The longest inner packet under a suite (RFC 4303 2.4: text and trailer fill whole blocks). */
static uint32_t inner_max(uint32_t path_mtu, uint8_t family, enum natmux_suite suite)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	uint32_t outer = family == NATMUX_FAMILY_IPV6 ? OUTER6 : OUTER4;
	uint32_t text = path_mtu - outer - ESP_HEADER - info->iv_len - info->icv_len;

	return text / info->align * info->align - ESP_TRAILER;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Under any suite. */
static uint32_t worst_of(uint32_t path_mtu, uint8_t family)
{
	uint32_t least = path_mtu;

	for (unsigned int i = 0; i < NATMUX_SUITE_COUNT; i++)
		least = lesser(least, inner_max(path_mtu, family, (enum natmux_suite)i));
	return least;
}

uint32_t nm_config_tun_mtu(const struct nm_config *config)
{
	uint32_t path_mtu = config->user_plane.path_mtu, least = path_mtu;
	bool has_out = false;

	for (size_t i = 0; i < config->sas_len; i++) {
		const struct nm_config_sa *sa = &config->sas[i];

		if (sa->direction != NATMUX_SA_OUT)
			continue;
		has_out = true;
		least = lesser(least, inner_max(path_mtu, sa->remote.family, sa->suite));
	}
	for (size_t i = 0; i < config->listen_len && !has_out; i++)
		least = lesser(least, worst_of(path_mtu, config->listen[i].family));
	/* RFC 8200 5: IPv6 wants so much of every link; what is sealed is cut then. */
	if (config->user_plane.address6.addr.family != NATMUX_FAMILY_NONE && least < MTU_MIN6)
		return MTU_MIN6;
	return least;
}
