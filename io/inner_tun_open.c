/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the TUN device of the user ESP plane, with all that this kernel can; says why not more. */
#include "io/inner_tun_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <natmux/error.h>
#include "base/log.h"

/* Linux 6.2; the headers of Debian 12 do not name them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum {
	TSO = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
	USO = TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6, /* the kernel takes both or none */
};

static void queue_close(struct nm_inner_tun_queue *queue)
{
	const struct nm_sys *sys = queue->sys;

	if (queue->fd >= 0)
		sys->close(queue->fd);
	sys->unmap(queue, sizeof(*queue));
}

/* One more queue, with no descriptor yet. NULL: no memory. */
static struct nm_inner_tun_queue *queue_new(struct nm_inner_tun *tun)
{
	struct nm_inner_tun_queue *queue = tun->link.sys->map(sizeof(*queue));

	if (!queue)
		return NULL;
	queue->sys = tun->link.sys;
	queue->link = &tun->link;
	queue->fd = -1;
	tun->queues[tun->queues_n++] = queue;
	return queue;
}

/* Whether a program has the device of this name: only then, if it is up, it has a carrier. */
static bool is_in_use(const struct nm_tun_link *link)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
	struct ifreq ifr = {.ifr_data = (void *)&value};
	int control = nm_tun_link_control(link);
	bool is_in_use;

	if (control < 0)
		return false;
	memcpy(ifr.ifr_name, link->name, sizeof(link->name));
	is_in_use = link->sys->ioctl(control, SIOCETHTOOL, &ifr) == 0 && value.data != 0;
	link->sys->close(control);
	return is_in_use;
}

/*
 * Attaches the first of many queues. The kernel would add ours to those of another program without
 * a word, so a device that exists already is looked at first. -1 and errno.
 */
static int attach_multi(struct nm_inner_tun *tun, int fd, unsigned int flags)
{
	bool was_in_use;

	if (nm_tun_link_attach(&tun->link, fd, flags | IFF_TUN_EXCL) == 0)
		return 0;
	if (errno != EBUSY)
		return -1;
	was_in_use = is_in_use(&tun->link);
	if (nm_tun_link_attach(&tun->link, fd, flags) < 0)
		return -1;
	errno = EBUSY;
	return was_in_use ? -1 : 0;
}

static void say_queues_why(struct nm_inner_tun *tun, const char *call, int error)
{
	snprintf(tun->queues_why, sizeof(tun->queues_why), "%.48s: %.44s", call, strerror(error));
	nm_log(&tun->link.log, NATMUX_LOG_WARNING, "TUN %s: going on with %u queue%s: %s",
		tun->link.name, tun->queues_n, tun->queues_n == 1 ? "" : "s", tun->queues_why);
}

/* With many queues, or with one if it must be: then the errno says why. -1: not at all. */
static int attach(struct nm_inner_tun *tun, int fd, unsigned int flags, int *many_error)
{
	*many_error = (flags & IFF_MULTI_QUEUE) ? 0 : EOPNOTSUPP;
	if ((flags & IFF_MULTI_QUEUE) && attach_multi(tun, fd, flags) < 0) {
		/* A persistent device that was made for one queue can have no more. */
		if (errno != EINVAL)
			return -1;
		*many_error = errno;
	}
	return *many_error == 0 ? 0 : nm_tun_link_attach(&tun->link, fd, flags & ~IFF_MULTI_QUEUE);
}

/* The device itself, with one queue, not yet up. */
static int attach_first(struct nm_inner_tun *tun, struct nm_inner_tun_queue *queue, uint32_t queues)
{
	unsigned int features = 0, flags = IFF_TUN | IFF_NO_PI;
	int many_error;

	queue->fd = nm_tun_link_open(&tun->link);
	if (queue->fd < 0)
		return nm_tun_link_failed(&tun->link, "open " NM_TUN_PATH);
	if (tun->link.sys->ioctl(queue->fd, TUNGETFEATURES, &features) < 0)
		features = 0;
	flags |= features & (IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0));
	if (attach(tun, queue->fd, flags, &many_error) < 0)
		return nm_tun_link_failed(&tun->link, "ioctl(TUNSETIFF)");
	if (queues > 1 && many_error != 0)
		say_queues_why(tun, "IFF_MULTI_QUEUE", many_error);
	queue->vnet_len = (flags & IFF_VNET_HDR) ? NM_VNET_LEN : 0;
	return 0;
}

