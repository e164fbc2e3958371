/* SPDX-License-Identifier: Apache-2.0 */
/* Reads key material from files. What it is for is others' business. */
#include "daemon/config/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <natmux/error.h>

static int refuse(char *message, size_t size, int err, const char *why)
{
	snprintf(message, size, "%s", why);
	return err;
}

/* Not by way of stdio, whose buffers nobody wipes. */
int nm_key_file_read_fd(
	int fd, uint8_t bytes[static NM_KEY_FILE_MAX], size_t *len, char *message, size_t size)
{
	size_t have = 0;
	uint8_t more;

	for (;;) {
		bool is_full = have == NM_KEY_FILE_MAX;
		ssize_t n = read(
			fd, is_full ? &more : bytes + have, is_full ? 1 : NM_KEY_FILE_MAX - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return refuse(message, size, NATMUX_ESYSTEM, strerror(errno));
		if (n == 0)
			break;
		if (is_full)
			return refuse(message, size, NATMUX_EINVAL,
				"more than 1024 bytes, which no key has");
		have += (size_t)n;
	}
	*len = have;
	return 0;
}

static int check_owner(const struct stat *st, char *message, size_t size)
{
	if (!S_ISREG(st->st_mode))
		return refuse(message, size, NATMUX_EINVAL, "it is not a regular file");
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		snprintf(message, size,
			"it belongs to user %ld, allowed is a file of root or of our own user",
			(long)st->st_uid);
		return NATMUX_EINVAL;
	}
	if (st->st_mode & (S_IRWXO | S_IWGRP)) {
		snprintf(message, size,
			"its mode is %04o, allowed is one that others cannot read and only its "
			"owner writes: chmod 600",
			(unsigned int)(st->st_mode & 07777));
		return NATMUX_EINVAL;
	}
	return 0;
}

int nm_key_file_read(const char *path, uint8_t bytes[static NM_KEY_FILE_MAX], size_t *len,
	char *message, size_t size)
{
	/* O_NONBLOCK: a FIFO without a writer must not hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int err;

	if (fd < 0)
		return refuse(message, size, NATMUX_ESYSTEM, strerror(errno));
	if (fstat(fd, &st) < 0)
		err = refuse(message, size, NATMUX_ESYSTEM, strerror(errno));
	else
		err = check_owner(&st, message, size);
	if (err == 0)
		err = nm_key_file_read_fd(fd, bytes, len, message, size);
	close(fd);
	return err;
}

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Of random octets so few are all printable that a key like that is a mistake: a key in words. */
static bool is_text(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((bytes[i] < 0x20 && !is_blank(bytes[i])) || bytes[i] > 0x7e)
			return false;
	return true;
}

static int decode_hex(const char *text, size_t len, uint8_t *key, size_t key_len)
{
	const char *end;
	size_t n;

	if (len >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		text += 2;
		len -= 2;
	}
	if (sodium_hex2bin(key, key_len, text, len, ": \t\r\n", &n, &end) != 0 ||
		end != text + len || n != key_len)
		return NATMUX_EINVAL;
	return 0;
}

static int decode_base64(const char *text, size_t len, uint8_t *key, size_t key_len)
{
	static const int variants[] = {
		sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING};

	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		const char *end;
		size_t n;

		if (sodium_base642bin(key, key_len, text, len, " \t\r\n", &n, &end, variants[i]) ==
				0 &&
			end == text + len && n == key_len)
			return 0;
	}
	return NATMUX_EINVAL;
}

int nm_key_decode(const uint8_t *bytes, size_t len, uint8_t *key, size_t key_len)
{
	const char *text = (const char *)bytes;

	if (len == key_len && len > 0 && !is_text(bytes, len)) {
		memcpy(key, bytes, len);
		return 0;
	}
	while (len > 0 && is_blank((uint8_t)*text)) {
		text++;
		len--;
	}
	while (len > 0 && is_blank((uint8_t)text[len - 1]))
		len--;
	if (len == 0)
		return NATMUX_EINVAL;
	if (decode_hex(text, len, key, key_len) == 0)
		return 0;
	if (decode_base64(text, len, key, key_len) == 0)
		return 0;
	sodium_memzero(key, key_len);
	return NATMUX_EINVAL;
}
