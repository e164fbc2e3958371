/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_ERROR_H
#define NATMUX_ERROR_H

/*
 * Every function of the library that can fail returns 0 or one of these negative numbers, and
 * leaves its outputs untouched when it fails.
 */
#define NATMUX_ERROR_MAP(X)                                                                        \
	X(INVAL, -1, "invalid argument")                                                           \
	X(NOMEM, -2, "out of memory")                                                              \
	X(TRUNCATED, -3, "message is shorter than its own lengths say")                            \
	X(MALFORMED, -4, "message breaks its format")                                              \
	X(AUTH, -5, "integrity check failed")                                                      \
	X(FULL, -6, "table or queue is full")                                                      \
	X(NOTFOUND, -7, "no such object")                                                          \
	X(EXISTS, -8, "object exists already")                                                     \
	X(UNSUPPORTED, -9, "not supported by this build or kernel")                                \
	X(SYSTEM, -10, "system call failed")                                                       \
	X(RANGE, -11, "value out of range")                                                        \
	X(NOSPACE, -12, "buffer is too small")                                                     \
	X(BUSY, -13, "object is in use by whoever calls")

enum natmux_error {
	NATMUX_OK = 0,
#define X(name, value, text) NATMUX_E##name = (value),
	NATMUX_ERROR_MAP(X)
#undef X
};

#ifdef __cplusplus
extern "C" {
#endif

/* The text of an error, without a full stop; never NULL, "unknown error" for other numbers. */
const char *natmux_strerror(int error);

/* The name of an error as it stands in this header, such as "EINVAL"; "OK" for 0. */
const char *natmux_error_name(int error);

#ifdef __cplusplus
}
#endif
#endif