/*
 * Size and byte order of the header. Both are the device's, and whoever had a persistent one before
 * may have changed them. Kernels that cannot be asked have the least size and the host's order.
 */
static int set_header(struct nm_inner_tun_queue *queue)
{
	int size = NM_VNET_LEN, on = 1;

	if (queue->vnet_len == 0)
		return 0;
	queue->is_le = queue->sys->ioctl(queue->fd, TUNSETVNETLE, &on) == 0;
	if (queue->sys->ioctl(queue->fd, TUNSETVNETHDRSZ, &size) < 0 &&
		queue->sys->ioctl(queue->fd, TUNGETVNETHDRSZ, &size) < 0)
		size = NM_VNET_LEN;
	if (size < NM_VNET_LEN || size > NM_INNER_TUN_VNET_MAX) {
		errno = EPROTO;
		return nm_tun_link_failed(queue->link, "ioctl(TUNGETVNETHDRSZ)");
	}
	queue->vnet_len = (uint8_t)size;
	return 0;
}

int nm_inner_tun_set_offloads(struct nm_inner_tun_queue *queue)
{
	unsigned long flags =
		(queue->status.tso.is_read ? TSO : 0) | (queue->status.uso.is_read ? USO : 0);

	return queue->sys->ioctl(queue->fd, TUNSETOFFLOAD, (void *)flags);
}

static bool give_up(struct nm_inner_tun_offload *offload)
{
	bool was_on = offload->is_read;

	if (was_on)
		nm_inner_tun_say_why(offload, "ioctl(TUNSETOFFLOAD)", errno);
	offload->is_read = false;
	return was_on;
}

/*
 * Asks for all, then for less. Whether the device takes super-packets does not depend on it. A
 * persistent device may have been left with offloads on: to have none is asked for, too.
 */
static int choose_offloads(struct nm_inner_tun_queue *queue)
{
	struct nm_inner_tun_status *status = &queue->status;

	if (queue->vnet_len == 0)
		return 0;
	while (nm_inner_tun_set_offloads(queue) < 0)
		if (!give_up(&status->uso) && !give_up(&status->tso))
			return nm_tun_link_failed(queue->link, "ioctl(TUNSETOFFLOAD)");
	return 0;
}

static void wish(struct nm_inner_tun_queue *queue, struct nm_inner_tun_offload *offload, bool is_on)
{
	if (!is_on)
		snprintf(offload->why, sizeof(offload->why), "switched off by configuration");
	else if (queue->vnet_len == 0)
		nm_inner_tun_say_why(offload, "IFF_VNET_HDR", EOPNOTSUPP);
	offload->is_read = offload->is_written = is_on && queue->vnet_len > 0;
}

static void warn(const struct nm_inner_tun_queue *queue, const char *name, bool is_wanted,
	const struct nm_inner_tun_offload *offload)
{
	const char *advice = "";

	if (!is_wanted || (offload->is_read && offload->is_written))
		return;
	if (strstr(offload->why, "AF_PACKET"))
		advice = " (needs CAP_NET_RAW)";
	nm_log(&queue->link->log, NATMUX_LOG_WARNING, "TUN %s: %s is off%s: %s%s",
		queue->link->name, name,
		offload->is_read      ? " for what is written"
		: offload->is_written ? " for what is read"
				      : "",
		offload->why, advice);
}

static int prove(
	struct nm_inner_tun_queue *queue, const struct nm_inner_tun_config *config, int index)
{
	struct nm_inner_tun_status *status = &queue->status;
	int error;

	if (status->tso.is_written || status->uso.is_written) {
		nm_inner_tun_prove(queue, index);
		error = choose_offloads(queue);
		if (error < 0)
			return error;
	}
	warn(queue, "TSO", config->use_tso, &status->tso);
	warn(queue, "USO", config->use_uso, &status->uso);
	memset(&status->read, 0, sizeof(status->read)); /* of the proof's packets */
	queue->is_open = true;
	return 0;
}

static int configure_by(
	struct nm_inner_tun *tun, int control, const struct nm_inner_tun_config *config)
{
	int index = nm_tun_link_index(&tun->link, control), error;

	if (index < 0)
		return index;
	error = nm_tun_link_set_mtu(&tun->link, control, config->mtu);
	if (error == 0)
		error = nm_tun_link_set_up(&tun->link, control, index);
	if (error == 0)
		error = prove(tun->queues[0], config, index);
	if (error == 0)
		error = nm_tun_link_add_address(&tun->link, index, &config->ipv4);
	if (error == 0)
		error = nm_tun_link_add_address(&tun->link, index, &config->ipv6);
	return error;
}

