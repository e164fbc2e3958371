/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NM_EXPORT_H
#define NM_EXPORT_H

/* Visible outside the shared library; natmux.map must list the name too. */
#define NM_EXPORT __attribute__((visibility("default")))

#endif
