/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_VERSION_H
#define NATMUX_VERSION_H

#define NATMUX_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library in use, which may be newer than the header's NATMUX_VERSION. */
const char *natmux_version(void);

#ifdef __cplusplus
}
#endif
#endif
