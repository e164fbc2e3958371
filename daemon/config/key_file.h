/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files with key material: who may read them, and the three forms in which they may be. Bytes of
 * keys stay in the caller's buffers, which the caller wipes, and never get into a message.
 */
#ifndef NM_KEY_FILE_H
#define NM_KEY_FILE_H

#include <stddef.h>
#include <stdint.h>

enum { NM_KEY_FILE_MAX = 1024 /* bytes: the longest key in hexadecimal has 192 */ };

/*
 * Reads a file into `bytes`. It has to be a regular file, root's or our own, that its group does not
 * write and others do not even read. NATMUX_ESYSTEM (it cannot be read), NATMUX_EINVAL (it is not
 * kept secret, or too long), with what is wrong and what is allowed in `message`.
 */
int nm_key_file_read(const char *path, uint8_t bytes[static NM_KEY_FILE_MAX], size_t *len,
	char *message, size_t size);

/* The same of what can be read from an open file, whoever else may. */
int nm_key_file_read_fd(
	int fd, uint8_t bytes[static NM_KEY_FILE_MAX], size_t *len, char *message, size_t size);

/*
 * Makes the `key_len` octets that a suite wants of the bytes of a file: these octets themselves,
 * unless they look like text, or hexadecimal digits ("0x" in front, blanks and colons between are
 * fine), or base64. The lengths of the three differ, so none is taken for another. NATMUX_EINVAL;
 * what `key` held is gone then.
 */
int nm_key_decode(const uint8_t *bytes, size_t len, uint8_t *key, size_t key_len);

#endif