static int configure(struct nm_inner_tun *tun, const struct nm_inner_tun_config *config)
{
	int control = nm_tun_link_control(&tun->link), error;

	if (control < 0)
		return control;
	error = configure_by(tun, control, config);
	tun->link.sys->close(control);
	return error;
}

static int open_first(struct nm_inner_tun *tun, const struct nm_inner_tun_config *config)
{
	struct nm_inner_tun_queue *queue = queue_new(tun);
	int error;

	if (!queue)
		return NATMUX_ENOMEM;
	error = attach_first(tun, queue, config->queues);
	if (error == 0)
		error = set_header(queue);
	if (error < 0)
		return error;
	wish(queue, &queue->status.tso, config->use_tso);
	wish(queue, &queue->status.uso, config->use_uso);
	return choose_offloads(queue);
}

/* A queue like the first. The call that failed, with errno; or NULL. */
static const char *open_another(struct nm_inner_tun *tun)
{
	const struct nm_inner_tun_queue *first = tun->queues[0];
	unsigned int flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE;
	struct nm_inner_tun_queue *queue = queue_new(tun);

	errno = ENOMEM;
	if (!queue)
		return "mmap";
	queue->fd = nm_tun_link_open(&tun->link);
	if (queue->fd < 0)
		return "open " NM_TUN_PATH;
	flags |= first->vnet_len > 0 ? IFF_VNET_HDR : 0;
	if (nm_tun_link_attach(&tun->link, queue->fd, flags) < 0)
		return "ioctl(TUNSETIFF)";
	queue->vnet_len = first->vnet_len;
	queue->is_le = first->is_le;
	queue->status.tso = first->status.tso;
	queue->status.uso = first->status.uso;
	return NULL;
}

/* As many as can be had; the device works with one. */
static void open_others(struct nm_inner_tun *tun, uint32_t queues)
{
	for (uint32_t n = 1; n < queues && tun->queues_why[0] == '\0'; n++) {
		const char *failed = open_another(tun);
		int error = errno;

		if (!failed)
			continue;
		if (tun->queues_n > n)
			queue_close(tun->queues[--tun->queues_n]);
		say_queues_why(tun, failed, error);
	}
}

static bool is_valid(const struct nm_inner_tun_config *config)
{
	return config->queues <= NM_INNER_TUN_QUEUES_MAX &&
	       nm_tun_link_is_valid(config->name, &config->ipv4, &config->ipv6, config->mtu);
}

int nm_inner_tun_open(const struct nm_inner_tun_config *config, struct nm_inner_tun **tun)
{
	uint32_t queues = config->queues > 0 ? config->queues : 1;
	struct nm_inner_tun *t;
	int error;

	if (!is_valid(config))
		return NATMUX_EINVAL;
	t = calloc(1, sizeof(*t) + queues * sizeof(struct nm_inner_tun_queue *));
	if (!t)
		return NATMUX_ENOMEM;
	nm_tun_link_init(&t->link, config->sys, &config->log, config->name);
	error = open_first(t, config);
	if (error == 0)
		error = configure(t, config);
	if (error < 0) {
		nm_inner_tun_close(t);
		return error;
	}
	open_others(t, queues);
	*tun = t;
	return 0;
}

void nm_inner_tun_close(struct nm_inner_tun *tun)
{
	if (!tun)
		return;
	for (uint32_t i = 0; i < tun->queues_n; i++)
		queue_close(tun->queues[i]);
	free(tun);
}

const char *nm_inner_tun_name(const struct nm_inner_tun *tun)
{
	return tun->link.name;
}

uint32_t nm_inner_tun_queues(const struct nm_inner_tun *tun)
{
	return tun->queues_n;
}

const char *nm_inner_tun_queues_why(const struct nm_inner_tun *tun)
{
	return tun->queues_why;
}

struct nm_inner_tun_queue *nm_inner_tun_queue(struct nm_inner_tun *tun, uint32_t i)
{
	return tun->queues[i];
}

int nm_inner_tun_set_mtu(struct nm_inner_tun *tun, uint32_t mtu)
{
	int control, error;

	if (mtu < 68 || mtu > 65535)
		return NATMUX_EINVAL;
	control = nm_tun_link_control(&tun->link);
	if (control < 0)
		return control;
	error = nm_tun_link_set_mtu(&tun->link, control, mtu);
	tun->link.sys->close(control);
	return error;
}
