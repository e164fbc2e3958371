/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the network devices of this namespace for what they do with datagrams before sockets see them. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/doctor.h"

enum { FEATURES_MAX = 256, WORD = 32 };

/* Requests with room for what the kernel writes behind their heads. */
union names {
	struct ethtool_gstrings head;
	uint8_t room[sizeof(struct ethtool_gstrings) + FEATURES_MAX * ETH_GSTRING_LEN];
};

union features {
	struct ethtool_gfeatures head;
	uint8_t room[sizeof(struct ethtool_gfeatures) +
		     FEATURES_MAX / WORD * sizeof(struct ethtool_get_features_block)];
};

union count {
	struct ethtool_sset_info head;
	uint8_t room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
};

static bool ask(int fd, const char *device, void *request)
{
	struct ifreq of = {.ifr_data = request};

	snprintf(of.ifr_name, sizeof(of.ifr_name), "%s", device);
	return ioctl(fd, SIOCETHTOOL, &of) == 0;
}

/* The number of a feature, which differs among kernels; -1: this one does not know it. */
static int find_feature(int fd, const char *device, const char *name)
{
	union count count = {
		.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = UINT64_C(1) << ETH_SS_FEATURES}};
	static union names names;

	if (!ask(fd, device, &count) || count.head.sset_mask == 0 ||
		count.head.data[0] > FEATURES_MAX)
		return -1;
	names.head.cmd = ETHTOOL_GSTRINGS;
	names.head.string_set = ETH_SS_FEATURES;
	names.head.len = count.head.data[0];
	if (!ask(fd, device, &names))
		return -1;
	for (uint32_t i = 0; i < names.head.len && i < FEATURES_MAX; i++)
		if (strncmp((const char *)names.head.data + (size_t)i * ETH_GSTRING_LEN, name,
			    ETH_GSTRING_LEN) == 0)
			return (int)i;
	return -1;
}

static bool has_feature(int fd, const char *device, unsigned int number)
{
	union features features = {.head = {.cmd = ETHTOOL_GFEATURES, .size = FEATURES_MAX / WORD}};

	return ask(fd, device, &features) && number / WORD < features.head.size &&
	       number < FEATURES_MAX &&
	       (features.head.features[number / WORD].active >> number % WORD & 1) != 0;
}

static void add_name(char *list, size_t size, const char *name)
{
	size_t len = strlen(list);

	snprintf(list + len, size - len, "%s%s", len > 0 ? ", " : "", name);
}

void nm_doctor_probe_devices(struct nm_doctor_facts *facts)
{
	struct if_nameindex *devices = if_nameindex();
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (const struct if_nameindex *d = devices; fd >= 0 && d && d->if_index > 0; d++) {
		int number = find_feature(fd, d->if_name, "rx-gro-list");

		if (number >= 0 && has_feature(fd, d->if_name, (unsigned int)number))
			add_name(facts->gro_lists, sizeof(facts->gro_lists), d->if_name);
	}
	if (fd >= 0)
		close(fd);
	if (devices)
		if_freenameindex(devices);
}
