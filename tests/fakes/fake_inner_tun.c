/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/fake_inner_tun.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_inner_tun fake_inner_tun;

static uint8_t memory[FAKE_INNER_PACKETS][FAKE_INNER_BYTES + 2 * NATMUX_INNER_ROOM];

void fake_inner_tun_reset(void)
{
	memset(&fake_inner_tun, 0, sizeof(fake_inner_tun));
	fake_inner_tun.status.tso.is_read = fake_inner_tun.status.tso.is_written = true;
	fake_inner_tun.status.uso.is_read = fake_inner_tun.status.uso.is_written = true;
}

void fake_inner_tun_put(const void *data, uint32_t len, const struct natmux_offload *offload)
{
	size_t n = fake_inner_tun.to_read_n++;

	if (n >= FAKE_INNER_PACKETS || len > FAKE_INNER_BYTES ||
		write(fake_inner_tun.other_fd, "x", 1) != 1)
		abort();
	memcpy(memory[n] + NATMUX_INNER_ROOM, data, len);
	fake_inner_tun.to_read[n] =
		(struct natmux_inner){.data = memory[n] + NATMUX_INNER_ROOM, .len = len};
	if (offload)
		fake_inner_tun.to_read[n].offload = *offload;
}

/* io/inner_tun.h */

int nm_inner_tun_open(const struct nm_inner_tun_config *config, struct nm_inner_tun **tun)
{
	int fds[2];

	if (fake_inner_tun.open_result < 0)
		return fake_inner_tun.open_result;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		abort();
	fake_inner_tun.config = *config;
	strncpy(fake_inner_tun.name, config->name, sizeof(fake_inner_tun.name) - 1);
	fake_inner_tun.config.name = fake_inner_tun.name;
	fake_inner_tun.fd = fds[0];
	fake_inner_tun.other_fd = fds[1];
	fake_inner_tun.is_open = true;
	*tun = (struct nm_inner_tun *)&fake_inner_tun;
	return 0;
}

void nm_inner_tun_close(struct nm_inner_tun *tun)
{
	if (!tun)
		return;
	close(fake_inner_tun.fd);
	close(fake_inner_tun.other_fd);
	fake_inner_tun.is_open = false;
}

const char *nm_inner_tun_name(const struct nm_inner_tun *tun)
{
	(void)tun;
	return fake_inner_tun.config.name;
}

uint32_t nm_inner_tun_queues(const struct nm_inner_tun *tun)
{
	(void)tun;
	return 1;
}

const char *nm_inner_tun_queues_why(const struct nm_inner_tun *tun)
{
	(void)tun;
	return fake_inner_tun.config.queues > 1 ? "this fake has one" : "";
}

struct nm_inner_tun_queue *nm_inner_tun_queue(struct nm_inner_tun *tun, uint32_t i)
{
	return i == 0 ? (struct nm_inner_tun_queue *)tun : NULL;
}

int nm_inner_tun_fd(const struct nm_inner_tun_queue *queue)
{
	(void)queue;
	return fake_inner_tun.fd;
}

const struct nm_inner_tun_status *nm_inner_tun_status(const struct nm_inner_tun_queue *queue)
{
	(void)queue;
	return &fake_inner_tun.status;
}

size_t nm_inner_tun_read(struct nm_inner_tun_queue *queue, struct natmux_inner *packets, size_t max)
{
	size_t n = fake_inner_tun.to_read_n < max ? fake_inner_tun.to_read_n : max;
	char bytes[FAKE_INNER_PACKETS];

	(void)queue;
	memcpy(packets, fake_inner_tun.to_read, n * sizeof(*packets));
	memmove(fake_inner_tun.to_read, fake_inner_tun.to_read + n,
		(fake_inner_tun.to_read_n - n) * sizeof(*packets));
	fake_inner_tun.to_read_n -= n;
	if (n > 0 && read(fake_inner_tun.fd, bytes, n) != (ssize_t)n)
		abort();
	return n;
}

bool nm_inner_tun_has_more(const struct nm_inner_tun_queue *queue)
{
	(void)queue;
	return fake_inner_tun.to_read_n > 0;
}

static void keep(const struct natmux_gathered *packet)
{
	struct fake_inner_written *written =
		&fake_inner_tun.written[fake_inner_tun.written_n++ % 8];

	written->offload = packet->offload;
	written->parts = packet->parts_len;
	written->len = 0;
	for (uint32_t i = 0; i < packet->parts_len; i++) {
		memcpy(written->data + written->len, packet->parts[i].data, packet->parts[i].len);
		written->len += packet->parts[i].len;
	}
}

size_t nm_inner_tun_write(
	struct nm_inner_tun_queue *queue, const struct natmux_gathered *packets, size_t n)
{
	(void)queue;
	for (size_t i = 0; i < n; i++) {
		if (fake_inner_tun.refuses_super &&
			packets[i].offload.kind != NATMUX_OFFLOAD_NONE) {
			fake_inner_tun.status.tso.is_written = false;
			fake_inner_tun.status.uso.is_written = false;
			return i;
		}
		keep(&packets[i]);
	}
	return n;
}
