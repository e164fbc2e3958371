/* SPDX-License-Identifier: Apache-2.0 */
/* Gets the text of natmux.conf from its file, and asks the system whether a user exists. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <natmux/error.h>

#include "daemon/config/config.h"
#include "daemon/config/key_file.h"

/* getpwnam(3) has a list of what "there is none" looks like; the rest is "could not ask". */
static bool user_exists(const char *name)
{
	errno = 0;
	if (getpwnam(name))
		return true;
	return errno != 0 && errno != ENOENT && errno != ESRCH;
}

static int refuse(char *message, size_t size, const char *path, const char *why)
{
	snprintf(message, size, "%s: cannot be read: %s", path, why);
	return NATMUX_ESYSTEM;
}

static int read_key(const char *path, uint8_t *key, size_t len, char *message, size_t size)
{
	uint8_t bytes[NM_KEY_FILE_MAX];
	size_t bytes_len;
	int err = nm_key_file_read(path, bytes, &bytes_len, message, size);

	if (err == 0)
		err = nm_key_decode(bytes, bytes_len, key, len);
	/* All of it: what is not text may be part of a key. */
	sodium_memzero(bytes, sizeof(bytes));
	if (err == NATMUX_EINVAL && !*message)
		snprintf(message, size,
			"it holds no key of that suite, allowed are its %zu octets as they are, in "
			"hexadecimal or in base64",
			len);
	return err;
}

static const struct nm_config_world world = {.user_exists = user_exists, .read_key = read_key};

/* One byte more than allowed is enough to know. */
static int read_all(int fd, char *text, size_t size, size_t *len)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(fd, text + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return NATMUX_ESYSTEM;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	*len = have;
	return 0;
}

static int read_fd(int fd, const char *path, struct nm_config **config, char *message, size_t size)
{
	struct stat st;
	char *text;
	size_t len;
	int err;

	if (fstat(fd, &st) < 0)
		return refuse(message, size, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(message, size, path, "it is not a regular file");
	text = malloc(NM_CONFIG_FILE_MAX + 1);
	if (!text)
		return refuse(message, size, path, natmux_strerror(NATMUX_ENOMEM));
	err = read_all(fd, text, NM_CONFIG_FILE_MAX + 1, &len);
	if (err < 0)
		refuse(message, size, path, strerror(errno));
	else
		err = nm_config_parse(path, text, len, &world, config, message, size);
	free(text);
	return err;
}

int nm_config_read(const char *path, struct nm_config **config, char *message, size_t size)
{
	/* O_NONBLOCK: a FIFO without a writer must not hold natmuxd up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int err;

	if (fd < 0)
		return refuse(message, size, path, strerror(errno));
	err = read_fd(fd, path, config, message, size);
	close(fd);
	return err;
}
